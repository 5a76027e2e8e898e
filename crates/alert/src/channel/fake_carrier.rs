//! A carrier for tests: [`FakeCarrier`] answers each request with the next of its answers, and keeps what it got.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::{DeliveryChannel, DeliveryError, OutgoingAlert, Receipt};
use crate::alert::Alert;
use crate::card::Language;
use crate::render::card::{Detail, samples};

/// A server on 127.0.0.1.
pub(super) struct FakeCarrier {
    url: String,
    requests: Receiver<FakeRequest>,
}

/// A request that it got.
pub(super) struct FakeRequest {
    /// Method, target, version.
    pub(super) line: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl FakeRequest {
    /// The value of a header field; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl FakeCarrier {
    /// A carrier that gives these answers: status and reason, further header lines, body.
    pub(super) fn start(answers: &[(&str, &str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: Vec<String> = answers
            .iter()
            .map(|(status, headers, body)| {
                let length = body.len();
                format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            })
            .collect();
        let (tell, requests) = channel();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = Vec::new();
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if line.trim().is_empty() {
                        break;
                    }
                    head.push(line.trim().to_owned());
                }
                let headers: Vec<(String, String)> = head[1..]
                    .iter()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                    .collect();
                let length = headers.iter().find(|(name, _)| name == "content-length");
                let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
                reader.read_exact(&mut body).unwrap();
                let body = String::from_utf8(body).unwrap();
                tell.send(FakeRequest { line: head.swap_remove(0), headers, body }).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, requests }
    }

    /// `http://127.0.0.1:4711`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The next request that it got.
    pub(super) fn request(&self) -> FakeRequest {
        self.requests.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

/// Sends the first sample card by a channel.
pub(super) fn send_sample(
    channel: &mut dyn DeliveryChannel,
    detail: Detail,
) -> Result<Receipt, DeliveryError> {
    let alert = Alert::of_card(samples::all(Language::Chinese).swap_remove(0).1);
    channel.send(&OutgoingAlert { alert: &alert, detail, late: None }, &mut ())
}

/// What an answer is to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Taken,
    /// With the seconds to wait, where the carrier says it.
    Unreachable(Option<u64>),
    Unfit,
    Rejected,
}

/// Plays answers to a channel, each made anew for the carrier's URL, and checks what they lead to.
pub(super) fn check_outcomes(
    open: impl Fn(&str) -> Box<dyn DeliveryChannel>,
    table: &[((&str, &str, &str), Expected)],
) {
    for (answer, expected) in table {
        let carrier = FakeCarrier::start(&[*answer]);
        let outcome = send_sample(&mut *open(carrier.url()), Detail::Rich);
        let found = match &outcome {
            Ok(_) => Expected::Taken,
            Err(DeliveryError::Unreachable { after, .. }) => {
                Expected::Unreachable(after.map(|time| time.as_secs()))
            }
            Err(DeliveryError::Unfit { .. }) => Expected::Unfit,
            Err(DeliveryError::Rejected { .. }) => Expected::Rejected,
            Err(DeliveryError::Deferred { .. }) => panic!("{answer:?} was deferred"),
        };
        assert_eq!(found, *expected, "{answer:?} {outcome:?}");
    }
}
