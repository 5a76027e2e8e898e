//! Who may do what: the password, pages of other sites, read-only servers.

use super::*;

#[test]
fn a_password_stands_before_everything() {
    run(async {
        let credentials = Credentials { username: "user".into(), password: Password::Plain("pass".into()) };
        let server = TestServer::open(Some(credentials), HttpLimits::default());
        for request in [
            call("system.listMethods", &[]),
            "GET / HTTP/1.1\r\n\r\n".into(),
            "GET /mainlogtail HTTP/1.1\r\n\r\n".into(),
        ] {
            let got = server.ask(&request).await;
            assert_eq!(got.status(), "401");
            assert!(
                got.has("Www-Authenticate: Basic realm=\"default\"")
                    || got.has("WWW-Authenticate: Basic realm=\"default\""),
                "{}",
                got.head
            );
        }
        // user:pass
        let admitted =
            post(&write::request("system.listMethods", &[]), "Authorization: Basic dXNlcjpwYXNz\r\n");
        assert_eq!(server.ask(&admitted).await.status(), "200");
    });
}

#[test]
fn a_page_of_another_site_cannot_call() {
    run(async {
        let server = open_server();
        let xml = write::request("supervisor.getIdentification", &[]);
        assert_eq!(server.ask(&post(&xml, "Origin: http://evil.example\r\n")).await.status(), "403");
        for stream in ["/logtail/a:b", "/mainlogtail", "/events", "/live"] {
            let from =
                |more: &str| format!("GET {stream} HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\n{more}\r\n");
            let picture = server.ask(&from("Sec-Fetch-Mode: no-cors\r\n")).await;
            assert_eq!(picture.status(), "403", "{stream} as a picture");
        }
        let link = "GET /logtail/a:nobody HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n\r\n";
        assert_eq!(server.ask(link).await.status(), "404", "a link elsewhere may lead here");
    });
}

#[test]
fn a_server_open_to_the_world_without_a_password_only_tells() {
    run(async {
        let address = ServerAddress::Tcp { host: String::new(), port: 0 };
        let server = http_server(address, None);
        let lines = Rc::new(RecordedLog::default());
        let daemon_log: Rc<dyn DaemonLog> = lines.clone();
        let (owner, inbox) = mpsc::channel(16);
        let listening = open(&[server], &[], &*daemon_log).unwrap();
        let port = listening[0].port().unwrap();
        let _serving =
            serve(listening, &["supervisor".to_owned()], &owner, &daemon_log, HttpLimits::default()).unwrap();
        spawn_local(fake_owner(inbox, PathBuf::from("/nonexistent")));
        let ask = async |request: String| {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(request.replace("HTTP/1.1", "HTTP/1.0").as_bytes()).await.unwrap();
            let mut all = String::new();
            stream.read_to_string(&mut all).await.unwrap();
            read::response(all.split_once("\r\n\r\n").unwrap().1).unwrap()
        };
        assert_eq!(ask(call("supervisor.getIdentification", &[])).await, Ok("the daemon é".into()));
        let refusal = ask(call("supervisor.shutdown", &[])).await.unwrap_err();
        assert!(
            refusal.string.starts_with("FAILED: cannot change anything here: [inet_http_server]"),
            "{refusal}"
        );
        let hidden = vec![Value::record([("methodName", "supervisor.shutdown".into())])];
        let Ok(Value::Array(results)) = ask(call("system.multicall", &[hidden.into()])).await else {
            panic!("no array")
        };
        assert_eq!(read::fault(&results[0]).unwrap(), refusal);
        let logged = lines.0.borrow();
        assert!(
            logged
                .iter()
                .any(|line| line == "WARN supervisor.shutdown was refused: inet_http_server has no password")
        );
    });
}
