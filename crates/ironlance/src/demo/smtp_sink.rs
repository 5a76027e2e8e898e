//! [`SmtpSink`]: a mail server on a free port that reports each mail it receives; as much of SMTP (RFC 5321) as the
//! demo's listeners need.
//!
//! At first it is closed and answers 421, to show that no mail is lost.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A longer line is refused; RFC 5321, 4.5.3.1.6 asks for 1,000 octets at least.
const MAX_LINE: u64 = 64 * 1024;
/// A longer mail is refused, in octets.
const MAX_MAIL: usize = 1024 * 1024;
/// RFC 5321, 4.5.3.1.8 asks for 100 recipients at least.
const MAX_RECIPIENTS: usize = 100;
/// A connection that is silent for this long is closed; RFC 5321, 4.5.3.2.7.
const TIMEOUT: Duration = Duration::from_secs(300);
/// The reply while the server is closed.
const CLOSED_REPLY: &[u8] = b"421 4.3.2 mail.demo.example takes no mail yet, try again later\r\n";

/// What the server reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SinkEvent {
    /// A mail was accepted.
    Mail(ReceivedMail),
    /// A client was refused with 421.
    Rejected,
}

/// A mail as received: envelope and content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReceivedMail {
    /// The address of MAIL FROM, empty for `<>`.
    pub(super) from: String,
    /// The addresses of RCPT TO.
    pub(super) to: Vec<String>,
    /// Header and body, without dot-stuffing, line ends as received.
    pub(super) content: Vec<u8>,
}

/// The running server; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct SmtpSink {
    port: u16,
    over: Arc<AtomicBool>,
}

impl SmtpSink {
    /// Listens on a free port of 127.0.0.1, accepts mail from `opens` on, and calls `tell` for each event.
    /// Fails when no port can be bound.
    pub(super) fn open(
        opens: Instant,
        tell: impl Fn(SinkEvent) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        thread::Builder::new().name("mail-sink".into()).spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // A client that closed the connection before the greeting is ignored.
                let Ok(stream) = stream else { continue };
                let tell = tell.clone();
                let client = move || match Instant::now() < opens {
                    true => reject(stream, &tell),
                    false => serve(&stream, &tell),
                };
                let _ = thread::Builder::new().spawn(client);
            }
        })?;
        Ok(Self { port, over })
    }

    /// The port of 127.0.0.1 that it listens on.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits in accept.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn reject(mut stream: TcpStream, tell: &impl Fn(SinkEvent)) {
    // Errors do not matter: the client may be gone.
    let _ = stream.write_all(CLOSED_REPLY);
    tell(SinkEvent::Rejected);
}

/// Serves one connection. An error ends it; the client will try again.
fn serve(stream: &TcpStream, tell: &impl Fn(SinkEvent)) {
    let _ = stream.set_read_timeout(Some(TIMEOUT));
    let _ = stream.set_write_timeout(Some(TIMEOUT));
    let _ = talk(BufReader::new(stream), stream, tell);
}

fn talk(mut input: impl BufRead, mut output: impl Write, tell: &impl Fn(SinkEvent)) -> io::Result<()> {
    output.write_all(b"220 mail.demo.example ready\r\n")?;
    let mut session = Session::default();
    loop {
        let mut line = Vec::new();
        if (&mut input).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") {
            output.write_all(b"500 5.5.6 that line is too long\r\n")?;
            return Err(ErrorKind::InvalidData.into());
        }
        match session.line(&line) {
            Response::Nothing => {}
            Response::Reply(reply) => output.write_all(format!("{reply}\r\n").as_bytes())?,
            Response::Accept(mail) => {
                // Reported first, so that an accepted mail is always shown.
                tell(SinkEvent::Mail(mail));
                output.write_all(b"250 2.0.0 shown in your terminal\r\n")?;
            }
            Response::Close(reply) => return output.write_all(format!("{reply}\r\n").as_bytes()),
        }
    }
}

