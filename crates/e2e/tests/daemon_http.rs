//! The HTTP side of both daemons, byte by byte: answers, errors, keep-alive, log tails; and clients that mean no good.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use ironlance_e2e::ctl::supervisorctl;
use ironlance_e2e::daemon::{BASE, run, run_command, write_config};
use ironlance_e2e::raw_http;
use ironlance_e2e::wait::pause;
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::xmlrpc::{XmlValue, request};
use ironlance_e2e::{Daemon, Implementation, Scenario, TIMEOUT, TestDir, compare_daemons, until};

/// Long enough for an answer, short where the server keeps the connection open.
const SILENCE: Duration = Duration::from_millis(600);

fn post(version: &str, extra: &str, body: &str) -> String {
    format!(
        "POST /RPC2 HTTP/{version}\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n{extra}\r\n{body}",
        body.len()
    )
}

/// Notes status, headers but the date, and the body.
fn note_answer(scenario: &mut Scenario, daemon: &Daemon, heading: &str, request: &str) -> anyhow::Result<()> {
    let answer = daemon.http(request.as_bytes(), SILENCE)?;
    let text = answer.text();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.as_str(), ""));
    // Which server it is, and whether the end that shows anyway is announced, may differ.
    let left_out = ["Date: ", "Last-Modified: ", "Server: ", "Connection: "];
    let mut lines: Vec<&str> =
        head.lines().filter(|line| !left_out.iter().any(|name| line.starts_with(name))).collect();
    // Headers have no order.
    lines.get_mut(1..).unwrap_or_default().sort_unstable();
    scenario.note_all(heading, lines);
    scenario.note(format!("    closed: {}", answer.closed));
    scenario.note_all("body", body.lines().map(|line| line.replace('\r', "")));
    Ok(())
}

