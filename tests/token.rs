//! `roomcast token`, `user` and `room`, as somebody uses them who sets a server up by hand; and the keys for tokens as
//! `serve` and `check` find them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::common::{Server, roomcast, scratch_dir};
use roomcast::proto::token::{Claims, Key, Refused, Verifier};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA9sMKcTsMyvDwEc0MNUnkPvozXVWFtP+dHODduZGMBxk=
-----END PUBLIC KEY-----
";

/// Runs a command line, its words without spaces, in that directory. Returns what it printed, or its error.
fn run(directory: &Path, line: &str) -> Result<String, String> {
    let mut command = roomcast();
    let output = command.args(line.split_whitespace()).current_dir(directory).env("PORT", "0").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    match output.status.code() {
        Some(0) => {
            assert_eq!(stderr, "", "{line}");
            Ok(stdout)
        }
        Some(1) => {
            assert!(!stderr.contains(SECRET) && stderr.lines().count() == 1, "{line}: {stderr}");
            Err(stderr.strip_prefix("roomcast: ").unwrap().trim_end().into())
        }
        other => panic!("{line}: {other:?} {stderr}"),
    }
}

fn refused(sentence: &str) -> Result<String, String> {
    Err(sentence.into())
}

/// Where the secret is set.
fn directory() -> PathBuf {
    let directory = scratch_dir();
    fs::write(directory.join(".env"), format!("ROOMCAST_JWT_SECRET={SECRET}\n")).unwrap();
    directory
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// Both ids, as they were printed.
fn ids(printed: Result<String, String>) -> (i64, String) {
    let printed = printed.unwrap();
    let (id, uuid) = printed.strip_suffix('\n').unwrap().split_once(' ').unwrap();
    assert_eq!(uuid.len(), 36);
    (id.parse().unwrap(), uuid.into())
}

fn claims(verifier: &Verifier, printed: &str, at: u64) -> Result<Claims, Refused> {
    let token = printed.strip_suffix('\n').unwrap();
    assert!(!token.contains(char::is_whitespace));
    verifier.verify(token, at)
}

#[test]
fn a_token_is_signed_for_who_is_registered() {
    let directory = directory();
    let verifier = Verifier::new(Key::secret(SECRET.as_bytes()).unwrap(), None, None, None);
    let (id, uuid) = ids(run(&directory, "user add ann"));
    let before = now();
    for user in ["ann".to_owned(), id.to_string(), uuid.clone()] {
        let claims = claims(&verifier, &run(&directory, &format!("token {user}")).unwrap(), now()).unwrap();
        assert_eq!(claims.user, uuid, "{user}");
        assert!((before..before + 60).contains(&(claims.expires - 24 * 3600)));
    }
    let short = run(&directory, "token ann --ttl 90s").unwrap();
    let expires = claims(&verifier, &short, now()).unwrap().expires;
    assert!((before..before + 60).contains(&(expires - 90)));
    assert_eq!(claims(&verifier, &short, expires + 5), Err(Refused::Expired));

    let sentence = r#"there is no user "bob"; --create registers one"#;
    assert_eq!(run(&directory, "token bob"), refused(sentence));
    let created = claims(&verifier, &run(&directory, "token bob --create").unwrap(), now()).unwrap();
    let again = claims(&verifier, &run(&directory, "token bob --create").unwrap(), now()).unwrap();
    assert_eq!(created.user, again.user);
    let list = run(&directory, "user list").unwrap();
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [["id", "uuid", "name"], ["1", &uuid, "ann"], ["2", &created.user, "bob"]]);

    let sentence = "there is no user 7, and ids are not for choosing: --create takes a name";
    assert_eq!(run(&directory, "token 7 --create"), refused(sentence));
    let sentence = "that name is kept for those who have none";
    assert_eq!(run(&directory, "token guest-7 --create"), refused(sentence));
    assert!(run(&directory, "token ann --ttl soon").unwrap_err().starts_with("--ttl: \"soon\" is not a time"));
    assert!(run(&directory, "token").unwrap_err().starts_with("whose token?"));
    assert!(run(&directory, "token ann bob").unwrap_err().ends_with("roomcast token --help lists the options"));
}

