//! A mail server that shows what it gets: enough of SMTP (RFC 5321) for the demo's listeners, on a free port.
//!
//! At first it is closed: whoever comes is answered 421, so that one can see that nothing is lost.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A longer line is refused; RFC 5321, 4.5.3.1.6 asks for 1,000 octets at least.
const LONGEST_LINE: u64 = 64 * 1024;
/// A longer mail is refused, in octets.
const LONGEST_MAIL: usize = 1024 * 1024;
/// RFC 5321, 4.5.3.1.8 asks for 100 recipients at least.
const MOST_RECIPIENTS: usize = 100;
/// A client that says nothing for so long is left; RFC 5321, 4.5.3.2.7.
const PATIENCE: Duration = Duration::from_secs(300);
/// What the server says while it is closed.
const CLOSED: &[u8] = b"421 4.3.2 mail.demo.example takes no mail yet, try again later\r\n";

/// What the server tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caught {
    /// A mail was taken.
    Mail(Delivery),
    /// A client was sent away with 421.
    TurnedAway,
}

/// A mail as it came: the envelope and the content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    /// The address of MAIL FROM, empty for `<>`.
    pub(super) from: String,
    /// The addresses of RCPT TO.
    pub(super) to: Vec<String>,
    /// Header and body, dots taken off, lines as they came.
    pub(super) content: Vec<u8>,
}

/// The running server; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Catcher {
    port: u16,
    over: Arc<AtomicBool>,
}

impl Catcher {
    /// Listens on a free port of 127.0.0.1, takes mail from the moment `opens` on, and calls `tell` for all of it.
    /// Fails when no port can be had.
    pub(super) fn open(opens: Instant, tell: impl Fn(Caught) + Clone + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        thread::Builder::new().name("mail-catcher".into()).spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // A client that is gone before it was greeted is none.
                let Ok(stream) = stream else { continue };
                let tell = tell.clone();
                let client = move || match Instant::now() < opens {
                    true => turn_away(stream, &tell),
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

impl Drop for Catcher {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for clients.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn turn_away(mut stream: TcpStream, tell: &impl Fn(Caught)) {
    // Whether the client stays to hear it changes nothing.
    let _ = stream.write_all(CLOSED);
    tell(Caught::TurnedAway);
}

/// Talks to a client to its end. What breaks the connection ends the talk; the client will come again.
fn serve(stream: &TcpStream, tell: &impl Fn(Caught)) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = talk(BufReader::new(stream), stream, tell);
}

fn talk(mut input: impl BufRead, mut output: impl Write, tell: &impl Fn(Caught)) -> io::Result<()> {
    output.write_all(b"220 mail.demo.example ready\r\n")?;
    let mut session = Session::default();
    loop {
        let mut line = Vec::new();
        if (&mut input).take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") {
            output.write_all(b"500 5.5.6 that line is too long\r\n")?;
            return Err(ErrorKind::InvalidData.into());
        }
        match session.line(&line) {
            Answer::Silence => {}
            Answer::Say(reply) => output.write_all(format!("{reply}\r\n").as_bytes())?,
            Answer::Take(delivery) => {
                // Told first: a mail that was accepted is one that was shown.
                tell(Caught::Mail(delivery));
                output.write_all(b"250 2.0.0 shown in your terminal\r\n")?;
            }
            Answer::Bye(reply) => return output.write_all(format!("{reply}\r\n").as_bytes()),
        }
    }
}

/// What the server does about a line.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Silence,
    Say(&'static str),
    Take(Delivery),
    Bye(&'static str),
}

/// Where a conversation stands.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Stranger,
    /// After EHLO or HELO.
    Greeted,
    /// After MAIL.
    Envelope(Delivery),
    /// After DATA.
    Content {
        delivery: Delivery,
        /// Whether the line before ended in CRLF: only then a dot alone ends the mail (RFC 5321, 4.1.1.4).
        at_line_start: bool,
        too_long: bool,
    },
}

#[derive(Debug, Default)]
struct Session {
    stage: Stage,
}

impl Session {
    /// Takes a line with its end.
    fn line(&mut self, line: &[u8]) -> Answer {
        if let Stage::Content { .. } = self.stage {
            return self.content(line);
        }
        let Ok(text) = std::str::from_utf8(line) else { return Answer::Say("500 5.5.2 that is not UTF-8") };
        let text = text.trim_end();
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.stage = Stage::Greeted;
                Answer::Say("250-mail.demo.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 1048576")
            }
            "HELO" => {
                self.stage = Stage::Greeted;
                Answer::Say("250 mail.demo.example")
            }
            "MAIL" => self.mail(rest),
            "RCPT" => self.recipient(rest),
            "DATA" => self.data(),
            "RSET" => {
                self.forget();
                Answer::Say("250 2.0.0 forgotten")
            }
            "NOOP" => Answer::Say("250 2.0.0 still here"),
            "QUIT" => Answer::Bye("221 2.0.0 bye"),
            _ => Answer::Say("502 5.5.1 no such command here"),
        }
    }

