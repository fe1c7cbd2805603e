//! The driver of PostgreSQL: a connection that is made anew when it is lost, and statements that stay prepared on it.
//!
//! Each statement costs a round trip, and one for [`Database::each`] no more than any: all values cross as arrays.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use postgres::fallible_iterator::FallibleIterator;

use postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use postgres::{Client, Statement};

use super::super::sql::{Access, Concerned, Database, Gap, Held, Looked, Remedy, Row, Trouble, Value};
use super::seen::{self, Seen};
use super::target::Target;
use super::{order, schema, trouble};
use crate::id::{Position, Uuid};
use crate::timestamp::Timestamp;

/// What notifications call a program that is no node.
const NO_NODE: &str = "-";

/// Microseconds from 1970 to 2000, where PostgreSQL's times begin.
const EPOCH: i64 = 946_684_800_000_000;

const MARK: &str = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('messages', 'id')), 0), \
                    coalesce(pg_sequence_last_value(pg_get_serial_sequence('message_changes', 'id')), 0)";

/// A connection to the server of a target, once it is needed.
pub(super) struct Connection {
    target: Arc<Target>,
    open: Option<Open>,
    /// Nothing is begun after that.
    deadline: Instant,
    /// What the transaction is for.
    access: Access,
    /// Its number, once it is known.
    transaction: Option<i64>,
    /// How far others' rows are told, if the transaction succeeds.
    looked: Option<Seen>,
}

/// What is lost with the connection.
struct Open {
    client: Client,
    statements: HashMap<(&'static str, Form), Statement>,
    has_order: bool,
}

/// What is made of a statement.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    /// It is as it is.
    Once,
    /// [`Database::each`].
    Each,
    /// [`Database::insert`].
    Insert,
}

impl Connection {
    pub(super) fn to(target: &Arc<Target>) -> Self {
        let (target, deadline) = (Arc::clone(target), Instant::now());
        Self { target, open: None, deadline, access: Access::Read, transaction: None, looked: None }
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Takes a connection that was made.
    pub(super) fn take(&mut self, client: Client) {
        self.open = Some(Open { client, statements: HashMap::new(), has_order: self.target.has_order });
    }

    /// Makes the connection, or a new one.
    pub(super) fn connect(&mut self) -> Held<()> {
        let client = self.target.connect().map_err(|error| trouble::of_connecting(&error))?;
        self.take(client);
        let version = schema::version(self)?;
        if version == Some(schema::latest()) { Ok(()) } else { self.keep(Err(Trouble::EXCHANGED)) }
    }

    /// How far others' rows were told in the last transaction.
    pub(super) fn take_looked(&mut self) -> Option<Seen> {
        self.looked.take()
    }

    /// Waits until others notify who are looked for, or until then. That it is lost shows with the next statement.
    pub(super) fn wait_for_others(&mut self, until: Instant) -> Held<()> {
        let target = Arc::clone(&self.target);
        self.on(|open| {
            let mut notifications = open.client.notifications();
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let Some(notification) = notifications.timeout_iter(left).next()? else { break };
                let is_sought = |who: &str| if target.has_order { who == NO_NODE } else { who != target.node };
                if notification.payload().split(' ').nth(1).is_none_or(is_sought) {
                    break;
                }
            }
            // All that have come are answered by one look.
            while notifications.iter().next()?.is_some() {}
            Ok(())
        })
    }

    /// Does something on the connection, unless it is too late.
    fn on<T>(&mut self, act: impl FnOnce(&mut Open) -> Held<T>) -> Held<T> {
        if Instant::now() >= self.deadline {
            return self.keep(Err(trouble::SLOW));
        }
        let result = self.open.as_mut().map_or(Err(trouble::LOST), act);
        self.keep(result)
    }

