//! What another server's answers say, however it spells its fields: `ID`, `id` or `userId`, `Username` or `name`, a list
//! or an object with a list in it. Pure.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::timestamp::Timestamp;

/// Names of fields, in lower case and without underscores; the first that is there counts.
type Names = &'static [&'static str];

const USER_ID: Names = &["userid", "id"];
const USER_NAME: Names = &["username", "name"];
const ROOM_ID: Names = &["roomid", "id"];
const ROOM_NAME: Names = &["roomname", "name"];
const OWNER_ID: Names = &["ownerid", "userid", "createdby"];
const MESSAGE_ID: Names = &["messageid", "id"];
const SENDER_ID: Names = &["userid", "senderid", "authorid"];
const SENDER_NAME: Names = &["username", "sendername", "authorname", "sender", "author", "name"];
const TEXT: Names = &["message", "content", "text"];
const CREATED_AT: Names = &["createdat", "timestamp", "createddate", "created", "sentat", "date", "time"];
const READ_AT: Names = &["readat", "timestamp", "createdat", "date", "time"];

/// What a list or an object may be wrapped in.
const WRAPPERS: Names =
    &["data", "result", "results", "items", "user", "users", "room", "rooms", "message", "messages", "readers"];

/// A user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The id.
    pub id: i64,
    /// The name.
    pub name: String,
}

/// A room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Room {
    /// The id.
    pub id: i64,
    /// The name.
    pub name: String,
    /// Whose it is, if it says so.
    pub owner: Option<i64>,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The id.
    pub id: i64,
    /// Who said it, if it was a registered user.
    pub user: Option<i64>,
    /// Their name, if it says so.
    pub username: Option<String>,
    /// What was said.
    pub text: String,
    /// When, if it says so.
    pub at: Option<Timestamp>,
}

/// Who has read a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    /// Who.
    pub user: i64,
    /// Their name, if it says so.
    pub name: Option<String>,
    /// When, if it says so.
    pub at: Option<Timestamp>,
}

/// Reads a user.
pub fn user(object: &Value) -> Option<User> {
    Some(User { id: id(object, USER_ID)?, name: text(object, USER_NAME)? })
}

/// Reads a room.
pub fn room(object: &Value) -> Option<Room> {
    Some(Room { id: id(object, ROOM_ID)?, name: text(object, ROOM_NAME)?, owner: id(object, OWNER_ID) })
}

/// Reads a message of a list.
pub fn message(object: &Value) -> Option<Message> {
    Some(Message {
        id: id(object, MESSAGE_ID)?,
        user: id(object, SENDER_ID),
        username: text(object, SENDER_NAME),
        text: text(object, TEXT)?,
        at: time(object, CREATED_AT),
    })
}

/// Reads one of those who have read a message.
pub fn reader(object: &Value) -> Option<Reader> {
    Some(Reader { user: id(object, USER_ID)?, name: text(object, USER_NAME), at: time(object, READ_AT) })
}

/// The id of a user that was made, by whose answer it is.
pub fn user_id(object: &Value) -> Option<i64> {
    id(object, USER_ID)
}

/// The id of a room that was made.
pub fn room_id(object: &Value) -> Option<i64> {
    // The answer may name the owner as well.
    id(object, ROOM_ID)
}

/// The id of a message that was stored.
pub fn message_id(object: &Value) -> Option<i64> {
    id(object, MESSAGE_ID)
}

/// When a message was stored.
pub(super) fn created_at(object: &Value) -> Option<Timestamp> {
    time(object, CREATED_AT)
}

/// When a message was read.
pub(super) fn read_at(object: &Value) -> Option<Timestamp> {
    time(object, READ_AT)
}

/// What the server says is wrong.
pub fn complaint(object: &Value) -> Option<String> {
    text(object, &["error", "message", "detail"])
}

/// The items of a list, of which each that can't be read is left out. Nothing if that would be all of them, or if it is
/// no list at all. An object is a list of one.
pub fn list<T>(body: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    let items = match unwrapped(body) {
        Value::Array(items) => items.as_slice(),
        object @ Value::Object(_) => std::slice::from_ref(object),
        _ => return None,
    };
    let understood: Vec<T> = items.iter().filter_map(read).collect();
    if understood.len() < items.len() {
        log::debug!("the upstream store: {} of {} items not understood", items.len() - understood.len(), items.len());
    }
    (!understood.is_empty() || items.is_empty()).then_some(understood)
}

/// The one object that an answer is about.
pub fn one(body: &Value) -> &Value {
    match unwrapped(body) {
        Value::Array(items) if items.len() == 1 => &items[0],
        other => other,
    }
}

fn unwrapped(body: &Value) -> &Value {
    let inner = WRAPPERS.iter().filter_map(|name| field(body, &[name]));
    inner.into_iter().find(|inner| inner.is_array() || inner.is_object()).unwrap_or(body)
}

fn field<'a>(object: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let fields = object.as_object()?;
    let find = |name: &&str| fields.iter().find(|(key, value)| !value.is_null() && is_spelt(key, name));
    names.iter().find_map(find).map(|(_, value)| value)
}

/// Whether the key is that name, apart from case and underscores.
fn is_spelt(key: &str, name: &str) -> bool {
    key.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).eq(name.bytes())
}

