//! The bytes of a connection, with the time limits that hyper does not have.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::pulse::{Phase, Pulse};

/// A stream whose peer has to be quick enough.
pub(super) struct Wire<S> {
    stream: S,
    pulse: Rc<Pulse>,
    reading: Alarm,
    writing: Alarm,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, pulse: Rc<Pulse>) -> Self {
        Self { stream, pulse, reading: Alarm::default(), writing: Alarm::default() }
    }

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
            return outcome;
        }
        let deadline = self.writing.deadline().unwrap_or_else(|| Instant::now() + self.pulse.stall());
        ready!(self.writing.poll(deadline, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let before = buf.filled().len();
            match Pin::new(&mut this.stream).poll_read(cx, buf) {
                Poll::Pending => return this.wait_for_more(cx),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            if buf.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            // supervisorctl sends empty lines behind its requests. Taken for the start of another request they would
            // keep hyper from looking for the end of the connection.
            if matches!(this.pulse.phase(), Phase::Fresh | Phase::Idle | Phase::Tail)
                && !drop_empty_lines(buf, before)
            {
                continue;
            }
            if matches!(this.pulse.phase(), Phase::Fresh | Phase::Idle) {
                this.pulse.enter(Phase::Head);
            }
            return Poll::Ready(Ok(()));
        }
    }
}

/// Removes line ends from the start of what was read behind `start`; whether anything is left.
fn drop_empty_lines(buf: &mut ReadBuf<'_>, start: usize) -> bool {
    let filled = buf.filled_mut();
    let end = filled.len();
    let ends = filled[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    filled.copy_within(start + ends.., start);
    buf.set_filled(end - ends);
    start + ends < end
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(outcome, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
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
