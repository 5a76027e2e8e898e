//! Pages that are well, slow, wrong, or not there yet.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::thread;

use super::*;

/// Long enough to never be the reason why a test fails.
const AMPLE: Duration = Duration::from_secs(20);
/// Short, for pages that will not be well whatever the time.
const BRIEF: Duration = Duration::from_millis(300);

fn check(url: &str) -> Check {
    Check {
        target: Target::parse(url).unwrap(),
        method: "GET".into(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: AMPLE,
        want_in_body: None,
        tls: Tls::Verified { ca_file: None },
    }
}

fn at(address: SocketAddr, path: &str) -> Check {
    check(&format!("http://{address}{path}"))
}

/// Serves one caller by `manner`; tells what was asked.
fn page(manner: impl FnOnce(&mut TcpStream) + Send + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, serve(listener, manner))
}

fn serve(listener: TcpListener, manner: impl FnOnce(&mut TcpStream) + Send + 'static) -> Receiver<String> {
    let (tell, asked) = mpsc::channel();
    thread::spawn(move || {
        let (mut caller, _) = listener.accept().unwrap();
        let mut question = Vec::new();
        let mut byte = [0];
        while !question.ends_with(b"\r\n\r\n") && caller.read(&mut byte).is_ok_and(|read| read == 1) {
            question.push(byte[0]);
        }
        let _ = tell.send(String::from_utf8(question).unwrap());
        manner(&mut caller);
    });
    asked
}

fn saying(answer: &'static str) -> (SocketAddr, Receiver<String>) {
    page(move |caller| caller.write_all(answer.as_bytes()).unwrap())
}

fn answered(status: u16, reason: &str, body_has: Option<bool>) -> Reading {
    Reading::Answered { status, reason: reason.into(), body_has }
}

#[test]
fn a_page_is_asked_as_httpok_asks() {
    let (address, asked) = saying("HTTP/1.1 500 Oh dear\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(at(address, "/a?b").run(), answered(500, "Oh dear", None));
    assert_eq!(
        asked.recv_timeout(AMPLE).unwrap(),
        format!("GET /a?b HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: identity\r\nUser-Agent: httpok\r\n\r\n")
    );
}

#[test]
fn headers_method_and_body_can_be_ones_own() {
    let (address, asked) = saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut check = check(&format!("http://me:secret@{address}/"));
    check.method = "POST".into();
    check.body = b"ping".to_vec();
    check.headers = vec![header("host", "web"), header("USER-AGENT", "mine"), header("X-Y", "z")];
    assert_eq!(check.run(), answered(200, "OK", None));
    let asked = asked.recv_timeout(AMPLE).unwrap();
    assert!(asked.starts_with("POST / HTTP/1.1\r\n") && asked.contains("\r\nContent-Length: 4\r\n"), "{asked}");
    assert!(asked.contains("\r\nAuthorization: Basic bWU6c2VjcmV0\r\n") && asked.contains("\r\nX-Y: z\r\n"));
    assert!(asked.contains("\r\nHost: web\r\n") && asked.contains("\r\nUser-Agent: mine\r\n"), "{asked}");
    assert!(!asked.contains("httpok") && !asked.contains(&address.to_string()), "{asked}");
}

#[test]
fn the_body_is_searched_over_the_joints_of_its_pieces() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall i\r\n6\r\ns well\r\n0\r\n\r\n";
    for (wanted, has) in [("all is well", true), ("all is lost", false), ("", true)] {
        let mut check = at(saying(answer).0, "/");
        check.want_in_body = Some(wanted.into());
        assert_eq!(check.run(), answered(200, "OK", Some(has)), "{wanted}");
    }
}

#[test]
fn a_refused_connection_is_tried_again_until_the_page_is_up() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (checked, outcome) = mpsc::channel();
    thread::spawn(move || checked.send(at(address, "/").run()));
    // The first try comes at once and is refused, unless this thread is held up, and then it is not.
    assert!(outcome.recv_timeout(Duration::from_millis(150)).is_err());
    serve(TcpListener::bind(address).unwrap(), |caller| {
        caller.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    assert_eq!(outcome.recv_timeout(AMPLE).unwrap(), answered(200, "OK", None));
}

#[test]
fn a_connection_that_stays_refused_uses_up_the_time_and_says_so() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut check = at(address, "/");
    check.timeout = BRIEF;
    let started = Instant::now();
    assert_eq!(check.run(), Reading::Failed { error: "[Errno 111] Connection refused".into() });
    assert!(started.elapsed() >= BRIEF - LAST_TRY - LAST_TRY, "{:?}", started.elapsed());
}

#[test]
fn a_server_that_hangs_up_is_not_asked_again() {
    let (address, asked) = page(|_| {});
    let error = "Remote end closed connection without response".to_owned();
    assert_eq!(at(address, "/").run(), Reading::Failed { error });
    asked.recv_timeout(AMPLE).unwrap();
}

#[test]
fn the_time_covers_a_body_that_drips() {
    let (drip, pause) = mpsc::channel::<()>();
    let (address, _) = page(move |caller| {
        let _ = caller.write_all(b"HTTP/1.1 200 OK\r\n\r\nfound");
        while caller.write_all(b".").is_ok() && pause.recv_timeout(Duration::from_millis(5)).is_err() {}
    });
    let mut check = at(address, "/");
    check.timeout = BRIEF;
    check.want_in_body = Some(b"found".to_vec());
    assert_eq!(check.run(), Reading::Failed { error: "timed out".into() });
    drop(drip);
}

#[test]
fn no_time_at_all_is_over_at_once() {
    let mut check = at(saying("HTTP/1.1 200 OK\r\n\r\n").0, "/");
    check.timeout = Duration::ZERO;
    assert!(matches!(check.run(), Reading::Failed { .. }));
}

#[test]
fn a_check_can_be_shown_without_its_secrets() {
    let mut check = check("http://me:secret@web/");
    check.headers = vec![("X-Token".into(), "hidden".into())];
    let shown = format!("{check:?}");
    assert!(!shown.contains("secret") && !shown.contains("hidden") && !shown.contains("Basic"), "{shown}");
}
