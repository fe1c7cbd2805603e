//! Other programs at the same database: what they find there, what they write, and the rules they make.

use roomcast::hub::job::{Fault, Job};
use roomcast::hub::{Moment, Place};
use roomcast::id::{RoomId, UserId};

use super::by;
use crate::common::subject::{appended, at, confirm, guest, lasting_subjects};

#[test]
fn what_is_acknowledged_is_there_for_other_programs() {
    for mut s in lasting_subjects() {
        for number in 1..=10 {
            s.say(RoomId::LOBBY, guest(1), "hi");
            assert_eq!(s.value("SELECT count(*) FROM messages"), number.to_string());
        }
    }
}

#[test]
fn rows_of_other_programs_are_messages_like_any() {
    for mut s in lasting_subjects() {
        let ada = s.user("ada");
        let sender = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        s.sql(&format!("INSERT INTO messages (content, sender_id) VALUES ('plain', '{sender}')"));
        let upper = ada.uuid.to_string().to_uppercase();
        s.sql(&format!(
            "INSERT INTO messages (content, sender_id, created_date) VALUES ('as ada', '{upper}', CURRENT_TIMESTAMP)"
        ));
        s.sql(&format!("INSERT INTO message_reads (message_id, user_id) VALUES (1, {})", ada.id));
        let (messages, _) = s.read(RoomId::LOBBY, Some(ada.id), Place::Newest, 9);
        let shown: Vec<_> = messages.iter().map(|m| (m.username.as_str(), m.text.as_str(), m.user)).collect();
        assert_eq!(shown, [("guest-67e55044", "plain", None), ("ada", "as ada", Some(ada.id))]);
        assert_eq!((messages[0].sender.to_string().as_str(), messages[0].read_self), (sender, true));
        // Both are of now, whatever form their times have and whatever time zone the server is in.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64;
        assert!(messages.iter().all(|message| message.at.microseconds().abs_diff(now) < 60_000_000), "{messages:?}");
        // What is said next comes after them, and the next process starts behind them.
        assert!(s.say(RoomId::LOBBY, guest(1), "next").message > messages[1].id);
        let last = messages.iter().map(|message| message.at).max();
        assert!(Some(s.reopen().last) >= last);
        // Users and rooms of other programs are like any, too.
        s.sql("INSERT INTO users (username) VALUES ('bob'); INSERT INTO chats (name) VALUES ('tea')");
        assert_eq!(s.refused(Job::CreateUser { name: "bob".into(), at: at(9) }), Fault::NameTaken);
        assert_eq!(s.reopen().rooms.iter().map(|room| room.name.as_str()).collect::<Vec<_>>(), ["lobby", "tea"]);
    }
}

#[test]
fn a_time_before_all_that_can_be_shown_does_not_make_pages_endless() {
    for mut s in lasting_subjects() {
        let sender = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        for (time, can_be_shown) in
            [("1969-07-20 20:17:40Z", false), ("0044-03-15 12:00:00Z", false), ("2024-01-01 12:00:00Z", true)]
        {
            let values = format!("'{time}', '{sender}', '{time}'");
            let is_refused =
                s.refuses(&format!("INSERT INTO messages (content, sender_id, created_date) VALUES ({values})"));
            assert_eq!(is_refused, s.is_postgres() && !can_be_shown, "{time}");
        }
        let written: usize = s.value("SELECT count(*) FROM messages").parse().unwrap();
        let (mut shown, mut place) = (Vec::new(), Place::Earlier(Moment::END));
        for _ in 0..written {
            let (messages, has_more) = s.read(RoomId::LOBBY, None, place, 1);
            let Some(last) = messages.first() else { break };
            place = Place::Earlier(Moment { at: last.at, message: last.id });
            shown.push(last.id);
            if !has_more {
                break;
            }
        }
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(shown.len(), written, "{shown:?}");
    }
}

/// As when another program deletes the message between our looking at it and our writing.
#[test]
fn what_came_to_nothing_is_neither_noted_nor_told() {
    for mut s in lasting_subjects() {
        let message = s.say(RoomId::LOBBY, guest(1), "hm").message;
        s.sql(match s.is_postgres() {
            true => {
                "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
                 CREATE TRIGGER pass BEFORE UPDATE OR DELETE ON messages FOR EACH ROW EXECUTE FUNCTION pass()"
            }
            false => {
                "CREATE TRIGGER pass_update BEFORE UPDATE ON messages BEGIN SELECT RAISE(IGNORE); END;
                 CREATE TRIGGER pass_delete BEFORE DELETE ON messages BEGIN SELECT RAISE(IGNORE); END"
            }
        });
        let edit = Job::EditMessage { message, text: "ah".into(), by: None, at: at(9) };
        assert_eq!(s.refused(edit), Fault::NoSuchMessage);
        assert_eq!(s.refused(Job::DeleteMessage { message, by: None, at: at(9) }), Fault::NoSuchMessage);
        assert_eq!(s.value("SELECT count(*) FROM message_changes"), "0");
    }
}

