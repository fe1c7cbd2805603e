//! Visitors: they read, write and listen, and take no part.

use super::*;
use job::{Change, ChangeRecord, Former, MessageRecord, Missed};

fn visit(hub: &mut Hub, from: usize, room: Option<&str>, visit: Visit) -> Vec<Effect> {
    ask(hub, from, Command::Visit(room.map(name), visit))
}

/// A hub with the lobby and a room `tea` in which slot n is a client and has joined the lobby.
fn lobby_of(sessions: usize) -> Hub {
    let mut hub = hub_of(sessions);
    hub.load(&[room(1, "lobby"), room(2, "tea")], Some(mark(5, 1)));
    for index in 0..sessions {
        join(&mut hub, index, "lobby");
    }
    hub
}

fn heard(missed: Vec<(Event, Mark)>, mark: Mark, has_more: bool) -> Reply {
    Reply::Heard { missed, mark: Some(mark), has_more }
}

/// Somebody listens in `slot`.
fn listen(hub: &mut Hub, from: usize, room: Option<&str>) -> Vec<Effect> {
    hub.open_for_program(slot(from));
    visit(hub, from, room, Visit::Listen { since: None })
}

fn post(sender: u128, file: Option<&str>) -> Visit {
    let file = file.map(|file| FileName::new(file).unwrap());
    Visit::Say { sender: Uuid::from_u128(sender), text: text("hi"), file, client_id: None }
}

fn outsider(uuid: u128, name: &str) -> Who {
    Who::Outsider { uuid: Uuid::from_u128(uuid), name: name.into() }
}

fn lobby_members(hub: &mut Hub, from: usize) -> (Vec<u64>, usize) {
    let effects = ask(hub, from, Command::ListMembers { room: name("lobby") });
    let [Effect::Reply { reply: Reply::Members { members, .. }, .. }] = &effects[..] else { panic!("{effects:?}") };
    let named = members.iter().map(|id| id.0).collect();
    let effects = ask(hub, from, Command::ListRooms);
    let [Effect::Reply { reply: Reply::Rooms { rooms }, .. }] = &effects[..] else { panic!("{effects:?}") };
    (named, rooms[0].members)
}

/// As the store has it: message 6 is stored in the lobby.
fn appended_in(room: i64) -> job::Outcome {
    let (message, at) = (MessageId(6), Timestamp::default());
    let (author, direct) = (None, None);
    Ok(Done::Appended(Appended { message, room: ids(room), author, direct, at, is_repeat: false, order: None }))
}

#[test]
fn a_listener_is_told_and_is_nobody() {
    let mut hub = lobby_of(2);
    assert_eq!(listen(&mut hub, 2, None), [reply(2, heard(vec![], mark(5, 1), false))], "and nobody hears of it");
    assert!(!hub.has_jobs());
    assert_eq!((lobby_members(&mut hub, 0), hub.session_count()), ((vec![0, 1], 2), 2));
    assert!(hub.everybody().all(|slot| slot.index() < 2), "what all are told is not for it");

    ask(&mut hub, 0, Command::SayToRoom { text: text("hi"), client_id: None });
    let effects = commit(&mut hub, appended_in(1));
    let told = all_told(&effects, &hub);
    assert_eq!((told.len(), &told[0].0[..]), (1, &[1, 2][..]));
    assert!(matches!(&told[0].1, Event::RoomMessage { from, .. } if *from == guest(0)));

    // It goes as it came; and so does a client that leaves where one listens.
    assert_eq!(close(&mut hub, 2), []);
    assert_eq!(lobby_members(&mut hub, 0), (vec![0, 1], 2));
    listen(&mut hub, 2, None);
    assert_eq!(all_told(&close(&mut hub, 1), &hub)[0].0, [0, 2]);
}

