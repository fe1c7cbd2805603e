//! The tables of SQLite, and how older ones become today's. Outside programs may read and write these tables, so what must
//! hold for all is said here, in the tables' own words: ids are never used twice, names are unique, the lobby stays.
//!
//! A plain `INSERT INTO messages (content, sender_id) VALUES (…)` is a message to the lobby.

use rusqlite::Connection;

/// The time as all times are written: the order of the texts is the order of the times. SQLite's clock has milliseconds.
macro_rules! now {
    () => {
        "(strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))"
    };
}

/// A random UUID, version 4.
macro_rules! uuid {
    () => {
        "(lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' \
         || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))"
    };
}

/// The steps from an empty database to today's tables; a database's version is how many of them it has behind it. A step
/// that was released is never changed.
static MIGRATIONS: &[&str] = &[ROOMS_AND_MESSAGES, CHANGES_AND_CHATS, TIMES];

const ROOMS_AND_MESSAGES: &str = concat!(
    // A deleted user stays as a tombstone, for the ids and for what they said; the name is free again.
    "CREATE TABLE users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uuid TEXT NOT NULL COLLATE NOCASE UNIQUE DEFAULT ",
    uuid!(),
    ",
        username TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'offline',
        created_at TEXT NOT NULL DEFAULT ",
    now!(),
    ",
        deleted_at TEXT
    );
    CREATE UNIQUE INDEX users_by_name ON users (username) WHERE deleted_at IS NULL;

    CREATE TABLE chats (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uuid TEXT NOT NULL COLLATE NOCASE UNIQUE DEFAULT ",
    uuid!(),
    ",
        name TEXT NOT NULL,
        is_private BOOLEAN NOT NULL DEFAULT 0 CHECK (is_private IN (0, 1)),
        owner_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
        created_at TEXT NOT NULL DEFAULT ",
    now!(),
    ",
        updated_at TEXT NOT NULL DEFAULT ",
    now!(),
    "
    );
    CREATE UNIQUE INDEX chats_by_name ON chats (name) WHERE NOT is_private;
    CREATE INDEX chats_by_owner ON chats (owner_id);
    INSERT INTO chats (id, name) VALUES (1, 'lobby');
    CREATE TRIGGER lobby_stays BEFORE DELETE ON chats WHEN OLD.id = 1
        BEGIN SELECT RAISE(ABORT, 'the lobby always exists'); END;

    CREATE TABLE chat_participants (
        chat_id INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        joined_at TEXT NOT NULL DEFAULT ",
    now!(),
    ",
        last_read_at TEXT,
        PRIMARY KEY (chat_id, user_id)
    ) WITHOUT ROWID;
    CREATE INDEX chat_participants_by_user ON chat_participants (user_id);

    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        content TEXT NOT NULL,
        file VARCHAR(50) CHECK (length(file) <= 50),
        created_date TEXT NOT NULL DEFAULT ",
    now!(),
    ",
        sender_id TEXT NOT NULL,
        chat_id INTEGER NOT NULL DEFAULT 1 REFERENCES chats (id) ON DELETE CASCADE,
        sender_name TEXT,
        message_type TEXT NOT NULL DEFAULT 'text'
    );
    CREATE INDEX messages_by_date ON messages (created_date);
    CREATE INDEX messages_by_sender ON messages (sender_id);
    CREATE INDEX messages_by_chat ON messages (chat_id, id);

    CREATE TABLE message_reads (
        message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        read_at TEXT NOT NULL DEFAULT ",
    now!(),
    ",
        PRIMARY KEY (message_id, user_id)
    ) WITHOUT ROWID;
    CREATE INDEX message_reads_by_user ON message_reads (user_id);",
    // What a sender's own mark led to. A repeat is known as one even when the message has been deleted since, so nothing
    // here refers to it.
    "CREATE TABLE message_marks (
        sender_id TEXT NOT NULL,
        client_id TEXT NOT NULL,
        message_id INTEGER NOT NULL,
        chat_id INTEGER NOT NULL,
        created_date TEXT NOT NULL,
        PRIMARY KEY (sender_id, client_id)
    ) WITHOUT ROWID;",
);

