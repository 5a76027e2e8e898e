//! Many clients without the password: they take no slot from clients that have it.

use super::*;

const SLOTS: usize = 16;

fn locked() -> TestServer {
    let credentials = Credentials { username: "user".into(), password: Password::Plain("secret".into()) };
    TestServer::open(Some(credentials), HttpLimits { connections: SLOTS, ..HttpLimits::default() })
}

/// A call with the password (user:secret).
fn rightful(method: &str) -> String {
    post(&write::request(method, &[]), "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n")
}

const BODY_TO_COME: &str = "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n<method";

#[test]
fn a_crowd_without_password_whose_bodies_do_not_come_locks_nobody_out() {
    run(async {
        let server = locked();
        let mut crowd = Vec::new();
        for round in 0..4 {
            for beginning in [BODY_TO_COME, "POST /RPC2 HT", "", "GET / HTTP/1.1\r\nX: y\r\n"] {
                for _ in 0..SLOTS {
                    let mut client = server.connect().await;
                    // It may have been sent away already.
                    let _ = client.stream.write_all(beginning.as_bytes()).await;
                    crowd.push(client);
                }
                let got = server.ask(&rightful("supervisor.getIdentification")).await;
                assert_eq!(got.status(), "200", "round {round}, {beginning:?}");
            }
        }
    });
}

#[test]
fn who_has_the_password_and_idles_is_not_sent_away_for_strangers() {
    run(async {
        let server = locked();
        let mut known = server.connect().await;
        known.send(&rightful("supervisor.getIdentification")).await;
        assert_eq!(known.answer().await.status(), "200");
        let mut crowd = Vec::new();
        for _ in 0..SLOTS * 3 {
            crowd.push(server.connect().await);
        }
        // The last of them shows that all have been looked at.
        let mut last = server.connect().await;
        last.send(BODY_TO_COME).await;
        assert_eq!(last.answer().await.status(), "401");
        known.send(&rightful("supervisor.getIdentification")).await;
        assert_eq!(known.answer().await.status(), "200");
    });
}

#[test]
fn the_password_is_asked_for_before_the_body_is_read() {
    run(async {
        let server = locked();
        for head in [
            BODY_TO_COME.to_owned(),
            BODY_TO_COME.replace("Content-Length: 1000000", "Transfer-Encoding: chunked"),
            BODY_TO_COME.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"),
            BODY_TO_COME.replace("/RPC2", "/action"),
        ] {
            let mut client = server.connect().await;
            client.send(&head).await;
            let got = client.answer().await;
            assert_eq!(got.status(), "401", "{head}");
            assert!(got.has("Connection: close"), "{}", got.head);
            // The rest of its body is discarded for a moment, so that the refusal is not lost.
            let _ = client.stream.write_all(&vec![b'x'; 100_000]).await;
            assert!(client.is_closed().await);
        }
        assert_eq!(server.ask(&rightful("supervisor.getIdentification")).await.status(), "200");
    });
}

#[test]
fn on_a_server_without_password_a_crowd_whose_requests_do_not_come_locks_nobody_out() {
    run(async {
        let server = TestServer::open(None, HttpLimits { connections: SLOTS, ..HttpLimits::default() });
        let mut crowd = Vec::new();
        for round in 0..4 {
            for beginning in [BODY_TO_COME, "POST /RPC2 HT", ""] {
                for _ in 0..SLOTS {
                    let mut client = server.connect().await;
                    let _ = client.stream.write_all(beginning.as_bytes()).await;
                    crowd.push(client);
                }
                let got = server.ask(&call("supervisor.getIdentification", &[])).await;
                assert_eq!(got.status(), "200", "round {round}, {beginning:?}");
            }
        }
    });
}
