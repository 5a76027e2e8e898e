//! AUTO log files: [`create`] makes one for a program without a `logfile=`, [`remove_old`] removes those of earlier
//! runs at a start (`get_autochildlog_name` and `clear_autochildlogdir` of the original).

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ironlance_core::event::OutputChannel;
use ironlance_core::text::python;

/// The letters of Python's tempfile.
const ALPHABET: &[u8; 37] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
/// Letters in a suffix.
const SUFFIX_LENGTH: usize = 8;
/// Names that are tried before the last error is given.
const ATTEMPTS: u32 = 100;

/// Creates an empty file with mode 0600 for a channel of a process: `NAME-stdout---IDENTIFIER-XXXXXXXX.log`.
pub(crate) fn create(
    folder: &Path,
    name: &str,
    channel: OutputChannel,
    identifier: &str,
) -> io::Result<PathBuf> {
    let mut last = io::ErrorKind::AlreadyExists.into();
    for _ in 0..ATTEMPTS {
        let path = folder.join(format!("{name}-{}---{identifier}-{}.log", channel.name(), random_suffix()));
        match File::options().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => return Ok(path),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => last = why,
            Err(why) => return Err(why),
        }
    }
    Err(last)
}

/// A random suffix. It need not be secret, as an existing file is not opened.
fn random_suffix() -> String {
    let mut number = RandomState::new().build_hasher().finish();
    let mut next = || {
        let letter = ALPHABET[(number % ALPHABET.len() as u64) as usize];
        number /= ALPHABET.len() as u64;
        char::from(letter)
    };
    (0..SUFFIX_LENGTH).map(|_| next()).collect()
}

/// Removes the AUTO logs of earlier runs with this identifier. Gives warnings for the log, in the original's words.
pub(crate) fn remove_old(folder: &Path, identifier: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return vec!["Could not clear childlog dir".to_owned()] };
    let ours =
        entries.flatten().filter(|entry| is_auto_log(&entry.file_name().to_string_lossy(), identifier));
    // A link itself is removed, not its target; a FIFO, a socket or a folder stays.
    let is_ours =
        |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_symlink());
    let failed = ours.filter(|entry| !is_ours(entry) || fs::remove_file(entry.path()).is_err());
    failed
        .map(|entry| entry.path())
        .map(|path| format!("Failed to clean up {}", python::repr(&path.display().to_string())))
        .collect()
}

/// Whether a name matches the original's pattern `.+?---IDENTIFIER-\S+\.log`; names of backups are longer.
fn is_auto_log(name: &str, identifier: &str) -> bool {
    let mark = format!("---{identifier}-");
    let places = name.match_indices(&mark).filter(|(place, _)| *place > 0);
    let mut rests = places.map(|(place, _)| &name[place + mark.len()..]);
    rests.any(|rest| {
        let word = rest.split(char::is_whitespace).next().unwrap_or_default();
        word.match_indices(".log").any(|(place, _)| place > 0)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_name_is_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let make = || create(folder.path(), "web_1", OutputChannel::Stderr, "supervisor").unwrap();
        let (first, second) = (make(), make());
        assert_ne!(first, second);
        let name = first.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("web_1-stderr---supervisor-") && name.ends_with(".log"), "{name}");
        assert_eq!(name.len(), "web_1-stderr---supervisor-".len() + SUFFIX_LENGTH + ".log".len());
        assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
        create(&folder.path().join("missing"), "x", OutputChannel::Stdout, "supervisor").unwrap_err();
    }

    #[test]
    fn what_earlier_runs_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let keep = [
            "x.log",
            "a-stdout---other-abc.log",
            "---supervisor-abc.log",
            "a---supervisor-.log",
            "a---supervisor-b c",
        ];
        let remove = [
            "a-stdout---supervisor-abc.log",
            "a-stdout---supervisor-abc.log.1",
            "a-stderr---supervisor-b.log.12",
        ];
        for name in keep.iter().chain(&remove) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("d---supervisor-x.log")).unwrap();
        let warnings = remove_old(folder.path(), "supervisor");
        let path = folder.path().join("d---supervisor-x.log");
        assert_eq!(warnings, [format!("Failed to clean up '{}'", path.display())]);
        assert!(keep.iter().all(|name| folder.path().join(name).exists()));
        assert!(!remove.iter().any(|name| folder.path().join(name).exists()));
        assert_eq!(remove_old(&folder.path().join("missing"), "x"), ["Could not clear childlog dir"]);
    }
}
