//! The cases of the Socket.IO protocol's own suite, version 5, by the names that they have there; and some more, of what
//! breaks the protocol over long-polling.

use crate::common::engine;
use crate::common::packets::Socket;
use crate::common::protocol::SOCKET_IO;
use serde_json::Value;

/// A session over WebSocket that is in no namespace yet.
fn session() -> Socket {
    let mut socket = Socket::open(SOCKET_IO);
    engine::expect_open(&socket.receive(), &[]);
    socket
}

/// The packet says `prefix`, which admits to a namespace, and a sid; nothing besides. Returns the sid.
#[track_caller]
fn expect_admission(packet: &str, prefix: &str) -> String {
    let json = packet.strip_prefix(prefix).unwrap_or_else(|| panic!("not {prefix}: {packet}"));
    let admission: Value = serde_json::from_str(json).unwrap();
    let sid = admission["sid"].as_str().expect("a sid");
    assert_eq!(admission, serde_json::json!({ "sid": sid }));
    sid.to_owned()
}

/// A session over WebSocket that is in the main namespace.
fn connected() -> Socket {
    let mut socket = session();
    expect_connect(&mut socket, "40", "40", r#"42["auth",{}]"#);
    socket
}

/// `request` is answered by an admission, and then by the event `auth`.
#[track_caller]
fn expect_connect(socket: &mut Socket, request: &str, prefix: &str, auth: &str) {
    socket.send(request);
    expect_admission(&socket.receive(), prefix);
    socket.expect(auth);
}

mod handshake {
    mod polling {
        use crate::socketio::{SOCKET_IO, engine};

        #[test]
        fn should_successfully_open_a_session() {
            engine::polling_opens_a_session(SOCKET_IO);
        }

        #[test]
        fn should_fail_with_an_invalid_eio_query_parameter() {
            engine::polling_fails_with_an_invalid_version(SOCKET_IO);
        }

        #[test]
        fn should_fail_with_an_invalid_transport_query_parameter() {
            engine::polling_fails_with_an_invalid_transport(SOCKET_IO);
        }

        #[test]
        fn should_fail_with_an_invalid_request_method() {
            engine::polling_fails_with_an_invalid_method(SOCKET_IO);
        }
    }

    mod websocket {
        use crate::socketio::{SOCKET_IO, engine};

        #[test]
        fn should_successfully_open_a_session() {
            engine::websocket_opens_a_session(SOCKET_IO);
        }

        #[test]
        fn should_fail_with_an_invalid_eio_query_parameter() {
            engine::websocket_fails_with_an_invalid_version(SOCKET_IO);
        }

        #[test]
        fn should_fail_with_an_invalid_transport_query_parameter() {
            engine::websocket_fails_with_an_invalid_transport(SOCKET_IO);
        }
    }
}

mod heartbeat {
    mod polling {
        use crate::socketio::{SOCKET_IO, engine};

        #[test]
        fn should_send_ping_pong_packets() {
            engine::polling_sends_pings(SOCKET_IO);
        }

        #[test]
        fn should_close_the_session_upon_ping_timeout() {
            engine::polling_closes_upon_ping_timeout(SOCKET_IO);
        }
    }

    mod websocket {
        use crate::socketio::{SOCKET_IO, engine};

        #[test]
        fn should_send_ping_pong_packets() {
            engine::websocket_sends_pings(SOCKET_IO);
        }

        #[test]
        fn should_close_the_session_upon_ping_timeout() {
            engine::websocket_closes_upon_ping_timeout(SOCKET_IO);
        }
    }
}

mod close {
    mod polling {
        use crate::common::polling::Session;
        use crate::socketio::{SOCKET_IO, engine};

        #[test]
        fn should_forcefully_close_the_session() {
            engine::polling_closes_forcefully(SOCKET_IO);
        }

        /// The next poll ends the session in order: a noop, and the close packet.
        #[track_caller]
        fn expect_close(session: &Session) {
            assert_eq!(session.receive(), "6\x1e1");
            session.poll().expect_unknown_session();
        }

        /// A session in the main namespace, of which nothing has been read.
        fn connecting() -> Session {
            let session = Session::open(SOCKET_IO);
            session.push("40");
            session
        }

        /// What has waited for the poll: the admission and the event `auth`.
        #[track_caller]
        fn expect_connected(session: &Session) {
            let payload = session.receive();
            let (admission, auth) = payload.split_once('\x1e').expect("two packets");
            crate::socketio::expect_admission(admission, "40");
            assert_eq!(auth, r#"42["auth",{}]"#);
        }

        #[test]
        fn should_close_the_connection_when_receiving_several_connect_packets() {
            let session = connecting();
            session.push("40");
            expect_connected(&session);
            expect_close(&session);
        }

        #[test]
        fn should_close_the_connection_when_receiving_an_event_packet_while_not_connected() {
            let session = Session::open(SOCKET_IO);
            session.push(r#"42["some event"]"#);
            expect_close(&session);
        }

        #[test]
        fn should_close_the_connection_when_receiving_an_invalid_packet() {
            let session = connecting();
            session.push("4abc");
            expect_connected(&session);
            expect_close(&session);
        }
    }

    mod websocket {
        #[test]
        fn should_forcefully_close_the_session() {
            crate::common::engine::websocket_closes_forcefully(crate::socketio::SOCKET_IO);
        }
    }
}

mod upgrade {
    use crate::common::packets::Socket;
    use crate::socketio::{SOCKET_IO, engine, expect_connect};

    /// The session goes on over its WebSocket.
    #[track_caller]
    fn expect_service(mut socket: Socket) {
        expect_connect(&mut socket, "40", "40", r#"42["auth",{}]"#);
    }

    #[test]
    fn should_successfully_upgrade_from_http_long_polling_to_websocket() {
        expect_service(engine::upgrades(SOCKET_IO));
    }

    #[test]
    fn should_ignore_http_requests_with_same_sid_after_upgrade() {
        expect_service(engine::ignores_polls_after_the_upgrade(SOCKET_IO));
    }

    #[test]
    fn should_ignore_websocket_connection_with_same_sid_after_upgrade() {
        expect_service(engine::ignores_websockets_after_the_upgrade(SOCKET_IO));
    }
}

mod connect {
    use std::time::Instant;

    use crate::common::engine::{expect_duration, expect_open};
    use crate::common::packets::Socket;
    use crate::common::protocol::{CONNECT_TIMEOUT, SOCKET_IO};
    use crate::socketio::{expect_admission, expect_connect, session};

    #[test]
    fn should_allow_connection_to_the_main_namespace() {
        let mut socket = Socket::open(SOCKET_IO);
        let secret = expect_open(&socket.receive(), &[]);
        socket.send("40");
        let shown = expect_admission(&socket.receive(), "40");
        assert_ne!(shown, secret, "others may see this id, and it must not let them into the session");
        socket.expect(r#"42["auth",{}]"#);
    }

    #[test]
    fn should_allow_connection_to_the_main_namespace_with_a_payload() {
        expect_connect(&mut session(), r#"40{"token":"123"}"#, "40", r#"42["auth",{"token":"123"}]"#);
    }

    #[test]
    fn should_allow_connection_to_a_custom_namespace() {
        expect_connect(&mut session(), "40/custom,", "40/custom,", r#"42/custom,["auth",{}]"#);
    }

    #[test]
    fn should_allow_connection_to_a_custom_namespace_with_a_payload() {
        let auth = r#"42/custom,["auth",{"token":"abc"}]"#;
        expect_connect(&mut session(), r#"40/custom,{"token":"abc"}"#, "40/custom,", auth);
    }

    #[test]
    fn should_disallow_connection_to_an_unknown_namespace() {
        let mut socket = session();
        socket.send("40/random");
        socket.expect(r#"44/random,{"message":"Invalid namespace"}"#);
        // The connection stays open.
        expect_connect(&mut socket, "40", "40", r#"42["auth",{}]"#);
    }

    #[test]
    fn should_disallow_connection_with_an_invalid_handshake() {
        let mut socket = session();
        socket.send("4abc");
        socket.expect_end();
    }

    #[test]
    fn should_close_the_connection_if_no_handshake_is_received() {
        let start = Instant::now();
        let mut socket = session();
        // Its pings are answered meanwhile, so that it is not the heartbeat that ends it.
        socket.expect_end();
        expect_duration(start, CONNECT_TIMEOUT);
    }
}

mod disconnect {
    use tungstenite::Message;

    use crate::socketio::{connected, expect_connect};

    #[test]
    fn should_disconnect_from_the_main_namespace() {
        let mut socket = connected();
        socket.send("41");
        assert_eq!(socket.next(), Some(Message::text("2")));
    }

    #[test]
    fn should_connect_then_disconnect_from_a_custom_namespace() {
        let mut socket = connected();
        expect_connect(&mut socket, "40/custom", "40/custom,", r#"42/custom,["auth",{}]"#);
        socket.send("41/custom");
        socket.send(r#"42["message","message to main namespace"]"#);
        socket.expect(r#"42["message-back","message to main namespace"]"#);
    }
}

mod message {
    use crate::socketio::connected;

    /// A packet with two attachments is answered by `answer` with the same two.
    #[track_caller]
    fn expect_attachments(request: &str, answer: &str) {
        let mut socket = connected();
        socket.send(request);
        socket.send_bytes(&[1, 2, 3]);
        socket.send_bytes(&[4, 5, 6]);
        socket.expect(answer);
        socket.expect_bytes(&[1, 2, 3]);
        socket.expect_bytes(&[4, 5, 6]);
    }

    /// The server closes a connection on which this comes.
    #[track_caller]
    fn expect_end_after(packet: &str) {
        let mut socket = connected();
        socket.send(packet);
        socket.expect_end();
    }

    #[test]
    fn should_send_a_plain_text_packet() {
        let mut socket = connected();
        socket.send(r#"42["message",1,"2",{"3":[true]}]"#);
        socket.expect(r#"42["message-back",1,"2",{"3":[true]}]"#);
    }

    #[test]
    fn should_send_a_packet_with_binary_attachments() {
        expect_attachments(
            r#"452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            r#"452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
        );
    }

    #[test]
    fn should_send_a_plain_text_packet_with_an_ack() {
        let mut socket = connected();
        socket.send(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#);
        socket.expect(r#"43456[1,"2",{"3":[false]}]"#);
    }

    #[test]
    fn should_send_a_packet_with_binary_attachments_and_an_ack() {
        expect_attachments(
            r#"452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            r#"462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
        );
    }

    #[test]
    fn should_close_the_connection_upon_invalid_format_unknown_packet_type() {
        expect_end_after("4abc");
    }

    #[test]
    fn should_close_the_connection_upon_invalid_format_invalid_payload_format() {
        expect_end_after("42{}");
    }

    #[test]
    fn should_close_the_connection_upon_invalid_format_invalid_ack_id() {
        expect_end_after(r#"42abc["message-with-ack",1,"2",{"3":[false]}]"#);
    }
}
