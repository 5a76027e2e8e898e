//! Unusual but valid clients, and the texts of refusals.

use super::*;

#[test]
fn who_ends_his_side_after_the_request_still_gets_the_answer() {
    run(async {
        let server = open_server();
        let slow = call("supervisor.startProcess", &["x".into()]);
        let quick = call("supervisor.getIdentification", &[]);
        for (requests, answers) in [(quick.clone(), 1), (slow.clone(), 1), (format!("{slow}{quick}"), 2)] {
            let mut client = server.connect().await;
            client.send(&requests).await;
            client.stream.shutdown().await.unwrap();
            for _ in 0..answers {
                assert_eq!(client.answer().await.status(), "200");
            }
            assert!(client.is_closed().await);
        }
        let mut client = server.connect().await;
        client.send("POST /RPC2 HTTP/1.1\r\nContent-Length: 100\r\n\r\n<method").await;
        client.stream.shutdown().await.unwrap();
        let got = client.answer().await;
        assert_eq!((got.status(), &*got.body), ("400", "400 Bad Request: the body is not whole\n"));
    });
}

#[test]
fn who_ends_his_side_does_not_keep_a_stream_open() {
    run(async {
        let server = open_server();
        std::fs::write(server.log(), "a line\n").unwrap();
        let mut client = server.connect().await;
        client.send("GET /mainlogtail HTTP/1.1\r\n\r\n").await;
        client.until("a line").await;
        client.stream.shutdown().await.unwrap();
        while client.more().await {}
    });
}

#[test]
fn every_refusal_says_why_on_one_line() {
    run(async {
        let server = open_server();
        let cases = [
            ("GET /RPC2 HTTP/1.1\r\n\r\n", "400 Bad Request: calls are made by POST"),
            ("POST /RPC2 HTTP/1.1\r\n\r\n", "411 Length Required: the length of the call is missing"),
            (
                "POST /RPC2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
                "400 Bad Request: this is no XML-RPC call: cannot read XML-RPC: ",
            ),
            (
                "POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
                "413 Payload Too Large: the body is longer than 8388608 bytes",
            ),
            ("GET /nope HTTP/1.1\r\n\r\n", "404 Not Found: there is no such page"),
            ("PUT / HTTP/1.1\r\n\r\n", "400 Bad Request: pages are read by GET"),
            (
                "POST /logtail/a:b HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
                "400 Bad Request: logs are read by GET",
            ),
            (
                "POST /mainlogtail HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
                "400 Bad Request: logs are read by GET",
            ),
            (
                "GET /logtail/nope HTTP/1.1\r\n\r\n",
                "404 Not Found: there is no such process, or its output goes to",
            ),
            (
                "GET /logtail/a:b HTTP/1.1\r\n\r\n",
                "404 Not Found: the log cannot be opened, or is no plain file",
            ),
            ("GET /logtail HTTP/1.1\r\n\r\n", "404 Not Found: there is no such process"),
            ("GET /%ff HTTP/1.1\r\n\r\n", "400 Bad Request: the path is no UTF-8"),
            ("GET /events?types=%ff HTTP/1.1\r\n\r\n", "400 Bad Request: the query is no UTF-8"),
            ("GET /events?types=x%0ay HTTP/1.1\r\n\r\n", "400 Bad Request: cannot watch \"x\\ny\""),
            (
                "POST /RPC2 HTTP/1.1\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n",
                "403 Forbidden: this comes from a page of another site",
            ),
        ];
        for (request, line) in cases {
            let got = server.ask(request).await;
            assert!(got.body.starts_with(line), "{request}: {}", got.body);
            assert!(got.body.ends_with('\n') && got.body.lines().count() == 1, "{request}: {}", got.body);
        }
    });
}

#[test]
fn a_client_that_gets_no_slot_gets_a_503() {
    run(async {
        let server = TestServer::open(None, HttpLimits { connections: 1, ..HttpLimits::default() });
        let mut known = server.connect().await;
        known.send(&call("supervisor.getIdentification", &[])).await;
        known.answer().await;
        known.send("POST /RPC2 HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n").await;
        // The server waits for the body; the connection must not be evicted yet.
        known.until("HTTP/1.1 100 Continue\r\n\r\n").await;
        let refused = server.ask("").await;
        assert_eq!(
            (refused.status(), &*refused.body),
            ("503", "503 Service Unavailable: too many connections\n")
        );
    });
}
