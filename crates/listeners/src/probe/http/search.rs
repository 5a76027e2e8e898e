//! Looking for bytes in a body that passes by in pieces and is never kept.

/// A search for one needle (Knuth, Morris, Pratt), fed piece by piece.
pub(super) struct Search<'a> {
    needle: &'a [u8],
    /// For each prefix of the needle, how long a shorter prefix it ends with.
    borders: Vec<usize>,
    /// How much of the needle the bytes so far end with; all of it once it was found.
    matched: usize,
}

impl<'a> Search<'a> {
    /// A search for `needle`; an empty one is found in everything.
    pub(super) fn new(needle: &'a [u8]) -> Self {
        let mut borders = vec![0; needle.len()];
        for end in 1..needle.len() {
            borders[end] = advance(needle, &borders, borders[end - 1], needle[end]);
        }
        Self { needle, borders, matched: 0 }
    }

    /// The next piece of the body.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            if self.found() {
                return;
            }
            self.matched = advance(self.needle, &self.borders, self.matched, *byte);
        }
    }

    /// Whether the needle is in what was fed.
    pub(super) fn found(&self) -> bool {
        self.matched == self.needle.len()
    }
}

/// How much of `needle` is matched after `byte` has come, when `matched` of it, not all, was before.
fn advance(needle: &[u8], borders: &[usize], mut matched: usize, byte: u8) -> usize {
    while matched > 0 && needle[matched] != byte {
        matched = borders[matched - 1];
    }
    matched + usize::from(needle[matched] == byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn has(needle: &[u8], pieces: &[&[u8]]) -> bool {
        let mut search = Search::new(needle);
        pieces.iter().for_each(|piece| search.feed(piece));
        search.found()
    }

    #[test]
    fn a_needle_is_found_across_pieces() {
        assert!(has(b"all is well", &[b"<p>all i", b"s w", b"ell</p>"]));
        assert!(has(b"aab", &[b"aa", b"ab"]));
        assert!(!has(b"aab", &[b"aa", b"", b"cab"]));
        assert!(has(b"", &[]));
    }

    proptest! {
        #[test]
        fn it_finds_what_a_search_in_the_whole_finds(
            body in "[ab]{0,40}", needle in "[ab]{1,6}", cut in 0_usize..40,
        ) {
            let (first, rest) = body.split_at(cut.min(body.len()));
            let found = has(needle.as_bytes(), &[first.as_bytes(), rest.as_bytes()]);
            prop_assert_eq!(found, body.contains(&needle));
        }
    }
}