    /// Runs a statement with all rows of values, in columns.
    fn at_once<const N: usize>(
        &mut self,
        sql: &'static str,
        rows: &[[Value<'_>; N]],
        form: Form,
        mut take: impl FnMut(&postgres::Row) -> Held<()>,
    ) -> Held<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        self.on(|open| {
            let statement = open.prepare(sql, first, form)?;
            let columns = (0..N).map(|column| rows.iter().map(|row| row[column]).collect::<Vec<_>>());
            open.query(&statement, columns, |row| take(row).map(|()| ControlFlow::Continue(())))
        })
    }

    /// Keeps the connection, unless that is what is wrong.
    fn keep<T>(&mut self, result: Held<T>) -> Held<T> {
        if matches!(&result, Err(trouble) if trouble.remedy == Remedy::OpenAnew) {
            self.open = None;
        }
        result
    }
}

impl Open {
    /// The statement, prepared for values of these kinds.
    fn prepare(&mut self, sql: &'static str, values: &[Value<'_>], form: Form) -> Held<Statement> {
        if let Some(statement) = self.statements.get(&(sql, form)) {
            return Ok(statement.clone());
        }
        let kinds = values.iter().map(kind);
        let text = seen::with_others(sql, self.has_order);
        let (text, types): (_, Vec<Type>) = match form {
            Form::Once => (text.replace('?', "$"), kinds.map(|kind| kind.1).collect()),
            Form::Each => (for_each(&text, values), kinds.map(|kind| kind.2).collect()),
            Form::Insert => (for_each(&text, values) + " RETURNING id", kinds.map(|kind| kind.2).collect()),
        };
        let statement = self.client.prepare_typed(&text, &types)?;
        self.statements.insert((sql, form), statement.clone());
        Ok(statement)
    }

    fn query(
        &mut self,
        statement: &Statement,
        values: impl ExactSizeIterator<Item = impl ToSql>,
        mut take: impl FnMut(&postgres::Row) -> Held<ControlFlow<()>>,
    ) -> Held<()> {
        let mut rows = self.client.query_raw(statement, values)?;
        while let Some(row) = rows.next()? {
            if take(&row)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Database for Connection {
    type Row<'r> = postgres::Row;

    const KEEPS_NUL: bool = false;

    fn mark_query(&self) -> &'static str {
        if self.target.has_order { order::MARK } else { MARK }
    }

    /// A connection that was lost while nobody used it shows itself here, where nothing is lost with it.
    fn begin(&mut self, access: Access) -> Held<()> {
        (self.access, self.transaction, self.looked) = (access, None, None);
        let begin = if access == Access::Tell && self.target.has_order { order::BEGIN } else { "BEGIN" };
        if self.open.is_some() {
            match self.run(begin) {
                Err(Trouble { remedy: Remedy::OpenAnew, .. }) => {}
                other => return other,
            }
        }
        self.connect()?;
        self.run(begin)
    }

    fn position(&mut self) -> Held<Option<Position>> {
        if self.target.has_order { order::now(self).map(Some) } else { Ok(None) }
    }

    fn take_place(&mut self) -> Held<Option<Position>> {
        let position = if self.target.has_order { Some(order::take_place(self)?) } else { None };
        self.transaction = position.map(|position| position.transaction);
        Ok(position)
    }

    fn look_back(&mut self, whom: &Concerned<'_>, since: Position, most: usize) -> Held<Gap> {
        if self.target.has_order { order::look_back(self, whom, since, most) } else { Ok(Gap::none(since)) }
    }

    fn look(&mut self) -> Held<Looked> {
        let target = Arc::clone(&self.target);
        let mut seen = target.seen();
        // What nodes tell in their order is not looked for.
        let but = Some(target.node.as_str()).filter(|_| !target.has_order);
        let found = seen.look(self, but, &target.doubts.all())?;
        self.looked = Some(seen);
        Ok(found)
    }

    fn hide_untold(&mut self) -> Held<()> {
        let seen = self.looked.clone().unwrap_or_else(|| self.target.seen());
        seen.hide_rest(self)
    }

    /// If no answer comes, it may have been done all the same, and others are to be told.
    fn commit(&mut self) -> Held<()> {
        if self.access != Access::Read {
            let sql = "SELECT coalesce(pg_current_xact_id_if_assigned()::text::bigint, 0)";
            let transaction = self.transaction.map_or_else(|| schema::number(self, sql), Ok)?;
            self.target.doubts.begin(transaction);
        }
        self.run("COMMIT")
    }

    fn run(&mut self, sql: &'static str) -> Held<()> {
        self.on(|open| Ok(open.client.batch_execute(sql)?))
    }

    fn ask(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        take: impl FnMut(&Self::Row<'_>) -> Held<ControlFlow<()>>,
    ) -> Held<()> {
        self.on(|open| {
            let statement = open.prepare(sql, values, Form::Once)?;
            open.query(&statement, values.iter(), take)
        })
    }

    fn change(&mut self, sql: &'static str, values: &[Value<'_>]) -> Held<usize> {
        self.on(|open| {
            let statement = open.prepare(sql, values, Form::Once)?;
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            Ok(usize::try_from(open.client.execute(&statement, &values)?).unwrap_or(usize::MAX))
        })
    }

    fn insert<const N: usize>(&mut self, sql: &'static str, rows: &[[Value<'_>; N]]) -> Held<Vec<i64>> {
        let mut ids = Vec::with_capacity(rows.len());
        self.at_once(sql, rows, Form::Insert, |row| {
            ids.push(row.integer(0)?);
            Ok(())
        })?;
        Ok(ids)
    }

