//! Bodies of responses: [`ResponseBody`] for hyper, and [`ResponseBudget`], which bounds the bytes that clients have
//! not read. When a body is dropped its connection is idle.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::connection::state::ConnectionState;
use super::connection::state::Phase;
use super::log_tail::LogTail;
use super::xml_response::{LogReader, StreamedXml};

/// What a body consists of.
pub(super) enum Content {
    /// A complete body.
    Whole(Bytes),
    /// A complete body of known length that is read from log files while it is sent.
    Xml(StreamedXml, Rc<LogReader>, Reserved),
    /// A log that is followed until the client closes the connection.
    LogTail(Box<LogTail>),
    /// Server-sent events.
    Stream(Box<dyn StreamBody>),
}

/// A body without a known end, produced piece by piece.
pub(super) trait StreamBody {
    /// The next piece; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

/// Counts the bytes of responses that clients have not read.
#[derive(Clone, Default)]
pub(super) struct ResponseBudget(Arc<AtomicUsize>);

/// Responses up to this size (bytes) are not counted; each connection has one at most.
const ALWAYS_ALLOWED: usize = 64 * 1024;

impl ResponseBudget {
    /// Counts the text until it has been sent; `None` if there would be more than `most` bytes. A response is always
    /// accepted if no other is counted, or if it is small: a client that does not read must not keep others from
    /// learning the results of their calls.
    pub(super) fn reserve_text(&self, text: String, most: usize) -> Option<Content> {
        let weight = self.reserve(text.len(), most)?;
        if weight.bytes == 0 {
            return Some(Content::Whole(Bytes::from(text)));
        }
        Some(Content::Whole(Bytes::from_owner(ReservedText { text, _reserved: weight })))
    }

    /// The same for XML that is sent in parts.
    pub(super) fn reserve_xml(
        &self,
        document: StreamedXml,
        reader: &Rc<LogReader>,
        most: usize,
    ) -> Option<Content> {
        let weight = self.reserve(document.bytes_in_memory(), most)?;
        Some(Content::Xml(document, Rc::clone(reader), weight))
    }

    fn reserve(&self, bytes: usize, most: usize) -> Option<Reserved> {
        let bytes = if bytes <= ALWAYS_ALLOWED { 0 } else { bytes };
        let before = self.0.load(Ordering::Relaxed);
        if bytes > 0 && before > 0 && before + bytes > most {
            return None;
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Some(Reserved { bytes, budget: self.clone() })
    }
}

/// Counts this many bytes until it is dropped.
pub(super) struct Reserved {
    bytes: usize,
    budget: ResponseBudget,
}

/// A text that is counted for as long as any part of it is alive.
struct ReservedText {
    text: String,
    _reserved: Reserved,
}

impl AsRef<[u8]> for ReservedText {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The body of a response, for hyper.
pub(super) struct ResponseBody {
    source: Source,
    state: Rc<ConnectionState>,
}

/// The chunk that is being read, and the XML after it.
type NextChunk = Pin<Box<dyn Future<Output = (io::Result<Bytes>, StreamedXml)>>>;

enum Source {
    Whole(Bytes),
    Xml { next: NextChunk, left: u64, reader: Rc<LogReader>, _weight: Reserved },
    LogTail(Pin<Box<dyn Future<Output = (Bytes, Box<LogTail>)>>>),
    Stream(Box<dyn StreamBody>),
}

impl ResponseBody {
    pub(super) fn new(content: Content, state: Rc<ConnectionState>) -> Self {
        let source = match content {
            Content::Whole(bytes) => Source::Whole(bytes),
            Content::Xml(document, reader, weight) => {
                let left = document.remaining();
                Source::Xml { next: read_next(document, &reader), left, reader, _weight: weight }
            }
            Content::LogTail(tail) => Source::LogTail(Box::pin(tail.next_chunk())),
            Content::Stream(live) => Source::Stream(live),
        };
        Self { source, state }
    }
}

/// Reads the next chunk.
fn read_next(mut document: StreamedXml, reader: &Rc<LogReader>) -> NextChunk {
    let reader = Rc::clone(reader);
    Box::pin(async move {
        let part = document.next(&reader).await;
        (part, document)
    })
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.state.phase() != Phase::Refused {
            self.state.enter(Phase::Idle);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Xml { left: 0, .. } => Poll::Ready(None),
            Source::Xml { next, left, reader, .. } => {
                let (part, document) = ready!(next.as_mut().poll(cx));
                *left = document.remaining();
                *next = read_next(document, reader);
                Poll::Ready(Some(part.map(Frame::data)))
            }
            Source::LogTail(next) => {
                let (bytes, tail) = ready!(next.as_mut().poll(cx));
                *next = Box::pin(tail.next_chunk());
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::Stream(live) => live.poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Xml { left, .. } => *left == 0,
            Source::LogTail(_) | Source::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Xml { left, .. } => SizeHint::with_exact(*left),
            Source::LogTail(_) | Source::Stream(_) => SizeHint::default(),
        }
    }
}
