//! Parsers of /proc/PID/stat and /proc/PID/statm. The name of the process in stat is not to be trusted.

/// The fields of /proc/PID/stat that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Field 4: the parent.
    pub ppid: u32,
    /// Fields 14 and 15: the CPU time of all of its threads, in clock ticks.
    pub cpu_ticks: u64,
    /// Field 22: when the process was started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// Number of the first field after the name, which is the state (proc(5) counts from 1).
const STATE: usize = 3;
const PPID: usize = 4;
const UTIME: usize = 14;
const START_TICKS: usize = 22;

impl Stat {
    /// Parses a stat file; `None` when it does not have the format of proc(5).
    ///
    /// The name is in parentheses and may itself contain parentheses, spaces, newlines and bytes that are not
    /// UTF-8. Behind it are a letter and numbers only, so the last `)` ends it.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let end_of_name = text.iter().rposition(|byte| *byte == b')')?;
        let mut fields = words(&text[end_of_name + 1..]);
        let ppid = number(fields.nth(PPID - STATE)?)?;
        let user = number(fields.nth(UTIME - PPID - 1)?)?;
        let system = number(fields.next()?)?;
        let start_ticks = number(fields.nth(START_TICKS - UTIME - 2)?)?;
        Some(Self { ppid: u32::try_from(ppid).ok()?, cpu_ticks: user.saturating_add(system), start_ticks })
    }
}

/// The resident pages by the text of a statm file: its second number.
pub fn resident_pages(text: &[u8]) -> Option<u64> {
    number(words(text).nth(1)?)
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A decimal number that fits.
pub(super) fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AFTER_NAME: &str = "R 51 51 6733 0 -1 4194304 102 0 0 0 5 7 0 0 20 0 1 0 328784 2998272 406 1844";

    fn parse(name: &[u8], rest: &str) -> Option<Stat> {
        Stat::parse(&[b"16960 (", name, b") ", rest.as_bytes()].concat())
    }

    #[test]
    fn a_hostile_name_does_not_move_the_fields() {
        let expected = Some(Stat { ppid: 51, cpu_ticks: 12, start_ticks: 328_784 });
        for name in [&b"head"[..], b"", b") R 1 2 3", b"a b\n(c", b"))) ", b"\xff\xfe\0"] {
            assert_eq!(parse(name, AFTER_NAME), expected, "{name:?}");
        }
    }

    #[test]
    fn what_is_cut_or_no_number_or_too_big_is_refused() {
        let negative = AFTER_NAME.replace("R 51", "R -1");
        let big_parent = AFTER_NAME.replace("R 51", "R 4294967296");
        let big_start = AFTER_NAME.replace("328784", "18446744073709551616");
        for rest in ["", "R", "R 51 51", &negative, &big_parent, &big_start] {
            assert_eq!(parse(b"x", rest), None, "{rest}");
        }
        assert_eq!(Stat::parse(b"1 x R 51"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn resident_pages_are_the_second_number_of_statm() {
        assert_eq!(resident_pages(b"765 407 379 5 0 123 0\n"), Some(407));
        assert_eq!(resident_pages(b"765"), None);
        assert_eq!(resident_pages(b"765 x"), None);
        assert_eq!(resident_pages(b"1 18446744073709551615"), Some(u64::MAX));
        assert_eq!(resident_pages(b"1 18446744073709551616"), None);
    }

    proptest! {
        #[test]
        fn any_name_leads_to_the_same_fields(name in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(parse(&name, AFTER_NAME), Some(Stat { ppid: 51, cpu_ticks: 12, start_ticks: 328_784 }));
        }

        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Stat::parse(&text);
            let _ = resident_pages(&text);
        }
    }
}
