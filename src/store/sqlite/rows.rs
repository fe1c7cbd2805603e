//! From rows to values. Outside programs write rows too, and one that wrote something odd must not make a room
//! unreadable: what can't be read as it should be becomes the nearest that can be shown.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::hub::job::{RoomRecord, UserRecord};
use crate::id::{RoomId, UserId, Uuid};
use crate::timestamp::Timestamp;

/// The Julian day on which 1970 began.
const EPOCH_JULIAN_DAY: f64 = 2_440_587.5;

/// The first row, if there is one.
pub(super) fn first<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    db.prepare_cached(sql)?.query_row(params, read).optional()
}

/// Whether there is a row.
pub(super) fn exists(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<bool> {
    db.prepare_cached(sql)?.exists(params)
}

/// Changes something; says how many rows.
pub(super) fn change(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    db.prepare_cached(sql)?.execute(params)
}

/// Reads `id, uuid, username`.
pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<UserRecord> {
    Ok(UserRecord { id: UserId(row.get(0)?), uuid: uuid(row, 1)?, name: text(row, 2)? })
}

/// The columns of [`room`], of the row of `chats` that is called `c`.
macro_rules! room_columns {
    () => {
        "c.id, c.uuid, c.name, c.owner_id, c.is_private, (SELECT l.uuid || ' ' || h.uuid FROM direct_chats d \
         JOIN users l ON l.id = d.low_user JOIN users h ON h.id = d.high_user WHERE d.chat_id = c.id)"
    };
}
pub(super) use room_columns;

/// Reads [`room_columns`].
pub(super) fn room(row: &Row<'_>) -> rusqlite::Result<RoomRecord> {
    let owner: Option<i64> = row.get(3)?;
    Ok(RoomRecord {
        id: RoomId(row.get(0)?),
        uuid: uuid(row, 1)?,
        name: text(row, 2)?,
        owner: owner.map(UserId),
        is_private: row.get(4)?,
        direct: optional(row, 5, text)?.and_then(|pair| {
            let (low, high) = pair.split_once(' ')?;
            Some(Box::new([low.parse().ok()?, high.parse().ok()?]))
        }),
    })
}

/// What is in a column, unless it is empty.
pub(super) fn optional<T>(
    row: &Row<'_>,
    column: usize,
    read: impl FnOnce(&Row<'_>, usize) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => read(row, column).map(Some),
    }
}

pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Null => String::new(),
    })
}

/// A UUID in any of its forms; other text has none.
pub(super) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Ok(match row.get_ref(column)? {
        ValueRef::Blob(bytes) if bytes.len() == 16 => Uuid::from_slice(bytes).unwrap_or_default(),
        _ => text(row, column)?.parse().unwrap_or_default(),
    })
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(parse_time(&text(row, column)?))
}

/// Reads RFC 3339, and whatever SQLite's functions make of `'now'`, which is in UTC: date and time, the date alone, seconds
/// since 1970, the Julian day. Anything else is as old as can be.
pub(super) fn parse_time(text: &str) -> Timestamp {
    if let Some(time) = Timestamp::parse(text) {
        return time;
    }
    let iso = text.replacen(' ', "T", 1);
    let forms = [iso.clone(), format!("{iso}Z"), format!("{iso}:00Z"), format!("{iso}T00:00:00Z")];
    if let Some(time) = forms.iter().find_map(|form| Timestamp::parse(form)) {
        return time;
    }
    let seconds = match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(seconds), _) => seconds as f64,
        (_, Ok(day)) if day.is_finite() => (day - EPOCH_JULIAN_DAY) * 86_400.0,
        _ => 0.0,
    };
    Timestamp::from_microseconds((seconds * 1e6) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_sqlite_has() {
        let db = Connection::open_in_memory().unwrap();
        let at = "'2024-02-29 12:34:56.789'";
        for (sql, shown) in [
            (format!("strftime('%Y-%m-%dT%H:%M:%f000Z', {at})"), "2024-02-29T12:34:56.789000Z"),
            (format!("datetime({at})"), "2024-02-29T12:34:56.000000Z"),
            (format!("datetime({at}, 'subsec')"), "2024-02-29T12:34:56.789000Z"),
            (format!("date({at})"), "2024-02-29T00:00:00.000000Z"),
            (format!("unixepoch({at})"), "2024-02-29T12:34:56.000000Z"),
            ("julianday('2024-02-29 12:00')".to_string(), "2024-02-29T12:00:00.000000Z"),
            ("'2024-02-29 12:34'".to_string(), "2024-02-29T12:34:00.000000Z"),
            ("'2024-02-29 12:34:56.789012+02:00'".to_string(), "2024-02-29T10:34:56.789012Z"),
            ("'2024-02-29T12:34:56.789012'".to_string(), "2024-02-29T12:34:56.789012Z"),
            ("'yesterday'".to_string(), "1970-01-01T00:00:00.000000Z"),
            ("''".to_string(), "1970-01-01T00:00:00.000000Z"),
            ("NULL".to_string(), "1970-01-01T00:00:00.000000Z"),
            ("'nan'".to_string(), "1970-01-01T00:00:00.000000Z"),
            ("'inf'".to_string(), "1970-01-01T00:00:00.000000Z"),
        ] {
            // As it comes out of a column of text.
            let sql = format!("SELECT CAST({sql} AS TEXT)");
            let read = db.query_row(&sql, [], |row| time(row, 0)).unwrap();
            assert_eq!(read.to_string(), shown, "{sql}");
        }
    }

    #[test]
    fn odd_values_become_something_that_can_be_shown() {
        let db = Connection::open_in_memory().unwrap();
        let read = |sql: &str| db.query_row(&format!("SELECT {sql}"), [], |row| text(row, 0)).unwrap();
        assert_eq!(read("x'61ff62'"), "a\u{fffd}b");
        assert_eq!(read("CAST(x'ff' AS TEXT)"), "\u{fffd}");
        assert_eq!((read("7"), read("1.5"), read("NULL")), ("7".into(), "1.5".into(), String::new()));
        let read = |sql: &str| db.query_row(&format!("SELECT {sql}"), [], |row| uuid(row, 0)).unwrap();
        let expected: Uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap();
        for form in ["67E55044-10B1-426F-9247-BB680E5FE0C8", "67e5504410b1426f9247bb680e5fe0c8"] {
            assert_eq!(read(&format!("'{form}'")), expected);
        }
        assert_eq!(read("x'67e5504410b1426f9247bb680e5fe0c8'"), expected);
        assert_eq!(read("'the postman'"), Uuid::nil());
    }
}
