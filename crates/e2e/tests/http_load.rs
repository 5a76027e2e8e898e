//! Clients that ask for much, or only sit there: the daemon goes on with its work, and others are served.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use ironlance_e2e::daemon::BASE;
use ironlance_e2e::raw_http;
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::xmlrpc::{XmlValue, request};
use ironlance_e2e::{Daemon, Implementation, Recorder, TIMEOUT, TestDir, until};

trait ReadWrite: Read + Write {}

impl<T: Read + Write> ReadWrite for T {}

fn post(body: &str, extra: &str) -> String {
    format!("POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{extra}\r\n{body}", body.len())
}

/// The most memory that the daemon ever had, in bytes.
fn peak(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn while_six_read_a_log_of_20_megabytes_the_daemon_answers_and_delivers_and_stays_small() {
    let dir = TestDir::new().unwrap();
    let recorder = Recorder::new(&dir, "all", "").unwrap();
    let text = [&b"odd bytes \x00\x1b\xff\xfe\n"[..], &b"a line of <text>\n".repeat(4000)].concat();
    let log: Vec<u8> = text.iter().copied().cycle().take(20_000_000).collect();
    fs::write(dir.path("big.log"), &log).unwrap();
    let program = "[program:big]\ncommand=sleep 1000\nautostart=false\nstdout_logfile={dir}/big.log\n\
        stdout_logfile_maxbytes=0\n";
    let sections = format!("{program}{}", recorder.section("recorder", "REMOTE_COMMUNICATION"));
    let daemon = Daemon::start(&dir, Implementation::Ours, &sections).unwrap();
    daemon.wait_state("recorder", "RUNNING").unwrap();

    let wish = ["big".into(), 0.into(), 0.into()];
    let mut readers: Vec<_> = (0..6).map(|_| daemon.connect().unwrap()).collect();
    for reader in &mut readers {
        reader.write_all(post(&request("supervisor.readProcessStdoutLog", &wish), "").as_bytes()).unwrap();
    }
    // None of them reads, so none of them has its answer before this.
    daemon.call("getState", &[]).unwrap().unwrap();
    daemon.send_remote_event("a", "while they read").unwrap();
    recorder.wait("of ours", |event| event.body.contains("while they read")).unwrap();
    let mut lengths = Vec::new();
    for reader in &mut readers {
        let head = raw_http::head(&mut *reader).unwrap();
        assert!(head.status().ends_with("200 OK"), "{}", head.status());
        lengths.push(head.header("content-length").unwrap().parse::<usize>().unwrap() - head.body().len());
    }
    daemon.call("getState", &[]).unwrap().unwrap();
    assert!(peak(&daemon) < 60 << 20, "{} bytes", peak(&daemon));

    let (mut reader, rest) = (readers.swap_remove(0), lengths[0]);
    let mut end = Vec::new();
    (&mut reader).take(u64::try_from(rest).unwrap()).read_to_end(&mut end).unwrap();
    assert_eq!(end.len(), rest);
    assert!(end.ends_with(b"</string></value>\n</param>\n</params>\n</methodResponse>\n"));
    // The connection can be used again.
    reader.write_all(post(&request("supervisor.getState", &[]), "").as_bytes()).unwrap();
    assert!(raw_http::head(&mut reader).unwrap().status().ends_with("200 OK"));
    drop(readers);
    let info = daemon.call("getProcessInfo", &["big".into()]).unwrap().unwrap();
    assert_eq!(info.get("statename").and_then(XmlValue::as_str), Some("STOPPED"));
}

#[test]
fn who_has_the_password_is_answered_while_560_connections_without_one_promise_a_body() {
    let dir = TestDir::new().unwrap();
    let port = closed_port().unwrap();
    let sections = format!(
        "[unix_http_server]\nusername=user\npassword=secret\n\
         [inet_http_server]\nport=127.0.0.1:{port}\nusername=user\npassword=secret\n"
    );
    let daemon = Daemon::launch(&dir, Implementation::Ours, &format!("{BASE}{sections}"), &[]).unwrap();
    let unix = || UnixStream::connect(dir.path("s.sock"));
    let inet = || TcpStream::connect(("127.0.0.1", port));
    until("the daemon to listen", TIMEOUT, || Ok(inet().and(unix()).ok().map(drop))).unwrap();

    let body = request("supervisor.getState", &[]);
    // user:secret
    let password = "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n";
    let rightful = post(&body, &format!("{password}Connection: close\r\n"));
    let is_answered = |mut stream: Box<dyn ReadWrite>| {
        stream.write_all(rightful.as_bytes()).is_ok()
            && raw_http::exchange(stream).is_ok_and(|answer| answer.status().ends_with("200 OK"))
    };
    let mut known = unix().unwrap();
    let mut still_known = || {
        known.write_all(post(&body, password).as_bytes()).unwrap();
        let answer = raw_http::head(&mut known).unwrap();
        assert!(answer.status().ends_with("200 OK"), "{:?}", answer.status());
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        let rest = length - answer.body().len();
        (&mut known).take(u64::try_from(rest).unwrap()).read_to_end(&mut Vec::new()).unwrap();
    };
    still_known();
    let mut crowd: Vec<Box<dyn ReadWrite>> = Vec::new();
    let mut more = |count: usize| {
        for _ in 0..count {
            let mut strangers: [Box<dyn ReadWrite>; 2] =
                [Box::new(unix().unwrap()), Box::new(inet().unwrap())];
            for stranger in &mut strangers {
                // It may have been sent away by now.
                let _ = stranger
                    .write_all(b"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
            }
            crowd.extend(strangers);
        }
        // When this is answered the daemon has looked at all of them.
        (0..3).for_each(|_| still_known());
    };
    more(560);
    for at in 0..20 {
        assert!(is_answered(Box::new(unix().unwrap())), "call {at}");
        assert!(is_answered(Box::new(inet().unwrap())), "call {at}");
        more(2);
    }
    drop(daemon);
}
