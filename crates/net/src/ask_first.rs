//! A stream that listens only after it has spoken: some servers answer before they were asked, which hyper refuses.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::status_line::FirstLine;

/// Holds reading back until the first byte was written.
#[derive(Debug)]
pub(crate) struct AskFirst<S> {
    stream: S,
    has_asked: bool,
    reader: Option<Waker>,
    first_line: FirstLine,
}

impl<S> AskFirst<S> {
    /// `first_line` is told what comes first.
    pub(crate) fn new(stream: S, first_line: FirstLine) -> Self {
        Self { stream, has_asked: false, reader: None, first_line }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for AskFirst<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_asked {
            let before = buf.filled().len();
            let read = Pin::new(&mut self.stream).poll_read(cx, buf);
            self.first_line.hear(&buf.filled()[before..]);
            return read;
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for AskFirst<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if written.is_ready() && !self.has_asked {
            self.has_asked = true;
            self.reader.take().into_iter().for_each(Waker::wake);
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
