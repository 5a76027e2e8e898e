//! Responses to calls: [`MethodResult`] becomes [`XmlResponse`]; [`LogReader`] finds and reads logs. A long log stays
//! in its file until it is sent: only the chunk being sent is in memory, whatever the length of the log and the number
//! of clients.
//!
//! ```text
//!   owner: path ──▶ open, measure ──▶ head with Content-Length ──▶ chunk ──▶ chunk ──▶ …
//!                   (worker thread)                               (worker thread, as the client reads)
//! ```
//!
//! A log is read twice, because HTTP wants the length first and the length of its XML is known only after reading.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use hyper::body::Bytes;
use ironlance_rpc::text_encoder::TextEncoder;
use ironlance_rpc::{Fault, FaultKind, Value, write};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::owner::OwnerClient;
use super::worker_thread::WorkerThread;
use crate::log::read_back::{self, FileRange};
use crate::request::{LogPart, LogRequest};

/// Chunk size in bytes. In XML a chunk is up to three times as long.
const CHUNK: usize = 64 * 1024;
/// How many logs longer than a chunk may be open for clients of one server. Each takes a descriptor.
const MAX_OPEN_LOGS: usize = 64;

/// Reads logs for the clients of one server.
pub(super) struct LogReader {
    owner: OwnerClient,
    worker: WorkerThread,
    /// One permit per long log that is open.
    open_logs: Arc<Semaphore>,
}

/// The result of a call.
pub(super) enum MethodResult {
    Value(Value),
    /// A part of a log.
    Log(LogText),
    /// The end of a log, the next offset, and whether bytes were skipped.
    Tail(LogText, i64, bool),
    /// The results of `system.multicall`.
    Multicall(Vec<MethodResult>),
}

/// Text of a log, encoded for XML.
pub(super) enum LogText {
    /// A short text.
    Short(String),
    /// A text that is still in its file; `length` bytes in XML.
    InFile { excerpt: FileRange, length: u64, opened: OwnedSemaphorePermit },
}

impl LogReader {
    /// A reader that asks the owner for the paths of logs.
    pub(super) fn new(owner: OwnerClient) -> Self {
        Self { owner, worker: WorkerThread::default(), open_logs: Arc::new(Semaphore::new(MAX_OPEN_LOGS)) }
    }

    /// The result of a call that reads a log.
    ///
    /// # Errors
    /// The original's faults: `SHUTDOWN_STATE`, `BAD_NAME`, `NO_FILE`, `BAD_ARGUMENTS`, `FAILED`; and `FAILED` with the
    /// reason if too many long logs are open.
    pub(super) async fn read(&self, request: LogRequest) -> Result<MethodResult, Fault> {
        match self.find(request).await? {
            FoundLog::Part(excerpt) => Ok(MethodResult::Log(self.measure(excerpt).await?)),
            FoundLog::Tail(None, offset, overflow) => {
                Ok(MethodResult::Tail(LogText::Short(String::new()), offset, overflow))
            }
            FoundLog::Tail(Some(excerpt), offset, overflow) => {
                Ok(MethodResult::Tail(self.measure(excerpt).await?, offset, overflow))
            }
        }
    }

    /// A part of a log, rendered by `show`, which runs on the worker thread.
    ///
    /// # Errors
    /// As above.
    pub(super) async fn read_with(
        &self,
        request: LogRequest,
        show: impl FnOnce(&[u8]) -> String + Send + 'static,
    ) -> Result<String, Fault> {
        let (FoundLog::Part(excerpt) | FoundLog::Tail(Some(excerpt), ..)) = self.find(request).await? else {
            return Ok(String::new());
        };
        let read = self.worker.run(move || excerpt.all().map(|bytes| show(&bytes)));
        read.await.and_then(|read| read).map_err(|_| failed())
    }

    async fn find(&self, request: LogRequest) -> Result<FoundLog, Fault> {
        let location = self.owner.locate_log(request.log).await.filter(|location| !location.stopping);
        let path = location.ok_or_else(|| FaultKind::ShutdownState.bare())?.path?;
        self.worker.run(move || find(path.as_deref(), request.part)).await.map_err(|_| failed())?
    }

