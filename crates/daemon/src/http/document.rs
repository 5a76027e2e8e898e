//! The answer to a call as it is sent. A long log stays in its file until then: nothing else of it is in memory than
//! the piece that is on its way, however long the log is and however many clients read it.
//!
//! ```text
//!   owner: path ──▶ open, measure ──▶ head with Content-Length ──▶ piece ──▶ piece ──▶ …
//!                   (log-reader)                                  (log-reader, as the client takes them)
//! ```
//!
//! A log is read twice, because HTTP wants the length first and only reading tells how long its text will be in XML.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::rc::Rc;

use hyper::body::Bytes;
use ironlance_rpc::text_encoder::TextEncoder;
use ironlance_rpc::{Fault, FaultKind, Value, write};
use tokio::sync::{mpsc, oneshot};

use super::offload::Offload;
use crate::inbox::Input;
use crate::log::read_back::{self, FileRange, ReadFault};
use crate::request::{LogId, LogLocation, LogPart, LogRequest};

/// So much of a log is read at a time, in bytes. In XML it is up to three times as long.
const PIECE: usize = 64 * 1024;
/// So many logs that are longer than a piece may be open for clients, at one server. Each takes a descriptor.
const OPEN: usize = 64;

/// Reads logs for the clients of one server.
pub(super) struct LogReader {
    owner: mpsc::Sender<Input>,
    thread: Offload,
    open: Rc<Cell<usize>>,
}

/// Counts a log as open for a client, until it is dropped.
pub(super) struct OpenedLog(Rc<Cell<usize>>);

impl Drop for OpenedLog {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What a call came to.
pub(super) enum Told {
    Value(Value),
    /// A part of a log.
    Log(LogText),
    /// The end of a log, where to go on, and whether there is more.
    Tail(LogText, i64, bool),
    /// The results of several calls.
    Each(Vec<Told>),
}

/// Text from a log, as it is in XML.
pub(super) enum LogText {
    /// A short one.
    Here(String),
    /// One that is in its file; `length` bytes in XML.
    InFile { excerpt: FileRange, length: u64, opened: OpenedLog },
}

impl LogReader {
    /// The owner is asked where logs are.
    pub(super) fn new(owner: mpsc::Sender<Input>) -> Self {
        Self { owner, thread: Offload::default(), open: Rc::default() }
    }

    /// Where a log is; nothing where there is no owner any more.
    pub(super) async fn place(&self, what: LogId) -> Option<LogLocation> {
        let (reply, answer) = oneshot::channel();
        self.owner.send(Input::LocateLog { what, reply }).await.ok()?;
        answer.await.ok()
    }

    /// The answer to a call that reads a log.
    ///
    /// # Errors
    /// The original's faults: `SHUTDOWN_STATE`, `BAD_NAME`, `NO_FILE`, `BAD_ARGUMENTS`, `FAILED`; and `FAILED` with the
    /// reason where too many long logs are open.
    pub(super) async fn told(&self, wish: LogRequest) -> Result<Told, Fault> {
        match self.find(wish).await? {
            Found::Part(excerpt) => Ok(Told::Log(self.measured(excerpt).await?)),
            Found::End(None, offset, overflow) => {
                Ok(Told::Tail(LogText::Here(String::new()), offset, overflow))
            }
            Found::End(Some(excerpt), offset, overflow) => {
                Ok(Told::Tail(self.measured(excerpt).await?, offset, overflow))
            }
        }
    }

    /// A part of a log as it can be shown, by `show`, which is called with its bytes on the thread for it.
    ///
    /// # Errors
    /// As above.
    pub(super) async fn shown(
        &self,
        wish: LogRequest,
        show: impl FnOnce(&[u8]) -> String + Send + 'static,
    ) -> Result<String, Fault> {
        let (Found::Part(excerpt) | Found::End(Some(excerpt), ..)) = self.find(wish).await? else {
            return Ok(String::new());
        };
        let read = self.thread.run(move || excerpt.all().map(|bytes| show(&bytes)));
        read.await.and_then(|read| read).map_err(|_| failed())
    }