    fn each<const N: usize>(
        &mut self,
        sql: &'static str,
        rows: &[[Value<'_>; N]],
        take: impl FnMut(&Self::Row<'_>) -> Held<()>,
    ) -> Held<()> {
        self.at_once(sql, rows, Form::Each, take)
    }
}

/// What a value is called, and it and an array of it on the wire.
fn kind(value: &Value<'_>) -> (&'static str, Type, Type) {
    match value {
        Value::Integer(_) => ("bigint", Type::INT8, Type::INT8_ARRAY),
        Value::Boolean(_) => ("boolean", Type::BOOL, Type::BOOL_ARRAY),
        Value::Text(_) => ("text", Type::TEXT, Type::TEXT_ARRAY),
        Value::Uuid(_) => ("uuid", Type::UUID, Type::UUID_ARRAY),
        Value::Time(_) => ("timestamptz", Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
    }
}

/// Makes a table of all values a part of the statement, and its parameters that table's columns.
fn for_each(sql: &str, values: &[Value<'_>]) -> String {
    let (mut arrays, mut columns) = (String::new(), String::new());
    for (index, value) in (1..).zip(values) {
        let comma = if index == 1 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(arrays, "{comma}${index}::{}[]", kind(value).0);
        let _ = write!(columns, "{comma}v{index}");
    }
    let table = format!("unnest({arrays}) AS each({columns})");
    let sql = sql.replace('?', "each.v");
    match sql.split_once("VALUES (").and_then(|(head, rest)| Some((head, rest.split_once(')')?))) {
        Some((head, (values, tail))) => format!("{head}SELECT {values} FROM {table}{tail}"),
        None => sql.replace("/*", "").replace("each*/", &table),
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Integer(number) => number.to_sql(kind, out),
            Self::Boolean(boolean) => boolean.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Uuid(uuid) => uuid.to_sql(kind, out),
            Self::Time(time) => (time.microseconds() - EPOCH).to_sql(kind, out),
        }
    }

    // The statement was prepared for these kinds.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A time on the wire.
struct Time(i64);

impl FromSql<'_> for Time {
    fn from_sql(kind: &Type, raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        i64::from_sql(kind, raw).map(Self)
    }

    accepts!(TIMESTAMPTZ);
}

/// A value that is there.
struct Anything;

impl FromSql<'_> for Anything {
    fn from_sql(_: &Type, _: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Row for postgres::Row {
    fn is_null(&self, column: usize) -> Held<bool> {
        Ok(self.try_get::<_, Option<Anything>>(column)?.is_none())
    }

    fn integer(&self, column: usize) -> Held<i64> {
        Ok(self.try_get(column)?)
    }

    fn boolean(&self, column: usize) -> Held<bool> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: usize) -> Held<String> {
        Ok(self.try_get::<_, Option<String>>(column)?.unwrap_or_default())
    }

    fn uuid(&self, column: usize) -> Held<Uuid> {
        Ok(self.try_get::<_, Option<Uuid>>(column)?.unwrap_or_default())
    }

    /// What lies outside the years that can be shown is the nearest of them.
    fn time(&self, column: usize) -> Held<Timestamp> {
        let since = self.try_get::<_, Option<Time>>(column)?.map_or(i64::MIN, |Time(since)| since);
        Ok(Timestamp::from_microseconds(since.saturating_add(EPOCH)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_for_each_reads_from_arrays() {
        let values = [Value::Integer(None), Value::Text(None)];
        for (sql, expected) in [
            (
                "SELECT x FROM t /*, each*/ WHERE a = ?1 AND b = ?2",
                "SELECT x FROM t , {} WHERE a = each.v1 AND b = each.v2",
            ),
            ("UPDATE t SET a = ?1 /*FROM each*/ WHERE b = ?2", "UPDATE t SET a = each.v1 FROM {} WHERE b = each.v2"),
            ("INSERT INTO t (a, b) VALUES (?1, ?2)", "INSERT INTO t (a, b) SELECT each.v1, each.v2 FROM {}"),
        ] {
            let table = "unnest($1::bigint[], $2::text[]) AS each(v1, v2)";
            assert_eq!(for_each(sql, &values), expected.replace("{}", table));
        }
    }
}
