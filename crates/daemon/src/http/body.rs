//! The body of an answer. When it has gone out, its connection is idle again.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::pulse::{Phase, Pulse};
use super::tail::Tail;

/// What is sent.
pub(super) enum Content {
    /// All of it, once.
    Whole(Bytes),
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
        if text.len() <= SMALL {
            return Some(Content::Whole(Bytes::from(text)));
        }
        let before = self.0.load(Ordering::Relaxed);
        if before > 0 && before + text.len() > most {
            return None;
        }
        self.0.fetch_add(text.len(), Ordering::Relaxed);
        Some(Content::Whole(Bytes::from_owner(Weighed { text, burden: self.clone() })))
    }
}

/// A text that is counted for as long as any part of it is kept.
struct Weighed {
    text: String,
    burden: Burden,
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Drop for Weighed {
    fn drop(&mut self) {
        self.burden.0.fetch_sub(self.text.len(), Ordering::Relaxed);
    }
}

/// An answer's body.
pub(super) struct Answer {
    source: Source,
    pulse: Rc<Pulse>,
}

enum Source {
    Whole(Bytes),
    Log(Pin<Box<dyn Future<Output = (Bytes, Box<Tail>)>>>),
    Live(Box<dyn Live>),
}

impl Answer {
    pub(super) fn new(content: Content, pulse: Rc<Pulse>) -> Self {
        let source = match content {
            Content::Whole(bytes) => Source::Whole(bytes),
            Content::Log(tail) => Source::Log(Box::pin(tail.next())),
            Content::Live(live) => Source::Live(live),
        };
        Self { source, pulse }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.pulse.enter(Phase::Idle);
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Log(next) => {
                let (bytes, tail) = ready!(next.as_mut().poll(cx));
                *next = Box::pin(tail.next());
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::Live(live) => live.poll_more(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.source, Source::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Log(_) | Source::Live(_) => SizeHint::default(),
        }
    }
}
