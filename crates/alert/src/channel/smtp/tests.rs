//! The channel against servers that follow a script, well or badly.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::alert::Alert;
use crate::channel::{RecipientRefusal, Retry};
use crate::receiver::{Security, Transport};
use crate::secret::Secret;

/// What a scripted server does when a line beginning with the first word comes.
type Script = &'static [(&'static str, &'static str)];

const WELL: Script = &[
    ("", "220 hello"),
    ("EHLO", "250-server\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN CRAM-MD5"),
    ("MAIL", "250 ok"),
    ("RCPT", "250 ok"),
    ("DATA", "354 go on"),
    (".", "250 queued as 1"),
    ("RSET", "250 ok"),
    ("QUIT", "221 bye"),
];

/// Serves connections by a script in front of `WELL`; the answer `HANG` stays silent, `CLOSE` hangs up.
fn serve(script: Script) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (said, lines) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let said = said.clone();
            thread::spawn(move || converse(stream.unwrap(), script, &said));
        }
    });
    (port, lines)
}

fn converse(mut stream: TcpStream, script: Script, said: &mpsc::Sender<String>) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    let mut in_mail = false;
    loop {
        let answer = script.iter().chain(WELL).find(|(word, _)| {
            if word.is_empty() || *word == "." { line.trim_end() == *word } else { line.starts_with(word) }
        });
        match answer.map(|(_, answer)| *answer) {
            Some("HANG") => {}
            Some("CLOSE") => return,
            Some(answer) if !in_mail || line.trim_end() == "." => {
                in_mail = answer.starts_with("354");
                if stream.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                    return;
                }
            }
            _ => {}
        }
        line.clear();
        if input.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let _ = said.send(line.trim_end().to_owned());
    }
}

fn server(port: u16) -> SmtpServer {
    SmtpServer {
        host: "127.0.0.1".into(),
        port,
        security: Security::Plain,
        user: None,
        password: None,
        ca_file: None,
    }
}

fn channel(server: &SmtpServer) -> Smtp {
    let mut channel = Smtp::new(server);
    let short = Duration::from_millis(300);
    channel.timeouts =
        Timeouts { banner: short, command: short, accept: short, quit: short, ..Timeouts::default() };
    channel
}

fn alert(server: &SmtpServer, to: &[&str], text: &str) -> Alert {
    let mut alert = Alert::sample("true", text);
    alert.id = "1".into();
    alert.subject = Some("hello".into());
    alert.receiver.transport = Transport::Smtp(server.clone());
    alert.receiver.from = Some("Supervisor <from@example.com>".into());
    alert.receiver.to = to.iter().map(|to| (*to).to_owned()).collect();
    alert
}

fn send(script: Script) -> Result<Receipt, DeliveryError> {
    let (port, _lines) = serve(script);
    let server = server(port);
    channel(&server).send(&(&alert(&server, &["a@example.com", "b@example.com"], "text")).into(), &mut ())
}

/// The server has taken it, with its words.
fn taken() -> Receipt {
    Receipt { answer: "250 queued as 1".to_owned(), ..Receipt::default() }
}

