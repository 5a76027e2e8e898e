//! httpok's ways to a page that the original does not have: verified TLS, sockets in the file system, requests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

use ironlance_e2e::mail_server::Certificate;
use ironlance_e2e::{
    ListenerScenario, SecurePage, ServerBehaviour, TestDir, Transcript, WebServer, WireEvent,
};

const RESTART: [&str; 2] = ["supervisor.stopProcess(cat)", "supervisor.startProcess(cat)"];

fn httpok(args: &str, mails: usize) -> Transcript {
    let args = format!("-p cat -m ops@example.com -s {{mailer}} {args}");
    let listener_scenario = ListenerScenario::new("httpok", &args, &[WireEvent::tick(60)])
        .with(|supervisor| supervisor.running("cat", 7));
    listener_scenario.ours(mails).unwrap()
}

/// What the web server sees of httpok's request with these arguments: head, blank line, body; in lower case.
fn request(args: &str) -> String {
    let page = WebServer::start(ServerBehaviour::Answer("200 OK", "")).unwrap();
    let transcript = httpok(&args.replace("{url}", &page.url()), 0);
    assert!(transcript.actions.is_empty(), "{args}: {transcript:?}");
    page.requests().remove(0).to_lowercase()
}

#[test]
fn a_page_with_a_certificate_that_nobody_vouches_for_is_bad_unless_told_otherwise() {
    let dir = TestDir::new().unwrap();
    let page = SecurePage::start(&dir).unwrap();
    let authority = Certificate::of(&dir).unwrap().authority;
    for host in ["localhost", "127.0.0.1"] {
        let url = page.url(host);
        let refused = httpok(&url, 1);
        assert_eq!(refused.actions, RESTART, "{host}");
        assert!(refused.mails[0].contains("certificate"), "{host}: {}", refused.mails[0]);
        for trust in [format!("--ca-file {}", authority.display()), "--insecure".to_owned()] {
            let transcript = httpok(&format!("{trust} {url}"), 0);
            assert!(
                transcript.actions.is_empty() && transcript.mails.is_empty(),
                "{trust} {url}: {transcript:?}"
            );
        }
    }
}

#[test]
fn a_vouched_for_certificate_of_another_name_is_refused() {
    let dir = TestDir::new().unwrap();
    let page = SecurePage::start(&dir).unwrap();
    let authority = Certificate::of(&dir).unwrap().authority;
    // The same server, by an address that its certificate does not name.
    let url = page.url("127.0.0.1").replace("127.0.0.1", "0.0.0.0");
    let transcript = httpok(&format!("--ca-file {} {url}", authority.display()), 1);
    assert_eq!(transcript.actions, RESTART);
    assert!(transcript.mails[0].contains("certificate"), "{}", transcript.mails[0]);
}

#[test]
fn a_file_of_authorities_that_cannot_be_read_is_named() {
    let dir = TestDir::new().unwrap();
    let page = SecurePage::start(&dir).unwrap();
    let transcript = httpok(&format!("--ca-file /nowhere/ca.pem {}", page.url("localhost")), 1);
    assert!(transcript.mails[0].contains("/nowhere/ca.pem"), "{}", transcript.mails[0]);
}

#[test]
fn a_page_behind_a_socket_in_the_file_system_is_checked() {
    let dir = TestDir::new().unwrap();
    let socket = dir.path("page.sock");
    let page = WebServer::start_unix(&socket, ServerBehaviour::Answer("200 OK", "you are welcome")).unwrap();
    let url = format!("{}/health?x=1", page.url());
    assert!(httpok(&format!("-b welcome {url}"), 0).actions.is_empty());
    let seen = page.requests().remove(0);
    assert!(seen.starts_with("GET /health?x=1 HTTP/1.1\r\n"), "{seen}");
    page.set_behaviour(ServerBehaviour::Answer("503 Out To Lunch", ""));
    let bad = httpok(&url, 1);
    assert_eq!(bad.actions, RESTART);
    assert!(bad.mails[0].contains("503"), "{}", bad.mails[0]);
    drop(page);
    fs::remove_file(&socket).unwrap();
    let gone = httpok(&format!("-t 1 {url}"), 1);
    assert_eq!(gone.actions, RESTART);
    assert!(gone.mails[0].contains("No such file or directory"), "{}", gone.mails[0]);
}

#[test]
fn data_makes_a_post_unless_a_method_is_named() {
    for (args, line, body) in [
        ("{url}/x", "get /x http/1.1\r\n", ""),
        ("--method HEAD {url}/x", "head /x http/1.1\r\n", ""),
        ("--data a=b&c {url}/x", "post /x http/1.1\r\n", "a=b&c"),
        ("--data {} --method PATCH {url}/x", "patch /x http/1.1\r\n", "{}"),
    ] {
        let request = request(args);
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(line) && sent == body, "{args}\n{request}");
        let length = format!("content-length: {}", body.len());
        assert_eq!(head.contains(&length), !body.is_empty(), "{args}\n{request}");
    }
}

#[test]
fn headers_are_added_and_replace_our_own() {
    let request =
        request("--header X-One:1 --header x-two:␣a:b --header User-Agent:␣probe --header Host:␣shop {url}/");
    for line in ["x-one: 1\r\n", "x-two: a:b\r\n", "user-agent: probe\r\n", "host: shop\r\n"] {
        assert_eq!(request.matches(line).count(), 1, "{line:?} in\n{request}");
    }
    assert_eq!(request.matches("user-agent:").count() + request.matches("host:").count(), 2, "{request}");
}

#[test]
fn a_login_comes_from_a_file_or_from_the_url() {
    let dir = TestDir::new().unwrap();
    let login = dir.write("login", "user:wo:rd\nnot this line\n").unwrap();
    // Base64 of user:wo:rd, in lower case as all of the request.
    let wanted = "\r\nauthorization: basic dxnlcjp3bzpyza==\r\n";
    let by_file = request(&format!("--auth-file {} {{url}}/", login.display()));
    assert!(by_file.contains(wanted), "{by_file}");
    let page = WebServer::start(ServerBehaviour::Answer("200 OK", "")).unwrap();
    httpok(&page.url().replace("http://", "http://user:wo%3Ard@"), 0);
    let by_url = page.requests().remove(0).to_lowercase();
    assert!(by_url.contains(wanted), "{by_url}");
}

#[test]
fn a_login_that_cannot_be_read_is_told_before_the_first_event() {
    let args = "-p cat --auth-file /nowhere/login http://127.0.0.1/";
    let error =
        format!("{:#}", ListenerScenario::new("httpok", args, &[WireEvent::tick(60)]).ours(0).unwrap_err());
    assert!(error.contains("cannot read the --auth-file /nowhere/login"), "{error}");
}
