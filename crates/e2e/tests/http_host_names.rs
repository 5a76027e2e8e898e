//! Who a server answers to: names that somebody points at it, pages of other sites, proxies in between.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::net::TcpStream;

use ironlance_e2e::raw_http::{self, RawResponse};
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::xmlrpc::request;
use ironlance_e2e::{Daemon, Implementation, TIMEOUT, TestDir};

const PROGRAM: &str = "[program:web]\ncommand=echo the secret\nautostart=false\nstartsecs=0\n";

/// A daemon that listens on a TCP port with these keys more.
fn on_a_port(dir: &TestDir, keys: &str) -> (Daemon, u16) {
    let port = closed_port().unwrap();
    let sections = format!("[inet_http_server]\nport=127.0.0.1:{port}\n{keys}{PROGRAM}");
    (Daemon::start(dir, Implementation::Ours, &sections).unwrap(), port)
}

fn ask(port: u16, line: &str, headers: &[&str], body: &str) -> RawResponse {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let text =
        format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(text.as_bytes()).unwrap();
    if ["logtail", "/events", "/live"].iter().any(|goes_on| line.contains(goes_on)) {
        return raw_http::head(stream).unwrap();
    }
    raw_http::exchange(stream).unwrap()
}

/// Everything that a page could read.
const READ: [&str; 7] = [
    "GET /",
    "GET /index.html",
    "GET /logtail/web",
    "GET /mainlogtail",
    "GET /events",
    "GET /live",
    "POST /RPC2",
];

#[test]
fn a_name_that_was_pointed_at_a_server_without_password_reads_nothing() {
    let dir = TestDir::new().unwrap();
    let (daemon, port) = on_a_port(&dir, "");
    daemon.call("startProcess", &["web".into(), false.into()]).unwrap().unwrap();
    let body = request("supervisor.getAllProcessInfo", &[]);
    for line in READ {
        let body = if line.starts_with("POST") { &*body } else { "" };
        let answer = ask(port, line, &[&format!("Host: evil.example:{port}")], body);
        assert_eq!(answer.status(), "HTTP/1.1 403 Forbidden", "{line}");
        let answer = ask(port, &line.replace(" /", " http://evil.example/"), &["Host: localhost"], body);
        assert_eq!(answer.status(), "HTTP/1.1 403 Forbidden", "{line}");
        for ours in ["localhost", "127.0.0.1", "[::1]", "supervisor"] {
            let answer = ask(port, line, &[&format!("Host: {ours}:{port}")], body);
            assert_eq!(answer.status(), "HTTP/1.1 200 OK", "{line} {ours}");
        }
    }
    let words = ask(port, "GET /", &["Host: evil.example"], "").body();
    assert!(words.contains("allowed_hosts in [inet_http_server]") && words.lines().count() == 1, "{words}");
    let warnings = daemon.log_lines().iter().filter(|line| line.contains("allowed_hosts")).count();
    assert_eq!(warnings, 1, "{}", daemon.log());
    // Nobody can point a name at a unix socket.
    let text = "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(daemon.http(text.as_bytes(), TIMEOUT).unwrap().status(), "HTTP/1.1 200 OK");
}

#[test]
fn names_that_are_allowed_and_passwords_open_the_server_to_them() {
    let dir = TestDir::new().unwrap();
    let (_daemon, port) = on_a_port(&dir, "allowed_hosts = status.example, *.corp.example\n");
    for (host, status) in [
        ("status.example", "200 OK"),
        ("a.corp.example:80", "200 OK"),
        ("corp.example", "403 Forbidden"),
        ("evil.example", "403 Forbidden"),
    ] {
        let answer = ask(port, "GET /", &[&format!("Host: {host}")], "");
        assert!(answer.status().ends_with(status), "{host}: {}", answer.status());
    }
    let dir = TestDir::new().unwrap();
    let (_daemon, port) = on_a_port(&dir, "username=user\npassword=secret\n");
    let answer = ask(port, "GET /", &["Host: any.example", "Authorization: Basic dXNlcjpzZWNyZXQ="], "");
    assert_eq!(answer.status(), "HTTP/1.1 200 OK");
}

#[test]
fn behind_a_proxy_that_keeps_the_name_to_itself_the_buttons_work_with_a_password() {
    let dir = TestDir::new().unwrap();
    let (daemon, port) = on_a_port(&dir, "username=user\npassword=secret\n");
    let host = format!("Host: 127.0.0.1:{port}");
    let password = "Authorization: Basic dXNlcjpzZWNyZXQ=";
    let page = ask(port, "GET /", &[&host, password], "").body();
    let (_, after) = page.split_once("name=\"token\" value=\"").unwrap();
    let token = &after[..32];
    let form = |token: &str| format!("token={token}&process=web:web&do=start");
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let origin = "Origin: https://status.example";
    let push = |site: &str, token: &str| {
        let site = format!("Sec-Fetch-Site: {site}");
        ask(port, "POST /action", &[&host, password, kind, origin, &site], &form(token)).status()
    };
    assert!(push("cross-site", token).contains(" 403 "));
    assert!(push("same-site", token).contains(" 403 "));
    assert!(push("same-origin", &"0".repeat(32)).contains(" 403 "), "the token is another daemon's");
    assert!(
        ask(port, "POST /action", &[&host, password, kind, origin], &form(token)).status().contains(" 403 ")
    );
    assert_eq!(daemon.state("web").unwrap(), "STOPPED");
    assert!(push("same-origin", token).contains(" 303 "));
    daemon.wait_state("web", "EXITED").unwrap();
}