#[test]
fn what_is_kept_is_there_for_visitors_by_its_name() {
    let mut hub = lobby_of(1);
    join(&mut hub, 0, "passing");
    hub.open_for_program(slot(1));
    let page = Page { place: Place::Earlier(Moment::END), limit: 3 };
    let visits =
        || [post(9, None), Visit::Read(page), Visit::Listen { since: None }, Visit::Listen { since: Some(mark(1, 0)) }];
    // Ephemeral, private, and not there at all.
    follow(&mut hub, 0, 1, &[3]);
    let refusal = Refusal::NotFound("there is no open, durable room of that name");
    for room in ["passing", "chat3", "nowhere"] {
        for asked in visits() {
            assert_eq!(visit(&mut hub, 1, Some(room), asked.clone()), refused(1, refusal.clone()), "{room} {asked:?}");
        }
    }
    jobs(&mut hub);
    visit(&mut hub, 1, Some("tea"), Visit::Read(page));
    let (ticket, asked) = job(&mut hub);
    assert_eq!(asked, Job::ReadMessages { room: TEA.into(), reader: None, page });
    let (messages, room, has_more) = (vec![], ids(2), true);
    let effects = commit_to(&mut hub, ticket, Ok(Done::Messages { room, messages, has_more }));
    assert_eq!(effects, [reply(1, Reply::Messages { room, messages: vec![], has_more })]);

    let mut bare = hub_of(0);
    bare.open_for_program(slot(0));
    let refusal = Refusal::Unavailable("this server keeps nothing: it runs without a store".into());
    assert_eq!(visit(&mut bare, 0, None, Visit::Read(page)), refused(0, refusal));
}

#[test]
fn what_a_visitor_says_is_a_guests_of_that_uuid() {
    const SENDER: u128 = 0x123e4567_e89b_12d3_a456_426614174000;
    let mut hub = lobby_of(1);
    listen(&mut hub, 1, None);
    hub.open_for_program(slot(2));
    assert_eq!(visit(&mut hub, 2, None, post(SENDER, Some("a.pdf"))), [], "not before it is stored");
    let (ticket, asked) = job(&mut hub);
    let Job::Append(draft) = asked else { panic!("{asked:?}") };
    let author = Author::Guest { uuid: Uuid::from_u128(SENDER), name: "guest-123e4567".into() };
    assert_eq!((draft.to, draft.author), (Target::Room(RoomId::LOBBY.into()), author));
    assert_eq!((draft.text.as_str(), draft.file.as_deref(), draft.client_id), ("hi", Some("a.pdf"), None));

    let effects = commit_to(&mut hub, ticket, appended_in(1));
    let from = outsider(SENDER, "guest-123e4567");
    let Effect::Reply { reply: Reply::Said { from: Some(by), stored, .. }, .. } = &effects[0] else {
        panic!("{effects:?}")
    };
    assert_eq!((by, stored.file.as_deref(), stored.message), (&from, Some("a.pdf"), MessageId(6)));
    let told = all_told(&effects, &hub);
    let event = Event::RoomMessage { room: "lobby".into(), from, text: "hi".into(), stored: Some(stored.clone()) };
    assert_eq!(told, [(vec![0, 1], event)]);

    visit(&mut hub, 2, None, post(1, None));
    let refusal = Refusal::NameTaken("there is a user of that name");
    assert_eq!(commit(&mut hub, Err(Fault::NameTaken)), refused(2, refusal), "a registered user's");
}

fn message(id: i64) -> MessageRecord {
    MessageRecord {
        id: MessageId(id),
        user: None,
        sender: Uuid::from_u128(9),
        username: "guest-00000000".into(),
        text: "hi".into(),
        at: Timestamp::from_microseconds(id),
        read_by: 0,
        read_self: false,
        message_type: "text".into(),
        file: Some("a.pdf".into()),
        edited_at: None,
        reactions: Vec::new(),
        direct_to: None,
        transaction: None,
    }
}

