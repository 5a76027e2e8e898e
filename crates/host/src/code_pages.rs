//! Gives back the code pages that were only needed to start: a listener or a daemon waits for days.
//!
//! The kernel maps code in runs of 64 KiB around each page that is touched, so a start leaves a megabyte or two of
//! code resident that waiting does not need. It is clean and in the page cache; what is needed again comes back by a
//! fault of a microsecond.

use std::ffi::c_void;
use std::fs;
use std::time::{Duration, Instant};

use rustix::mm::{Advice, madvise};

/// How long to leave things as they are after pages were given back.
const PAUSE: Duration = Duration::from_secs(30);

/// Remembers when pages were last given back.
#[derive(Debug, Default)]
pub struct CodePageTrimmer {
    last: Option<Instant>,
}

impl CodePageTrimmer {
    /// Gives pages back; to be called before a long wait. Within 30 seconds of the last time it does nothing, and gives
    /// the time that is left of them.
    pub fn before_wait(&mut self) -> Option<Duration> {
        let left =
            self.last.and_then(|last| PAUSE.checked_sub(last.elapsed())).filter(|left| !left.is_zero());
        if left.is_some() {
            return left;
        }
        self.last = Some(Instant::now());
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        for (start, length) in maps.lines().filter_map(code) {
            release_pages(start, length);
        }
        None
    }
}

/// Start and length of a mapping of code from a file, by its line in /proc/PID/maps (proc(5)).
fn code(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let is_code = words.next()? == "r-xp" && words.nth(3)?.starts_with('/');
    let start = usize::from_str_radix(start, 16).ok()?;
    let length = usize::from_str_radix(end, 16).ok()?.checked_sub(start)?;
    is_code.then_some((start, length))
}

#[expect(unsafe_code, reason = "madvise takes an address")]
fn release_pages(start: usize, length: usize) {
    // SAFETY: the range is a mapping of a file that cannot be written through (r-xp), so its pages are what the file
    // holds, and a later access finds the same bytes again.
    let advised = unsafe { madvise(start as *mut c_void, length, Advice::LinuxDontNeed) };
    // A kernel that does not want to leaves everything as it was.
    let _ = advised;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_from_files_is_given_back() {
        let line = "55d0a0001000-55d0a0003000 r-xp 00001000 fe:00 123   /usr/bin/ironlance (deleted)";
        assert_eq!(code(line), Some((0x55d0_a000_1000, 0x2000)));
        for other in [
            "55d0a0001000-55d0a0003000 r--p 00001000 fe:00 123   /usr/bin/ironlance",
            "55d0a0001000-55d0a0003000 rw-p 00001000 fe:00 123   /usr/bin/ironlance",
            "7ffd8d3f2000-7ffd8d3f4000 r-xp 00000000 00:00 0   [vdso]",
            "7ffd8d3f2000-7ffd8d3f4000 r-xp 00000000 00:00 0",
            "",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_without_its_pages() {
        let mut pages = CodePageTrimmer::default();
        assert_eq!(pages.before_wait(), None);
        assert!(pages.before_wait().is_some_and(|left| left <= PAUSE), "not again at once");
        assert_eq!("still here".split(' ').count(), 2);
    }
}
