//! Parser of /proc/PID/smaps_rollup: proportional memory (PSS).

use super::stat::number;

/// The `Pss:` of a smaps_rollup file in bytes; `None` when it is not in the form that proc(5) gives.
pub fn pss_bytes(text: &[u8]) -> Option<u64> {
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Pss:"))?;
    let kib = line.trim_ascii().strip_suffix(b"kB")?.trim_ascii_end();
    number(kib)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_pss_line_counts_and_none_of_its_cousins() {
        let text = b"55bc86b5e000-7ffc5db87000 ---p 00000000 00:00 0   [rollup]\n\
            Rss:                1780 kB\nPss_Anon:            112 kB\nPss:                 360 kB\n\
            Pss_Dirty:           113 kB\n";
        assert_eq!(pss_bytes(text), Some(360 * 1024));
    }

    #[test]
    fn another_form_is_refused() {
        for text in
            ["", "Rss: 1 kB", "Pss: kB", "Pss: 1", "Pss: -1 kB", "Pss: 1 MB", "Pss: 99999999999999999999 kB"]
        {
            assert_eq!(pss_bytes(text.as_bytes()), None, "{text}");
        }
        assert_eq!(pss_bytes(format!("Pss: {} kB", u64::MAX).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = pss_bytes(&text);
        }
    }
}
