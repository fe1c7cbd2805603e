//! The cases of the Engine.IO protocol's own suite, version 4, by the names that they have there; and one more, of the
//! polls during an upgrade.

use crate::common::engine;
use crate::common::protocol::ENGINE_IO;

mod handshake {
    mod polling {
        use crate::engineio::{ENGINE_IO, engine};

        #[test]
        fn successfully_opens_a_session() {
            engine::polling_opens_a_session(ENGINE_IO);
        }

        #[test]
        fn fails_with_an_invalid_eio_query_parameter() {
            engine::polling_fails_with_an_invalid_version(ENGINE_IO);
        }

        #[test]
        fn fails_with_an_invalid_transport_query_parameter() {
            engine::polling_fails_with_an_invalid_transport(ENGINE_IO);
        }

        #[test]
        fn fails_with_an_invalid_request_method() {
            engine::polling_fails_with_an_invalid_method(ENGINE_IO);
        }
    }

    mod websocket {
        use crate::engineio::{ENGINE_IO, engine};

        #[test]
        fn successfully_opens_a_session() {
            engine::websocket_opens_a_session(ENGINE_IO);
        }

        #[test]
        fn fails_with_an_invalid_eio_query_parameter() {
            engine::websocket_fails_with_an_invalid_version(ENGINE_IO);
        }

        #[test]
        fn fails_with_an_invalid_transport_query_parameter() {
            engine::websocket_fails_with_an_invalid_transport(ENGINE_IO);
        }
    }
}

mod message {
    mod polling {
        use std::thread::sleep;

        use crate::common::engine::A_MOMENT;
        use crate::common::polling::{Answer, Session};
        use crate::engineio::ENGINE_IO;

        /// The payload comes back as it is.
        #[track_caller]
        fn expect_echo(payload: &str) {
            let session = Session::open(ENGINE_IO);
            session.push(payload);
            assert_eq!(session.receive(), payload);
        }

        #[test]
        fn sends_and_receives_a_payload_containing_one_plain_text_packet() {
            expect_echo("4hello");
        }

        #[test]
        fn sends_and_receives_a_payload_containing_several_plain_text_packets() {
            expect_echo("4test1\x1e4test2\x1e4test3");
        }

        #[test]
        fn sends_and_receives_a_payload_containing_plain_text_and_binary_packets() {
            expect_echo("4hello\x1ebAQIDBA==");
        }

        #[test]
        fn closes_the_session_upon_invalid_packet_format() {
            let session = Session::open(ENGINE_IO);
            // The reference has closed the session and says `ok` all the same, or ends the connection.
            let _ = Answer::read(session.begin_push("abc"));
            session.poll().expect_unknown_session();
        }

        #[test]
        fn closes_the_session_upon_duplicate_poll_requests() {
            let session = Session::open(ENGINE_IO);
            let first = session.begin_poll();
            sleep(A_MOMENT);
            assert_eq!(session.poll().status, 400);
            Answer::read(first).expect("an answer").expect("1");
            session.poll().expect_unknown_session();
        }

        #[test]
        fn closes_the_session_upon_cancelled_polling_request() {
            let session = Session::open(ENGINE_IO);
            let cancelled = session.begin_poll();
            sleep(A_MOMENT);
            drop(cancelled);
            assert_eq!(session.poll().status, 400);
            session.poll().expect_unknown_session();
        }
    }

    mod websocket {
        use crate::common::engine::expect_open;
        use crate::common::packets::Socket;
        use crate::engineio::ENGINE_IO;

        fn session() -> Socket {
            let mut socket = Socket::open(ENGINE_IO);
            expect_open(&socket.receive(), &[]);
            socket
        }

        #[test]
        fn sends_and_receives_a_plain_text_packet() {
            let mut socket = session();
            socket.send("4hello");
            socket.expect("4hello");
        }

        #[test]
        fn sends_and_receives_a_binary_packet() {
            let mut socket = session();
            socket.send_bytes(&[1, 2, 3, 4]);
            socket.expect_bytes(&[1, 2, 3, 4]);
        }

        #[test]
        fn closes_the_session_upon_invalid_packet_format() {
            let mut socket = session();
            socket.send("abc");
            socket.expect_end();
        }
    }
}

mod heartbeat {
    mod polling {
        use crate::engineio::{ENGINE_IO, engine};

        #[test]
        fn sends_ping_pong_packets() {
            engine::polling_sends_pings(ENGINE_IO);
        }

        #[test]
        fn closes_the_session_upon_ping_timeout() {
            engine::polling_closes_upon_ping_timeout(ENGINE_IO);
        }
    }

    mod websocket {
        use crate::engineio::{ENGINE_IO, engine};

        #[test]
        fn sends_ping_pong_packets() {
            engine::websocket_sends_pings(ENGINE_IO);
        }

        #[test]
        fn closes_the_session_upon_ping_timeout() {
            engine::websocket_closes_upon_ping_timeout(ENGINE_IO);
        }
    }
}

mod close {
    mod polling {
        #[test]
        fn forcefully_closes_the_session() {
            crate::common::engine::polling_closes_forcefully(crate::engineio::ENGINE_IO);
        }
    }

    mod websocket {
        #[test]
        fn forcefully_closes_the_session() {
            crate::common::engine::websocket_closes_forcefully(crate::engineio::ENGINE_IO);
        }
    }
}

mod upgrade {
    use crate::common::packets::Socket;
    use crate::common::polling::Answer;
    use crate::engineio::{ENGINE_IO, engine};

    /// The session goes on over its WebSocket.
    #[track_caller]
    fn expect_echo(mut socket: Socket) {
        socket.send("4hello");
        socket.expect("4hello");
    }

    #[test]
    fn successfully_upgrades_from_http_long_polling_to_websocket() {
        expect_echo(engine::upgrades(ENGINE_IO));
    }

    #[test]
    fn ignores_http_requests_with_same_sid_after_upgrade() {
        expect_echo(engine::ignores_polls_after_the_upgrade(ENGINE_IO));
    }

    #[test]
    fn ignores_websocket_connection_with_same_sid_after_upgrade() {
        expect_echo(engine::ignores_websockets_after_the_upgrade(ENGINE_IO));
    }

    #[test]
    fn should_noop_all_polling_requests_while_upgrading() {
        let session = crate::common::polling::Session::open(ENGINE_IO);
        let waiting = session.begin_poll();
        let mut socket = Socket::take_over(&session);
        socket.send("2probe");
        socket.expect("3probe");
        Answer::read(waiting).expect("an answer").expect("6");
        for _ in 0..5 {
            assert_eq!(session.receive(), "6");
        }
        socket.send("5");
        expect_echo(socket);
    }
}
