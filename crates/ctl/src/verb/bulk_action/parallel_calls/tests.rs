//! Options, lanes, and calls that are under way at the same time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;

use super::*;
use crate::options::Options;

fn taken(words: &str) -> (Result<AnswerWait, String>, String) {
    let mut words: Vec<&str> = words.split(' ').collect();
    let answer_wait = take_wait_options(&mut words);
    (answer_wait, words.join(" "))
}

#[test]
fn options_are_taken_from_between_the_names() {
    let for_seconds = |seconds| Ok(AnswerWait::AtMost(Duration::from_secs_f64(seconds)));
    assert_eq!(taken("a b"), (Ok(AnswerWait::UntilDone), "a b".into()));
    assert_eq!(taken("a --no-wait b"), (Ok(AnswerWait::NoWait), "a b".into()));
    assert_eq!(taken("--timeout 5 a"), (for_seconds(5.0), "a".into()));
    assert_eq!(taken("a --timeout=0.5"), (for_seconds(0.5), "a".into()));
    assert_eq!(taken("--no-wait --wait a"), (Ok(AnswerWait::UntilDone), "a".into()));
    assert_eq!(taken("--other a"), (Ok(AnswerWait::UntilDone), "--other a".into()));
}

#[test]
fn a_timeout_that_is_none_is_refused() {
    for words in ["--timeout", "--timeout x", "--timeout=0", "--timeout -1", "--timeout inf", "--timeout 1e9"]
    {
        let words = taken(words).0.unwrap_err();
        assert!(words.starts_with("Error: cannot wait for "), "{words}");
    }
    assert_eq!(seconds_text(Duration::from_secs(5)), "5 s");
    assert_eq!(seconds_text(Duration::from_millis(2500)), "2.5 s");
}

#[test]
fn questions_about_the_same_process_wait_for_each_other() {
    let question = |name: &str| NamedCall { name: name.into(), method: "m", params: Vec::new() };
    let lanes_of =
        |names: &[&str]| group_by_target(&names.iter().map(|name| question(name)).collect::<Vec<_>>());
    assert_eq!(lanes_of(&["a", "b", "a"]), [vec![0, 2], vec![1]]);
    assert_eq!(lanes_of(&["a", "a:a"]), [vec![0, 1]]);
    assert_eq!(lanes_of(&["web:1", "web:2"]), [vec![0], vec![1]]);
    assert_eq!(lanes_of(&["web:1", "b", "web:*", "web:2"]), [vec![0, 2, 3], vec![1]]);
}

/// Reads a call, and gives the name in it.
fn called(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    body.split("<string>").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

fn answer(mut stream: TcpStream, value: &str) {
    let body = format!(
        "<?xml version='1.0'?><methodResponse><params><param><value><string>{value}</string></value></param></params>\
         </methodResponse>"
    );
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
}

/// A server that answers each call with its own name, once `together` calls are there.
fn session_with(together: usize) -> Session {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let barrier = Arc::new(Barrier::new(together));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, barrier) = (stream.unwrap(), Arc::clone(&barrier));
            thread::spawn(move || {
                let name = called(&stream);
                barrier.wait();
                answer(stream, &name);
            });
        }
    });
    let options = Options {
        serverurl: format!("http://127.0.0.1:{port}"),
        username: None,
        password: None,
        prompt: String::new(),
        history_file: None,
        configuration: None,
        interactive: false,
    };
    Session::writing_to(options, Box::new(io::sink()))
}

fn questions(names: &[&str]) -> Vec<NamedCall> {
    let ask = |name: &&str| NamedCall { name: (*name).into(), method: "m", params: vec![(*name).into()] };
    names.iter().map(ask).collect()
}

#[test]
fn different_processes_are_asked_about_at_the_same_time_and_told_of_in_order() {
    let names = ["a", "b", "c", "web:1", "web:2"];
    // The server answers no call before it has received all of them.
    let mut session = session_with(names.len());
    let mut told = Vec::new();
    let answer_wait = AnswerWait::AtMost(Duration::from_secs(20));
    call_all(&mut session, questions(&names), answer_wait, None, &mut |_, name, answer| {
        told.push((name.to_owned(), answer.unwrap()));
        Ok(())
    })
    .unwrap();
    let expected = names.map(|name| (name.to_owned(), Value::from(name)));
    assert_eq!(told, expected);
}

#[test]
fn who_does_not_answer_in_time_costs_the_others_nothing() {
    let mut session = session_with(2);
    let answer_wait = AnswerWait::AtMost(Duration::from_secs(5));
    // The first two meet at the server, the third waits there alone.
    let mut late = Vec::new();
    call_all(&mut session, questions(&["a", "b", "c"]), answer_wait, None, &mut |_, name, answer| {
        late.extend(answer.err().and_then(|error| answer_wait.timed_out(&error)).map(|_| name.to_owned()));
        Ok(())
    })
    .unwrap();
    assert_eq!(late.len(), 1, "{late:?}");
}

#[test]
fn a_result_that_nobody_can_take_ends_it() {
    let mut session = session_with(1);
    let mut told = 0;
    let outcome = call_all(
        &mut session,
        questions(&["a", "b", "c"]),
        AnswerWait::UntilDone,
        None,
        &mut |_, name, _| {
            told += 1;
            Err(CtlError::ResultCode { code: 7, name: name.to_owned() })
        },
    );
    assert!(outcome.is_err());
    assert_eq!(told, 1);
}