fn deletion(message: i64) -> ChangeRecord {
    let (message, at) = (MessageId(message), Timestamp::default());
    ChangeRecord { message, room: ids(1), user: None, at, what: Change::Deleted, was: None, transaction: None }
}

fn told_again(id: i64) -> Event {
    let (from, at) = (outsider(9, "guest-00000000"), Timestamp::from_microseconds(id));
    let stored = Stored { message: MessageId(id), room: ids(1), at, file: Some("a.pdf".into()), ..stored(id, 0) };
    Event::RoomMessage { room: "lobby".into(), from, text: "hi".into(), stored: Some(stored.into()) }
}

fn gone(message: i64) -> Event {
    Event::MessageDeleted { message: MessageId(message), room: ids(1), direct_to: None, was: None }
}

/// What was missed of the lobby.
fn missed(messages: &[i64], changes: &[i64]) -> Missed {
    Missed {
        messages: messages.iter().map(|&id| (ids(1), message(id))).collect(),
        changes: changes.iter().map(|&id| deletion(id)).collect(),
    }
}

fn catch_up(hub: &mut Hub, since: Mark) -> Ticket {
    assert_eq!(visit(hub, 1, None, Visit::Listen { since: Some(since) }), []);
    let (ticket, asked) = job(hub);
    let Job::ReadMissed { room, since: from, .. } = asked else { panic!("{asked:?}") };
    assert_eq!((room, from), (RoomId::LOBBY, since));
    ticket
}

#[test]
fn what_was_missed_is_told_in_parts_and_then_what_comes() {
    let mut hub = lobby_of(1);
    hub.open_for_program(slot(1));
    let ticket = catch_up(&mut hub, mark(1, 0));
    let part = Done::Missed { missed: missed(&[2, 3], &[]), mark: mark(3, 0), has_more: true };
    assert!(hub.moves_members(ticket, &Ok(part.clone())));
    let effects = commit_to(&mut hub, ticket, Ok(part));
    let marked = vec![(told_again(2), mark(2, 0)), (told_again(3), mark(3, 0))];
    assert_eq!(effects, [reply(1, heard(marked, mark(3, 0), true))]);
    // Not yet: what is said now is in the store when the next part is read.
    ask(&mut hub, 0, Command::SayToRoom { text: text("hi"), client_id: None });
    assert_eq!(all_told(&commit(&mut hub, appended_in(1)), &hub)[0].0, [0; 0]);

    let ticket = catch_up(&mut hub, mark(3, 0));
    let missed = missed(&[4, 6], &[2, 4]);
    let effects = commit_to(&mut hub, ticket, Ok(Done::Missed { missed, mark: mark(6, 9), has_more: false }));
    // Until the changes are told nobody has heard of any of them: only with the last one all is heard.
    let marked =
        vec![(told_again(4), mark(4, 0)), (told_again(6), mark(6, 0)), (gone(2), mark(6, 0)), (gone(4), mark(6, 9))];
    assert_eq!(effects, [reply(1, heard(marked, mark(6, 9), false))]);
    ask(&mut hub, 0, Command::SayToRoom { text: text("hi"), client_id: None });
    assert_eq!(all_told(&commit(&mut hub, appended_in(1)), &hub)[0].0, [1], "no gap");
}

#[test]
fn a_listener_that_has_gone_meanwhile_is_not_waited_for() {
    let mut hub = lobby_of(1);
    hub.open_for_program(slot(1));
    let ticket = catch_up(&mut hub, mark(1, 0));
    close(&mut hub, 1);
    hub.open_for_program(slot(1));
    let done = Done::Missed { missed: missed(&[2], &[]), mark: mark(2, 0), has_more: false };
    assert_eq!(commit_to(&mut hub, ticket, Ok(done)), []);
    assert_eq!(hub.rooms_of(slot(1)), [], "the next tenant of the slot does not listen");
}

