//! The pidfile: [`Pidfile`] writes the daemon's pid and removes the file at the end (`write_pidfile` of the original).

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ironlance_core::log_level::Level;
use rustix::fs::{Mode, OFlags};

use crate::files::safe_open;
use crate::files::special_file::is_special;

/// No more of an existing pidfile is read (bytes).
const MAX_PIDFILE: u64 = 64;

/// A file with this process's pid.
#[derive(Clone, Debug)]
pub(crate) struct Pidfile {
    path: PathBuf,
    pid: u32,
}

impl Pidfile {
    /// Writes the pid over whatever the file holds. `log` gets the original's line for success or failure.
    pub(crate) fn write(path: &Path, log: &mut dyn FnMut(Level, &str)) -> Option<Self> {
        let pid = std::process::id();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = safe_open::open(path, flags, Mode::from_raw_mode(0o666)).map(File::from);
        match opened.and_then(|mut file| file.write_all(format!("{pid}\n").as_bytes())) {
            Ok(()) => {
                log(Level::Info, &format!("supervisord started with pid {pid}"));
                Some(Self { path: path.to_owned(), pid })
            }
            Err(why) => {
                log(Level::Critical, &format!("could not write pidfile {}", path.display()));
                log(Level::Error, &format!("cannot write to {}: {why}", path.display()));
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, unless another daemon has written its own pid to it since.
    pub(crate) fn remove(self) {
        if !is_special(&self.path) && self.holds_our_pid() {
            // It may have been removed in between.
            let _ = fs::remove_file(&self.path);
        }
    }

    fn holds_our_pid(&self) -> bool {
        let mut text = String::new();
        let read = safe_open::open_to_read(&self.path)
            .and_then(|file| file.take(MAX_PIDFILE).read_to_string(&mut text));
        read.is_ok() && text.trim() == self.pid.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path) -> (Option<Pidfile>, Vec<(Level, String)>) {
        let mut lines = Vec::new();
        let written = Pidfile::write(path, &mut |level, text| lines.push((level, text.to_owned())));
        (written, lines)
    }

    #[test]
    fn a_pidfile_holds_our_pid_and_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        fs::write(&path, "999999999 and more\n").unwrap();
        let (pidfile, lines) = write(&path);
        let pid = std::process::id();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{pid}\n"));
        assert_eq!(lines, [(Level::Info, format!("supervisord started with pid {pid}"))]);
        pidfile.unwrap().remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_pidfile_that_another_daemon_has_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let (pidfile, _) = write(&path);
        fs::write(&path, "1\n").unwrap();
        pidfile.unwrap().remove();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn a_pidfile_that_cannot_be_written_is_logged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/pid");
        let (pidfile, lines) = write(&path);
        assert!(pidfile.is_none());
        let path = path.display();
        assert_eq!(
            lines,
            [
                (Level::Critical, format!("could not write pidfile {path}")),
                (Level::Error, format!("cannot write to {path}: No such file or directory (os error 2)"))
            ]
        );
    }
}
