//! What waits in an outbox, [`OutboxSummary`]: counts and the last error, read without trust in the folder.
//!
//! The folder belongs to the listener's user, which may be any user: no link is followed, nothing but plain files and
//! folders of that user is read, and a bounded part of them. The layout is docs/alerts.md's: `outbox/new/ID` and
//! `outbox/dead/ID`, where an ID begins with microseconds since 1970 in 16 digits and a dot, and `outbox/last-error`, one
//! line of `UNIXTIME REASON`.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, StatVfs, StatVfsMountFlags, fstat, fstatvfs, openat};
use rustix::io::Errno;

/// The most names of a folder that are read.
pub const MAX_COUNTED: usize = 10_000;
/// The most bytes of the last error that are read.
const MOST_ERROR: u64 = 500;
/// With less room than this on its disk (bytes) an outbox counts as full: an alert with its details has some KiB.
const LEAST_ROOM: u64 = 16 * 1024;
/// The digits at the beginning of an ID.
const DIGITS: usize = 16;

/// What an outbox holds. Times are since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OutboxSummary {
    /// Alerts that wait to be delivered; [`MAX_COUNTED`] stands for that many or more.
    pub waiting: usize,
    /// Since when the oldest of them waits.
    pub oldest: Option<Duration>,
    /// Alerts that were given up; [`MAX_COUNTED`] stands for that many or more.
    pub dead: usize,
    /// Why the last try failed.
    pub last_error: Option<LastError>,
}

/// The last failed try.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LastError {
    /// When.
    pub at: Duration,
    /// Why, without control characters.
    pub reason: String,
}

impl OutboxSummary {
    /// Reads the outbox of a state folder that belongs to the user `uid`. An outbox that is not there holds nothing.
    /// It may block where the disk does.
    ///
    /// # Errors
    /// In words, why the outbox cannot be read.
    pub fn read(state: &Path, uid: u32) -> Result<Self, String> {
        let shown = state.join("outbox");
        let cannot = |why: &str| format!("cannot read {}: {why}", shown.display());
        let outbox = match folder(CWD, &shown) {
            Ok(outbox) => outbox,
            Err(Errno::NOENT) => return Ok(Self::default()),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(cannot("it is no folder")),
            Err(errno) => return Err(cannot(&std::io::Error::from(errno).to_string())),
        };
        if fstat(&outbox).map_or(true, |stat| stat.st_uid != uid) {
            return Err(cannot(&format!("it does not belong to uid {uid}")));
        }
        let (waiting, oldest) = count(&outbox, "new");
        let (dead, _) = count(&outbox, "dead");
        Ok(Self { waiting, oldest, dead, last_error: last_error(&outbox, uid) })
    }

    /// Whether it needs no attention.
    pub const fn is_healthy(&self) -> bool {
        self.waiting == 0 && self.dead == 0
    }
}

/// Why the outbox of a state folder cannot take another alert of the user `uid`, though it is there. It may block where
/// the disk does.
pub fn disk_problem(state: &Path, uid: u32) -> Option<String> {
    let shown = state.join("outbox");
    let disk = folder(CWD, &shown).and_then(fstatvfs).ok()?;
    let why = fault(&disk, uid)?;
    Some(format!("cannot write in {}: {why}", shown.display()))
}

fn fault(disk: &StatVfs, uid: u32) -> Option<&'static str> {
    // Root may use what is kept back for it.
    let free = if uid == 0 { disk.f_bfree } else { disk.f_bavail };
    let names = if uid == 0 { disk.f_ffree } else { disk.f_favail };
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        Some("the disk is read-only")
    } else if free.saturating_mul(disk.f_frsize) < LEAST_ROOM {
        Some("the disk is full")
    } else if disk.f_files > 0 && names == 0 {
        // Where files are not counted (btrfs), both are nought.
        Some("the disk has no room for another file")
    } else {
        None
    }
}

fn folder(above: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    openat(above, name, flags, Mode::empty())
}

/// How many alerts are in a folder, and the time of the oldest.
fn count(outbox: &OwnedFd, name: &str) -> (usize, Option<Duration>) {
    let Ok(entries) = folder(outbox, name).and_then(Dir::new) else { return (0, None) };
    let times =
        entries.take(MAX_COUNTED + 2).map_while(Result::ok).filter_map(|entry| time_of(entry.file_name()));
    times.take(MAX_COUNTED).fold((0, None), |(count, oldest), time| {
        (count + 1, Some(oldest.map_or(time, |oldest: Duration| oldest.min(time))))
    })
}

/// The time that an alert's name begins with; nothing where it is no alert's.
fn time_of(name: &CStr) -> Option<Duration> {
    let (digits, rest) = name.to_bytes().split_at_checked(DIGITS)?;
    if rest.first() != Some(&b'.') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().map(Duration::from_micros)
}

fn last_error(outbox: &OwnedFd, uid: u32) -> Option<LastError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat(outbox, "last-error", flags, Mode::empty()).ok()?;
    let stat = fstat(&file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
        || stat.st_uid != uid
        || stat.st_nlink > 1
    {
        return None;
    }
    let mut bytes = Vec::new();
    File::from(file).take(MOST_ERROR).read_to_end(&mut bytes).ok()?;
    parse(&bytes)
}

