//! Output split at the communication tags: what is for the log, and what is a message of the process.
//!
//! ```text
//!            <!--XSUPERVISOR:BEGIN-->
//!      PLAIN ────────────────────────▶ INSIDE      PLAIN: passed on as it comes
//!        ▲                               │         INSIDE: kept, at most `maxbytes`
//!        └───────────────────────────────┘
//!            <!--XSUPERVISOR:END-->  (the message is complete)
//! ```

use std::collections::VecDeque;

/// The tag that begins a message.
pub const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";

/// The tag that ends a message.
pub const END: &[u8] = b"<!--XSUPERVISOR:END-->";

/// A part of the output, without tags.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Output outside the tags.
    Plain(&'a [u8]),
    /// Output inside the tags, as it comes. In the original this too makes PROCESS_LOG events and lines in the main log,
    /// but does not go to the log file.
    Inside(&'a [u8]),
    /// A whole message: all that stood between two tags, but for what was too much.
    Captured(Vec<u8>),
}

/// Splits one channel of one process; tags may be cut anywhere.
#[derive(Debug)]
pub struct Splitter {
    /// The largest message, in bytes.
    maxbytes: usize,
    /// How many bytes of the tag looked for have been seen at the end of what was pushed.
    matched: usize,
    side: Side,
}

#[derive(Debug)]
enum Side {
    Plain,
    Inside(VecDeque<u8>),
}

impl Splitter {
    /// A splitter that keeps about `maxbytes` of a message.
    ///
    /// As in the original (BoundIO in loggers.py) a piece that does not fit pushes out as many of the earliest bytes as
    /// it has itself, and a single piece is kept whole: a message written at once is never cut.
    pub const fn new(maxbytes: usize) -> Self {
        Self { maxbytes, matched: 0, side: Side::Plain }
    }

    /// Takes the next bytes of output and gives the pieces in their order. Bytes that may be the beginning of a tag are
    /// kept until the next call.
    pub fn push(&mut self, mut data: &[u8], sink: &mut dyn FnMut(Piece<'_>)) {
        while !data.is_empty() {
            let tag = self.tag();
            if self.matched > 0 {
                data = self.push_after_match(tag, data, sink);
                continue;
            }
            match find(data, tag) {
                Some(at) => {
                    self.keep(&data[..at], sink);
                    data = &data[at + tag.len()..];
                    self.turn(sink);
                }
                None => {
                    self.matched = prefix_at_end(data, tag);
                    self.keep(&data[..data.len() - self.matched], sink);
                    return;
                }
            }
        }
    }

    /// The channel is closed: gives what was kept because it may have been a tag. A message without its end is lost,
    /// as in the original.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        let matched = std::mem::take(&mut self.matched);
        let tag = self.tag();
        self.keep(&tag[..matched], sink);
        self.side = Side::Plain;
    }

    const fn tag(&self) -> &'static [u8] {
        match self.side {
            Side::Plain => BEGIN,
            Side::Inside(_) => END,
        }
    }

    /// The first `matched` bytes of the tag came before `data`. A tag has no `<` but its first, so a mismatch frees all
    /// of them at once.
    fn push_after_match<'a>(
        &mut self,
        tag: &'static [u8],
        data: &'a [u8],
        sink: &mut dyn FnMut(Piece<'_>),
    ) -> &'a [u8] {
        let rest = &tag[self.matched..];
        let same = rest.iter().zip(data).take_while(|(a, b)| a == b).count();
        if same == rest.len() {
            self.matched = 0;
            self.turn(sink);
        } else if same == data.len() {
            self.matched += same;
        } else {
            let seen = self.matched + same;
            self.matched = 0;
            self.keep(&tag[..seen], sink);
        }
        &data[same..]
    }

    fn keep(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Piece<'_>)) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.side {
            Side::Plain => sink(Piece::Plain(bytes)),
            Side::Inside(message) => {
                if message.len() + bytes.len() > self.maxbytes {
                    message.drain(..bytes.len().min(message.len()));
                }
                message.extend(bytes);
                sink(Piece::Inside(bytes));
            }
        }
    }

    fn turn(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        match std::mem::replace(&mut self.side, Side::Plain) {
            Side::Plain => self.side = Side::Inside(VecDeque::new()),
            Side::Inside(message) => sink(Piece::Captured(message.into())),
        }
    }
}

fn find(data: &[u8], tag: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = data[from..].iter().position(|byte| *byte == tag[0]) {
        let at = from + at;
        if data[at..].starts_with(tag) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// How many bytes at the end of `data` are the beginning of `tag`, but not the whole of it.
fn prefix_at_end(data: &[u8], tag: &[u8]) -> usize {
    let longest = data.len().min(tag.len() - 1);
    let tail = &data[data.len() - longest..];
    match tail.iter().rposition(|byte| *byte == tag[0]) {
        Some(at) if tag.starts_with(&tail[at..]) => tail.len() - at,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
