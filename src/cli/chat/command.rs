//! The words of both sides: a typed line becomes a request, a frame that arrived becomes a line to show. No socket,
//! no terminal; texts are shown as they came, since [`super::screen`] escapes all lines.
//!
//! [`Conversation`] is what is known on one connection. A server answers each request once and in order, so the
//! requests without an answer are kept: they tell the answer to one's own private message, which looks like a
//! private message, from somebody else's.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What `/help` shows.
pub(super) const HELP: &str = "\
/join ROOM     enter a room, leaving the one you are in; a new name makes a new room
/leave         leave the room
/msg ID TEXT   say something to one user
/rooms         list the rooms
/who [ROOM]    list who is in a room, without ROOM in yours
/quit          end, as Ctrl-D does
anything else is said to your room; begin with // for a message that begins with /";

/// What somebody wants who typed a line.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Typed {
    /// To ask the server.
    Ask(Request),
    /// To ask the server who is in the room one is in.
    WhoIsHere,
    /// To see the commands.
    Help,
    /// To end.
    Quit,
    /// Something that nobody can do; the sentence says why.
    Wrong(String),
}

/// What can be asked of the server, in the words of the action dialect.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(super) enum Request {
    /// To enter a room.
    Join { room: String },
    /// To leave the room.
    Leave,
    /// To say something to one user.
    PrivateMessage { user_id: String, message: String },
    /// To say something to the room.
    RoomMessage { message: String },
    /// Which rooms there are.
    Rooms,
    /// Who is in a room.
    Participants { room: String },
}

impl Typed {
    /// Reads one line; nothing if it is blank.
    pub(super) fn parse(line: &str) -> Option<Self> {
        if line.trim().is_empty() {
            return None;
        }
        Some(match line.strip_prefix('/') {
            Some(message) if message.starts_with('/') => Self::say(message),
            Some(command) => Self::command(command),
            None => Self::say(line),
        })
    }

    fn say(message: &str) -> Self {
        Self::Ask(Request::RoomMessage { message: message.to_owned() })
    }

    fn command(line: &str) -> Self {
        let (name, rest) = first_word(line);
        match name {
            "join" if rest.is_empty() => Self::Wrong("/join needs a room: /join ROOM".into()),
            "join" => Self::Ask(Request::Join { room: rest.to_owned() }),
            "leave" => Self::Ask(Request::Leave),
            "msg" => Self::private_message(rest),
            "rooms" => Self::Ask(Request::Rooms),
            "who" if rest.is_empty() => Self::WhoIsHere,
            "who" => Self::Ask(Request::Participants { room: rest.to_owned() }),
            "help" => Self::Help,
            "quit" => Self::Quit,
            _ => Self::Wrong(format!("there is no command /{name}; /help lists them all")),
        }
    }

    fn private_message(rest: &str) -> Self {
        match first_word(rest) {
            (_, "") => Self::Wrong("/msg needs a user and a text: /msg ID TEXT".into()),
            (user_id, message) => {
                // As the server writes ids, since its answer is known by the id.
                let user_id = user_id.parse().map_or_else(|_| user_id.to_owned(), |id: u64| id.to_string());
                Self::Ask(Request::PrivateMessage { user_id, message: message.to_owned() })
            }
        }
    }
}

/// The first word and the trimmed rest.
fn first_word(line: &str) -> (&str, &str) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim())
}

/// What the server says. Without a `user_id` it is the answer to one's own request, with one the news of another's.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Frame {
    Connection { user_id: String },
    Join { room: String, user_id: Option<String> },
    Leave { room: String, user_id: Option<String> },
    PrivateMessage { user_id: String, message: String },
    RoomMessage { room: String, user_id: Option<String>, message: String },
    Rooms { rooms: Vec<String> },
    Participants { room: String, participants: Vec<String> },
    Error { message: String },
}

