//! Verbs against a server that says what a test wants: what they say, and the status they end with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::table::VERBS;
use crate::options::Options;
use crate::session::Session;
use crate::shell::execute::execute;

/// What was written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A server that answers each method by its name; a method without an answer is unknown.
struct Server {
    port: u16,
    asked: Receiver<String>,
}

impl Server {
    fn answering(answers: &'static [(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, asked) = channel();
        thread::spawn(move || {
            // A test that needs a second connection, such as an interval of silence, gets one.
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                while let Some(method) = read_call(&mut reader) {
                    let answer = answers
                        .iter()
                        .find(|(name, _)| *name == method)
                        .map_or(UNKNOWN, |(_, answer)| answer);
                    let body = format!("<?xml version='1.0'?><methodResponse>{answer}</methodResponse>");
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    let _ = sender.send(method);
                    reader.get_mut().write_all((head + &body).as_bytes()).unwrap();
                }
            }
        });
        Self { port, asked }
    }

    /// Obeys a line: what was said, and the status.
    fn obey(&self, line: &str) -> (String, u8) {
        let paper = Paper::default();
        let options = Options {
            configuration: None,
            serverurl: format!("http://127.0.0.1:{}", self.port),
            username: None,
            password: None,
            prompt: "x".to_owned(),
            history_file: None,
            interactive: false,
        };
        let mut session = Session::writing_to(options, Box::new(paper.clone()));
        execute(&mut session, line);
        session.flush();
        let said = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        (said, session.status)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

fn read_call(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    Some(body.split("<methodName>").nth(1)?.split('<').next()?.to_owned())
}

const UNKNOWN: &str = "<fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member>\
    <member><name>faultString</name><value><string>UNKNOWN_METHOD</string></value></member></struct></value></fault>";
const VERSION: (&str, &str) =
    ("supervisor.getVersion", "<params><param><value><string>3.0</string></value></param></params>");
const INFOS: &str = "supervisor.getAllProcessInfo";

#[test]
fn a_server_without_our_methods_is_told_from_one_of_another_version() {
    let (said, status) = Server::answering(&[]).obey("status");
    assert!(said.starts_with("Sorry, supervisord responded but did not recognize"), "{said}");
    assert_eq!(status, 4);
    let server = Server::answering(&[(
        "supervisor.getVersion",
        "<params><param><value><string>9</string></value></param></params>",
    )]);
    let (said, status) = server.obey("version");
    assert!(said.ends_with("with API version 3.0, but the remote version is 9.\n"), "{said}");
    assert_eq!(status, 5);
}

#[test]
fn answers_that_make_no_sense_are_one_line() {
    const ONE: &str = "<params><param><value><int>1</int></value></param></params>";
    const LIST: &str = "<params><param><value><array><data><value><struct><member><name>name</name><value>\
        <string>x</string></value></member></struct></value></data></array></value></param></params>";
    for answer in [ONE, LIST] {
        let table: &'static [(&str, &str)] = Box::leak(Box::new([
            VERSION,
            (INFOS, answer),
            ("supervisor.startAllProcesses", answer),
            ("supervisor.stopProcessGroup", answer),
            ("supervisor.clearAllProcessLogs", answer),
            ("supervisor.getProcessInfo", answer),
            ("supervisor.getAllConfigInfo", answer),
            ("supervisor.reloadConfig", answer),
            ("supervisor.readLog", answer),
        ]));
        let server = Server::answering(table);
        for line in [
            "status",
            "pid all",
            "pid x",
            "start all",
            "stop g:*",
            "clear all",
            "avail",
            "reread",
            "update",
            "maintail",
            "fg x",
        ] {
            let (said, status) = server.obey(line);
            assert!(said.starts_with("error: cannot read the answer to supervisor."), "{line}: {said}");
            assert_eq!((said.lines().count(), status), (1, 1), "{line}: {said}");
        }
    }
}

#[test]
fn a_code_that_no_verb_knows_is_one_line() {
    const FAULT: &str = "<fault><value><struct><member><name>faultCode</name><value><int>6</int></value></member>\
        <member><name>faultString</name><value><string>SHUTDOWN_STATE\nx</string></value></member></struct></value>\
        </fault>";
    let server = Server::answering(&[
        VERSION,
        ("supervisor.startProcess", FAULT),
        ("supervisor.stopProcessGroup", FAULT),
        ("supervisor.clearProcessLogs", FAULT),
    ]);
    assert_eq!(server.obey("start a"), ("error: Unknown result code 6 for a\n".to_owned(), 1));
    assert_eq!(server.obey("clear a"), ("error: Unknown result code 6 for a\n".to_owned(), 1));
    assert_eq!(server.obey("stop g:*"), ("error: <Fault 6: 'SHUTDOWN_STATE\\nx'>\n".to_owned(), 1));
}

#[test]
fn nobody_is_asked_where_a_line_makes_no_sense() {
    let server = Server::answering(&[VERSION]);
    for (line, said) in [
        ("", ""),
        ("nope", "*** Unknown syntax: nope\n"),
        ("help nope", "*** No help on nope\n"),
        ("open ftp://x", "ERROR: url must be http:// or unix://\n"),
        ("add", ""),
    ] {
        assert_eq!(server.obey(line).0, said, "{line}");
    }
    assert!(server.obey("version 1").0.starts_with("Error: version accepts no arguments\nversion\t\t\tShow"));
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn a_log_is_read_from_its_end() {
    let server = Server::answering(&[
        VERSION,
        (
            "supervisor.readProcessStdoutLog",
            "<params><param><value><string>tail\n</string></value></param></params>",
        ),
    ]);
    assert_eq!(server.obey("tail web"), ("tail\n\n".to_owned(), 0));
    assert_eq!(server.obey("tail -99999999999 web").0, "error: int exceeds XML-RPC limits\n");
    assert_eq!(server.obey("tail web none"), ("Error: bad channel 'none'\n".to_owned(), 1));
    assert_eq!(server.obey("tail -f").0, "Error: tail requires process name\n");
}

#[test]
fn every_verb_stands_once_and_all_but_the_end_of_input_have_help() {
    for (at, verb) in VERBS.iter().enumerate() {
        assert!(VERBS[..at].iter().all(|other| other.name != verb.name), "{}", verb.name);
        assert_eq!(verb.help.is_empty(), verb.name == "EOF", "{}", verb.name);
    }
}
