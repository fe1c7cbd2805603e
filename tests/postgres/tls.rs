//! The way to the database over TLS, if the URL asks for it.

use crate::common::Server;
use crate::database::postgres::Postgres;
use crate::serve;
use crate::start::refusal;

#[test]
fn tls_is_spoken_where_the_url_asks_for_it() {
    let postgres = Postgres::start_with_tls();
    let url = postgres.database();
    let certificate = postgres.certificate();
    let with = |mode: &str| format!("{url}?sslmode={mode}&sslrootcert={}", certificate.display());
    for mode in ["require", "verify-ca", "verify-full"] {
        let server = Server::spawn(serve(&with(mode), &[]));
        assert!(server.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
        let plain =
            "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = 'roomcast' AND ";
        let count = |what: &str| postgres.administer(&format!("{plain}{what}"));
        assert_ne!(count("ssl"), "0\n", "{mode}");
        assert_eq!(count("NOT ssl"), "0\n", "{mode}");
        // Its connections end with it, so that the next one's are counted alone.
        drop(server);
        crate::common::wait_until("the connections to end", || count("true") == "0\n");
    }
    // Who it is can't be told without anything to tell it by.
    for mode in ["require", "verify-full"] {
        let sentence = refusal(&format!("{url}?sslmode={mode}"), &[]);
        assert!(sentence.contains("certificate"), "{sentence}");
    }
    let missing = refusal(&format!("{url}?sslmode=require&sslrootcert=/nowhere.crt"), &[]);
    assert!(missing.contains("/nowhere.crt"), "{missing}");
    // The name in the certificate is another's.
    let elsewhere = with("verify-full").replace("127.0.0.1", "127.0.0.2");
    let outcome = refusal(&elsewhere, &["--store-wait", "0s"]);
    assert!(!outcome.is_empty());
}

#[test]
fn what_must_be_secret_is_not_said_in_the_clear() {
    let url = Postgres::shared().database();
    let sentence = refusal(&format!("{url}?sslmode=require"), &[]);
    assert!(sentence.contains("TLS"), "{sentence}");
    for mode in ["prefer", "disable"] {
        drop(Server::spawn(serve(&format!("{url}?sslmode={mode}"), &[])));
    }
}