const CHANGES_AND_CHATS: &str = concat!(
    // How many messages came after a time is counted in the index alone.
    "ALTER TABLE messages ADD COLUMN edited_at TEXT;
    CREATE INDEX messages_by_chat_and_date ON messages (chat_id, created_date, sender_id);

    CREATE TABLE message_reactions (
        message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        emoji TEXT NOT NULL,
        reacted_at TEXT NOT NULL DEFAULT ",
    now!(),
    ",
        PRIMARY KEY (message_id, user_id, emoji)
    ) WITHOUT ROWID;
    CREATE INDEX message_reactions_by_user ON message_reactions (user_id);",
    // The journal of what became of messages, for those who were away. It outlives the messages, and goes with their room.
    "CREATE TABLE message_changes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        message_id INTEGER NOT NULL,
        chat_id INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
        user_id INTEGER,
        kind TEXT NOT NULL CHECK (kind IN ('edited', 'deleted', 'reacted', 'unreacted', 'confirmed')),
        emoji TEXT,
        changed_at TEXT NOT NULL DEFAULT ",
    now!(),
    "
    );
    CREATE INDEX message_changes_by_chat ON message_changes (chat_id, id);",
    // The rooms that a session has chosen, for when it comes back; `pid` is its name for that.
    "CREATE TABLE socket_rooms (
        pid TEXT NOT NULL,
        chat_id INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
        chosen_at TEXT NOT NULL DEFAULT ",
    now!(),
    ",
        PRIMARY KEY (pid, chat_id)
    ) WITHOUT ROWID;
    CREATE INDEX socket_rooms_by_chat ON socket_rooms (chat_id);",
    // The private room of two users, or of one who talks to themselves.
    "CREATE TABLE direct_chats (
        low_user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        high_user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        chat_id INTEGER NOT NULL UNIQUE REFERENCES chats (id) ON DELETE CASCADE,
        PRIMARY KEY (low_user, high_user),
        CHECK (low_user <= high_user)
    ) WITHOUT ROWID;
    CREATE INDEX direct_chats_by_high_user ON direct_chats (high_user);",
    // A repeat is answered as the first was, even when the room is gone.
    "ALTER TABLE message_marks ADD COLUMN chat_uuid TEXT;
    ALTER TABLE message_marks ADD COLUMN recipient_id INTEGER;
    UPDATE message_marks SET chat_uuid = (SELECT uuid FROM chats WHERE id = chat_id);",
);

/// Whether the time of a message is not written as it should be, is before the years that can be shown, or is none, such as
/// the 30th of February.
macro_rules! is_odd {
    ($row:literal) => {
        concat!(
            "(",
            $row,
            "created_date NOT GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\
             .[0-9][0-9][0-9][0-9][0-9][0-9]Z' OR ",
            $row,
            "created_date < '1970' OR substr(",
            $row,
            "created_date, 1, 19) IS NOT strftime('%Y-%m-%dT%H:%M:%S', substr(",
            $row,
            "created_date, 1, 19), '+0 days'))"
        )
    };
}

/// The time of a message that another program has written in its own way. Whole seconds and what comes after the point are
/// read apart: SQLite knows three digits of it and rounds, so that seconds would pass. A number is a Julian day or so many
/// seconds since 1970. What can't be read is now, and what was before 1970 is the beginning of that year.
macro_rules! rewritten {
    () => {
        "UPDATE messages SET created_date = max('1970-01-01T00:00:00.000000Z', coalesce((
            SELECT strftime('%Y-%m-%dT%H:%M:%S', head || tail, 'auto', '+0 days') || '.' || CASE
                WHEN digits <> '' THEN substr(digits || '00000', 1, 6)
                ELSE substr(strftime('%f', head || tail, 'auto'), 4) || '000' END || 'Z'
            FROM (
                SELECT head, ltrim(rest, '0123456789') AS tail,
                    substr(rest, 1, length(rest) - length(ltrim(rest, '0123456789'))) AS digits
                FROM (
                    SELECT CASE WHEN has_point THEN substr(text, 1, instr(text, '.') - 1) ELSE text END AS head,
                        CASE WHEN has_point THEN substr(text, instr(text, '.') + 1) ELSE '' END AS rest
                    FROM (
                        SELECT CAST(created_date AS TEXT) AS text, created_date GLOB '*:[0-5][0-9].[0-9]*' AS has_point
                    )
                )
            )
        ), strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))) WHERE "
    };
}