    fn mail(&mut self, rest: &str) -> Answer {
        match &self.stage {
            Stage::Greeted => {}
            Stage::Stranger | Stage::Envelope(_) | Stage::Content { .. } => {
                return Answer::Say("503 5.5.1 MAIL comes once, after EHLO");
            }
        }
        let Some(from) = path(rest, "FROM:") else { return Answer::Say("501 5.5.4 try MAIL FROM:<address>") };
        self.stage = Stage::Envelope(Delivery { from, ..Delivery::default() });
        Answer::Say("250 2.1.0 sender taken")
    }

    fn recipient(&mut self, rest: &str) -> Answer {
        let Stage::Envelope(delivery) = &mut self.stage else {
            return Answer::Say("503 5.5.1 RCPT comes after MAIL");
        };
        match path(rest, "TO:").filter(|to| !to.is_empty()) {
            None => Answer::Say("501 5.5.4 try RCPT TO:<address>"),
            Some(_) if delivery.to.len() >= MOST_RECIPIENTS => Answer::Say("452 4.5.3 too many recipients"),
            Some(to) => {
                delivery.to.push(to);
                Answer::Say("250 2.1.5 recipient taken")
            }
        }
    }

    fn data(&mut self) -> Answer {
        let Stage::Envelope(delivery) = &mut self.stage else {
            return Answer::Say("503 5.5.1 DATA comes after RCPT");
        };
        if delivery.to.is_empty() {
            return Answer::Say("554 5.5.1 no recipients");
        }
        let delivery = std::mem::take(delivery);
        self.stage = Stage::Content { delivery, at_line_start: true, too_long: false };
        Answer::Say("354 go ahead")
    }

    fn content(&mut self, line: &[u8]) -> Answer {
        let Stage::Content { delivery, at_line_start, too_long } = &mut self.stage else {
            return Answer::Silence;
        };
        if *at_line_start && line == b".\r\n" {
            let (delivery, too_long) = (std::mem::take(delivery), *too_long);
            self.stage = Stage::Greeted;
            return if too_long {
                Answer::Say("552 5.3.4 that mail is too long")
            } else {
                Answer::Take(delivery)
            };
        }
        let unstuffed = line.strip_prefix(b".").filter(|_| *at_line_start).unwrap_or(line);
        *too_long |= delivery.content.len() + unstuffed.len() > LONGEST_MAIL;
        if !*too_long {
            delivery.content.extend_from_slice(unstuffed);
        }
        *at_line_start = line.ends_with(b"\r\n");
        Answer::Silence
    }

    fn forget(&mut self) {
        if let Stage::Envelope(_) = self.stage {
            self.stage = Stage::Greeted;
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

    fn code(answer: &Answer) -> &str {
        match answer {
            Answer::Say(reply) | Answer::Bye(reply) => &reply[..3],
            Answer::Silence | Answer::Take(_) => "",
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
        let Answer::Take(delivery) = session.line(b".\r\n") else { panic!("the mail did not end") };
        assert_eq!(
            (delivery.from.as_str(), delivery.to.as_slice()),
            ("a@b", ["c@d".into(), "e@f".into()].as_slice())
        );
        assert_eq!(delivery.content, b"Subject: x\r\n\r\n.\r\n..two\r\nend.\r\n");
        assert_eq!(codes(&mut session, &["MAIL FROM:<>", "RCPT TO:<c@d>", "DATA"]), ["250", "250", "354"]);
    }

    #[test]
    fn a_dot_ends_the_mail_only_between_true_line_ends() {
        let mut session = in_content();
        assert_eq!(session.line(b"text\n"), Answer::Silence);
        assert_eq!(session.line(b".\r\n"), Answer::Silence, "the line before had no CR");
        assert_eq!(session.line(b".\n"), Answer::Silence, "a bare LF is no end");
        assert_eq!(session.line(b"\r\n"), Answer::Silence);
        assert!(matches!(session.line(b".\r\n"), Answer::Take(_)));
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
        assert_eq!(session.line(b"quit\r\n"), Answer::Bye("221 2.0.0 bye"));
    }

    #[test]
    fn a_mail_that_is_too_long_is_refused_at_its_end() {
        let mut session = in_content();
        let line = [b"x".repeat(LONGEST_MAIL), b"\r\n".to_vec()].concat();
        assert_eq!(session.line(&line), Answer::Silence);
        assert_eq!(code(&session.line(b".\r\n")), "552");
    }

    #[test]
    fn a_closed_server_says_421_and_an_open_one_takes_mail() {
        let patience = Some(Duration::from_secs(15));
        for (opens, banner) in [(Duration::from_secs(3600), "421 "), (Duration::ZERO, "220 ")] {
            let (tell, told) = channel();
            let catcher =
                Catcher::open(Instant::now() + opens, move |caught| tell.send(caught).unwrap()).unwrap();
            let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, catcher.port())).unwrap();
            client.set_read_timeout(patience).unwrap();
            client
                .write_all(b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n")
                .unwrap();
            let mut line = String::new();
            BufReader::new(&client).read_line(&mut line).unwrap();
            assert!(line.starts_with(banner), "{line}");
            let caught = told.recv_timeout(Duration::from_secs(15)).unwrap();
            assert_eq!(matches!(caught, Caught::Mail(_)), opens.is_zero(), "{caught:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(lines in prop::collection::vec("(EHLO|MAIL FROM:|RCPT TO:|DATA|RSET|\\.)?.{0,9}\r?\n", 0..30)) {
            let _ = talk(lines.concat().as_bytes(), io::sink(), &|_| {});
        }
    }
}
