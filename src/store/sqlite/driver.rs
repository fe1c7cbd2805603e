//! The driver of SQLite: statements that stay prepared, rows that are stepped through.
//!
//! UUIDs and times are texts there, and any column may hold anything.

use std::ops::ControlFlow;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};

use super::super::sql::{Access, Database, Held, Row, Value};
use crate::id::Uuid;
use crate::timestamp::Timestamp;

/// The Julian day on which 1970 began.
const EPOCH_JULIAN_DAY: f64 = 2_440_587.5;

impl Database for Connection {
    type Row<'r> = rusqlite::Row<'r>;

    const KEEPS_NUL: bool = true;

    fn mark_query(&self) -> &'static str {
        "SELECT coalesce(max(CASE name WHEN 'messages' THEN seq END), 0), \
         coalesce(max(CASE name WHEN 'message_changes' THEN seq END), 0) FROM sqlite_sequence"
    }

    fn begin(&mut self, access: Access) -> Held<()> {
        // One that is to write must be the only writer from the start: it can't become that in the middle.
        self.run(if access == Access::Read { "BEGIN" } else { "BEGIN IMMEDIATE" })
    }

    fn run(&mut self, sql: &'static str) -> Held<()> {
        Ok(self.prepare_cached(sql)?.execute([]).map(drop)?)
    }

    fn ask(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        mut take: impl FnMut(&Self::Row<'_>) -> Held<ControlFlow<()>>,
    ) -> Held<()> {
        let mut statement = self.prepare_cached(sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if take(row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn change(&mut self, sql: &'static str, values: &[Value<'_>]) -> Held<usize> {
        Ok(self.prepare_cached(sql)?.execute(rusqlite::params_from_iter(values))?)
    }

    fn insert<const N: usize>(&mut self, sql: &'static str, rows: &[[Value<'_>; N]]) -> Held<Vec<i64>> {
        let mut statement = self.prepare_cached(sql)?;
        rows.iter().map(|values| Ok(statement.insert(rusqlite::params_from_iter(values))?)).collect()
    }

    fn each<const N: usize>(
        &mut self,
        sql: &'static str,
        rows: &[[Value<'_>; N]],
        mut take: impl FnMut(&Self::Row<'_>) -> Held<()>,
    ) -> Held<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut statement = self.prepare_cached(sql)?;
        for values in rows {
            let mut found = statement.query(rusqlite::params_from_iter(values))?;
            while let Some(row) = found.next()? {
                take(row)?;
            }
        }
        Ok(())
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match *self {
            Self::Integer(Some(number)) => number.into(),
            Self::Boolean(boolean) => boolean.into(),
            Self::Text(Some(text)) => text.into(),
            Self::Integer(None) | Self::Text(None) => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Uuid(uuid) => uuid.to_string().into(),
            Self::Time(time) => time.to_string().into(),
        })
    }
}

impl Row for rusqlite::Row<'_> {
    fn is_null(&self, column: usize) -> Held<bool> {
        Ok(self.get_ref(column)? == ValueRef::Null)
    }

    fn integer(&self, column: usize) -> Held<i64> {
        Ok(self.get(column)?)
    }

    fn boolean(&self, column: usize) -> Held<bool> {
        Ok(self.get(column)?)
    }

    fn text(&self, column: usize) -> Held<String> {
        Ok(match self.get_ref(column)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Null => String::new(),
        })
    }

    /// A UUID in any of its forms; other text has none.
    fn uuid(&self, column: usize) -> Held<Uuid> {
        Ok(match self.get_ref(column)? {
            ValueRef::Blob(bytes) if bytes.len() == 16 => Uuid::from_slice(bytes).unwrap_or_default(),
            ValueRef::Text(bytes) => Uuid::try_parse_ascii(bytes).unwrap_or_default(),
            _ => Uuid::nil(),
        })
    }

    fn time(&self, column: usize) -> Held<Timestamp> {
        Ok(parse_time(&self.text(column)?))
    }
}

/// Reads RFC 3339, and whatever SQLite's functions make of `'now'`, which is in UTC: date and time, the date alone, seconds
/// since 1970, the Julian day. Anything else is as old as can be.
fn parse_time(text: &str) -> Timestamp {
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
            let read = db.query_row(&sql, [], |row| Ok(row.time(0).unwrap())).unwrap();
            assert_eq!(read.to_string(), shown, "{sql}");
        }
    }

    #[test]
    fn odd_values_become_something_that_can_be_shown() {
        let db = Connection::open_in_memory().unwrap();
        let read =
            |sql: &str| db.query_row(&format!("SELECT {sql}"), [], |row| Ok(Row::text(row, 0).unwrap())).unwrap();
        assert_eq!(read("x'61ff62'"), "a\u{fffd}b");
        assert_eq!(read("CAST(x'ff' AS TEXT)"), "\u{fffd}");
        assert_eq!((read("7"), read("1.5"), read("NULL")), ("7".into(), "1.5".into(), String::new()));
        let read = |sql: &str| db.query_row(&format!("SELECT {sql}"), [], |row| Ok(row.uuid(0).unwrap())).unwrap();
        let expected: Uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap();
        for form in ["67E55044-10B1-426F-9247-BB680E5FE0C8", "67e5504410b1426f9247bb680e5fe0c8"] {
            assert_eq!(read(&format!("'{form}'")), expected);
        }
        assert_eq!(read("x'67e5504410b1426f9247bb680e5fe0c8'"), expected);
        assert_eq!(read("'the postman'"), Uuid::nil());
    }
}
