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

use super::connection::state::{ConnectionState, Phase};
use super::xml_response::{LogReader, StreamedXml};

/// What a body consists of.
pub(super) enum Content {
    /// A complete body.
    Whole(Bytes),
    /// A complete body of known length that is read from log files while it is sent.
    Xml { next: NextChunk, left: u64, reader: Rc<LogReader>, _reserved: Reserved },
    /// A body without a known end, and the phase of its connection: a followed log, or server-sent events.
    Stream(Phase, NextPiece),
}

/// A body without a known end, produced piece by piece.
pub(super) trait StreamBody {
    /// Waits for the next piece; gives it and the rest of the body. `None` at the end.
    fn next(self: Box<Self>) -> NextPiece;
}

pub(super) type NextPiece = Pin<Box<dyn Future<Output = Option<(Bytes, Box<dyn StreamBody>)>>>>;

/// Counts the bytes of responses that clients have not read.
#[derive(Clone, Default)]
pub(super) struct ResponseBudget(Arc<AtomicUsize>);

/// Responses up to this size (bytes) are not counted; each connection has one at most.
const ALWAYS_ALLOWED: usize = 64 * 1024;

impl ResponseBudget {
    /// Counts the bytes until they have been sent; `None` if there would be more than `most`. A response is always
    /// accepted if no other is counted, or if it is small: a client that does not read must not keep others from
    /// learning the results of their calls.
    pub(super) fn reserve_whole(&self, bytes: Bytes, most: usize) -> Option<Bytes> {
        let reserved = self.reserve(bytes.len(), most)?;
        Some(if reserved.bytes == 0 { bytes } else { Bytes::from_owner(ReservedBytes(bytes, reserved)) })
    }

    /// The same for XML that is sent in parts.
    pub(super) fn reserve_xml(
        &self,
        document: StreamedXml,
        reader: &Rc<LogReader>,
        most: usize,
    ) -> Option<Content> {
        let reserved = self.reserve(document.bytes_in_memory(), most)?;
        let left = document.remaining();
        let (next, reader) = (read_next(document, reader), Rc::clone(reader));
        Some(Content::Xml { next, left, reader, _reserved: reserved })
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

/// Bytes that are counted for as long as any part of them is alive.
struct ReservedBytes(Bytes, #[expect(dead_code, reason = "it is dropped with the bytes")] Reserved);

impl AsRef<[u8]> for ReservedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The body of a response, for hyper.
pub(super) struct ResponseBody {
    pub(super) content: Content,
    pub(super) state: Rc<ConnectionState>,
}

/// The chunk that is being read, and the XML after it.
type NextChunk = Pin<Box<dyn Future<Output = (io::Result<Bytes>, StreamedXml)>>>;

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
        match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Xml { left: 0, .. } => Poll::Ready(None),
            Content::Xml { next, left, reader, .. } => {
                let (part, document) = ready!(next.as_mut().poll(cx));
                *left = document.remaining();
                *next = read_next(document, reader);
                Poll::Ready(Some(part.map(Frame::data)))
            }
            Content::Stream(_, next) => {
                let Some((bytes, rest)) = ready!(next.as_mut().poll(cx)) else {
                    self.content = Content::Whole(Bytes::new());
                    return Poll::Ready(None);
                };
                *next = rest.next();
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Xml { left, .. } => *left == 0,
            Content::Stream(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Xml { left, .. } => SizeHint::with_exact(*left),
            Content::Stream(..) => SizeHint::default(),
        }
    }
}
