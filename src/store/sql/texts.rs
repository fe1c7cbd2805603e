//! Texts that not every database can keep.

use super::Database;
use crate::hub::job::{Author, Draft, Job};

/// Why a job is refused whose texts the database can't keep.
pub(super) const NUL: &str = "this server's database keeps no text with a NUL in it";

/// Whether the database can keep, and look for, all texts of a job.
pub(super) fn are_fit<D: Database>(job: &Job) -> bool {
    D::KEEPS_NUL || !texts(job).into_iter().flatten().any(|text| text.contains('\0'))
}

fn texts(job: &Job) -> [Option<&str>; 5] {
    fn one(text: &str) -> [Option<&str>; 5] {
        [Some(text), None, None, None, None]
    }
    match job {
        Job::Attend { user, recovery, .. } => {
            [Some(user.as_str()), recovery.as_ref().map(|recovery| recovery.pid.as_str()), None, None, None]
        }
        Job::Follow { pid: text, .. }
        | Job::Forget { pid: text }
        | Job::EditMessage { text, .. }
        | Job::React { emoji: text, .. }
        | Job::CreateUser { name: text, .. }
        | Job::RenameUser { name: text, .. }
        | Job::CreateRoom { name: text, .. }
        | Job::RenameRoom { name: text, .. } => one(text),
        Job::Append(Draft { author, text, client_id, message_type, file, .. }) => {
            let guest = if let Author::Guest { name, .. } = author { Some(name.as_str()) } else { None };
            [Some(text), client_id.as_deref(), message_type.as_deref(), file.as_deref(), guest]
        }
        Job::SetStatus { .. }
        | Job::ListOnline { .. }
        | Job::ListChats { .. }
        | Job::FindUser { .. }
        | Job::ListUsers
        | Job::Look
        | Job::CatchUp { .. }
        | Job::Survey { .. }
        | Job::DeleteUser { .. }
        | Job::FindRoom { .. }
        | Job::DeleteRoom { .. }
        | Job::ReadMessages { .. }
        | Job::ReadMissed { .. }
        | Job::DeleteMessage { .. }
        | Job::Confirm { .. }
        | Job::ListReaders { .. } => [None; 5],
    }
}