    async fn find(&self, wish: LogRequest) -> Result<Found, Fault> {
        let place = self.place(wish.log).await.filter(|place| !place.stopping);
        let path = place.ok_or_else(|| FaultKind::ShutdownState.bare())?.path?;
        self.thread.run(move || find(path.as_deref(), wish.part)).await.map_err(|_| failed())?
    }

    /// The text of a part: at once where it is short, else how long it will be.
    async fn measured(&self, excerpt: FileRange) -> Result<LogText, Fault> {
        if excerpt.len() <= PIECE as u64 {
            let read = self.thread.run(move || Piece::of(excerpt).next());
            let piece = read.await.and_then(|read| read).map_err(|_| failed())?;
            return Ok(LogText::Here(piece.text));
        }
        if self.open.get() >= OPEN {
            return Err(
                FaultKind::Failed.about("cannot read this log now: too many long logs are being read")
            );
        }
        self.open.set(self.open.get() + 1);
        let opened = OpenedLog(Rc::clone(&self.open));
        let (mut length, mut piece) = (0, Piece::of(excerpt.clone()));
        while !piece.is_last {
            let read = self.thread.run(move || piece.next());
            piece = read.await.and_then(|read| read).map_err(|_| failed())?;
            length += piece.text.len() as u64;
        }
        Ok(LogText::InFile { excerpt, length, opened })
    }
}

fn failed() -> Fault {
    FaultKind::Failed.bare()
}

/// What a client wants of a log, found in its file.
enum Found {
    Part(FileRange),
    End(Option<FileRange>, i64, bool),
}

/// Opens a log, as the original does it (rpcinterface.py, `_readProcessLog` and `_tailProcessLog`).
fn find(path: Option<&Path>, part: LogPart) -> Result<Found, Fault> {
    let there = path.filter(|path| path.exists());
    match (part, there) {
        (LogPart::Read { offset, length }, Some(there)) => {
            match read_back::read_file(there, offset, length) {
                Ok(excerpt) => Ok(Found::Part(excerpt)),
                Err(ReadFault::BadArguments) => Err(FaultKind::BadArguments.bare()),
                Err(ReadFault::Failed) => Err(failed()),
            }
        }
        (LogPart::Read { .. }, None) => Err(match path {
            Some(path) => FaultKind::NoFile.about(path.display()),
            None => FaultKind::NoFile.bare(),
        }),
        (LogPart::Tail { offset, length }, Some(there)) => {
            let found = read_back::tail_file(there, offset, length);
            Ok(Found::End(found.range, found.offset, found.overflow))
        }
        (LogPart::Tail { .. }, None) => Ok(Found::End(None, 0, false)),
    }
}

/// The text of one piece of a log, and what is needed for the next.
struct Piece {
    text: String,
    is_last: bool,
    excerpt: FileRange,
    encoder: TextEncoder,
    /// What is read into; kept for its room.
    bytes: Vec<u8>,
}

impl Piece {
    /// Before the first.
    fn of(excerpt: FileRange) -> Self {
        let (text, bytes) = (String::new(), Vec::new());
        Self { text, is_last: false, excerpt, encoder: TextEncoder::default(), bytes }
    }