/// The response to a line.
#[derive(Debug, PartialEq, Eq)]
enum Response {
    Nothing,
    Reply(&'static str),
    Accept(ReceivedMail),
    Close(&'static str),
}

/// The state of a session.
#[derive(Debug, Default)]
enum SessionState {
    #[default]
    Connected,
    /// After EHLO or HELO.
    Greeted,
    /// After MAIL.
    Envelope(ReceivedMail),
    /// After DATA.
    Data {
        mail: ReceivedMail,
        /// Whether the previous line ended in CRLF: only then a single dot ends the mail (RFC 5321, 4.1.1.4).
        at_line_start: bool,
        too_long: bool,
    },
}

#[derive(Debug, Default)]
struct Session {
    state: SessionState,
}

impl Session {
    /// Handles a line, including its line end.
    fn line(&mut self, line: &[u8]) -> Response {
        if let SessionState::Data { .. } = self.state {
            return self.content(line);
        }
        let Ok(text) = std::str::from_utf8(line) else {
            return Response::Reply("500 5.5.2 that is not UTF-8");
        };
        let text = text.trim_end();
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.state = SessionState::Greeted;
                Response::Reply("250-mail.demo.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 1048576")
            }
            "HELO" => {
                self.state = SessionState::Greeted;
                Response::Reply("250 mail.demo.example")
            }
            "MAIL" => self.mail(rest),
            "RCPT" => self.recipient(rest),
            "DATA" => self.data(),
            "RSET" => {
                self.reset();
                Response::Reply("250 2.0.0 forgotten")
            }
            "NOOP" => Response::Reply("250 2.0.0 still here"),
            "QUIT" => Response::Close("221 2.0.0 bye"),
            _ => Response::Reply("502 5.5.1 no such command here"),
        }
    }

    fn mail(&mut self, rest: &str) -> Response {
        match &self.state {
            SessionState::Greeted => {}
            SessionState::Connected | SessionState::Envelope(_) | SessionState::Data { .. } => {
                return Response::Reply("503 5.5.1 MAIL comes once, after EHLO");
            }
        }
        let Some(from) = path(rest, "FROM:") else {
            return Response::Reply("501 5.5.4 try MAIL FROM:<address>");
        };
        self.state = SessionState::Envelope(ReceivedMail { from, ..ReceivedMail::default() });
        Response::Reply("250 2.1.0 sender taken")
    }

    fn recipient(&mut self, rest: &str) -> Response {
        let SessionState::Envelope(mail) = &mut self.state else {
            return Response::Reply("503 5.5.1 RCPT comes after MAIL");
        };
        match path(rest, "TO:").filter(|to| !to.is_empty()) {
            None => Response::Reply("501 5.5.4 try RCPT TO:<address>"),
            Some(_) if mail.to.len() >= MAX_RECIPIENTS => Response::Reply("452 4.5.3 too many recipients"),
            Some(to) => {
                mail.to.push(to);
                Response::Reply("250 2.1.5 recipient taken")
            }
        }
    }

    fn data(&mut self) -> Response {
        let SessionState::Envelope(mail) = &mut self.state else {
            return Response::Reply("503 5.5.1 DATA comes after RCPT");
        };
        if mail.to.is_empty() {
            return Response::Reply("554 5.5.1 no recipients");
        }
        let mail = std::mem::take(mail);
        self.state = SessionState::Data { mail, at_line_start: true, too_long: false };
        Response::Reply("354 go ahead")
    }

    fn content(&mut self, line: &[u8]) -> Response {
        let SessionState::Data { mail, at_line_start, too_long } = &mut self.state else {
            return Response::Nothing;
        };
        if *at_line_start && line == b".\r\n" {
            let (mail, too_long) = (std::mem::take(mail), *too_long);
            self.state = SessionState::Greeted;
            return if too_long {
                Response::Reply("552 5.3.4 that mail is too long")
            } else {
                Response::Accept(mail)
            };
        }
        let unstuffed = line.strip_prefix(b".").filter(|_| *at_line_start).unwrap_or(line);
        *too_long |= mail.content.len() + unstuffed.len() > MAX_MAIL;
        if !*too_long {
            mail.content.extend_from_slice(unstuffed);
        }
        *at_line_start = line.ends_with(b"\r\n");
        Response::Nothing
    }

    fn reset(&mut self) {
        if let SessionState::Envelope(_) = self.state {
            self.state = SessionState::Greeted;
        }
    }
}

