//! Another program at a server's database, whichever it is.

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection};

/// The rows that the last of these statements yields, the others none; all values as text, nothing for NULL. One that is
/// refused ends the test, see [`is_refused`].
#[track_caller]
pub fn rows(url: &str, sql: &str) -> Vec<Vec<String>> {
    try_rows(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The only value of the only row.
#[track_caller]
pub fn value(url: &str, sql: &str) -> String {
    let mut rows = rows(url, sql);
    assert!(rows.len() == 1 && rows[0].len() == 1, "not one value: {rows:?}");
    rows.remove(0).remove(0)
}

/// Whether the database itself refuses it.
pub fn is_refused(url: &str, sql: &str) -> bool {
    try_rows(url, sql).is_err()
}

fn try_rows(url: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    match url.strip_prefix("sqlite:") {
        Some(path) => in_sqlite(path, sql).map_err(|error| error.to_string()),
        None => in_postgres(url, sql),
    }
}

#[cfg(feature = "postgres")]
fn in_postgres(url: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    let printed = super::postgres::try_psql(url, sql)?;
    // Where there is a row there is a line's end; a row of one NULL is nothing else.
    let rows = printed.strip_suffix('\n').map(|rows| rows.split('\x1e'));
    Ok(rows.into_iter().flatten().map(|row| row.split('\x1f').map(ToOwned::to_owned).collect()).collect())
}

#[cfg(not(feature = "postgres"))]
fn in_postgres(url: &str, _: &str) -> Result<Vec<Vec<String>>, String> {
    panic!("a build without the store for {url}")
}

fn in_sqlite(path: &str, sql: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let db = Connection::open(path)?;
    let mut found = Vec::new();
    let mut statements = Batch::new(&db, sql);
    while let Some(mut statement) = statements.next()? {
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            found.push((0..columns).map(|index| Ok(text(row.get_ref(index)?))).collect::<rusqlite::Result<_>>()?);
        }
    }
    Ok(found)
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