    fn next(mut self) -> io::Result<Self> {
        self.text.clear();
        self.bytes.clear();
        self.excerpt.read(PIECE, &mut self.bytes)?;
        self.encoder.push(&self.bytes, &mut self.text);
        self.is_last = self.excerpt.is_empty();
        if self.is_last {
            std::mem::take(&mut self.encoder).finish(&mut self.text);
        }
        Ok(self)
    }
}

impl Told {
    /// About how many bytes of XML this will be.
    pub(super) fn size_hint(&self) -> u64 {
        match self {
            Self::Value(value) => write::size_hint(value) as u64,
            Self::Log(text) => text.len() + 34,
            Self::Tail(text, ..) => text.len() + 126,
            Self::Each(all) => all.iter().map(Self::size_hint).sum(),
        }
    }
}

impl LogText {
    fn len(&self) -> u64 {
        match self {
            Self::Here(text) => text.len() as u64,
            Self::InFile { length, .. } => *length,
        }
    }
}

/// An answer with a log in it that is still in its file.
pub(super) struct Document {
    parts: VecDeque<Part>,
    left: u64,
}

enum Part {
    Text(String),
    Log { piece: Piece, left: u64, opened: OpenedLog },
}

/// An answer, made or to be made while it is sent.
pub(super) enum Made {
    Whole(String),
    InParts(Document),
}

/// The answer with a result.
pub(super) fn response(told: Told) -> Made {
    let mut maker = Maker { parts: VecDeque::new(), text: String::new() };
    maker.text.reserve(usize::try_from(told.size_hint().min(1 << 20)).unwrap_or_default());
    maker.text.push_str(write::RESPONSE.0);
    maker.push(told);
    maker.text.push_str(write::RESPONSE.1);
    if maker.parts.is_empty() {
        return Made::Whole(maker.text);
    }
    maker.parts.push_back(Part::Text(maker.text));
    let left = maker.parts.iter().map(Part::len).sum();
    Made::InParts(Document { parts: maker.parts, left })
}

struct Maker {
    parts: VecDeque<Part>,
    text: String,
}

impl Maker {
    fn push(&mut self, told: Told) {
        match told {
            Told::Value(value) => write::value(&mut self.text, &value),
            Told::Log(log) => self.push_log(log),
            Told::Tail(log, offset, overflow) => {
                self.text.push_str(write::ARRAY.0);
                self.push_log(log);
                write::value(&mut self.text, &Value::Int(offset));
                write::value(&mut self.text, &Value::Bool(overflow));
                self.text.push_str(write::ARRAY.1);
            }
            Told::Each(all) => {
                self.text.push_str(write::ARRAY.0);
                all.into_iter().for_each(|one| self.push(one));
                self.text.push_str(write::ARRAY.1);
            }
        }
    }

    fn push_log(&mut self, log: LogText) {
        self.text.push_str(write::STRING.0);
        match log {
            LogText::Here(text) => self.text.push_str(&text),
            LogText::InFile { excerpt, length, opened } => {
                self.parts.push_back(Part::Text(std::mem::take(&mut self.text)));
                self.parts.push_back(Part::Log { piece: Piece::of(excerpt), left: length, opened });
            }
        }
        self.text.push_str(write::STRING.1);
    }
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Log { left, .. } => *left,
        }
    }
}

impl Document {
    /// How many bytes are still to be sent.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// How many bytes of it are in memory.
    pub(super) fn weight(&self) -> usize {
        let here = |part: &Part| if let Part::Text(text) = part { text.len() } else { 0 };
        self.parts.iter().map(here).sum()
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// A log cannot be read any more, or has become another than it was when it was measured. What was promised cannot
    /// be kept then, and the connection has to be cut for the client to notice.
    pub(super) async fn next(&mut self, reader: &LogReader) -> io::Result<Bytes> {
        loop {
            let bytes: Bytes = match self.parts.pop_front() {
                None => return Ok(Bytes::new()),
                Some(Part::Text(text)) => text.into(),
                Some(Part::Log { piece, left, opened }) => {
                    let mut piece = reader.thread.run(move || piece.next()).await??;
                    let text = std::mem::take(&mut piece.text);
                    let left = left.checked_sub(text.len() as u64).ok_or_else(changed)?;
                    if !piece.is_last {
                        self.parts.push_front(Part::Log { piece, left, opened });
                    } else if left > 0 {
                        return Err(changed());
                    }
                    text.into()
                }
            };
            self.left -= bytes.len() as u64;
            if !bytes.is_empty() {
                return Ok(bytes);
            }
        }
    }
}

fn changed() -> io::Error {
    io::Error::other("cannot send this log to its end: it was changed meanwhile")
}