impl Frame {
    fn answers(&self, request: &Request) -> bool {
        match (self, request) {
            (Self::Error { .. }, _)
            | (Self::Join { user_id: None, .. }, Request::Join { .. })
            | (Self::Leave { user_id: None, .. }, Request::Leave)
            | (Self::RoomMessage { user_id: None, .. }, Request::RoomMessage { .. })
            | (Self::Rooms { .. }, Request::Rooms)
            | (Self::Participants { .. }, Request::Participants { .. }) => true,
            // If the other said the very same at the same time, the two frames are alike and either may be the answer.
            (Self::PrivateMessage { user_id, message }, Request::PrivateMessage { user_id: to, message: said }) => {
                user_id == to && message == said
            }
            _ => false,
        }
    }
}

/// A line to show.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// What one did not know.
    News(String),
    /// What one has just typed oneself, now that the server has it.
    Echo(String),
}

/// What is known of one's place on the server.
#[derive(Default)]
pub(super) struct Conversation {
    me: Option<String>,
    room: Option<String>,
    unanswered: VecDeque<Request>,
}

impl Conversation {
    /// Forgets what held for the connection before, but not the room.
    pub(super) fn begin(&mut self) {
        *self = Self { room: self.room.take(), ..Self::default() };
    }

    /// Whether the server has said who one is, so that it can be asked.
    pub(super) fn is_open(&self) -> bool {
        self.me.is_some()
    }

    /// The room one is in, or was in when the connection before ended.
    pub(super) fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// The room one will be in when all that was asked is answered.
    pub(super) fn next_room(&self) -> Option<&str> {
        let moves = self.unanswered.iter().rev().find_map(|request| match request {
            Request::Join { room } => Some(Some(room.as_str())),
            Request::Leave => Some(None),
            _ => None,
        });
        moves.unwrap_or(self.room())
    }

    /// How many requests have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// The frame for a request, whose answer is awaited from now on.
    pub(super) fn ask(&mut self, request: Request) -> String {
        #[expect(clippy::expect_used, reason = "strings under fixed names: nothing in it can fail")]
        let frame = serde_json::to_string(&request).expect("a frame of plain strings");
        self.unanswered.push_back(request);
        frame
    }