#[test]
fn a_token_names_the_issuer_and_the_audience_that_are_set() {
    let directory = directory();
    let token = run(&directory, "token ann --create --jwt-issuer me --jwt-audience chat").unwrap();
    let verifier = |issuer: &str, audience: &str| {
        let key = Key::secret(SECRET.as_bytes()).unwrap();
        Verifier::new(key, None, Some(issuer.into()), Some(audience.into()))
    };
    assert!(claims(&verifier("me", "chat"), &token, now()).is_ok());
    assert_eq!(claims(&verifier("you", "chat"), &token, now()), Err(Refused::Unauthorized));
    assert_eq!(claims(&verifier("me", "mail"), &token, now()), Err(Refused::Unauthorized));
}

#[test]
fn without_a_secret_it_is_said_what_to_do() {
    let directory = scratch_dir();
    fs::write(directory.join("key.pem"), PUBLIC_KEY).unwrap();
    let sentence = run(&directory, "token ann --create").unwrap_err();
    assert!(sentence.contains("ROOMCAST_JWT_SECRET") && sentence.contains("`roomcast init`"), "{sentence}");
    assert_eq!(
        run(&directory, "token ann --create --jwt-public-key key.pem"),
        refused("only a public key is set: tokens are signed where its private key is")
    );
    assert_eq!(
        run(&directory, "token ann --create --jwt-secret short"),
        refused("jwt-secret must have at least 32 bytes")
    );
    // Nobody was registered in vain.
    assert!(!directory.join("roomcast.db").exists());
    run(&directory, "init").unwrap();
    assert!(run(&directory, "token ann --create").unwrap().len() > 100);
}

#[test]
fn nothing_is_set_up_where_nothing_stays() {
    let directory = directory();
    for command in ["token ann", "user list", "user add ann", "room add tea --owner 1"] {
        let refusal = |database: &str| run(&directory, &format!("{command} --database {database}")).unwrap_err();
        assert!(refusal("none").starts_with("no database is set"), "{command}");
        assert!(refusal("https://keeper.example").starts_with("the store is another server"), "{command}");
        assert!(refusal("sqlite::memory:").starts_with("a database in memory"), "{command}");
        assert!(refusal("sqlite:no/such.db").starts_with("no/such.db "), "{command}");
    }
    // Who only looks makes no database.
    let missing = refused("roomcast.db does not exist; roomcast serve sees to that");
    assert_eq!((run(&directory, "user list"), run(&directory, "token ann")), (missing.clone(), missing));
    assert_eq!(run(&directory, "user add ann --no-migrate"), refused("roomcast.db does not exist"));
    assert!(!directory.join("roomcast.db").exists());
}