#[test]
fn what_must_hold_holds_for_other_programs() {
    for mut s in lasting_subjects() {
        let ada = s.user("ada");
        let message = s.say(RoomId::LOBBY, by(ada.id), "hm").message;
        let long = "x".repeat(51);
        for refused in [
            "INSERT INTO users (username) VALUES ('ada')",
            &format!("INSERT INTO users (username, uuid) VALUES ('eve', '{}')", ada.uuid.to_string().to_uppercase()),
            "INSERT INTO chats (name) VALUES ('lobby')",
            "INSERT INTO chats (name, is_private) VALUES ('x', 'maybe')",
            "DELETE FROM chats WHERE id = 1",
            &format!("INSERT INTO messages (content, sender_id, file) VALUES ('', '{}', '{long}')", ada.uuid),
            &format!("INSERT INTO messages (content, sender_id, chat_id) VALUES ('', '{}', 99)", ada.uuid),
            &format!("INSERT INTO messages (sender_id) VALUES ('{}')", ada.uuid),
            &format!("INSERT INTO message_reads (message_id, user_id) VALUES ({message}, 99)"),
            &format!("INSERT INTO message_reactions (message_id, user_id, emoji) VALUES (99, {}, '!')", ada.id),
            "INSERT INTO message_changes (message_id, chat_id, kind) VALUES (1, 1, 'lost')",
        ] {
            assert!(s.refuses(refused), "{refused}");
        }
        // Nothing is left of what was refused.
        assert_eq!(s.texts(RoomId::LOBBY), ["hm"]);
    }
}

#[test]
fn the_times_of_rooms_and_readers_move_forward_only() {
    for mut s in lasting_subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let club = s.private("club", ada.id, &[bob.id]);
        let said = [0, 1].map(|_| s.say(club.id, by(ada.id), "hm").message);
        let moved = "SELECT m.id FROM chats c JOIN messages m ON m.created_date = c.updated_at WHERE c.id = ";
        let read = |user: UserId| {
            format!(
                "SELECT m.id FROM chat_participants p LEFT JOIN messages m ON m.created_date = p.last_read_at \
                 WHERE p.user_id = {user}"
            )
        };
        let last = said[1].to_string();
        assert_eq!((s.value(&format!("{moved}{}", club.id)), s.value(&read(bob.id))), (last.clone(), String::new()));
        // To the time of the message: what was said until it was confirmed has not been read.
        for message in [said[1], said[0]] {
            s.one(confirm(message, bob.id, at(500))).unwrap();
            assert_eq!((s.value(&read(bob.id)), s.value(&read(ada.id))), (last.clone(), String::new()));
        }
    }
}

#[test]
fn a_rule_of_another_program_refuses_one_job_and_not_its_neighbours() {
    for mut s in lasting_subjects() {
        let (rule, lift) = match s.is_postgres() {
            true => (
                "ALTER TABLE messages ADD CONSTRAINT no_shouting CHECK (content <> upper(content))",
                "ALTER TABLE messages DROP CONSTRAINT no_shouting",
            ),
            false => (
                "CREATE TRIGGER no_shouting AFTER INSERT ON messages WHEN NEW.content = upper(NEW.content) \
                 BEGIN SELECT RAISE(ABORT, 'secret reason'); END",
                "DROP TRIGGER no_shouting",
            ),
        };
        s.sql(rule);
        let jobs = ["one", "TWO", "three"].map(|text| s.draft(RoomId::LOBBY, guest(1), text, Some(text)));
        let outcomes = s.all(&jobs);
        assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
        assert_eq!(outcomes[1], Err(Fault::Unsupported("the database refused it".into())));
        assert_eq!(s.texts(RoomId::LOBBY), ["one", "three"]);
        // Nothing is left of it: its mark is free.
        s.sql(lift);
        let retried = s.one(jobs[1].clone());
        assert!(!appended(retried).is_repeat);
    }
}
