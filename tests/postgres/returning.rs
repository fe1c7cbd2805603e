//! Who comes back to a stream while other programs write: everything is to be heard once, whatever the server has learnt of
//! it by then.

use super::ears::{Ear, new_message, saying, wait_for_looks};
use super::serve;
use crate::common::database::{rows, value};
use crate::common::postgres::Postgres;
use crate::common::{Server, wait_until};

fn server() -> (String, Server) {
    let url = Postgres::shared().database();
    let server = Server::spawn(serve(&url, &[]));
    (url, server)
}

/// Over and over, at any moment of what the server learns of other programs.
#[test]
fn who_keeps_coming_back_hears_everything_once() {
    const COUNT: usize = 400;
    let (url, server) = server();
    let insert = format!(
        "DO $$ BEGIN FOR number IN 1 .. {COUNT} LOOP {}; COMMIT; PERFORM pg_sleep(0.003); END LOOP; END $$",
        saying("' || number || '")
    );
    let mut stream = Ear::stream(&server, "/stream", None);
    let heard: Vec<String> = std::thread::scope(|scope| {
        scope.spawn(|| rows(&url, &insert));
        let heard = (1..=COUNT).map(|number| {
            let heard = stream.next();
            if number % 7 == 0 {
                stream = Ear::stream(&server, "/stream", Some(&heard.id.expect("an id")));
            }
            heard.text
        });
        heard.collect()
    });
    let expected: Vec<String> = (1..=COUNT).map(|number| new_message(number as i64, &number.to_string())).collect();
    assert_eq!(heard, expected);
    wait_until("all to be stored", || value(&url, "SELECT count(*) FROM messages") == COUNT.to_string());
    wait_for_looks(&url, 1);
    stream.expect_nothing();
}