    /// Takes in a frame. One that it does not know is shown as it is, because a newer server may say more.
    pub(super) fn hear(&mut self, text: &str) -> Line {
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            return Line::News(format!("the server says: {text}"));
        };
        let own = self.settle(&frame);
        match &frame {
            Frame::Connection { user_id } => self.me = Some(user_id.clone()),
            Frame::Join { room, user_id: None } => self.room = Some(room.clone()),
            Frame::Leave { user_id: None, .. } => self.room = None,
            _ => {}
        }
        self.line(&frame, own)
    }

    /// Strikes out the request that the frame answers, and with it any older one: that can have no answer anymore.
    fn settle(&mut self, frame: &Frame) -> bool {
        let answered = self.unanswered.iter().position(|request| frame.answers(request));
        if let Some(last) = answered {
            self.unanswered.drain(..=last);
        }
        answered.is_some()
    }

    fn line(&self, frame: &Frame, own: bool) -> Line {
        Line::News(match frame {
            Frame::Connection { user_id } => format!("connected as user {user_id}"),
            Frame::Join { room, user_id: None } => format!("you joined {room}"),
            Frame::Join { room, user_id: Some(id) } => format!("{} joined {room}", self.name(id)),
            Frame::Leave { room, user_id: None } => format!("you left {room}"),
            Frame::Leave { room, user_id: Some(id) } => format!("{} left {room}", self.name(id)),
            Frame::PrivateMessage { user_id, message } if own => {
                return Line::Echo(format!("[private] you to user {user_id}: {message}"));
            }
            Frame::PrivateMessage { user_id, message } => format!("[private] {}: {message}", self.name(user_id)),
            Frame::RoomMessage { room, user_id: None, message } => {
                return Line::Echo(format!("[{room}] you: {message}"));
            }
            Frame::RoomMessage { room, user_id: Some(id), message } => {
                format!("[{room}] {}: {message}", self.name(id))
            }
            Frame::Rooms { rooms } if rooms.is_empty() => "no rooms".into(),
            Frame::Rooms { rooms } => format!("rooms: {}", rooms.join(", ")),
            Frame::Participants { room, participants } => format!("in {room}: {}", self.names(participants)),
            Frame::Error { message } => format!("error: {message}"),
        })
    }

    fn name(&self, id: &str) -> String {
        if self.me.as_deref() == Some(id) { "you".into() } else { format!("user {id}") }
    }

    fn names(&self, ids: &[String]) -> String {
        if ids.is_empty() {
            return "nobody".into();
        }
        let mark = |id: &String| if self.me.as_ref() == Some(id) { format!("{id} (you)") } else { id.clone() };
        ids.iter().map(mark).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(user_id: &str, message: &str) -> Request {
        Request::PrivateMessage { user_id: user_id.into(), message: message.into() }
    }

    /// The conversation of user 3, connected.
    fn conversation() -> Conversation {
        let mut conversation = Conversation::default();
        conversation.hear(r#"{"action":"connection","user_id":"3"}"#);
        conversation
    }

    fn news(text: &str) -> Line {
        Line::News(text.into())
    }

    #[test]
    fn a_line_becomes_what_its_writer_wants() {
        let say = |message: &str| Typed::Ask(Request::RoomMessage { message: message.into() });
        let cases = [
            ("hello there ", say("hello there ")),
            (" /join x", say(" /join x")),
            ("//join x", say("/join x")),
            ("//", say("/")),
            ("/join  my room ", Typed::Ask(Request::Join { room: "my room".into() })),
            ("/leave", Typed::Ask(Request::Leave)),
            ("/msg 4  two  words", Typed::Ask(private("4", "two  words"))),
            ("/msg 04 x", Typed::Ask(private("4", "x"))),
            ("/msg bob x", Typed::Ask(private("bob", "x"))),
            ("/rooms", Typed::Ask(Request::Rooms)),
            ("/who", Typed::WhoIsHere),
            ("/who my room", Typed::Ask(Request::Participants { room: "my room".into() })),
            ("/help", Typed::Help),
            ("/quit ", Typed::Quit),
        ];
        for (line, typed) in cases {
            assert_eq!(Typed::parse(line), Some(typed), "{line}");
        }
        assert_eq!(Typed::parse(""), None);
        assert_eq!(Typed::parse(" \t"), None);
    }

    #[test]
    fn what_cannot_be_meant_is_said_in_a_sentence() {
        for line in ["/", "/ join x", "/Join x", "/joinx", "/join", "/join  ", "/msg", "/msg 4", "/msg 4  "] {
            assert!(matches!(Typed::parse(line), Some(Typed::Wrong(_))), "{line}");
        }
        let wrong = Typed::Wrong("there is no command /nick; /help lists them all".into());
        assert_eq!(Typed::parse("/nick bob"), Some(wrong));
    }

    #[test]
    fn requests_are_written_to_the_letter() {
        let cases = [
            (Request::Join { room: "R".into() }, r#"{"action":"join","room":"R"}"#),
            (Request::Leave, r#"{"action":"leave"}"#),
            (private("1", "Hello!"), r#"{"action":"private_message","user_id":"1","message":"Hello!"}"#),
            (Request::RoomMessage { message: "\"".into() }, r#"{"action":"room_message","message":"\""}"#),
            (Request::Rooms, r#"{"action":"rooms"}"#),
            (Request::Participants { room: "0".into() }, r#"{"action":"participants","room":"0"}"#),
        ];
        for (request, frame) in cases {
            assert_eq!(conversation().ask(request), frame);
        }
    }

    #[test]
    fn a_frame_becomes_a_line() {
        let cases = [
            (r#"{"action":"connection","user_id":"3"}"#, "connected as user 3"),
            (r#"{"action":"join","room":"lobby"}"#, "you joined lobby"),
            (r#"{"action":"join","room":"lobby","user_id":"4"}"#, "user 4 joined lobby"),
            (r#"{"action":"leave","room":"lobby"}"#, "you left lobby"),
            (r#"{"action":"leave","room":"lobby","user_id":"4"}"#, "user 4 left lobby"),
            (r#"{"action":"room_message","room":"lobby","user_id":"4","message":"hi"}"#, "[lobby] user 4: hi"),
            (r#"{"action":"private_message","user_id":"4","message":"hi"}"#, "[private] user 4: hi"),
            (r#"{"action":"rooms","rooms":[]}"#, "no rooms"),
            (r#"{"action":"rooms","rooms":["a","b"]}"#, "rooms: a, b"),
            (r#"{"action":"participants","room":"lobby","participants":["0","3"]}"#, "in lobby: 0, 3 (you)"),
            (r#"{"action":"participants","room":"lobby","participants":[]}"#, "in lobby: nobody"),
            (r#"{"action":"error","message":"user 9 is not on the server"}"#, "error: user 9 is not on the server"),
            (r#"{"action":"join","room":"R","user_id":"4","more":[1]}"#, "user 4 joined R"),
            (r#"{"action":"dance"}"#, r#"the server says: {"action":"dance"}"#),
            (r#"{"action":"join"}"#, r#"the server says: {"action":"join"}"#),
            ("[", "the server says: ["),
        ];
        for (frame, line) in cases {
            assert_eq!(conversation().hear(frame), news(line), "{frame}");
        }
        let own = conversation().hear(r#"{"action":"room_message","room":"lobby","message":"hi"}"#);
        assert_eq!(own, Line::Echo("[lobby] you: hi".into()));
    }

    #[test]
    fn the_answer_to_a_private_message_is_told_from_one_that_came() {
        let hi_of_4 = r#"{"action":"private_message","user_id":"4","message":"hi"}"#;
        let mut conversation = conversation();
        conversation.ask(private("9", "hi"));
        conversation.ask(private("4", "hi"));
        assert_eq!(
            conversation.hear(r#"{"action":"private_message","user_id":"4","message":"yo"}"#),
            news("[private] user 4: yo")
        );
        assert_eq!(conversation.hear(r#"{"action":"error","message":"no 9"}"#), news("error: no 9"));
        assert_eq!(conversation.hear(hi_of_4), Line::Echo("[private] you to user 4: hi".into()));
        assert_eq!(conversation.hear(hi_of_4), news("[private] user 4: hi"));
        assert_eq!(conversation.unanswered(), 0);
    }

    #[test]
    fn a_private_message_to_oneself_is_seen_going_and_coming() {
        let frame = r#"{"action":"private_message","user_id":"3","message":"hi"}"#;
        let mut conversation = conversation();
        conversation.ask(private("3", "hi"));
        assert_eq!(conversation.hear(frame), Line::Echo("[private] you to user 3: hi".into()));
        assert_eq!(conversation.hear(frame), news("[private] you: hi"));
    }

    #[test]
    fn a_request_that_was_passed_over_is_not_awaited_forever() {
        let mut conversation = conversation();
        conversation.ask(Request::Leave);
        conversation.ask(Request::Rooms);
        conversation.ask(Request::Leave);
        conversation.hear(r#"{"action":"rooms","rooms":[]}"#);
        assert_eq!(conversation.unanswered(), 1);
        conversation.hear(r#"{"action":"join","room":"R","user_id":"4"}"#);
        assert_eq!(conversation.unanswered(), 1);
    }

    #[test]
    fn the_room_is_known_before_the_server_has_answered() {
        let mut conversation = conversation();
        assert_eq!(conversation.next_room(), None);
        conversation.ask(Request::Join { room: "R".into() });
        conversation.ask(Request::Rooms);
        assert_eq!((conversation.room(), conversation.next_room()), (None, Some("R")));
        conversation.hear(r#"{"action":"join","room":"R"}"#);
        conversation.ask(Request::Leave);
        assert_eq!((conversation.room(), conversation.next_room()), (Some("R"), None));
    }

    #[test]
    fn a_new_connection_remembers_the_room_alone() {
        let mut conversation = conversation();
        conversation.hear(r#"{"action":"join","room":"R"}"#);
        conversation.hear(r#"{"action":"leave","room":"R","user_id":"4"}"#);
        conversation.ask(Request::Rooms);
        conversation.begin();
        assert_eq!((conversation.is_open(), conversation.room(), conversation.unanswered()), (false, Some("R"), 0));
        conversation.hear(r#"{"action":"leave","room":"R"}"#);
        assert_eq!(conversation.room(), None);
    }
}