/// Reads `UNIXTIME REASON`; what follows the first line is not looked at.
fn parse(bytes: &[u8]) -> Option<LastError> {
    let text = String::from_utf8_lossy(bytes);
    let (at, reason) = text.lines().next()?.split_once(' ')?;
    let at = Duration::from_secs(at.parse::<u32>().ok()?.into());
    let plain = |one: char| if one.is_control() { '\u{fffd}' } else { one };
    let reason: String = reason.chars().map(plain).collect();
    Some(LastError { at, reason: reason.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;
    use rustix::fs::mkfifoat;
    use rustix::process::geteuid;

    use super::*;

    fn outbox() -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        for name in ["new", "dead"] {
            fs::create_dir_all(state.path().join("outbox").join(name)).unwrap();
        }
        state
    }

    fn read(state: &Path) -> Result<OutboxSummary, String> {
        OutboxSummary::read(state, geteuid().as_raw())
    }

    #[test]
    fn alerts_are_counted_and_the_oldest_and_the_last_error_are_told() {
        let state = outbox();
        let put = |name: &str| fs::write(state.path().join("outbox").join(name), "").unwrap();
        put("new/1700000000000001.12.0000000a");
        put("new/1600000000000000.12.0000000b");
        put("dead/1500000000000000.9.0000000c");
        // What is no alert does not count.
        put("new/.hidden");
        put("new/1600000000000000");
        put("new/16000000000000-0.x");
        fs::write(state.path().join("outbox/last-error"), "1700000100 mail:25 does not\tanswer\nmore\n")
            .unwrap();
        let error = LastError {
            at: Duration::from_secs(1_700_000_100),
            reason: "mail:25 does not\u{fffd}answer".to_owned(),
        };
        let expected = OutboxSummary {
            waiting: 2,
            oldest: Some(Duration::from_secs(1_600_000_000)),
            dead: 1,
            last_error: Some(error),
        };
        assert_eq!(read(state.path()), Ok(expected));
        assert_eq!(read(Path::new("/nonexistent/state")), Ok(OutboxSummary::default()));
    }

    #[test]
    fn a_disk_that_takes_no_alert_is_told_from_one_that_does() {
        let state = outbox();
        assert_eq!(disk_problem(state.path(), 0), None);
        assert_eq!(disk_problem(Path::new("/nonexistent/state"), 0), None);
        let disk = || {
            let mut disk = fstatvfs(File::open(state.path()).unwrap()).unwrap();
            (disk.f_frsize, disk.f_bfree, disk.f_bavail) = (4096, 100, 100);
            (disk.f_files, disk.f_ffree, disk.f_favail) = (100, 100, 100);
            disk
        };
        let full = StatVfs { f_bavail: 3, ..disk() };
        assert_eq!((fault(&full, 1000), fault(&full, 0)), (Some("the disk is full"), None));
        assert_eq!(fault(&StatVfs { f_bfree: 0, ..disk() }, 0), Some("the disk is full"));
        let nameless = StatVfs { f_favail: 0, ..disk() };
        assert_eq!(fault(&nameless, 1000), Some("the disk has no room for another file"));
        assert_eq!(fault(&StatVfs { f_files: 0, ..nameless }, 1000), None);
        let sealed = StatVfs { f_flag: StatVfsMountFlags::RDONLY, ..disk() };
        assert_eq!(fault(&sealed, 0), Some("the disk is read-only"));
    }

    #[test]
    fn links_pipes_and_folders_of_others_are_not_followed() {
        let (state, secret) = (outbox(), outbox());
        let own = state.path().join("outbox");
        fs::write(secret.path().join("outbox/new/1600000000000000.1.a"), "").unwrap();
        fs::write(secret.path().join("secret"), "1700000000 top secret\n").unwrap();
        fs::remove_dir(own.join("new")).unwrap();
        symlink(secret.path().join("outbox/new"), own.join("new")).unwrap();
        symlink(secret.path().join("secret"), own.join("last-error")).unwrap();
        assert_eq!(read(state.path()), Ok(OutboxSummary::default()));
        fs::remove_file(own.join("last-error")).unwrap();
        fs::hard_link(secret.path().join("secret"), own.join("last-error")).unwrap();
        assert_eq!(read(state.path()), Ok(OutboxSummary::default()));
        fs::remove_file(own.join("last-error")).unwrap();
        mkfifoat(CWD, own.join("last-error"), Mode::from_raw_mode(0o600)).unwrap();
        assert_eq!(read(state.path()), Ok(OutboxSummary::default()));
        let refused = OutboxSummary::read(state.path(), geteuid().as_raw() + 1).unwrap_err();
        assert!(refused.contains("does not belong to uid"), "{refused}");
        let other = tempfile::tempdir().unwrap();
        symlink(&own, other.path().join("outbox")).unwrap();
        assert!(read(other.path()).unwrap_err().ends_with("it is no folder"));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Some(error) = parse(&bytes) {
                prop_assert!(!error.reason.contains(char::is_control));
            }
            let name: Vec<u8> = bytes.into_iter().filter(|byte| *byte != 0).collect();
            let _ = time_of(&std::ffi::CString::new(name).unwrap());
        }
    }
}