fn unreachable(outcome: Result<Receipt, DeliveryError>) -> String {
    match outcome {
        Err(DeliveryError::Unreachable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_refuses_the_login_gets_a_quit() {
    for script in [&[("EHLO", "250 nothing")][..], &[("AUTH", "535 no")]] {
        let (port, lines) = serve(script);
        let (user, password) = (Some("joe".into()), Some(Secret::Literal("pw".into())));
        let server = SmtpServer { user, password, ..server(port) };
        unreachable(channel(&server).send(&(&alert(&server, &["a@example.com"], "text")).into(), &mut ()));
        let said = std::iter::from_fn(|| lines.recv_timeout(Duration::from_secs(30)).ok());
        assert!(said.into_iter().any(|line| line == "QUIT"), "{script:?}");
    }
}

#[test]
fn a_mail_is_given_to_the_server_with_its_dots_doubled() {
    let (port, lines) = serve(&[]);
    let server = server(port);
    let mut channel = channel(&server);
    let sent = alert(&server, &["a@example.com", "B <b@example.com>"], ".dot\n..\nend");
    assert_eq!(channel.send(&(&sent).into(), &mut ()), Ok(taken()));
    assert_eq!(channel.send(&(&sent).into(), &mut ()), Ok(taken()));
    drop(channel);
    let said: Vec<String> = lines.iter().take_while(|line| line != "QUIT").collect();
    assert!(said[0].starts_with("EHLO "), "{said:?}");
    assert!(said[1].starts_with("MAIL FROM:<from@example.com> SIZE="), "{said:?}");
    assert_eq!(said[2..5], ["RCPT TO:<a@example.com>", "RCPT TO:<b@example.com>", "DATA"]);
    let end = said.iter().position(|line| line == ".").unwrap();
    assert_eq!(said[end - 3..end], ["..dot", "...", "end"]);
    assert_eq!(said[end + 1], "RSET", "the second mail takes the same connection");
}

#[test]
fn a_server_that_is_not_there_or_says_nothing_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone = server(free);
    let reason = unreachable(channel(&gone).send(&(&alert(&gone, &["a@b"], "text")).into(), &mut ()));
    assert_eq!(reason, format!("cannot reach smtp://127.0.0.1:{free}: [Errno 111] Connection refused"));
    assert!(unreachable(send(&[("", "HANG")])).ends_with("timed out before its banner"));
    assert!(unreachable(send(&[("", "CLOSE")])).ends_with("the server hung up before its banner"));
    assert!(unreachable(send(&[("", "554 go away")])).ends_with("554 go away"));
    assert!(unreachable(send(&[("", "SSH-2.0")])).contains("cannot understand the server"));
    assert!(unreachable(send(&[("MAIL", "421 shutting down")])).ends_with("421 shutting down"));
    assert!(unreachable(send(&[(".", "CLOSE")])).ends_with("the server hung up after the mail"));
    assert!(unreachable(send(&[(".", "HANG")])).ends_with("timed out after the mail"));
}

#[test]
fn temporary_and_permanent_refusals_are_distinguished() {
    assert!(matches!(send(&[("MAIL", "451 later")]), Err(DeliveryError::Deferred { .. })));
    assert!(matches!(send(&[("MAIL", "550 never")]), Err(DeliveryError::Rejected { .. })));
    assert!(matches!(send(&[("MAIL", "530 first STARTTLS")]), Err(DeliveryError::Unreachable { .. })));
    assert!(matches!(send(&[("RCPT", "530 first AUTH")]), Err(DeliveryError::Unreachable { .. })));
    assert!(matches!(send(&[("RCPT TO:<b@", "538 first TLS")]), Err(DeliveryError::Unreachable { .. })));
    assert!(matches!(send(&[("RCPT", "450 later")]), Err(DeliveryError::Deferred { .. })));
    assert!(matches!(send(&[("RCPT", "550 never")]), Err(DeliveryError::Rejected { .. })));
    assert!(matches!(send(&[(".", "451 later")]), Err(DeliveryError::Deferred { .. })));
    assert!(matches!(send(&[(".", "554 spam")]), Err(DeliveryError::Rejected { .. })));
}

#[test]
fn one_refused_recipient_does_not_stop_the_others() {
    let receipt = send(&[("RCPT TO:<b@", "550 unknown")]).unwrap();
    let [RecipientRefusal { recipient, reason, retry }] = &receipt.refused[..] else { panic!("{receipt:?}") };
    assert_eq!((recipient.as_str(), *retry), ("b@example.com", Retry::Never));
    assert!(reason.ends_with("said 550 unknown"), "{reason}");
}

#[test]
fn an_address_beyond_ascii_is_refused_alone_by_a_server_that_cannot_take_it() {
    let (port, lines) = serve(&[]);
    let server = server(port);
    let outcome = channel(&server)
        .send(&(&alert(&server, &["a@example.com, Ö <ö@example.com>"], "text")).into(), &mut ());
    assert_eq!(outcome.unwrap().refused.len(), 1);
    // The others get a mail without bytes that no header may have.
    let header = lines.try_iter().find(|line| line.starts_with("To:")).unwrap();
    assert_eq!(header, "To: a@example.com");
}

#[test]
fn a_server_that_hangs_up_in_the_middle_of_a_mail_has_not_taken_it() {
    assert!(unreachable(send(&[("DATA", "CLOSE")])).ends_with("the server hung up at DATA"));
    assert!(unreachable(send(&[("Subject", "CLOSE")])).contains("after the mail"));
}

#[test]
fn an_old_server_is_greeted_the_old_way() {
    assert_eq!(send(&[("EHLO", "502 what?"), ("HELO", "250 hi")]), Ok(taken()));
}

fn log_in(script: Script, password: Secret) -> (Result<Receipt, DeliveryError>, mpsc::Receiver<String>) {
    let (port, lines) = serve(script);
    let server = SmtpServer { user: Some("tim".into()), password: Some(password), ..server(port) };
    (channel(&server).send(&(&alert(&server, &["a@b"], "text")).into(), &mut ()), lines)
}

#[test]
fn the_mechanisms_are_tried_until_one_works() {
    let script: Script = &[
        ("AUTH CRAM", "504 no"),
        ("AUTH PLAIN", "535 no"),
        ("AUTH LOGIN", "334 UGFzcw=="),
        ("cHc=", "235 yes"),
    ];
    let (outcome, lines) = log_in(script, Secret::Literal("pw".into()));
    assert_eq!(outcome, Ok(taken()));
    let said: Vec<String> = lines.iter().filter(|line| line.starts_with("AUTH")).take(3).collect();
    assert_eq!(said, ["AUTH CRAM-MD5", "AUTH PLAIN AHRpbQBwdw==", "AUTH LOGIN dGlt"]);
}

#[test]
fn a_wrong_password_is_no_fault_of_the_mail() {
    let (outcome, _lines) = log_in(&[("AUTH", "535 wrong")], Secret::Literal("pw".into()));
    assert!(unreachable(outcome).ends_with("it refused AUTH LOGIN of tim: 535 wrong"));
    let (outcome, _lines) = log_in(&[("EHLO", "250 server")], Secret::Literal("pw".into()));
    assert!(unreachable(outcome).contains("it offers none of AUTH"));
}

#[test]
fn a_password_file_that_is_missing_is_no_fault_of_the_mail() {
    let (outcome, _lines) = log_in(&[], Secret::File("/nonexistent/password".into()));
    assert!(unreachable(outcome).starts_with("cannot read the password file /nonexistent/password"));
}

#[test]
fn a_connection_that_was_closed_while_idle_is_opened_again() {
    let (port, _lines) = serve(&[("RSET", "CLOSE")]);
    let server = server(port);
    let mut channel = channel(&server);
    for _ in 0..3 {
        assert_eq!(channel.send(&(&alert(&server, &["a@b"], "text")).into(), &mut ()), Ok(taken()));
    }
}

#[test]
fn tls_that_is_asked_for_is_not_done_without() {
    let (port, _lines) = serve(&[]);
    let server = SmtpServer { security: Security::StartTls, ..server(port) };
    let reason = unreachable(channel(&server).send(&(&alert(&server, &["a@b"], "text")).into(), &mut ()));
    assert!(reason.ends_with("it offers no STARTTLS, and --tls asks for it"), "{reason}");
}

#[test]
fn an_address_that_would_be_a_command_is_not_sent() {
    let (port, _lines) = serve(&[]);
    let server = server(port);
    let outcome =
        channel(&server).send(&(&alert(&server, &["a@b>\r\nRCPT TO:<c@d"], "text")).into(), &mut ());
    assert!(matches!(outcome, Err(DeliveryError::Rejected { .. })));
}
