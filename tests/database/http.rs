//! HTTP/1.1 as its clients speak it: kept connections, requests in a row, bodies in both forms, HEAD and HTTP/1.0.

use std::fmt::Write as _;
use std::io::{Read, Write};

use super::{curl, expect, refuse};
use crate::common::{Server, read_to_end};

const ANN: &str = r#"{"Username":"Ann"}"#;

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Reads one answer with a length: status line, and body.
fn read_answer(stream: &mut impl Read) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = String::new();
    stream.take(length.parse().unwrap()).read_to_string(&mut body).unwrap();
    (head.lines().next().unwrap().to_owned(), body)
}

#[test]
fn one_connection_serves_many_requests() {
    let server = Server::start(&[]);
    let url = format!("http://{}", server.address);
    // A new name for each; curl says how often it had to connect.
    let mut words: Vec<String> = vec!["-s".into(), "-w".into(), " %{num_connects}\n".into()];
    for (number, name) in ["Ann", "Bob", "Cid"].iter().enumerate() {
        if number > 0 {
            words.extend(["--next", "-s", "-w", " %{num_connects}\n"].map(str::to_owned));
        }
        words.extend(["-d".into(), format!(r#"{{"Username":"{name}"}}"#), format!("{url}/user")]);
    }
    let output = std::process::Command::new("curl").args(&words).output().unwrap();
    let expected =
        "{\"ID\":1,\"Username\":\"Ann\"} 1\n{\"ID\":2,\"Username\":\"Bob\"} 0\n{\"ID\":3,\"Username\":\"Cid\"} 0\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    // Also over refusals that have read the whole request.
    let mut stream = server.raw();
    let refused = [(post("/user", "", "{}"), "400"), (post("/user", "", ANN), "409")];
    for (request, status) in refused.iter().chain(&refused) {
        stream.write_all(request.as_bytes()).unwrap();
        let (line, body) = read_answer(&mut stream);
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{line} {body}");
    }
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let server = Server::unlimited(&[]);
    let mut stream = server.raw();
    // What the store answers, what is refused at once, and what another part of the server answers.
    let mut requests = String::new();
    let count = 100;
    for number in 0..count {
        let room = format!(r#"{{"UserID":1,"RoomID":1,"Message":"{number}"}}"#);
        requests += &post("/messages", "", &room);
        requests += "GET /user?UserID=x HTTP/1.1\r\nHost: x\r\n\r\n";
        requests += "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    }
    stream.write_all((post("/user", "", ANN) + &requests).as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).0, "HTTP/1.1 201 Created");
    for number in 1..=count {
        let created = format!(r#"{{"message":"Message created","MessageID":{number}}}"#);
        assert_eq!(read_answer(&mut stream), ("HTTP/1.1 201 Created".into(), created));
        let refused = r#"{"error":"UserID must be a positive integer or a UUID"}"#;
        assert_eq!(read_answer(&mut stream), ("HTTP/1.1 400 Bad Request".into(), refused.into()));
        assert_eq!(read_answer(&mut stream), ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    }
    // They were carried out in that order too.
    let (_, list) = super::ask(&server, "GET /messages?RoomID=1", "");
    let texts: Vec<&str> = list.split(r#""Message":""#).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(texts, (0..count).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn what_was_made_is_there_for_the_next_request_in_the_row() {
    let server = Server::start(&[]);
    let mut stream = server.raw();
    let row = [
        post("/user", "", ANN),
        post("/rooms", "", r#"{"UserID":1,"Roomname":"tea"}"#),
        post("/messages", "", r#"{"UserID":1,"RoomID":2,"Message":"Hi"}"#),
        post("/readconfirmation", "", r#"{"MessageID":1,"UserID":1}"#),
        "DELETE /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{\"RoomID\":2}".into(),
        "GET /messages?RoomID=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".into(),
    ];
    stream.write_all(row.concat().as_bytes()).unwrap();
    let statuses: Vec<String> = row.iter().map(|_| read_answer(&mut stream).0).collect();
    let made = "HTTP/1.1 201 Created";
    assert_eq!(statuses, [made, made, made, made, "HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"]);
    assert_eq!(read_to_end(&mut stream), "");
}

#[test]
fn a_body_comes_sized_or_in_chunks_in_any_pieces() {
    let server = Server::start(&[]);
    let url = format!("http://{}/user", server.address);
    let chunked = ["-H", "Transfer-Encoding: chunked", "-d", ANN, &url];
    assert_eq!(curl(&chunked), (201, r#"{"ID":1,"Username":"Ann"}"#.into()));

    let name = r#"{"Username":"Bob"}"#;
    let mut in_chunks = String::from("POST /user HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for byte in name.chars() {
        write!(in_chunks, "1\r\n{byte}\r\n").unwrap();
    }
    in_chunks += "0\r\nTrailer: x\r\n\r\n";
    let sized = post("/user", "", r#"{"Username":"Cid"}"#);
    let mut stream = server.raw();
    for byte in [in_chunks, sized].concat().as_bytes().chunks(1) {
        stream.write_all(byte).unwrap();
    }
    let created = |body: &str| ("HTTP/1.1 201 Created".to_owned(), body.to_owned());
    assert_eq!(read_answer(&mut stream), created(r#"{"ID":2,"Username":"Bob"}"#));
    assert_eq!(read_answer(&mut stream), created(r#"{"ID":3,"Username":"Cid"}"#));
}

/// What has come of the next request while one was answered is no request yet, and the rest must still be read.
#[test]
fn a_request_comes_in_pieces_behind_one_that_is_being_answered() {
    let server = Server::start(&[]);
    let (first, second) = (post("/user", "", ANN), post("/user", "", r#"{"Username":"Bob"}"#));
    // Cut inside the first line, the headers and the body.
    for cut in [1, 30, second.len() - 5] {
        let mut stream = server.raw();
        stream.write_all([&first, &second[..cut]].concat().as_bytes()).unwrap();
        let line = read_answer(&mut stream).0;
        assert!(["HTTP/1.1 201 Created", "HTTP/1.1 409 Conflict"].contains(&&*line), "{line}");
        stream.write_all(&second.as_bytes()[cut..]).unwrap();
        assert_eq!(read_answer(&mut stream).0, line, "{cut}");
    }
}

#[test]
fn a_connection_may_go_on_as_a_websocket() {
    let server = Server::start(&[]);
    let mut stream = server.raw();
    // All of it at once: a request, the upgrade behind it, and the first frame.
    let ask = crate::common::frame(crate::common::TEXT, br#"{"event":"get_users"}"#);
    let row = [post("/user", "", ANN).as_bytes(), crate::common::upgrade_request("/ws").as_bytes(), &ask].concat();
    stream.write_all(&row).unwrap();
    assert_eq!(read_answer(&mut stream).0, "HTTP/1.1 201 Created");
    crate::common::read_upgrade(&mut stream);
    let (_, reply) = crate::common::read_frame(&mut stream).unwrap();
    let users = r#"{"users":[{"userId":1,"username":"Ann","online":false}]}"#;
    let ack = format!(r#"{{"event":"ack","payload":{{"event":"get_users","result":{users}}}}}"#);
    assert_eq!(String::from_utf8(reply).unwrap(), ack);
}

#[test]
fn a_client_that_holds_its_body_back_is_told_to_go_on() {
    let server = Server::start(&[]);
    let request = post("/user", "Expect: 100-continue\r\n", ANN);
    let (head, body) = request.split_at(request.len() - ANN.len());
    let mut stream = server.raw();
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream), ("HTTP/1.1 100 Continue".into(), String::new()));
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).1, r#"{"ID":1,"Username":"Ann"}"#);
    // What will not be taken is not sent either.
    let large = head.replace("Content-Length: 18", "Content-Length: 70000");
    stream.write_all(large.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).0, "HTTP/1.1 413 Payload Too Large");
    let url = format!("http://{}/user", server.address);
    let words = ["-H", "Expect: 100-continue", "-d", r#"{"Username":"Bob"}"#, &url];
    assert_eq!(curl(&words), (201, r#"{"ID":2,"Username":"Bob"}"#.into()));
}

#[test]
fn too_large_a_body_is_refused_before_it_is_there() {
    let server = Server::start(&["--max-body", "100"]);
    let at_most = format!(r#"{{"Username":"Ann"{}}}"#, " ".repeat(100 - ANN.len()));
    assert_eq!(at_most.len(), 100);
    expect(&server, "POST /user", &at_most, 201, r#"{"ID":1,"Username":"Ann"}"#);
    refuse(&server, "POST /user", &format!("{at_most} "), 413, "the request body is too large");
    let mut stream = server.raw();
    let claim = "POST /user HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775807\r\n\r\n";
    stream.write_all(claim.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).0, "HTTP/1.1 413 Payload Too Large");
    assert_eq!(read_to_end(&mut stream), "", "the rest of such a body can't be told from requests");
    let mut stream = server.raw();
    let head = "POST /user HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(format!("{head}64\r\n{at_most}\r\n1\r\n").as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).0, "HTTP/1.1 413 Payload Too Large");
}

#[test]
fn head_is_answered_as_get_without_the_body() {
    let server = Server::start(&[]);
    super::ask(&server, "POST /user", ANN);
    let head_of = |answer: &str| answer.split_once("\r\n\r\n").unwrap().0.to_owned();
    for path in ["/user", "/user?UserID=1", "/user?UserID=7", "/rooms", "/messages?RoomID=1", "/messages"] {
        let got = server.get(path, &[]);
        let looked = server.exchange(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert_eq!(looked, format!("{}\r\n\r\n", head_of(&got)), "{path}");
    }
    let (status, head) = curl(&["-I", &format!("http://{}/user", server.address)]);
    assert!(status == 200 && head.contains("content-length: 27\r\n"), "{head}");
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let server = Server::start(&[]);
    let url = format!("http://{}/user", server.address);
    assert_eq!(curl(&["--http1.0", "-d", ANN, &url]), (201, r#"{"ID":1,"Username":"Ann"}"#.into()));
    let users = r#"[{"ID":1,"Username":"Ann"}]"#;
    assert_eq!(curl(&["--http1.0", &url]), (200, users.into()));
    let answer = server.exchange("GET /user HTTP/1.0\r\n\r\nGET /user HTTP/1.0\r\n\r\n");
    assert!(answer.contains("connection: close\r\n") && answer.ends_with(&format!("\r\n\r\n{users}")), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
}
