//! Where values come from, and what is said of wrong ones.

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn the_defaults_are_those_of_the_design() {
    let config = Sources::default().config().unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
    assert_eq!((config.max_message, config.max_head, config.max_headers), (65_536, 16_384, 100));
    assert_eq!((config.outbox, config.max_text), (1_048_576, 16_384));
    assert_eq!((config.rate, config.burst), (100, 200));
    assert_eq!((config.ping.as_secs(), config.pong.as_secs()), (25, 20));
    assert_eq!((config.handshake.as_secs(), config.drain.as_secs()), (10, 5));
    assert!(config.origins.loopback && config.trust_proxies.is_empty() && config.linger.is_zero());
    assert_eq!((config.socketio_vocabulary, config.presence), (Vocabulary::Auto, Presence::Shared));
    assert_eq!((config.recovery, config.connect.as_secs()), (true, 45));
    assert_eq!((config.broker.0.as_str(), config.broker_wait.as_secs()), ("", 30));
    assert!(config.jwt_secret.0.is_empty() && config.jwt_public_key.is_empty());
}

#[test]
fn flags_beat_the_environment_and_that_beats_the_file() {
    let mut sources = Sources { file: map(&[("ROOMCAST_RATE", "1"), ("PORT", "1111")]), ..Sources::default() };
    assert_eq!(sources.config().unwrap().rate, 1);
    assert_eq!(sources.config().unwrap().listen.port(), 1111);
    sources.environment = map(&[("ROOMCAST_RATE", "2"), ("ROOMCAST_LISTEN", "0.0.0.0:2222"), ("PORT", "3333")]);
    assert_eq!(sources.config().unwrap().rate, 2);
    assert_eq!(sources.config().unwrap().listen.to_string(), "0.0.0.0:2222");
    assert!(!sources.config().unwrap().origins.loopback);
    sources.flags = map(&[("rate", "3")]);
    assert_eq!(sources.config().unwrap().rate, 3);
}

#[test]
fn a_time_may_be_none_where_that_makes_sense() {
    let set = |flag, value| Sources { flags: map(&[(flag, value)]), ..Sources::default() }.config();
    assert!(set("linger", "0").unwrap().linger.is_zero());
    assert_eq!(set("linger", "10s").unwrap().linger.as_secs(), 10);
    assert_eq!(set("drain", "0s").unwrap_err(), "--drain: \"0s\" is not a time such as 25s, 500ms or 2m");
    let error = set("trust-proxies", "10.0.0.0/8, nginx").unwrap_err();
    assert!(error.ends_with("is not a list of addresses and networks such as 127.0.0.1, 10.0.0.0/8"), "{error}");
}

#[test]
fn foreign_names_work_too() {
    let url = "postgresql+asyncpg://postgres:postgres@localhost:5432/chatroom";
    let variables = [("HOST", "0.0.0.0"), ("PORT", "9000"), ("DEBUG", "True"), ("DATABASE_URL", url)];
    let sources = [
        Sources { environment: map(&variables), ..Sources::default() },
        Sources { file: map(&variables), ..Sources::default() },
    ];
    for config in sources.map(|sources| sources.config().unwrap()) {
        assert_eq!(config.listen.to_string(), "0.0.0.0:9000");
        assert_eq!(config.log, LevelFilter::Debug);
        assert_eq!(config.database.0, url);
    }
}

#[test]
fn host_and_port_may_come_from_two_places() {
    let listen = |environment: &[(&str, &str)], file: &[(&str, &str)]| {
        let sources = Sources { environment: map(environment), file: map(file), ..Sources::default() };
        sources.config().unwrap().listen.to_string()
    };
    let file = [("HOST", "0.0.0.0"), ("PORT", "9000")];
    assert_eq!(listen(&[("PORT", "7000")], &file), "0.0.0.0:7000");
    assert_eq!(listen(&[("HOST", "::1")], &file), "[::1]:9000");
    assert_eq!(listen(&[("HOST", ""), ("PORT", "")], &file), "0.0.0.0:9000");
    assert_eq!(listen(&[], &[("PORT", "7000")]), "127.0.0.1:7000");
    assert_eq!(listen(&[("HOST", "0.0.0.0")], &[]), "0.0.0.0:8000");
}

#[test]
fn debug_is_the_word_for_a_level() {
    let log = |environment: &[(&str, &str)], file: &[(&str, &str)]| {
        let sources = Sources { environment: map(environment), file: map(file), ..Sources::default() };
        sources.config().unwrap().log
    };
    for (word, level) in [("True", "debug"), ("1", "debug"), ("False", "info"), ("", "info"), ("app:*", "info")] {
        assert_eq!(log(&[("DEBUG", word)], &[]), level.parse::<LevelFilter>().unwrap(), "{word}");
    }
    // What is said in the environment counts, also where it is no.
    assert_eq!(log(&[("DEBUG", "False")], &[("DEBUG", "True")]), LevelFilter::Info);
    assert_eq!(log(&[("DEBUG", "True"), ("ROOMCAST_LOG", "warn")], &[]), LevelFilter::Warn);
}

