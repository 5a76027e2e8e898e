//! The body of an answer. When it has gone out, its connection is idle again.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::document::{Document, LogReader};
use super::phase::Phase;
use super::pulse::Pulse;
use super::tail::Tail;

/// What is sent.
pub(super) enum Content {
    /// All of it, once.
    Whole(Bytes),
    /// All of it, in parts that are read when they are wanted. The last is what its parts in memory weigh.
    InParts(Document, Rc<LogReader>, Weight),
    /// A log, for as long as the client stays.
    Log(Box<Tail>),
    /// What happens, for as long as it goes on.
    Live(Box<dyn Live>),
}

/// An answer that is never whole: there is more whenever something happens.
pub(super) trait Live {
    /// The next part; nothing at the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

/// How many bytes of answers lie here because their clients have not taken them.
#[derive(Clone, Default)]
pub(super) struct Burden(Arc<AtomicUsize>);

/// An answer of this size (bytes) is not counted; each connection has one at most.
const SMALL: usize = 64 * 1024;

impl Burden {
    /// Takes the text as an answer's content until it has been sent; nothing where there would be more than `most`.
    /// What comes alone is always taken, and what is small: whoever leaves much untaken must not keep others from being
    /// told what came of their calls.
    pub(super) fn add(&self, text: String, most: usize) -> Option<Content> {
        let weight = self.weigh(text.len(), most)?;
        if weight.bytes == 0 {
            return Some(Content::Whole(Bytes::from(text)));
        }
        Some(Content::Whole(Bytes::from_owner(Weighed { text, _weight: weight })))
    }

    /// The same for an answer that is sent in parts.
    pub(super) fn add_parts(
        &self,
        document: Document,
        reader: &Rc<LogReader>,
        most: usize,
    ) -> Option<Content> {
        let weight = self.weigh(document.weight(), most)?;
        Some(Content::InParts(document, Rc::clone(reader), weight))
    }

    fn weigh(&self, bytes: usize, most: usize) -> Option<Weight> {
        let bytes = if bytes <= SMALL { 0 } else { bytes };
        let before = self.0.load(Ordering::Relaxed);
        if bytes > 0 && before > 0 && before + bytes > most {
            return None;
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Some(Weight { bytes, burden: self.clone() })
    }
}

/// So much counts as a burden until this is dropped (bytes).
pub(super) struct Weight {
    bytes: usize,
    burden: Burden,
}

/// A text that is counted for as long as any part of it is kept.
struct Weighed {
    text: String,
    _weight: Weight,
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.burden.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// An answer's body.
pub(super) struct Answer {
    source: Source,
    pulse: Rc<Pulse>,
}

/// A part of an answer that is being read, and what comes after it.
type Reading = Pin<Box<dyn Future<Output = (io::Result<Bytes>, Document)>>>;

enum Source {
    Whole(Bytes),
    InParts { next: Reading, left: u64, reader: Rc<LogReader>, _weight: Weight },
    Log(Pin<Box<dyn Future<Output = (Bytes, Box<Tail>)>>>),
    Live(Box<dyn Live>),
}

impl Answer {
    pub(super) fn new(content: Content, pulse: Rc<Pulse>) -> Self {
        let source = match content {
            Content::Whole(bytes) => Source::Whole(bytes),
            Content::InParts(document, reader, weight) => {
                let left = document.left();
                Source::InParts { next: reading(document, &reader), left, reader, _weight: weight }
            }
            Content::Log(tail) => Source::Log(Box::pin(tail.next())),
            Content::Live(live) => Source::Live(live),
        };
        Self { source, pulse }
    }
}

/// Reads the next part.
fn reading(mut document: Document, reader: &Rc<LogReader>) -> Reading {
    let reader = Rc::clone(reader);
    Box::pin(async move {
        let part = document.next(&reader).await;
        (part, document)
    })
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.pulse.phase() != Phase::Refused {
            self.pulse.enter(Phase::Idle);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::InParts { left: 0, .. } => Poll::Ready(None),
            Source::InParts { next, left, reader, .. } => {
                let (part, document) = ready!(next.as_mut().poll(cx));
                *left = document.left();
                *next = reading(document, reader);
                Poll::Ready(Some(part.map(Frame::data)))
            }
            Source::Log(next) => {
                let (bytes, tail) = ready!(next.as_mut().poll(cx));
                *next = Box::pin(tail.next());
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::Live(live) => live.poll_more(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::InParts { left, .. } => *left == 0,
            Source::Log(_) | Source::Live(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::InParts { left, .. } => SizeHint::with_exact(*left),
            Source::Log(_) | Source::Live(_) => SizeHint::default(),
        }
    }
}
