//! A socket in the place of the system's log.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;

use super::*;

fn receive(system: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let count = system.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

fn bind(path: &Path) -> UnixDatagram {
    let system = UnixDatagram::bind(path).unwrap();
    system.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    system
}

/// `<14>Nov  3 12:00:00 `: digits become nines.
fn shape(line: &str) -> String {
    line.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect()
}

#[test]
fn each_line_is_a_message_with_priority_time_and_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let system = bind(&path);
    let log = Syslog::at(&path, "supervisord");
    log.write("web ", b"one\n\ntwo \xff\n\n", "").unwrap();
    let first = receive(&system);
    assert!(first.starts_with("<14>") && first.ends_with(" supervisord: web one"), "{first}");
    let time = shape(&first["<14>Nov ".len()..first.len() - " supervisord: web one".len()]);
    assert!(["99 99:99:99", " 9 99:99:99"].contains(&time.as_str()), "{first}");
    assert!(receive(&system).ends_with(" supervisord: web "));
    assert!(receive(&system).ends_with(" supervisord: web two \u{fffd}"));
}

#[test]
fn a_log_that_starts_anew_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Syslog::at(&path, "supervisord");
    assert!(log.write("", b"nobody", "").is_err());
    let system = bind(&path);
    log.0.borrow_mut().retry_at = None;
    log.write("", b"one", "").unwrap();
    assert!(receive(&system).ends_with(": one"));
    drop(system);
    std::fs::remove_file(&path).unwrap();
    let system = bind(&path);
    log.write("", b"two", "").unwrap();
    assert!(receive(&system).ends_with(": two"));
}

#[test]
fn a_log_that_is_full_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let _system = bind(&path);
    let log = Syslog::at(&path, "supervisord");
    let start = Instant::now();
    let failed = (0..2000).any(|_| log.write("", b"line", "").is_err());
    assert!(failed && start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_log_that_listens_as_a_stream_gets_lines_that_end_with_a_zero() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let system = UnixListener::bind(&path).unwrap();
    let log = Syslog::at(&path, "supervisord");
    log.write("", b"one\ntwo", "\n").unwrap();
    let (stream, _) = system.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut reader = BufReader::new(stream);
    for text in ["one", "two"] {
        let mut line = Vec::new();
        reader.read_until(0, &mut line).unwrap();
        assert!(line.ends_with(format!(": {text}\n\0").as_bytes()), "{line:?}");
    }
}