#[test]
fn redis_is_named_by_a_url_or_by_its_parts() {
    let broker = |environment: &[(&str, &str)], file: &[(&str, &str)]| {
        let sources = Sources { environment: map(environment), file: map(file), ..Sources::default() };
        sources.config().unwrap().broker.0
    };
    let parts = [("REDIS_HOST", "db"), ("REDIS_PORT", "6380"), ("REDIS_DB", "2"), ("REDIS_PASSWORD", "a/b@c#")];
    assert_eq!(broker(&parts, &[]), "redis://:a%2Fb%40c%23@db:6380/2");
    assert_eq!(broker(&[], &parts), "redis://:a%2Fb%40c%23@db:6380/2");
    assert_eq!(broker(&[("REDIS_PASSWORD", "x"), ("REDIS_HOST", "::1")], &parts), "redis://:x@[::1]:6380/2");
    assert_eq!(broker(&[("REDIS_PASSWORD", "x")], &[("REDIS_HOST", "db")]), "redis://:x@db:6379/0");
    assert_eq!(broker(&[("REDIS_URL", "rediss://db/1"), ("REDIS_HOST", "other")], &[]), "rediss://db/1");
    // Without a host there is none, whatever else is said of it.
    assert_eq!(broker(&[("REDIS_HOST", ""), ("REDIS_PORT", "6379"), ("REDIS_DB", "0")], &[]), "");
    assert_eq!(broker(&[("ROOMCAST_BROKER", "none")], &parts), "");
    assert_eq!(broker(&[], &[]), "");
}

#[test]
fn errors_name_the_source_and_the_value() {
    let error = |sources: Sources| sources.config().unwrap_err();
    let cases = [
        ("ROOMCAST_PING", "soon", "ROOMCAST_PING: \"soon\" is not a time such as 25s, 500ms or 2m"),
        ("ROOMCAST_PING", "0s", "ROOMCAST_PING: \"0s\" is not a time such as 25s, 500ms or 2m"),
        ("ROOMCAST_OUTBOX", "-1", "ROOMCAST_OUTBOX: \"-1\" is not a size such as 65536, 64KiB or 1MiB"),
        ("ROOMCAST_OUTBOX", "0", "ROOMCAST_OUTBOX: \"0\" must be at least 1"),
        ("ROOMCAST_RATE", "5000000000", "ROOMCAST_RATE: \"5000000000\" is not a whole number in range"),
        ("ROOMCAST_LISTEN", "here", "ROOMCAST_LISTEN: \"here\" is not an address such as 127.0.0.1:8000"),
        (
            "ROOMCAST_ALLOW_ORIGINS",
            "good.com",
            "ROOMCAST_ALLOW_ORIGINS: \"good.com\" is not a list of origins such as https://chat.example",
        ),
        ("ROOMCAST_LOG", "loud", "ROOMCAST_LOG: \"loud\" must be off, error, warn, info, debug or trace"),
        (
            "ROOMCAST_SOCKETIO_VOCABULARY",
            "klingon",
            "ROOMCAST_SOCKETIO_VOCABULARY: \"klingon\" must be auto, conversation or chat",
        ),
        ("ROOMCAST_PRESENCE", "none", "ROOMCAST_PRESENCE: \"none\" must be shared or all"),
        ("ROOMCAST_PONY", "1", "ROOMCAST_PONY: there is no such setting; roomcast serve --help lists them"),
    ];
    for (variable, value, sentence) in cases {
        assert_eq!(error(Sources { environment: map(&[(variable, value)]), ..Sources::default() }), sentence);
    }
    let flags = Sources { flags: map(&[("burst", "0")]), ..Sources::default() };
    assert_eq!(error(flags), "--burst: \"0\" must be at least 1");
    let file = Sources { file: map(&[("ROOMCAST_RATE", "x")]), ..Sources::default() };
    assert_eq!(error(file), "ROOMCAST_RATE in .env: \"x\" is not a whole number in range");
}

#[test]
fn sizes_and_times() {
    assert_eq!((size("64KiB"), size("1 mib"), size("7")), (Ok(65_536), Ok(1_048_576), Ok(7)));
    assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(duration("2m"), duration("120"));
    for bad in ["", "s", "1.5s", "1x", "99999999999999999999", "8000000h", "é"] {
        assert!(duration(bad).is_err(), "{bad}");
    }
}
