//! The answer to a COMMIT is lost: whoever asked is told that nothing is stored, and it is.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::common::cluster::Cluster;
use crate::common::postgres::Postgres;
use crate::common::redis::Redis;
use crate::common::stream::{Listener, ask, saying};
use crate::common::waiting::wait_within;

/// It is the text of the message whose COMMIT is passed on, and the answer to it is not.
const DOUBTED: &str = "is it stored?";

/// The node has to be connected anew, and to look for what became of it; then the other hears that there is something.
const SOON: Duration = Duration::from_secs(30);

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Stands before PostgreSQL, and passes on all but that answer. Returns its port.
fn stand_before(server: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || pass_requests(client, to_server));
            thread::spawn(move || drop(std::io::copy(&mut &server, &mut &to_client)));
        }
    });
    port
}

fn pass_requests(mut client: TcpStream, mut server: TcpStream) {
    let mut buffer = [0; 1 << 16];
    let mut is_near = false;
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let request = &buffer[..count];
        is_near |= has(request, DOUBTED);
        if is_near && has(request, "COMMIT") {
            // To the client it is as if the server were gone.
            client.shutdown(std::net::Shutdown::Both).unwrap();
            server.write_all(request).unwrap();
            // It has been done when the server has nothing more to say.
            server.shutdown(std::net::Shutdown::Write).unwrap();
            return;
        }
        server.write_all(request).unwrap();
    }
    let _ = server.shutdown(std::net::Shutdown::Both);
}

#[test]
fn what_was_stored_without_an_answer_is_told_on_every_node_once() {
    let mut cluster = Cluster::around(Postgres::shared().database(), Redis::start());
    let (who, place) = cluster.database.rsplit_once('@').unwrap();
    let (server, name) = place.split_once('/').unwrap();
    let database = format!("{who}@127.0.0.1:{}/{name}", stand_before(server.to_owned()));
    let redis = cluster.redis.url(0);
    cluster.add_under(&[], "127.0.0.1:0", &["--database", &database, "--broker", &redis]);
    cluster.add(&[]);
    cluster.wait_until_ready();
    let [near, far] = cluster.servers();
    let listeners = [near, far].map(Listener::to_lobby);
    assert_eq!(ask(near, "POST /message", saying(DOUBTED)).status, 503);
    // Nobody says anything more before it is heard.
    let hear = |mut listener: Listener| {
        thread::spawn(move || {
            listener.stream().set_read_timeout(Some(SOON)).unwrap();
            listener.expect("new_message", DOUBTED);
            listener
        })
    };
    let hearing = listeners.map(hear);
    wait_within(SOON, "it to be heard on both nodes", || hearing.iter().all(JoinHandle::is_finished));
    assert_eq!(ask(far, "POST /message", saying("and now?")).status, 201);
    for hearing in hearing {
        hearing.join().unwrap().expect("new_message", "and now?");
    }
}