#[test]
fn calls_are_answered_byte_for_byte() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nautostart=false\n")?;
        let state = request("supervisor.getState", &[]);
        for (heading, text) in [
            ("1.1", post("1.1", "", &state)),
            ("1.1 close", post("1.1", "Connection: close\r\n", &state)),
            ("1.0", post("1.0", "", &state)),
            ("1.0 keep-alive", post("1.0", "Connection: keep-alive\r\n", &state)),
            ("a string", post("1.0", "", &request("supervisor.getAPIVersion", &[]))),
            ("a fault", post("1.0", "", &request("supervisor.getProcessInfo", &["n<&>é".into()]))),
            ("true", post("1.0", "", &request("supervisor.sendRemoteCommEvent", &["a".into(), "b".into()]))),
            ("an empty list", post("1.0", "", &request("supervisor.stopAllProcesses", &[]))),
            ("a signature", post("1.0", "", &request("system.methodSignature", &["supervisor.startProcess".into()]))),
            ("an info", post("1.0", "", &request("supervisor.getAllConfigInfo", &[]))),
            ("no params", post("1.0", "", "<methodCall><methodName>supervisor.getAPIVersion</methodName></methodCall>")),
            ("untyped", post("1.0", "", "<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param><value>none</value></param></params></methodCall>")),
            ("spaces", post("1.0", "", "\n<methodCall>\n <methodName>supervisor.getProcessInfo</methodName>\n <params>\n<param> <value> <string>none</string> </value> </param></params> </methodCall>\n")),
            ("cdata", post("1.0", "", "<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param><value><string><![CDATA[<x>]]></string></value></param></params></methodCall>")),
            ("entities", post("1.0", "", "<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param><value><string>&lt;&#233;&amp;</string></value></param></params></methodCall>")),
        ] {
            note_answer(scenario, &daemon, heading, &text)?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_is_no_call_is_refused_alike() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nautostart=false\n")?;
        for (heading, text) in [
            ("not XML", post("1.0", "", "garbage")),
            ("cut off", post("1.0", "", "<methodCall><methodName>supervisor.getState")),
            ("no method", post("1.0", "", "<methodCall></methodCall>")),
            ("an empty method", post("1.0", "", "<methodCall><methodName></methodName></methodCall>")),
            ("a bad int", post("1.0", "", "<methodCall><methodName>supervisor.getState</methodName><params><param><value><int>x</int></value></param></params></methodCall>")),
            ("elsewhere", "GET /nowhere HTTP/1.0\r\n\r\n".to_owned()),
            ("no log", "GET /logtail/none HTTP/1.0\r\n\r\n".to_owned()),
            ("no log yet", "GET /logtail/a/stdoot HTTP/1.0\r\n\r\n".to_owned()),
            ("post to a log", "POST /logtail/a HTTP/1.0\r\nContent-Length: 0\r\n\r\n".to_owned()),
            ("post to the main log", "POST /mainlogtail HTTP/1.0\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ] {
            let mut stream = daemon.connect()?;
            stream.write_all(text.as_bytes())?;
            let answer = raw_http::head(stream)?;
            scenario.note(format!("{heading}: {}", answer.status()));
        }
        // Ours also says what is wrong with it.
        let lines = daemon.log_lines().into_iter().filter(|line| line.contains("invalid"));
        scenario.note_all("log", lines.map(|line| line.split(" (cannot").next().unwrap().to_owned()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_connection_is_kept_for_several_calls() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("")?;
        let mut stream = daemon.connect()?;
        for _ in 0..3 {
            stream.write_all(post("1.1", "", &request("supervisor.getAPIVersion", &[])).as_bytes())?;
            let mut seen = Vec::new();
            let mut chunk = [0; 1024];
            while !seen.ends_with(b"</methodResponse>\n") {
                let count = stream.read(&mut chunk)?;
                anyhow::ensure!(count > 0, "closed after {:?}", String::from_utf8_lossy(&seen));
                seen.extend_from_slice(&chunk[..count]);
            }
            scenario.note(String::from_utf8_lossy(&seen).lines().next().unwrap());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_log_is_streamed_as_it_grows() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.log\nstderr_logfile={dir}/cat.err\n")?;
        daemon.wait_state("cat", "RUNNING")?;
        let say = |words: &str| daemon.write_stdin("cat", words);
        say("before\n")?;
        daemon.wait_file("cat.log", "before")?;
            let mut stream = daemon.connect()?;
            write!(stream, "GET /logtail/cat HTTP/1.1\r\nHost: x\r\n\r\n")?;
            let mut seen = String::new();
            let mut read_until = |needle: &str| -> anyhow::Result<String> {
                let mut chunk = [0; 1024];
                while !seen.contains(needle) {
                    let count = stream.read(&mut chunk)?;
                    anyhow::ensure!(count > 0, "closed after {seen:?}");
                    seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
                }
                Ok(seen.clone())
            };
            read_until("before\n")?;
            say("after\n")?;
            let text = read_until("after\n")?;
            let head = text.split("\r\n\r\n").next().unwrap();
            let left_out = ["Date: ", "Last-Modified: ", "Server: "];
            let mut lines: Vec<&str> =
                head.lines().filter(|line| !left_out.iter().any(|name| line.starts_with(name))).collect();
            lines.sort_unstable();
            scenario.note_all("head", lines);
            // The lengths of chunks are hexadecimal in either case.
            scenario.note_all("body", text.split("\r\n\r\n").nth(1).unwrap_or_default().to_lowercase().lines());
        let answer = daemon.http(b"GET /mainlogtail HTTP/1.1\r\n\r\n", SILENCE)?;
        scenario.note(format!("{} {} {:?}", answer.status(), answer.body().contains("supervisord started"), answer.header("content-type")));
        Ok(())
    })
    .unwrap();
}

#[test]
fn without_a_password_there_is_nothing() {
    compare_daemons(|scenario| {
        let port = closed_port()?;
        let daemon = Daemon::start(
            &scenario.dir,
            scenario.implementation,
            &format!("[inet_http_server]\nport=127.0.0.1:{port}\nusername=a\npassword=b\n"),
        )?;
        let body = request("supervisor.getAPIVersion", &[]);
        for header in [
            "",
            "Authorization: Basic YTpi\r\n",
            "Authorization: Basic YTpj\r\n",
            "Authorization: Basic !!!\r\n",
            "Authorization: Bearer x\r\n",
            "authorization: basic YTpi\r\n",
        ] {
            for text in [post("1.0", header, &body), format!("GET /mainlogtail HTTP/1.1\r\n{header}\r\n")] {
                let mut stream = TcpStream::connect(("127.0.0.1", port))?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.write_all(text.as_bytes())?;
                let answer = raw_http::head(stream)?;
                scenario.note(format!(
                    "{header:?} {} -> {}",
                    text.split(' ').next().unwrap(),
                    answer.status()
                ));
                if answer.status().contains("401") {
                    scenario.note(format!("{:?}", answer.header("www-authenticate")));
                }
            }
        }
        drop(daemon);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_refusal_reaches_a_client_that_sends_its_body_apart() {
    compare_daemons(|scenario| {
        let sections = "[unix_http_server]\nusername=a\npassword=b\n";
        let daemon =
            Daemon::launch(&scenario.dir, scenario.implementation, &format!("{BASE}{sections}"), &[])?;
        daemon.wait_log("supervisord started")?;
        let body = request("supervisor.getAPIVersion", &[]);
        for (heading, path) in [("a call", "/RPC2"), ("nowhere", "/nowhere"), ("a log", "/mainlogtail")] {
            let mut stream = until("a connection", TIMEOUT, || Ok(daemon.connect().ok()))?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len())?;
            // As Python's http.client: head and body in a write each, and a moment may pass between them.
            pause(Duration::from_millis(150));
            let written = stream.write_all(body.as_bytes());
            let answer = raw_http::head(stream)?;
            scenario.note(format!("{heading}: written {}, {}", written.is_ok(), answer.status()));
        }
        Ok(())
    })
    .unwrap();
}

/// A daemon of ours with one program.
fn ours(dir: &TestDir) -> Daemon {
    Daemon::start(dir, Implementation::Ours, "[program:a]\ncommand=sleep 1000\nstartsecs=0\n").unwrap()
}

#[test]
fn clients_that_dawdle_or_hang_hold_nobody_up() {
    let dir = TestDir::new().unwrap();
    let daemon = ours(&dir);
    let mut slow: Vec<UnixStream> = Vec::new();
    for _ in 0..100 {
        let mut stream = daemon.connect().unwrap();
        stream.write_all(b"POST /RPC2 HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n<method").unwrap();
        slow.push(stream);
    }
    for _ in 0..100 {
        slow.push(daemon.connect().unwrap());
    }
    // One that never reads what it asked for.
    let mut deaf = daemon.connect().unwrap();
    let call = post("1.1", "", &request("system.listMethods", &[]));
    deaf.set_nonblocking(true).unwrap();
    for _ in 0..10_000 {
        if deaf.write_all(call.as_bytes()).is_err() {
            break;
        }
    }
    let began = Instant::now();
    daemon.call("stopProcess", &["a".into()]).unwrap().unwrap();
    daemon.call("startProcess", &["a".into()]).unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let info = daemon.ask("ironlance.getDaemonInfo", &[]).unwrap().unwrap();
    assert!(info.get("resident_bytes").and_then(XmlValue::as_int).unwrap() < 60 << 20, "{info}");
}

#[test]
fn hostile_requests_are_refused_and_the_next_is_answered() {
    let dir = TestDir::new().unwrap();
    let daemon = ours(&dir);
    let deep = "<array><data><value>".repeat(20_000);
    let laughs = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>";
    let outside = "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>";
    let named = |entity: &str, inside: &str| {
        format!(
            "{entity}<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param><value>{inside}</value></param></params></methodCall>"
        )
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("deep", post("1.1", "", &named("", &deep)).into_bytes()),
        ("laughs", post("1.1", "", &named(laughs, "&c;")).into_bytes()),
        ("outside", post("1.1", "", &named(outside, "&a;")).into_bytes()),
        ("long header", format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes()),
        ("many headers", format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(10_000)).into_bytes()),
        ("long path", format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20)).into_bytes()),
        ("length too large", b"POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec()),
        ("length too large for us", b"POST /RPC2 HTTP/1.1\r\nContent-Length: 999999999\r\n\r\nx".to_vec()),
        ("negative length", b"POST /RPC2 HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_vec()),
        ("two lengths", b"POST /RPC2 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx".to_vec()),
        (
            "length and chunks",
            b"POST /RPC2 HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_vec(),
        ),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("zeroes", vec![0; 100_000]),
        ("a path out", b"GET /../../etc/passwd HTTP/1.1\r\n\r\n".to_vec()),
        ("a log out", b"GET /logtail/..%2f..%2fetc%2fpasswd HTTP/1.1\r\n\r\n".to_vec()),
        (
            "an object walk",
            post("1.1", "", &request("supervisor.supervisord.options.execve", &["/bin/sh".into()]))
                .into_bytes(),
        ),
    ];
    for (name, bytes) in cases {
        let mut stream = daemon.connect().unwrap();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        // It may close while we are still writing.
        let _ = stream.write_all(&bytes);
        let answer = raw_http::exchange(stream).map(|answer| answer.text()).unwrap_or_default();
        assert!(!answer.contains("root:"), "{name}: {answer}");
        assert!(!answer.contains("aaaaaaaaaaaaaaaaaaaa"), "{name}: {answer}");
        let state = daemon
            .call("getState", &[])
            .unwrap_or_else(|error| panic!("after {name}: {error:#}\n{}", daemon.log()));
        assert!(state.is_ok(), "{name}");
    }
    let info = daemon.ask("ironlance.getDaemonInfo", &[]).unwrap().unwrap();
    assert!(info.get("resident_bytes").and_then(XmlValue::as_int).unwrap() < 60 << 20, "{info}");
}

#[test]
fn more_connections_than_there_are_seats_are_managed() {
    let dir = TestDir::new().unwrap();
    let daemon = ours(&dir);
    let idle: Vec<_> = (0..1200).map_while(|_| daemon.connect().ok()).collect();
    assert!(idle.len() > 500, "{}", idle.len());
    until("an answer all the same", Duration::from_secs(10), || {
        Ok(daemon.call("getState", &[]).ok().map(drop))
    })
    .unwrap();
    drop(idle);
    until("the seats to be free", Duration::from_secs(10), || {
        let info = daemon.ask("ironlance.getDaemonInfo", &[])?.unwrap();
        Ok((info.get("descriptors").and_then(XmlValue::as_int).unwrap_or_default() < 40).then_some(()))
    })
    .unwrap();
}

#[test]
fn from_another_host_without_credentials_one_may_only_look() {
    let dir = TestDir::new().unwrap();
    let port = closed_port().unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!("[supervisorctl]\n[inet_http_server]\nport=*:{port}\n[program:a]\ncommand=sleep 1000\nstartsecs=0\n"),
    )
    .unwrap();
    daemon.wait_state("a", "RUNNING").unwrap();
    let call = |method: &str, params: &[XmlValue]| {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        ironlance_e2e::xmlrpc::ask(stream, "", &request(method, params)).unwrap()
    };
    assert!(call("supervisor.getAllProcessInfo", &[]).is_ok());
    let refused = call("supervisor.stopProcess", &["a".into()]);
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(daemon.state("a").unwrap(), "RUNNING");
    assert!(
        daemon.log_lines().iter().any(|line| line.contains("inet_http_server") && line.contains("username")),
        "{}",
        daemon.log()
    );
    // Whoever is refused is told what to do.
    for verb in [
        "stop a",
        "restart a",
        "stop all",
        "signal HUP a",
        "clear a",
        "reread",
        "update",
        "reload",
        "shutdown",
    ] {
        let mut args = vec!["-s".to_owned(), format!("http://127.0.0.1:{port}")];
        args.extend(verb.split(' ').map(str::to_owned));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let command = supervisorctl(&dir, Implementation::Ours, &args).unwrap();
        let output = run_command(command).unwrap();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(
            printed.contains("allow_anonymous_changes=true") && printed.contains("set username"),
            "{verb}: {printed}"
        );
        assert!(!output.status.success(), "{verb}");
    }
    assert_eq!(daemon.state("a").unwrap(), "RUNNING");
}

#[test]
fn who_means_it_opens_a_server_without_a_password_to_all_changes() {
    let dir = TestDir::new().unwrap();
    let port = closed_port().unwrap();
    let open = format!("[supervisorctl]\n[inet_http_server]\nport=*:{port}\nallow_anonymous_changes=true\n");
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!("{open}[program:a]\ncommand=sleep 1000\nstartsecs=0\n"),
    )
    .unwrap();
    daemon.wait_state("a", "RUNNING").unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let output =
        run_command(supervisorctl(&dir, Implementation::Ours, &["-s", &url, "stop", "a"]).unwrap()).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a: stopped\n");
    daemon.wait_log("allow_anonymous_changes=true: everybody who reaches it").unwrap();
}

#[test]
fn a_digest_that_is_none_is_refused_at_the_start_instead_of_locking_everybody_out() {
    let dir = TestDir::new().unwrap();
    let config = "[unix_http_server]\nfile={dir}/s\nusername=a\npassword={SHA}geheim\n[supervisord]\n";
    let config = write_config(&dir, config).unwrap();
    let output = run(&dir, Implementation::Ours, &["-n", "-c", &config.display().to_string()]).unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(
        printed.contains("supervisord.conf:4: [unix_http_server] password: cannot read what follows {SHA}"),
        "{printed}"
    );
    assert!(!printed.contains("geheim"), "{printed}");
}
