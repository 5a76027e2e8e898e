//! An incremental parser of server-sent events with bounded memory: [`SseParser`] (the HTML standard, 9.2.6).

/// The largest message, in bytes; larger ones are skipped. An event carries at most one read of a pipe or one call of a
/// client, and both are smaller.
pub const MAX_MESSAGE: usize = 2 * 1024 * 1024;

/// A parsed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SseMessage {
    /// A message with its type, by default `message`, and its data.
    Event {
        /// The type.
        kind: String,
        /// The data; its lines are joined by newlines.
        data: String,
    },
    /// A message longer than [`MAX_MESSAGE`], which was skipped.
    Oversized,
}

/// The parser's state.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    kind: String,
    data: String,
    has_data: bool,
    is_oversized: bool,
}

impl SseParser {
    /// Parses the next piece and passes each complete message to `on_message`.
    pub fn push(&mut self, mut piece: &[u8], on_message: &mut dyn FnMut(SseMessage)) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            self.buffer(&piece[..end]);
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.line);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if let Some(message) = self.take_line(&String::from_utf8_lossy(line)) {
                on_message(message);
            }
        }
        self.buffer(piece);
    }

    /// The bytes that are buffered.
    pub const fn buffered(&self) -> usize {
        self.line.len() + self.data.len() + self.kind.len()
    }

    fn buffer(&mut self, bytes: &[u8]) {
        if self.buffered() + bytes.len() > MAX_MESSAGE {
            self.is_oversized = true;
        }
        if self.is_oversized {
            // The first byte is kept to recognise an empty line.
            self.data.clear();
            let first = bytes.first().filter(|_| self.line.is_empty());
            self.line.truncate(1);
            self.line.extend(first);
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn take_line(&mut self, line: &str) -> Option<SseMessage> {
        if line.is_empty() {
            return self.finish();
        }
        if self.is_oversized {
            return None;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(value);
            }
            // Comments, ids, and fields of later versions.
            _ => {}
        }
        None
    }

    fn finish(&mut self) -> Option<SseMessage> {
        let Self { kind, data, has_data, is_oversized, .. } = std::mem::take(self);
        if is_oversized {
            return Some(SseMessage::Oversized);
        }
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        // By the standard a type without data is not a message, but our `lost` is sent so.
        (has_data || kind != "message").then_some(SseMessage::Event { kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(pieces: &[&[u8]]) -> Vec<SseMessage> {
        let mut feed = SseParser::default();
        let mut all = Vec::new();
        pieces.iter().for_each(|piece| feed.push(piece, &mut |message| all.push(message)));
        all
    }

    fn event(kind: &str, data: &str) -> SseMessage {
        SseMessage::Event { kind: kind.into(), data: data.into() }
    }

    #[test]
    fn messages_come_with_their_type_wherever_the_stream_is_cut() {
        let stream =
            b"id: 7\nevent: TICK_5\ndata: {\"a\":1}\n\n: alive\n\ndata:x\r\ndata: y\r\n\r\nevent: lost\n\n";
        let all = [event("TICK_5", "{\"a\":1}"), event("message", "x\ny"), event("lost", "")];
        for cut in 0..stream.len() {
            let (first, second) = stream.split_at(cut);
            assert_eq!(messages(&[first, second]), all, "{cut}");
        }
    }

    #[test]
    fn what_is_not_finished_is_no_message() {
        assert_eq!(messages(&[b"event: TICK_5\ndata: half"]), []);
        assert_eq!(messages(&[b"\n\n: only a comment\n\n"]), []);
    }

    #[test]
    fn a_message_without_end_takes_no_memory_and_the_next_one_comes() {
        let mut feed = SseParser::default();
        let mut all = Vec::new();
        feed.push(b"data: ", &mut |message| all.push(message));
        let chunk = vec![b'x'; 1024 * 1024];
        for _ in 0..10 {
            feed.push(&chunk, &mut |message| all.push(message));
            assert!(feed.buffered() <= MAX_MESSAGE);
        }
        feed.push(b"\ndata: more\n\ndata: next\n\n", &mut |message| all.push(message));
        assert_eq!(all, [SseMessage::Oversized, event("message", "next")]);
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(messages(&[b"data: \xff\n\n"]), [event("message", "\u{fffd}")]);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(bytes in prop::collection::vec(prop::sample::select(b"data: event\n\r:x\xff".to_vec()), 0..80),
                                     cut in 0_usize..80) {
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(messages(&[first, second]), messages(&[&bytes]));
        }
    }
}