/// The address of `FROM:<address> PARAMETERS`.
fn path(text: &str, keyword: &str) -> Option<String> {
    let head = text.get(..keyword.len()).filter(|head| head.eq_ignore_ascii_case(keyword))?;
    let rest = text[head.len()..].trim_start().strip_prefix('<')?;
    Some(rest.rsplit_once('>')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::mpsc::channel;

    fn code(answer: &Response) -> &str {
        match answer {
            Response::Reply(reply) | Response::Close(reply) => &reply[..3],
            Response::Nothing | Response::Accept(_) => "",
        }
    }

    fn codes(session: &mut Session, lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| code(&session.line(format!("{line}\r\n").as_bytes())).to_owned()).collect()
    }

    fn in_content() -> Session {
        let mut session = Session::default();
        let said = codes(
            &mut session,
            &["EHLO me", "MAIL FROM:<a@b> SIZE=9", "rcpt to:<c@d>", "RCPT TO:<e@f>", "DATA"],
        );
        assert_eq!(said, ["250", "250", "250", "250", "354"]);
        session
    }

    #[test]
    fn a_mail_comes_whole_and_without_the_doubled_dots() {
        let mut session = in_content();
        assert!(
            codes(&mut session, &["Subject: x", "", "..", "...two", "end."]).iter().all(String::is_empty)
        );
        let Response::Accept(mail) = session.line(b".\r\n") else { panic!("the mail did not end") };
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("a@b", ["c@d".into(), "e@f".into()].as_slice())
        );
        assert_eq!(mail.content, b"Subject: x\r\n\r\n.\r\n..two\r\nend.\r\n");
        assert_eq!(codes(&mut session, &["MAIL FROM:<>", "RCPT TO:<c@d>", "DATA"]), ["250", "250", "354"]);
    }

    #[test]
    fn a_dot_ends_the_mail_only_between_true_line_ends() {
        let mut session = in_content();
        assert_eq!(session.line(b"text\n"), Response::Nothing);
        assert_eq!(session.line(b".\r\n"), Response::Nothing, "the line before had no CR");
        assert_eq!(session.line(b".\n"), Response::Nothing, "a bare LF is no end");
        assert_eq!(session.line(b"\r\n"), Response::Nothing);
        assert!(matches!(session.line(b".\r\n"), Response::Accept(_)));
    }

    #[test]
    fn commands_out_of_order_are_refused() {
        let mut session = Session::default();
        assert_eq!(codes(&mut session, &["MAIL FROM:<a@b>", "RCPT TO:<a@b>", "DATA"]), ["503", "503", "503"]);
        assert_eq!(
            codes(&mut session, &["HELO me", "MAIL FROM:a@b", "MAIL FROM:<a@b>"]),
            ["250", "501", "250"]
        );
        assert_eq!(codes(&mut session, &["MAIL FROM:<a@b>", "DATA", "RCPT TO:<>"]), ["503", "554", "501"]);
        assert_eq!(
            codes(&mut session, &["RSET", "RCPT TO:<a@b>", "NOOP", "STARTTLS"]),
            ["250", "503", "250", "502"]
        );
        assert_eq!(session.line(b"quit\r\n"), Response::Close("221 2.0.0 bye"));
    }

    #[test]
    fn a_mail_that_is_too_long_is_refused_at_its_end() {
        let mut session = in_content();
        let line = [b"x".repeat(MAX_MAIL), b"\r\n".to_vec()].concat();
        assert_eq!(session.line(&line), Response::Nothing);
        assert_eq!(code(&session.line(b".\r\n")), "552");
    }

    #[test]
    fn a_closed_server_says_421_and_an_open_one_takes_mail() {
        let patience = Some(Duration::from_secs(15));
        for (opens, banner) in [(Duration::from_secs(3600), "421 "), (Duration::ZERO, "220 ")] {
            let (tell, told) = channel();
            let sink =
                SmtpSink::open(Instant::now() + opens, move |event| tell.send(event).unwrap()).unwrap();
            let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, sink.port())).unwrap();
            client.set_read_timeout(patience).unwrap();
            client
                .write_all(b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n")
                .unwrap();
            let mut line = String::new();
            BufReader::new(&client).read_line(&mut line).unwrap();
            assert!(line.starts_with(banner), "{line}");
            let event = told.recv_timeout(Duration::from_secs(15)).unwrap();
            assert_eq!(matches!(event, SinkEvent::Mail(_)), opens.is_zero(), "{event:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(lines in prop::collection::vec("(EHLO|MAIL FROM:|RCPT TO:|DATA|RSET|\\.)?.{0,9}\r?\n", 0..30)) {
            let _ = talk(lines.concat().as_bytes(), io::sink(), &|_| {});
        }
    }
}