/// Pages by time compare the texts of times, so there is one form of them, whoever writes.
const TIMES: &str = concat!(
    rewritten!(),
    is_odd!(""),
    ";
    CREATE TRIGGER messages_inserted_on_time AFTER INSERT ON messages WHEN ",
    is_odd!("NEW."),
    " BEGIN ",
    rewritten!(),
    "id = NEW.id; END;
    CREATE TRIGGER messages_changed_on_time AFTER UPDATE OF created_date ON messages WHEN ",
    is_odd!("NEW."),
    " BEGIN ",
    rewritten!(),
    "id = NEW.id; END;
    DROP INDEX messages_by_chat_and_date;
    CREATE INDEX messages_by_chat_and_date ON messages (chat_id, created_date, id, sender_id);",
);

/// The version of today's tables.
pub(super) fn latest() -> usize {
    MIGRATIONS.len()
}

/// The version of a database's tables.
pub(super) fn version(db: &Connection) -> rusqlite::Result<usize> {
    db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        .map(|version| usize::try_from(version).unwrap_or(usize::MAX))
}

/// Writes the version. With that of today, it is a write that changes nothing.
pub(super) fn set_version(db: &Connection, version: usize) -> rusqlite::Result<()> {
    db.pragma_update(None, "user_version", version as i64)
}

