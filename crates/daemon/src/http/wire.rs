//! The bytes of a connection, with the time limits that hyper does not have.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::phase::Phase;
use super::pulse::Pulse;

/// A stream whose peer has to be quick enough. Clones are the same stream.
pub(super) struct Wire<S>(Rc<RefCell<Line<S>>>);

impl<S> Clone for Wire<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

struct Line<S> {
    stream: S,
    pulse: Rc<Pulse>,
    reading: Alarm,
    writing: Alarm,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, pulse: Rc<Pulse>) -> Self {
        let (reading, writing) = (Alarm::default(), Alarm::default());
        Self(Rc::new(RefCell::new(Line { stream, pulse, reading, writing })))
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Ends when a client that follows a log, or what happens, has hung up.
    ///
    /// hyper looks for that only while it holds no bytes that it has not used, and supervisorctl sends an empty line
    /// behind its request; a log that does not grow would be followed for ever. Whatever comes is dropped here: a
    /// following ends with its connection, so there is no request after it.
    ///
    /// It has to be polled after hyper, in the same task.
    pub(super) async fn follower_gone(&self) {
        poll_fn(|cx| {
            let line = &mut *self.0.borrow_mut();
            while line.pulse.is_following() {
                let mut bytes = [0; 256];
                let mut buf = ReadBuf::new(&mut bytes);
                let outcome = ready!(Pin::new(&mut line.stream).poll_read(cx, &mut buf));
                if outcome.is_err() || buf.filled().is_empty() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Ends what is sent, and throws away what still comes, until the peer hangs up or has sent `most` bytes. A socket
    /// that is closed with bytes in it takes back what was sent last, which is the reason why we close.
    pub(super) async fn linger(&self, most: usize) {
        let mut left = most;
        poll_fn(|cx| {
            let line = &mut *self.0.borrow_mut();
            // What cannot be ended has ended.
            let _ = ready!(Pin::new(&mut line.stream).poll_shutdown(cx));
            while left > 0 {
                let mut bytes = [0; 4096];
                let mut buf = ReadBuf::new(&mut bytes);
                let outcome = ready!(Pin::new(&mut line.stream).poll_read(cx, &mut buf));
                if outcome.is_err() || buf.filled().is_empty() {
                    break;
                }
                left = left.saturating_sub(buf.filled().len());
            }
            Poll::Ready(())
        })
        .await;
    }
}

impl<S> Line<S> {
    /// The peer gives nothing.
    fn wait_for_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(deadline) = self.pulse.read_deadline() else {
            self.reading.off();
            return Poll::Pending;
        };
        ready!(self.reading.poll(deadline, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// What a write came to: a peer that takes nothing for too long is given up.
    fn wrote<T>(&mut self, outcome: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.writing.off();
            self.pulse.flows();
            return outcome;
        }
        self.pulse.sticks();
        let deadline = self.writing.deadline().unwrap_or_else(|| Instant::now() + self.pulse.stall());
        ready!(self.writing.poll(deadline, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = &mut *self.0.borrow_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut line.stream).poll_read(cx, buf);
        if outcome.is_pending() {
            return line.wait_for_more(cx);
        }
        if buf.filled().len() > before && matches!(line.pulse.phase(), Phase::Fresh | Phase::Idle) {
            line.pulse.enter(Phase::Head);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let line = &mut *self.0.borrow_mut();
        let outcome = Pin::new(&mut line.stream).poll_write(cx, buf);
        line.wrote(outcome, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = &mut *self.0.borrow_mut();
        let outcome = Pin::new(&mut line.stream).poll_write_vectored(cx, bufs);
        line.wrote(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_shutdown(cx)
    }
}

/// A timer that exists only while somebody waits.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn off(&mut self) {
        self.0 = None;
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().map(|sleep| sleep.deadline())
    }

    fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}