/// A positive number, perhaps written as a string.
fn id(object: &Value, names: &[&str]) -> Option<i64> {
    let id = match field(object, names)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    id.filter(|&id| id > 0)
}

fn text(object: &Value, names: &[&str]) -> Option<String> {
    field(object, names)?.as_str().map(str::to_owned)
}

/// RFC 3339, also without a zone (then UTC) or with a space in it, as databases write it; a date as in mails and HTTP;
/// seconds or milliseconds since 1970.
fn time(object: &Value, names: &[&str]) -> Option<Timestamp> {
    /// As seconds this is the year 5138, as milliseconds 1973.
    const FEWEST_MILLISECONDS: f64 = 1e11;
    match field(object, names)? {
        Value::Number(number) => {
            let number = number.as_f64().filter(|&number| number >= 0.0)?;
            let scale = if number < FEWEST_MILLISECONDS { 1e6 } else { 1e3 };
            Some(Timestamp::from_microseconds((number * scale) as i64))
        }
        Value::String(text) => {
            let text = text.trim();
            let in_one_word = text.replacen(' ', "T", 1).replace(' ', "");
            Timestamp::parse(&in_one_word).or_else(|| Timestamp::parse(&format!("{in_one_word}Z"))).or_else(|| {
                let time = OffsetDateTime::parse(text, &Rfc2822).ok()?;
                Some(Timestamp::from_microseconds(time.unix_timestamp().checked_mul(1_000_000)?))
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn users_and_rooms_in_many_spellings() {
        let ada = Some(User { id: 7, name: "ada".into() });
        for object in [
            json!({"ID": 7, "Username": "ada"}),
            json!({"id": "7", "name": "ada", "email": "x"}),
            json!({"UserID": 7, "Name": "ada"}),
            json!({"user_id": 7, "user_name": "ada"}),
            json!({"userId": 7, "username": "ada", "ID": null}),
        ] {
            assert_eq!(user(&object), ada, "{object}");
        }
        let tea = Some(Room { id: 3, name: "tea".into(), owner: Some(7) });
        for object in [
            json!({"ID": 3, "Name": "tea", "UserID": 7, "MemberCount": 0}),
            json!({"RoomID": "3", "Roomname": "tea", "owner_id": "7"}),
            json!({"id": 3, "RoomName": "tea", "userId": 7}),
        ] {
            assert_eq!(room(&object), tea, "{object}");
        }
        for object in [json!({"ID": 0, "Name": "x"}), json!({"Name": "x"}), json!({"ID": 1}), json!(1), json!(null)] {
            assert_eq!((user(&object), room(&object)), (None, None), "{object}");
        }
    }

    #[test]
    fn messages_in_many_spellings() {
        let object = json!({"MessageID": 9, "RoomID": 3, "UserID": 7, "Username": "ada", "Message": "hi",
                            "CreatedAt": "2024-01-01T12:00:00.000000Z"});
        let expected = message(&object);
        assert_eq!(
            expected.as_ref().map(|message| (message.id, message.user, &*message.text)),
            Some((9, Some(7), "hi"))
        );
        let object = json!({"id": "9", "room_id": 3, "sender_id": 7, "sender_name": "ada", "content": "hi",
                            "timestamp": 1_704_110_400});
        assert_eq!(message(&object), expected);
        // An answer to a POST: the words in `message` are not its object.
        let created = json!({"message": "Message created", "MessageID": 9});
        assert_eq!(message_id(one(&created)), Some(9));
    }

    #[test]
    fn lists_and_single_objects() {
        let ids = |body| list(&body, user).map(|users| users.iter().map(|user| user.id).collect::<Vec<_>>());
        let user = json!({"ID": 1, "Username": "a"});
        assert_eq!(ids(json!([user, {"ID": 2, "Username": "b"}])), Some(vec![1, 2]));
        assert_eq!(ids(user.clone()), Some(vec![1]));
        assert_eq!(ids(json!({"users": [user]})), Some(vec![1]));
        assert_eq!(ids(json!([user, {"what": 1}])), Some(vec![1]));
        assert_eq!(ids(json!([])), Some(vec![]));
        for bad in [json!([{"what": 1}]), json!({"error": "no"}), json!(null), json!("x")] {
            assert_eq!(ids(bad.clone()), None, "{bad}");
        }
        assert_eq!(one(&json!([user])), &user);
        assert_eq!(one(&json!({"data": {"ID": 1, "Username": "a"}})), &user);
    }

    #[test]
    fn times_in_many_forms() {
        let noon = Timestamp::parse("2024-01-01T12:00:00Z");
        for value in [
            json!("2024-01-01T12:00:00Z"),
            json!("2024-01-01T12:00:00"),
            json!("2024-01-01 12:00:00.000"),
            json!("2024-01-01 14:00:00+02:00"),
            json!("2024-01-01 14:00:00 +02:00"),
            json!("Mon, 01 Jan 2024 12:00:00 GMT"),
            json!(1_704_110_400),
            json!(1_704_110_400.0),
            json!(1_704_110_400_000_i64),
        ] {
            assert_eq!(created_at(&json!({ "created_at": value })), noon, "{value}");
        }
        for value in [json!("yesterday"), json!(-1), json!(true), json!(null)] {
            assert_eq!(created_at(&json!({ "created_at": value })), None, "{value}");
        }
    }
}
