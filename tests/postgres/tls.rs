//! The way to the database over TLS, if the URL asks for it.

use super::serve;
use super::start::refusal;
use crate::common::postgres::Postgres;
use crate::common::{Server, wait_until};

#[test]
fn tls_is_spoken_where_the_url_asks_for_it() {
    let postgres = Postgres::start_with_tls();
    let plain = postgres.database();
    let with = |url: &str, mode: &str| format!("{url}?sslmode={mode}&sslrootcert={}", postgres.certificate().display());
    let named = plain.replace("@127.0.0.1:", "@localhost:");
    let count = |what: &str| {
        let sessions = "pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = 'roomcast'";
        postgres.administer(&format!("SELECT count(*) FROM {sessions} AND {what}"))
    };
    // A certificate alone is looked for, or also that it is this host's.
    for (url, mode) in [(&plain, "require"), (&plain, "verify-ca"), (&named, "verify-full")] {
        let server = Server::spawn(serve(&with(url, mode), &[]));
        assert!(server.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
        assert_ne!(count("ssl"), "0\n", "{mode}");
        assert_eq!(count("NOT ssl"), "0\n", "{mode}");
        // Its connections end with it, so that the next one's are counted alone.
        drop(server);
        wait_until("the connections to end", || count("true") == "0\n");
    }
    // Who it is can't be told without anything to tell it by, or when the certificate names another.
    let unknown = [format!("{plain}?sslmode=require"), format!("{named}?sslmode=verify-full")];
    for url in unknown.into_iter().chain([with(&plain, "verify-full")]) {
        let sentence = refusal(&url, &[]);
        assert!(sentence.contains("certificate"), "{url}: {sentence}");
    }
    let missing = refusal(&format!("{plain}?sslmode=require&sslrootcert=/nowhere.crt"), &[]);
    assert!(missing.contains("/nowhere.crt"), "{missing}");
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
