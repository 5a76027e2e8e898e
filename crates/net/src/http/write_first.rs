//! A stream adapter that delays reads until the first write. Some servers answer before they have a request, and hyper
//! takes such bytes for an error.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::status_line::StatusLine;

/// Reports reads as pending until the first byte was written.
#[derive(Debug)]
pub(crate) struct WriteFirst<S> {
    stream: S,
    has_written: bool,
    waiting_reader: Option<Waker>,
    first_line: StatusLine,
}

impl<S> WriteFirst<S> {
    /// `first_line` records the first bytes that are read.
    pub(crate) fn new(stream: S, first_line: StatusLine) -> Self {
        Self { stream, has_written: false, waiting_reader: None, first_line }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteFirst<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_written {
            let before = buf.filled().len();
            let read = Pin::new(&mut self.stream).poll_read(cx, buf);
            self.first_line.record(&buf.filled()[before..]);
            return read;
        }
        self.waiting_reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteFirst<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if written.is_ready() && !self.has_written {
            self.has_written = true;
            self.waiting_reader.take().into_iter().for_each(Waker::wake);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