#[test]
fn users_and_rooms_are_refused_as_a_client_would_be() {
    let directory = directory();
    ids(run(&directory, "user add ann"));
    let cases = [
        ("user add ann", "there is a user of that name already"),
        ("user add guest-12", "that name is kept for those who have none"),
        ("user", "add NAME or list? roomcast user --help tells more"),
        ("user add", "add NAME or list? roomcast user --help tells more"),
        ("room add lobby --owner ann", "there is an open room of that name already"),
        ("room add tea", "an open room needs an --owner"),
        ("room add tea --private", "a private room needs an --owner or a --member"),
        ("room add tea --owner bob", r#"there is no user "bob""#),
        ("room add tea --private --member ann --member 9", r#"there is no user "9""#),
        (
            "room add tea --owner ann --member ann",
            "an open room has no members to be named: anybody may join it; --private makes it theirs alone",
        ),
        ("room drop tea", r#"there is no roomcast room "drop"; roomcast room --help tells what there is"#),
    ];
    for (line, sentence) in cases {
        assert_eq!(run(&directory, line), refused(sentence), "{line}");
    }
    let long = format!("user add {}", "x".repeat(65));
    assert_eq!(run(&directory, &long), refused("the user's name must be 1 to 64 characters"));
    ids(run(&directory, "room add tea --owner ann"));
    let sentence = "its owner has 1 rooms already; --max-rooms-owned says how many they may be";
    assert_eq!(run(&directory, "room add coffee --owner ann --max-rooms-owned 1"), refused(sentence));
    for command in ["token", "user", "room"] {
        let help = run(&directory, &format!("{command} --help")).unwrap();
        assert!(help.contains(&format!("usage: roomcast {command} ")) && help.contains("--database"), "{help}");
    }
    for command in ["user", "room"] {
        let help = run(&directory, &format!("{command} --help")).unwrap();
        assert!(help.contains("when it starts") && help.contains("when a participant connects"), "{help}");
    }
}

#[test]
fn a_server_may_be_running_meanwhile() {
    let directory = directory();
    let start = || {
        let mut command = roomcast();
        command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(&directory);
        Server::spawn(command)
    };
    let mut server = start();
    let (ann, _) = ids(run(&directory, "user add ann"));
    let (bob, uuid) = ids(run(&directory, "user add bob"));
    let users = server.get("/user", &[]);
    assert!(users.ends_with(r#"[{"ID":1,"Username":"ann"},{"ID":2,"Username":"bob"}]"#), "{users}");
    let (private, _) = ids(run(&directory, &format!("room add tea --private --member {uuid} --member ann --member 2")));
    let (open, _) = ids(run(&directory, "room add coffee --owner ann"));
    server.signal("TERM");
    assert!(server.wait().0.success());

    let db = rusqlite::Connection::open(directory.join("roomcast.db")).unwrap();
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number(&format!("SELECT owner_id FROM chats WHERE id = {private} AND is_private")), bob);
    assert_eq!(number(&format!("SELECT count(*) FROM chat_participants WHERE chat_id = {private}")), 2);
    assert_eq!(number(&format!("SELECT owner_id FROM chats WHERE id = {open} AND NOT is_private")), ann);
    drop(db);
    let rooms = start().get("/rooms", &[]);
    assert!(rooms.contains(r#""Name":"coffee""#) && !rooms.contains(r#""Name":"tea""#), "{rooms}");
}

#[test]
fn check_and_serve_look_at_the_keys() {
    let directory = directory();
    fs::write(directory.join("key.pem"), PUBLIC_KEY).unwrap();
    fs::write(directory.join("private.pem"), PUBLIC_KEY.replace("PUBLIC", "PRIVATE")).unwrap();
    let tokens = |line: &str| {
        let found = run(&directory, &format!("check --database none {line}")).unwrap();
        assert!(!found.contains(SECRET), "{found}");
        found.lines().find_map(|line| line.strip_prefix("tokens")).unwrap().trim().to_owned()
    };
    assert_eq!(tokens(""), "HS256");
    assert_eq!(tokens(&format!("--jwt-previous-secret {SECRET}")), "HS256, with a previous key");
    assert_eq!(tokens("--jwt-previous-public-key key.pem"), "HS256, with a previous key for EdDSA");
    fs::remove_file(directory.join(".env")).unwrap();
    assert_eq!(tokens("--jwt-public-key key.pem"), "EdDSA");
    assert!(tokens("").starts_with("no key is set"));

    let cases = [
        (format!("--jwt-secret {SECRET} --jwt-public-key key.pem"), "jwt-secret and jwt-public-key are both set"),
        ("--jwt-secret short".into(), "jwt-secret must have at least 32 bytes"),
        ("--jwt-public-key no.pem".into(), "jwt-public-key: can't read no.pem: "),
        ("--jwt-public-key private.pem".into(), "jwt-public-key: private.pem does not begin with a public key"),
        (format!("--jwt-previous-secret {SECRET}"), "a previous key for tokens is set, and none for today"),
    ];
    for (flags, start) in cases {
        for command in ["serve", "check"] {
            let sentence = run(&directory, &format!("{command} --database none {flags}")).unwrap_err();
            assert!(sentence.starts_with(start), "{command} {flags}: {sentence}");
        }
    }
}
