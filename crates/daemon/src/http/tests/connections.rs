//! Connections: their limits, eviction, a panic while answering, and the end of the server.

use super::*;

#[test]
fn a_request_that_was_not_read_to_its_end_is_the_last_of_its_connection() {
    run(async {
        let server = open_server();
        let mut client = server.connect().await;
        client.send("POST /nope HTTP/1.1\r\nContent-Length: 100\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
        let got = client.answer().await;
        assert_eq!(got.status(), "400");
        assert!(got.has("Connection: close"), "{}", got.head);
        assert!(client.is_closed().await);
    });
}

#[test]
fn too_much_is_refused() {
    run(async {
        let limits = HttpLimits { body_bytes: 1000, head_bytes: 8192, headers: 8, ..HttpLimits::default() };
        let server = TestServer::open(None, limits);
        assert_eq!(server.ask("POST /RPC2 HTTP/1.1\r\nContent-Length: 1001\r\n\r\n").await.status(), "413");
        let chunks = format!("100\r\n{}\r\n", "x".repeat(256)).repeat(5);
        let endless = format!("POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(server.ask(&endless).await.status(), "413");
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9000));
        assert_eq!(server.ask(&long).await.status(), "431");
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(9));
        assert_eq!(server.ask(&many).await.status(), "431");
    });
}

#[test]
fn a_client_that_dawdles_is_hung_up_on_and_one_that_rests_is_not() {
    run(async {
        let brief = Duration::from_millis(40);
        let limits =
            HttpLimits { first_byte: brief, head_time: brief, body_time: brief, ..HttpLimits::default() };
        let server = TestServer::open(None, limits);
        let mut silent = server.connect().await;
        assert!(silent.is_closed().await);
        let mut half_head = server.connect().await;
        half_head.send("GET / HTTP/1.1\r\nHo").await;
        assert!(half_head.is_closed().await);
        let mut half_body = server.connect().await;
        half_body.send("POST /RPC2 HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc").await;
        assert_eq!(half_body.answer().await.status(), "408");
        let mut resting = server.connect().await;
        resting.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(resting.answer().await.status(), "200");
        sleep(brief * 3).await;
        resting.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(resting.answer().await.status(), "200");
    });
}

#[test]
fn who_takes_nothing_of_the_answer_is_dropped() {
    run(async {
        let limits = HttpLimits { write_stall: Duration::from_millis(50), ..HttpLimits::default() };
        let server = TestServer::open(None, limits);
        let mut client = server.connect().await;
        // Answers pile up until the socket's buffer is full; in the end the server closes, and so sending fails.
        let request = call("system.listMethods", &[]).repeat(50);
        let dropped =
            timeout(PATIENCE, async { while client.stream.write_all(request.as_bytes()).await.is_ok() {} });
        assert!(dropped.await.is_ok());
    });
}

#[test]
fn the_longest_idle_makes_room_and_a_full_house_says_so() {
    run(async {
        let server = TestServer::open(None, HttpLimits { connections: 2, ..HttpLimits::default() });
        let (mut first, mut second) = (server.connect().await, server.connect().await);
        for client in [&mut first, &mut second] {
            client.send("GET / HTTP/1.1\r\n\r\n").await;
            assert_eq!(client.answer().await.status(), "200");
        }
        let mut third = server.connect().await;
        assert!(first.is_closed().await);
        for client in [&mut second, &mut third] {
            client.send(&call("supervisor.shutdown", &[])).await;
        }
        // Both are being answered once this has been asked in vain.
        timeout(PATIENCE, async { while server.ask("GET / HTTP/1.1\r\n\r\n").await.status() != "503" {} })
            .await
            .expect("no 503");
    });
}

/// A daemon_log that breaks when a certain method is called.
struct Broken;

impl DaemonLog for Broken {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn log(&self, _: Level, text: &str) {
        assert!(!text.contains("called: supervisor.restart"), "broken");
    }
}

#[test]
fn a_fault_of_ours_costs_only_the_client_that_met_it() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        let address = ServerAddress::Unix { path: path.clone(), mode: 0o700, owner: None };
        let server = http_server(address, None);
        let daemon_log: Rc<dyn DaemonLog> = Rc::new(Broken);
        let (owner, inbox) = mpsc::channel(16);
        let listening = open(&[server], &[], &*daemon_log).unwrap();
        let limits = HttpLimits { connections: 2, ..HttpLimits::default() };
        let _serving = serve(listening, &["supervisor".to_owned()], &owner, &daemon_log, limits).unwrap();
        spawn_local(fake_owner(inbox, folder.path().join("log")));
        let mut other = connect(&path).await;
        for _ in 0..3 {
            let mut client = connect(&path).await;
            client.send(&call("supervisor.restart", &[])).await;
            assert!(client.is_closed().await);
            other.send(&call("supervisor.getIdentification", &[])).await;
            assert_eq!(other.answer().await.status(), "200");
        }
    });
}

#[test]
fn closing_lets_an_answer_out_and_removes_the_socket() {
    run(async {
        let server = open_server();
        let (mut idle, mut busy) = (server.connect().await, server.connect().await);
        busy.send(&call("supervisor.startProcess", &["x".into()])).await;
        idle.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(idle.answer().await.status(), "200");
        server.serving.close().await;
        assert!(!server.folder.path().join("sock").exists());
        assert!(idle.is_closed().await);
        assert_eq!(busy.answer().await.result(), Ok(Value::Bool(true)));
        assert!(busy.is_closed().await);
    });
}
