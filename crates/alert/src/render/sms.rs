//! Texts cut to one short message: [`fit`].
//!
//! A message of 140 octets holds 160 characters of the GSM 7-bit alphabet (3GPP TS 23.038), of which a few take
//! two places, or 70 units of UCS-2 as soon as one character is outside of it.

/// The alphabet's characters that take one place.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Those that take two.
const EXTENDED: &str = "\x0c^{}\\[~]|€";

/// The encoding of a message, which decides how many places a character takes.
#[derive(Clone, Copy)]
enum Alphabet {
    Gsm7,
    Ucs2,
}

impl Alphabet {
    fn of(texts: &[&str]) -> Self {
        let known = |c: char| BASIC.contains(c) || EXTENDED.contains(c);
        if texts.iter().flat_map(|text| text.chars()).all(known) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// The places of a message that holds `limit` GSM-7 characters.
    const fn places(self, limit: usize) -> usize {
        match self {
            Self::Gsm7 => limit,
            Self::Ucs2 => limit.saturating_mul(70) / 160,
        }
    }

    fn size(self, text: &str) -> usize {
        text.chars().map(|c| self.size_of(c)).sum()
    }

    fn size_of(self, c: char) -> usize {
        match self {
            Self::Gsm7 => 1 + usize::from(EXTENDED.contains(c)),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

/// Joins `texts` by newlines into one message that holds `limit` GSM-7 characters; texts that do not fit are
/// counted at its end: `+2 more`. A first text that does not fit by itself is cut.
pub fn fit(texts: &[&str], limit: usize) -> String {
    let message = |shown: usize| match texts.len() - shown {
        0 => texts.join("\n"),
        hidden => format!("{}\n+{hidden} more", texts[..shown].join("\n")),
    };
    // Each text takes a place at least, its line end: more of them than places cannot fit.
    for shown in (1..=texts.len().min(limit + 1)).rev() {
        let alphabet = Alphabet::of(&texts[..shown]);
        let fewest = texts[..shown].iter().map(|text| text.len().min(1) + 1).sum::<usize>();
        if fewest > limit + 1 {
            continue;
        }
        let message = message(shown);
        if alphabet.size(&message) <= alphabet.places(limit) {
            return message;
        }
    }
    let first = texts.first().copied().unwrap_or_default();
    let alphabet = Alphabet::of(&[first]);
    let places = alphabet.places(limit);
    let tail = if texts.len() > 1 { format!("\n+{} more", texts.len() - 1) } else { String::new() };
    match places.checked_sub(alphabet.size(&tail)) {
        Some(room) => cut(first, room, alphabet) + &tail,
        None => cut(first, places, alphabet),
    }
}

fn cut(text: &str, places: usize, alphabet: Alphabet) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += alphabet.size_of(*c);
        used <= places
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(fit(&["one", "two"], 160), "one\ntwo");
        let exactly = "x".repeat(160);
        assert_eq!(fit(&[&exactly], 160), exactly);
    }

    #[test]
    fn whole_texts_that_do_not_fit_are_counted() {
        let long = "x".repeat(60);
        let message = fit(&[&long, &long, &long, &long], 160);
        assert_eq!(message, format!("{long}\n{long}\n+2 more"));
    }

    #[test]
    fn a_single_long_text_is_cut() {
        assert_eq!(fit(&[&"x".repeat(200)], 160), "x".repeat(160));
        let message = fit(&[&"x".repeat(200), "y"], 160);
        assert_eq!(message.len(), 160);
        assert!(message.ends_with("x\n+1 more"));
    }

    #[test]
    fn characters_outside_the_alphabet_leave_seventy() {
        assert_eq!(fit(&[&"你".repeat(100)], 160).chars().count(), 70);
        assert_eq!(fit(&[&"[".repeat(100)], 160).chars().count(), 80);
    }

    proptest! {
        #[test]
        fn a_message_is_never_longer_than_its_limit(texts in prop::collection::vec("\\PC{0,90}", 1..6), limit in 0_usize..200) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let message = fit(&texts, limit);
            let alphabet = Alphabet::of(&[&message]);
            prop_assert!(alphabet.size(&message) <= alphabet.places(limit));
        }
    }
}
