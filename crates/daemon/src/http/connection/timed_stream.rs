//! A byte stream with the time limits that hyper does not have: [`TimedStream`], between a socket and hyper.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::state::{ConnectionState, Phase};

/// A stream whose reads and writes time out. Clones are the same stream.
pub(in crate::http) struct TimedStream<S>(Rc<RefCell<Inner<S>>>);

impl<S> Clone for TimedStream<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

struct Inner<S> {
    stream: S,
    state: Rc<ConnectionState>,
    read_timer: Timer,
    write_timer: Timer,
}

impl<S> TimedStream<S> {
    pub(in crate::http) fn new(stream: S, state: Rc<ConnectionState>) -> Self {
        let (reading, writing) = (Timer::default(), Timer::default());
        Self(Rc::new(RefCell::new(Inner { stream, state, read_timer: reading, write_timer: writing })))
    }
}

impl<S: AsyncRead + Unpin> TimedStream<S> {
    /// Returns when the client of a stream (log or events) has closed its side. Must be polled after hyper, in the same
    /// task.
    ///
    /// hyper notices a closed connection only while its read buffer is empty, and supervisorctl sends an empty line
    /// after its request; a log that does not grow would be followed for ever. Bytes that arrive are discarded: a
    /// stream ends with its connection, so no request follows it.
    pub(in crate::http) async fn stream_reader_gone(&self) {
        poll_fn(|cx| {
            let line = &mut *self.0.borrow_mut();
            while line.state.is_streaming() {
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

impl<S: AsyncRead + AsyncWrite + Unpin> TimedStream<S> {
    /// Shuts down the sending side and discards what is received, until the peer closes its side or has sent `most`
    /// bytes. If a socket is closed with unread bytes in it, the kernel sends RST and the client may lose the response.
    pub(in crate::http) async fn drain(&self, most: usize) {
        let mut left = most;
        poll_fn(|cx| {
            let line = &mut *self.0.borrow_mut();
            // A failed shutdown needs no handling: the connection is over either way.
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

impl<S> Inner<S> {
    /// There is nothing to read: arms the read deadline of the phase.
    fn check_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(deadline) = self.state.read_deadline() else {
            self.read_timer.disarm();
            return Poll::Pending;
        };
        ready!(self.read_timer.poll(deadline, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Handles the outcome of a write: times out if the peer has read nothing for too long.
    fn check_write_stall<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_timer.disarm();
            self.state.mark_progress();
            return outcome;
        }
        self.state.mark_stalled();
        let deadline =
            self.write_timer.deadline().unwrap_or_else(|| Instant::now() + self.state.stall_limit());
        ready!(self.write_timer.poll(deadline, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = &mut *self.0.borrow_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut line.stream).poll_read(cx, buf);
        if outcome.is_pending() {
            return line.check_read_deadline(cx);
        }
        if buf.filled().len() > before && matches!(line.state.phase(), Phase::New | Phase::Idle) {
            line.state.enter(Phase::Head);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let line = &mut *self.0.borrow_mut();
        let outcome = Pin::new(&mut line.stream).poll_write(cx, buf);
        line.check_write_stall(outcome, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = &mut *self.0.borrow_mut();
        let outcome = Pin::new(&mut line.stream).poll_write_vectored(cx, bufs);
        line.check_write_stall(outcome, cx)
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

/// A timer that is allocated only while it is needed.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn disarm(&mut self) {
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