    /// The text of a part if it is short, otherwise its length in XML.
    async fn measure(&self, excerpt: FileRange) -> Result<LogText, Fault> {
        if excerpt.len() <= CHUNK as u64 {
            let read = self.worker.run(move || LogChunk::before_first(excerpt).next());
            let piece = read.await.and_then(|read| read).map_err(|_| failed())?;
            return Ok(LogText::Short(piece.text));
        }
        let Ok(opened) = Arc::clone(&self.open_logs).try_acquire_owned() else {
            return Err(
                FaultKind::Failed.about("cannot read this log now: too many long logs are being read")
            );
        };
        let (mut length, mut piece) = (0, LogChunk::before_first(excerpt.clone()));
        while !piece.is_last {
            let read = self.worker.run(move || piece.next());
            piece = read.await.and_then(|read| read).map_err(|_| failed())?;
            length += piece.text.len() as u64;
        }
        Ok(LogText::InFile { excerpt, length, opened })
    }
}

fn failed() -> Fault {
    FaultKind::Failed.bare()
}

/// A part of a log, found in its file.
enum FoundLog {
    Part(FileRange),
    Tail(Option<FileRange>, i64, bool),
}

/// Opens a log, as the original does it (rpcinterface.py, `_readProcessLog` and `_tailProcessLog`).
fn find(path: Option<&Path>, part: LogPart) -> Result<FoundLog, Fault> {
    let there = path.filter(|path| path.exists());
    match (part, there) {
        (LogPart::Read { offset, length }, Some(there)) => {
            let range = read_back::read_file(there, offset, length);
            range.map(FoundLog::Part).map_err(FaultKind::bare)
        }
        (LogPart::Read { .. }, None) => Err(match path {
            Some(path) => FaultKind::NoFile.about(path.display()),
            None => FaultKind::NoFile.bare(),
        }),
        (LogPart::Tail { offset, length }, Some(there)) => {
            let found = read_back::tail_file(there, offset, length);
            Ok(FoundLog::Tail(found.range, found.offset, found.overflow))
        }
        (LogPart::Tail { .. }, None) => Ok(FoundLog::Tail(None, 0, false)),
    }
}

/// The text of one chunk of a log, and what the next chunk needs.
struct LogChunk {
    text: String,
    is_last: bool,
    excerpt: FileRange,
    encoder: TextEncoder,
    /// The read buffer, reused.
    bytes: Vec<u8>,
}

impl LogChunk {
    /// The state before the first chunk.
    fn before_first(excerpt: FileRange) -> Self {
        let (text, bytes) = (String::new(), Vec::new());
        Self { text, is_last: false, excerpt, encoder: TextEncoder::default(), bytes }
    }

    fn next(mut self) -> io::Result<Self> {
        self.text.clear();
        self.bytes.clear();
        self.excerpt.read(CHUNK, &mut self.bytes)?;
        self.encoder.push(&self.bytes, &mut self.text);
        self.is_last = self.excerpt.is_empty();
        if self.is_last {
            std::mem::take(&mut self.encoder).finish(&mut self.text);
        }
        Ok(self)
    }
}

impl MethodResult {
    /// An estimate of its bytes in XML.
    pub(super) fn size_hint(&self) -> u64 {
        match self {
            Self::Value(value) => write::size_hint(value) as u64,
            Self::Log(text) => text.len() + 34,
            Self::Tail(text, ..) => text.len() + 126,
            Self::Multicall(all) => all.iter().map(Self::size_hint).sum(),
        }
    }
}

impl LogText {
    fn len(&self) -> u64 {
        match self {
            Self::Short(text) => text.len() as u64,
            Self::InFile { length, .. } => *length,
        }
    }
}

/// XML in parts, some of which are still in log files.
pub(super) struct StreamedXml {
    parts: VecDeque<XmlPart>,
    remaining: u64,
}

