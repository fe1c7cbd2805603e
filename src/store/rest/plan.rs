//! Which jobs may be done at the same time, and which must wait for one another. Pure.

use std::collections::HashMap;

use crate::hub::job::{Author, Job};
use crate::id::{MessageId, Reference, Target, Uuid};

/// What a job is about. Two jobs about the same thing keep their order.
#[derive(PartialEq, Eq, Hash)]
enum About {
    User(i64),
    Room(i64),
    Message(MessageId),
    /// A name that may be free for one only.
    Name(String),
}

/// The jobs by their places in the list, in chains: what is in one chain is done in its order, and the chains don't care
/// for one another.
pub(super) fn chains(jobs: &[Job]) -> Vec<Vec<usize>> {
    let mut chains = Chains { leaders: (0..jobs.len()).collect() };
    let mut seen = HashMap::new();
    let mut is_unclear = false;
    for (place, job) in jobs.iter().enumerate() {
        let mut about = Subjects::default();
        about.add(job);
        is_unclear |= about.has_uuid;
        for subject in about.list {
            let first = *seen.entry(subject).or_insert(place);
            chains.join(first, place);
        }
    }
    // What a UUID stands for is found out on the way, so there is no telling what belongs together.
    if is_unclear { vec![(0..jobs.len()).collect()] } else { chains.into_lists() }
}

/// Which jobs belong together: each leads to another of its chain, and the first one to itself.
struct Chains {
    leaders: Vec<usize>,
}

impl Chains {
    fn leader(&mut self, mut place: usize) -> usize {
        while self.leaders[place] != place {
            self.leaders[place] = self.leaders[self.leaders[place]];
            place = self.leaders[place];
        }
        place
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.leader(one), self.leader(other));
        let (first, second) = (one.min(other), one.max(other));
        self.leaders[second] = first;
    }

    fn into_lists(mut self) -> Vec<Vec<usize>> {
        let mut lists: Vec<Vec<usize>> = vec![Vec::new(); self.leaders.len()];
        for place in 0..self.leaders.len() {
            let leader = self.leader(place);
            lists[leader].push(place);
        }
        lists.retain(|list| !list.is_empty());
        lists
    }
}

#[derive(Default)]
struct Subjects {
    list: Vec<About>,
    has_uuid: bool,
}

impl Subjects {
    fn add(&mut self, job: &Job) {
        match job {
            Job::CreateUser { name, .. } => self.list.push(About::Name(name.clone())),
            Job::RenameUser { user, name } => {
                self.user(*user);
                self.list.push(About::Name(name.clone()));
            }
            Job::FindUser { user } | Job::DeleteUser { user, .. } => self.user(*user),
            Job::Attend { user, .. } => match Reference::parse(user) {
                Some(user) => self.user(user),
                None => self.list.push(About::Name(user.clone())),
            },
            // Nothing is asked of the other server for these.
            Job::SetStatus { .. } | Job::Follow { .. } | Job::Forget { .. } | Job::ListChats { .. } => {}
            Job::Look | Job::ListUsers | Job::ListOnline { .. } | Job::CatchUp { .. } | Job::Survey { .. } => {}
            Job::CreateRoom { name, owner, .. } => {
                self.user(*owner);
                self.list.push(About::Name(name.clone()));
            }
            Job::RenameRoom { room, name, .. } => {
                self.room(*room);
                self.list.push(About::Name(name.clone()));
            }
            Job::FindRoom { room, .. } | Job::DeleteRoom { room, .. } | Job::ReadMessages { room, .. } => {
                self.room(*room);
            }
            Job::ReadMissed { room, .. } => self.room((*room).into()),
            Job::Append(draft) => {
                match draft.to {
                    Target::Room(room) => self.room(room),
                    Target::User(user) => self.user(user),
                }
                if let Author::User(user) = draft.author {
                    self.user(user);
                }
            }
            Job::EditMessage { message, .. }
            | Job::React { message, .. }
            | Job::DeleteMessage { message, .. }
            | Job::ListReaders { message, .. } => {
                self.list.push(About::Message(*message));
            }
            Job::Confirm { message, user, .. } => {
                self.list.push(About::Message(*message));
                self.user(*user);
            }
        }
    }

    fn user(&mut self, user: Reference) {
        self.reference(user, About::User);
    }

    fn room(&mut self, room: Reference) {
        self.reference(room, About::Room);
    }

    fn reference(&mut self, reference: Reference, about: fn(i64) -> About) {
        match reference {
            Reference::Number(id) => self.list.push(about(id)),
            Reference::Uuid(Uuid { .. }) => self.has_uuid = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::job::Draft;
    use crate::timestamp::Timestamp;

    fn say(room: i64, user: i64) -> Job {
        let (to, author) = (Target::Room(Reference::Number(room)), Author::User(Reference::Number(user)));
        let (text, at) = ("x".into(), Timestamp::default());
        Job::Append(Draft { to, author, text, client_id: None, message_type: None, file: None, at })
    }

    fn find(user: Reference) -> Job {
        Job::FindUser { user }
    }

    #[test]
    fn what_shares_a_room_or_a_user_keeps_its_order() {
        let jobs = [say(1, 1), say(2, 2), say(1, 3), Job::ListUsers, find(Reference::Number(2)), say(3, 3)];
        assert_eq!(chains(&jobs), [vec![0, 2, 5], vec![1, 4], vec![3]]);
        assert_eq!(chains(&[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn chains_that_meet_later_are_one() {
        assert_eq!(chains(&[say(1, 1), say(2, 2), say(3, 3), say(2, 1)]), [vec![0, 1, 3], vec![2]]);
    }

    #[test]
    fn who_attends_is_looked_up_after_what_became_of_their_name() {
        let attend =
            |user: &str| Job::Attend { user: user.into(), most: 1, follows_all: true, recovery: None, most_missed: 1 };
        let create = Job::CreateUser { name: "eve".into(), at: Timestamp::default() };
        let jobs = [create, say(1, 1), attend("eve"), attend("1"), attend("bob")];
        assert_eq!(chains(&jobs), [vec![0, 2], vec![1, 3], vec![4]]);
    }

    #[test]
    fn with_a_uuid_nothing_is_done_at_the_same_time() {
        assert_eq!(chains(&[say(1, 1), find(Reference::Uuid(Uuid::nil())), say(2, 2)]), [vec![0, 1, 2]]);
    }
}
