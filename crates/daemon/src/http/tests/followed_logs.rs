//! Logs that are followed over HTTP.

use super::*;

#[test]
fn a_log_is_followed_and_its_client_may_go() {
    run(async {
        let server = TestServer::open(None, HttpLimits { connections: 1, ..HttpLimits::default() });
        let append = |text: &str| {
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(server.log())
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        };
        append("first line\n");
        let mut client = server.connect().await;
        // The empty line behind it is supervisorctl's.
        client.send("GET /logtail/a%3Ab/stdout HTTP/1.1\r\n\r\n\r\n").await;
        let head = client.until("\r\n\r\n").await;
        for line in [
            "HTTP/1.1 200 OK",
            "Content-Type: text/plain;charset=utf-8",
            "Transfer-Encoding: chunked",
            "X-Accel-Buffering: no",
        ] {
            assert!(head.to_lowercase().contains(&line.to_lowercase()), "{head}");
        }
        assert!(head.contains("Last-Modified: "), "{head}");
        client.until("B\r\nfirst line\n\r\n").await;
        append("second\n");
        client.until("7\r\nsecond\n\r\n").await;
        drop(client);
        // There is one slot, and it is free again although nothing more is written to the log.
        timeout(PATIENCE, async { while server.ask("GET / HTTP/1.1\r\n\r\n").await.status() != "200" {} })
            .await
            .expect("the slot is not given back");
    });
}

#[test]
fn a_follower_that_takes_nothing_is_dropped_in_the_end() {
    run(async {
        let limits =
            HttpLimits { connections: 1, stream_stall: Duration::from_millis(50), ..HttpLimits::default() };
        let server = TestServer::open(None, limits);
        std::fs::write(server.log(), "text\n").unwrap();
        let mut client = server.connect().await;
        client.send("GET /logtail/a:b HTTP/1.1\r\n\r\n").await;
        client.until("text\n").await;
        std::fs::write(server.log(), "x".repeat(8 * 1024 * 1024)).unwrap();
        timeout(PATIENCE, async { while server.ask("GET / HTTP/1.1\r\n\r\n").await.status() != "200" {} })
            .await
            .expect("the slot is not given back");
    });
}

#[test]
fn an_old_client_gets_the_log_unchunked() {
    run(async {
        let server = open_server();
        std::fs::write(server.log(), "text\n").unwrap();
        let mut client = server.connect().await;
        client.send("GET /mainlogtail HTTP/1.0\r\n\r\n").await;
        let all = client.until("\r\n\r\ntext\n").await;
        assert!(!all.contains("chunked"), "{all}");
    });
}