#[test]
fn with_its_room_a_listener_is_dismissed() {
    let mut hub = lobby_of(1);
    join(&mut hub, 0, "tea");
    listen(&mut hub, 1, Some("tea"));
    listen(&mut hub, 2, None);
    hub.open_for_program(slot(3));
    let ticket = {
        let waiting = visit(&mut hub, 3, Some("tea"), Visit::Listen { since: Some(mark(1, 0)) });
        assert_eq!(waiting, []);
        job(&mut hub).0
    };
    hub.open_for_program(slot(4));
    ask(&mut hub, 4, Command::DeleteRoom { room: TEA.into() });
    let effects = commit(&mut hub, Ok(Done::RoomDeleted(TEA)));
    let told = all_told(&effects, &hub);
    let expelled = (vec![0], Event::Expelled { room: "tea".into() });
    assert_eq!(told, [expelled, (vec![0], Event::RoomDeleted { id: TEA })]);
    let dismissed: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Dismiss { .. })).collect();
    assert_eq!(dismissed, [&Effect::Dismiss { slot: slot(1) }]);
    assert_eq!((hub.rooms_of(slot(1)), hub.rooms_of(slot(2)).len()), (&[][..], 1));
    // It was about to listen.
    let done = Done::Missed { missed: Missed::default(), mark: mark(1, 0), has_more: false };
    assert_eq!(commit_to(&mut hub, ticket, Ok(done)), refused(3, Refusal::NotFound("the room is gone")));
}

#[test]
fn a_listener_asks_nothing_any_more() {
    let mut hub = lobby_of(1);
    listen(&mut hub, 1, None);
    assert_eq!(ask(&mut hub, 1, to_room(RoomId::LOBBY.into())), refused(1, Refusal::NotIdentified));
    let mut effects = Vec::new();
    let claim = Some(Claim::User(Reference::Number(1)));
    hub.apply(slot(1), Request { claimed_sender: claim, command: Command::DeleteUser, tag: None }, &mut effects);
    assert_eq!(effects, refused(1, Refusal::NotYourId));
    assert!(!hub.has_jobs());
}

#[test]
fn a_program_changes_any_message_and_all_are_told() {
    let mut hub = lobby_of(1);
    listen(&mut hub, 1, None);
    hub.open_for_program(slot(2));
    let (id, room, at) = (MessageId(4), ids(1), Timestamp::from_microseconds(7));
    ask(&mut hub, 2, Command::EditMessage { message: id, text: text("new") });
    let (ticket, asked) = job(&mut hub);
    assert!(matches!(&asked, Job::EditMessage { message, by: None, .. } if *message == id), "{asked:?}");
    let was = Former { sender: Uuid::from_u128(9), at, text: "old".into(), file: None };
    let done = Done::Edited { message: id, room, at, was: Some(was.clone()), change: ChangeId(2), order: None };
    let effects = commit_to(&mut hub, ticket, Ok(done));
    let (text, was) = ("new".into(), Some(was.into()));
    let event = Event::Edited { message: id, room, direct_to: None, text, at, was };
    assert!(matches!(&effects[0], Effect::Reply { reply: Reply::Edited { was: Some(_), .. }, .. }));
    assert_eq!((all_told(&effects, &hub), hub.mark()), (vec![(vec![0, 1], event)], mark(5, 2)));

    ask(&mut hub, 2, Command::DeleteMessage { message: id });
    let (ticket, asked) = job(&mut hub);
    assert!(matches!(asked, Job::DeleteMessage { by: None, .. }), "{asked:?}");
    let effects = commit_to(&mut hub, ticket, Err(Fault::NoSuchMessage));
    assert_eq!(effects, refused(2, Refusal::NotFound("there is no such message")));
    let done = Done::MessageDeleted { message: id, room, was: None, change: ChangeId(3), order: None };
    ask(&mut hub, 2, Command::DeleteMessage { message: id });
    assert_eq!(all_told(&commit(&mut hub, Ok(done)), &hub), [(vec![0, 1], gone(4))]);
}
