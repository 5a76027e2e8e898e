//! [`start`]: a mail server on a free port that reports each mail it receives; as much of SMTP (RFC 5321) as the
//! demo's listeners need.
//!
//! At first it is closed and answers 421, to show that no mail is lost.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
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

/// Starts the server on a free port of 127.0.0.1, which it returns. It accepts mail from `opens` on, and calls `tell` for
/// each event; it ends with this process. Fails when no port can be bound.
pub(super) fn start(opens: Instant, tell: impl Fn(SinkEvent) + Clone + Send + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let accept = move || {
        // A client that closed the connection before the greeting is ignored.
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            let client = move || match Instant::now() < opens {
                true => reject(stream, &tell),
                false => serve(&stream, &tell),
            };
            let _ = thread::Builder::new().spawn(client);
        }
    };
    thread::Builder::new().name("mail-sink".into()).spawn(accept)?;
    Ok(port)
}

fn reject(mut stream: TcpStream, tell: &impl Fn(SinkEvent)) {
    // Errors do not matter: the client may be gone.
    let _ = stream.write_all(CLOSED_REPLY);
    tell(SinkEvent::Rejected);
}

/// Serves one connection. An error ends it; the client will try again.
fn serve(mut stream: &TcpStream, tell: &impl Fn(SinkEvent)) {
    let _ = stream.set_read_timeout(Some(TIMEOUT));
    let _ = stream.set_write_timeout(Some(TIMEOUT));
    let talked = talk(BufReader::new(stream), stream, tell);
    if talked.is_err_and(|error| error.kind() == ErrorKind::InvalidData) {
        let _ = stream.write_all(b"500 5.5.6 that line is too long\r\n");
    }
}

fn talk(mut input: impl BufRead, mut output: impl Write, tell: &impl Fn(SinkEvent)) -> io::Result<()> {
    output.write_all(b"220 mail.demo.example ready\r\n")?;
    let mut is_greeted = false;
    // What MAIL and RCPT gave, until the content follows.
    let mut envelope: Option<ReceivedMail> = None;
    loop {
        let line = read_line(&mut input)?;
        let text = String::from_utf8_lossy(&line);
        let (verb, rest) = text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
        let reply = match (verb.to_ascii_uppercase().as_str(), &mut envelope) {
            ("EHLO", _) => {
                (is_greeted, envelope) = (true, None);
                "250-mail.demo.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 1048576"
            }
            ("HELO", _) => {
                (is_greeted, envelope) = (true, None);
                "250 mail.demo.example"
            }
            ("MAIL", None) if is_greeted => match path(rest, "FROM:") {
                Some(from) => {
                    envelope = Some(ReceivedMail { from, ..ReceivedMail::default() });
                    "250 2.1.0 sender taken"
                }
                None => "501 5.5.4 try MAIL FROM:<address>",
            },
            ("MAIL", _) => "503 5.5.1 MAIL comes once, after EHLO",
            ("RCPT", Some(mail)) => match path(rest, "TO:").filter(|to| !to.is_empty()) {
                None => "501 5.5.4 try RCPT TO:<address>",
                Some(_) if mail.to.len() >= MAX_RECIPIENTS => "452 4.5.3 too many recipients",
                Some(to) => {
                    mail.to.push(to);
                    "250 2.1.5 recipient taken"
                }
            },
            ("RCPT", None) => "503 5.5.1 RCPT comes after MAIL",
            ("DATA", Some(mail)) if mail.to.is_empty() => "554 5.5.1 no recipients",
            ("DATA", Some(mail)) => {
                output.write_all(b"354 go ahead\r\n")?;
                let (content, mail) = (read_content(&mut input)?, std::mem::take(mail));
                envelope = None;
                match content {
                    // Reported first, so that an accepted mail is always shown.
                    Some(content) => {
                        tell(SinkEvent::Mail(ReceivedMail { content, ..mail }));
                        "250 2.0.0 shown in your terminal"
                    }
                    None => "552 5.3.4 that mail is too long",
                }
            }
            ("DATA", None) => "503 5.5.1 DATA comes after RCPT",
            ("RSET", _) => {
                envelope = None;
                "250 2.0.0 forgotten"
            }
            ("NOOP", _) => "250 2.0.0 still here",
            ("QUIT", _) => return output.write_all(b"221 2.0.0 bye\r\n"),
            _ => "502 5.5.1 no such command here",
        };
        output.write_all(format!("{reply}\r\n").as_bytes())?;
    }
}