/// Takes the steps that are missing, each in a transaction of its own.
pub(super) fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    for (index, step) in MIGRATIONS.iter().enumerate() {
        let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Asked anew: another process may be doing the same.
        if version(&transaction)? <= index {
            transaction.execute_batch(step)?;
            set_version(&transaction, index + 1)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db).unwrap();
        db
    }

    #[test]
    fn the_steps_are_taken_once() {
        let mut db = database();
        migrate(&mut db).unwrap();
        assert_eq!(version(&db).unwrap(), latest());
    }

    #[test]
    fn uuids_and_times_are_made_as_they_are_read() {
        let db = database();
        let mut seen = std::collections::HashSet::new();
        for index in 0..100 {
            db.execute("INSERT INTO users (username) VALUES (?1)", [index]).unwrap();
            let (uuid, at): (String, String) = db
                .query_row("SELECT uuid, created_at FROM users ORDER BY id DESC", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .unwrap();
            let parsed: crate::id::Uuid = uuid.parse().unwrap();
            assert_eq!((parsed.get_version_num(), parsed.to_string()), (4, uuid.clone()));
            assert_eq!(crate::timestamp::Timestamp::parse(&at).unwrap().to_string(), at);
            assert!(seen.insert(uuid));
        }
    }

    #[test]
    fn what_an_older_version_stored_is_kept() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch(ROOMS_AND_MESSAGES).unwrap();
        set_version(&db, 1).unwrap();
        db.execute_batch(
            "INSERT INTO messages (content, sender_id) VALUES ('old', 'x');
             INSERT INTO message_marks VALUES ('x', 'mark', 1, 1, '2024-01-01T12:00:00.000000Z');",
        )
        .unwrap();
        migrate(&mut db).unwrap();
        let sql = "SELECT m.content, m.edited_at, k.chat_uuid = c.uuid FROM messages m \
                   JOIN message_marks k ON k.message_id = m.id JOIN chats c ON c.id = m.chat_id";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let kept: (String, Option<String>, bool) = db.query_row(sql, [], row).unwrap();
        assert_eq!(kept, ("old".into(), None, true));
    }

    #[test]
    fn the_times_of_other_programs_become_like_ours() {
        let cases = [
            ("'2024-02-29T12:34:56.789012Z'", "2024-02-29T12:34:56.789012Z"),
            ("'2024-02-29 12:34:56'", "2024-02-29T12:34:56.000000Z"),
            ("'2024-02-29 12:34:56.7'", "2024-02-29T12:34:56.700000Z"),
            ("'2024-02-29 12:34:56.999999'", "2024-02-29T12:34:56.999999Z"),
            ("'2024-02-29T12:34:56.9999996+02:00'", "2024-02-29T10:34:56.999999Z"),
            ("'2024-02-29 23:34:56.789-01:00'", "2024-03-01T00:34:56.789000Z"),
            ("'2024-02-29 12:34'", "2024-02-29T12:34:00.000000Z"),
            ("'2024-02-29'", "2024-02-29T00:00:00.000000Z"),
            ("unixepoch('2024-02-29 12:34:56')", "2024-02-29T12:34:56.000000Z"),
            ("1709210096.25", "2024-02-29T12:34:56.250000Z"),
            ("julianday('2024-02-29 12:00')", "2024-02-29T12:00:00.000000Z"),
            ("'2024-02-29T23:59:59.999999Z'", "2024-02-29T23:59:59.999999Z"),
            ("'9999-12-31T23:59:59.999999Z'", "9999-12-31T23:59:59.999999Z"),
            ("'2023-02-29T12:34:56.789012Z'", "2023-03-01T12:34:56.789012Z"),
            ("'1969-07-20T20:17:40.000000Z'", "1970-01-01T00:00:00.000000Z"),
            ("'0044-03-15'", "1970-01-01T00:00:00.000000Z"),
            ("julianday('-0044-03-15')", "1970-01-01T00:00:00.000000Z"),
        ];
        // Those that were there before, those that come, and those that are changed.
        let mut old = Connection::open_in_memory().unwrap();
        old.execute_batch(&format!("{ROOMS_AND_MESSAGES}{CHANGES_AND_CHATS}")).unwrap();
        set_version(&old, 2).unwrap();
        let db = database();
        for (time, _) in cases {
            let insert = format!("INSERT INTO messages (content, sender_id, created_date) VALUES ('', '', {time})");
            old.execute(&insert, []).unwrap();
            db.execute(&insert, []).unwrap();
        }
        migrate(&mut old).unwrap();
        let read = |db: &Connection, id: i64| -> String {
            db.query_row("SELECT created_date FROM messages WHERE id = ?1", [id], |row| row.get(0)).unwrap()
        };
        for (id, (time, expected)) in (1..).zip(cases) {
            assert_eq!((read(&old, id).as_str(), read(&db, id).as_str()), (expected, expected), "{time}");
            db.execute(&format!("UPDATE messages SET created_date = {time} WHERE id = 1"), []).unwrap();
            assert_eq!(read(&db, 1), expected, "{time}");
        }
        for time in ["''", "'yesterday'", "'2024-02-30 25:00:00.5x'", "'2024-19-39T29:59:59.000000Z'", "x'00'"] {
            db.execute(&format!("UPDATE messages SET created_date = {time} WHERE id = 1"), []).unwrap();
            let at = crate::timestamp::Timestamp::parse(&read(&db, 1)).unwrap();
            let now = crate::timestamp::Timestamp::from(std::time::SystemTime::now());
            assert!(now.microseconds().abs_diff(at.microseconds()) < 60_000_000, "{time}: {at}");
        }
    }

    #[test]
    fn the_lobby_stays() {
        let db = database();
        let error = db.execute("DELETE FROM chats", []).unwrap_err();
        assert_eq!(error.to_string(), "the lobby always exists");
        assert!(db.execute("INSERT INTO chats (name) VALUES ('lobby')", []).is_err());
        db.execute("INSERT INTO chats (name, is_private) VALUES ('lobby', 1)", []).unwrap();
    }
}