enum XmlPart {
    Text(String),
    Log { piece: LogChunk, left: u64, opened: OwnedSemaphorePermit },
}

/// The XML of a result.
pub(super) enum XmlResponse {
    Whole(String),
    Streamed(StreamedXml),
}

/// Encodes a result.
pub(super) fn response(result: MethodResult) -> XmlResponse {
    let mut maker = XmlWriter { parts: VecDeque::new(), text: String::new() };
    maker.text.reserve(usize::try_from(result.size_hint().min(1 << 20)).unwrap_or_default());
    maker.text.push_str(write::RESPONSE.0);
    maker.push(result);
    maker.text.push_str(write::RESPONSE.1);
    if maker.parts.is_empty() {
        return XmlResponse::Whole(maker.text);
    }
    maker.parts.push_back(XmlPart::Text(maker.text));
    let left = maker.parts.iter().map(XmlPart::len).sum();
    XmlResponse::Streamed(StreamedXml { parts: maker.parts, remaining: left })
}

struct XmlWriter {
    parts: VecDeque<XmlPart>,
    text: String,
}

impl XmlWriter {
    fn push(&mut self, result: MethodResult) {
        match result {
            MethodResult::Value(value) => write::value(&mut self.text, &value),
            MethodResult::Log(log) => self.push_log(log),
            MethodResult::Tail(log, offset, overflow) => {
                self.text.push_str(write::ARRAY.0);
                self.push_log(log);
                write::value(&mut self.text, &Value::Int(offset));
                write::value(&mut self.text, &Value::Bool(overflow));
                self.text.push_str(write::ARRAY.1);
            }
            MethodResult::Multicall(all) => {
                self.text.push_str(write::ARRAY.0);
                all.into_iter().for_each(|one| self.push(one));
                self.text.push_str(write::ARRAY.1);
            }
        }
    }

    fn push_log(&mut self, log: LogText) {
        self.text.push_str(write::STRING.0);
        match log {
            LogText::Short(text) => self.text.push_str(&text),
            LogText::InFile { excerpt, length, opened } => {
                self.parts.push_back(XmlPart::Text(std::mem::take(&mut self.text)));
                self.parts.push_back(XmlPart::Log {
                    piece: LogChunk::before_first(excerpt),
                    left: length,
                    opened,
                });
            }
        }
        self.text.push_str(write::STRING.1);
    }
}

impl XmlPart {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Log { left, .. } => *left,
        }
    }
}

impl StreamedXml {
    /// How many bytes are left to send.
    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// How many bytes of it are in memory.
    pub(super) fn bytes_in_memory(&self) -> usize {
        let here = |part: &XmlPart| if let XmlPart::Text(text) = part { text.len() } else { 0 };
        self.parts.iter().map(here).sum()
    }

    /// The next bytes; empty at the end.
    ///
    /// # Errors
    /// A log cannot be read any more, or has changed since it was measured. The announced length cannot be kept then,
    /// and the connection must be cut so that the client notices.
    pub(super) async fn next(&mut self, reader: &LogReader) -> io::Result<Bytes> {
        loop {
            let bytes: Bytes = match self.parts.pop_front() {
                None => return Ok(Bytes::new()),
                Some(XmlPart::Text(text)) => text.into(),
                Some(XmlPart::Log { piece, left, opened }) => {
                    let mut piece = reader.worker.run(move || piece.next()).await??;
                    let text = std::mem::take(&mut piece.text);
                    let left = left.checked_sub(text.len() as u64).ok_or_else(changed)?;
                    if !piece.is_last {
                        self.parts.push_front(XmlPart::Log { piece, left, opened });
                    } else if left > 0 {
                        return Err(changed());
                    }
                    text.into()
                }
            };
            self.remaining -= bytes.len() as u64;
            if !bytes.is_empty() {
                return Ok(bytes);
            }
        }
    }
}

fn changed() -> io::Error {
    io::Error::other("cannot send this log to its end: it was changed meanwhile")
}