/// A line with its end. Fails with `InvalidData` where it has none, and with `UnexpectedEof` at the end of the input.
fn read_line(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    input.take(MAX_LINE).read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => Ok(line),
        Some(_) => Err(ErrorKind::InvalidData.into()),
        None => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// What follows DATA, without dot-stuffing; `None` if it is too long. Only behind a CRLF does a single dot end it, and is
/// a dot stuffed (RFC 5321, 4.1.1.4).
fn read_content(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut content = Some(Vec::new());
    let mut at_line_start = true;
    loop {
        let line = read_line(input)?;
        if at_line_start && line == b".\r\n" {
            return Ok(content);
        }
        let unstuffed = line.strip_prefix(b".").filter(|_| at_line_start).unwrap_or(&line);
        content = content.filter(|content| content.len() + unstuffed.len() <= MAX_MAIL);
        content.iter_mut().for_each(|content| content.extend_from_slice(unstuffed));
        at_line_start = line.ends_with(b"\r\n");
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
    use std::cell::RefCell;
    use std::sync::mpsc::channel;

    /// The codes of the replies to these lines, behind the greeting, and the mails that were accepted.
    fn talk_about(input: &[u8]) -> (Vec<String>, Vec<ReceivedMail>) {
        let (mut output, mails) = (Vec::new(), RefCell::new(Vec::new()));
        let ended = talk(input, &mut output, &|event| match event {
            SinkEvent::Mail(mail) => mails.borrow_mut().push(mail),
            SinkEvent::Rejected => panic!("rejected"),
        });
        assert!(ended.is_ok() || ended.unwrap_err().kind() == ErrorKind::UnexpectedEof);
        let output = String::from_utf8(output).unwrap();
        let last_lines = output.lines().filter(|line| line.as_bytes()[3] == b' ');
        (last_lines.skip(1).map(|line| line[..3].to_owned()).collect(), mails.into_inner())
    }

    fn codes(lines: &[&str]) -> Vec<String> {
        talk_about((lines.join("\r\n") + "\r\n").as_bytes()).0
    }

    const ENVELOPE: &str = "EHLO me\r\nMAIL FROM:<a@b> SIZE=9\r\nrcpt to:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n";

    fn mail_of(content: &str) -> (Vec<String>, Vec<ReceivedMail>) {
        let (codes, mails) = talk_about(format!("{ENVELOPE}{content}").as_bytes());
        assert_eq!(codes[..5], ["250", "250", "250", "250", "354"]);
        (codes[5..].to_vec(), mails)
    }

    #[test]
    fn a_mail_comes_whole_and_without_the_doubled_dots() {
        let again = "MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\n";
        let (codes, mails) = mail_of(&format!("Subject: x\r\n\r\n..\r\n...two\r\nend.\r\n.\r\n{again}"));
        assert_eq!(codes, ["250", "250", "250", "354"]);
        let [ReceivedMail { from, to, content }] = &mails[..] else { panic!("{mails:?}") };
        assert_eq!((from.as_str(), to.as_slice()), ("a@b", ["c@d".into(), "e@f".into()].as_slice()));
        assert_eq!(content, b"Subject: x\r\n\r\n.\r\n..two\r\nend.\r\n");
    }

    #[test]
    fn a_dot_ends_the_mail_only_between_true_line_ends() {
        // The line before had no CR; a bare LF is no end.
        for content in ["text\n.\r\n", "text\n.\r\n.\n"] {
            assert_eq!(mail_of(content).1, []);
            assert_eq!(mail_of(&format!("{content}\r\n.\r\n")).1.len(), 1);
        }
    }

    #[test]
    fn commands_out_of_order_are_refused() {
        assert_eq!(codes(&["MAIL FROM:<a@b>", "RCPT TO:<a@b>", "DATA"]), ["503", "503", "503"]);
        let begun = ["HELO me", "MAIL FROM:a@b", "MAIL FROM:<a@b>"];
        assert_eq!(codes(&begun), ["250", "501", "250"]);
        assert_eq!(
            codes(&[&begun[..], &["MAIL FROM:<a@b>", "DATA", "RCPT TO:<>"]].concat())[3..],
            ["503", "554", "501"]
        );
        assert_eq!(
            codes(&[&begun[..], &["RSET", "RCPT TO:<a@b>", "NOOP", "STARTTLS", "quit", "NOOP"]].concat())
                [3..],
            ["250", "503", "250", "502", "221"]
        );
    }

    #[test]
    fn a_mail_that_is_too_long_is_refused_at_its_end() {
        let lines = "x".repeat(1000) + "\r\n";
        let (codes, mails) = mail_of(&(lines.repeat(MAX_MAIL / 1000) + ".\r\n"));
        assert_eq!((codes, mails), (vec!["552".to_owned()], Vec::new()));
    }

    #[test]
    fn a_closed_server_says_421_and_an_open_one_takes_mail() {
        let patience = Some(Duration::from_secs(15));
        for (opens, banner) in [(Duration::from_secs(3600), "421 "), (Duration::ZERO, "220 ")] {
            let (tell, told) = channel();
            let port = start(Instant::now() + opens, move |event| tell.send(event).unwrap()).unwrap();
            let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
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
