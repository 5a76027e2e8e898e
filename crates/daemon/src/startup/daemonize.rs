//! Into the background, and the file that says who is there: `_daemonize` and `write_pidfile` of the original.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ironlance_core::log_level::Level;
use ironlance_core::text::python;
use nix::errno::Errno;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{chdir, umask};

use crate::child::setup;
use crate::files::safe_open;
use crate::files::special_file::is_special;

/// So much of a pidfile is looked at (bytes).
const MAX_PIDFILE: u64 = 64;

/// So long the process in front waits for the one in the background to be ready.
const READY_TIMEOUT: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// The process in front waits for this one to be ready.
#[must_use]
pub(crate) struct WaitingParent(OwnedFd);

impl WaitingParent {
    /// Lets it end, with status 0: who has started us finds everything in its place.
    pub(crate) fn release(self) {
        // Who was killed meanwhile does not need to know.
        let _ = rustix::io::write(&self.0, b".");
    }
}

/// Leaves the terminal: a new process in a session of its own, with nothing on stdin, stdout and stderr. The caller's
/// process ends with status 0 when it is released, with 1 when this one has ended before. To be called while there are
/// no threads and no runtime. `log` gets the original's lines.
pub(crate) fn daemonize(
    directory: Option<&Path>,
    mask: u32,
    log: &mut dyn FnMut(Level, &str),
) -> io::Result<WaitingParent> {
    log(Level::Blather, "supervisord forked; parent exiting");
    let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC)?;
    if setup::fork_daemon()?.is_some() {
        drop(ours);
        // Nothing is dropped on the way out: the sockets' names are the new process's.
        std::process::exit(wait_until_ready(&theirs));
    }
    drop(theirs);
    setsid()?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    log(Level::Info, "daemonizing the supervisord process");
    if let Some(folder) = directory {
        let name = python::repr(&folder.display().to_string());
        match chdir(folder) {
            Ok(()) => log(Level::Info, &format!("set current directory: {name}")),
            Err(why) => log(
                Level::Critical,
                &format!("can't chdir into {name}: {}", python_error(why.raw_os_error(), &name)),
            ),
        }
    }
    set_umask(mask);
    Ok(WaitingParent(ours))
}

/// The status for the process in front to end with.
fn wait_until_ready(background: &OwnedFd) -> i32 {
    let mut byte = [0];
    loop {
        match poll(&mut [PollFd::new(background, PollFlags::IN)], Some(&READY_TIMEOUT)) {
            Err(rustix::io::Errno::INTR) => {}
            // It takes long, but it is there.
            Err(_) | Ok(0) => return 0,
            Ok(_) => break,
        }
    }
    if matches!(rustix::io::read(background, &mut byte), Ok(1)) {
        return 0;
    }
    let _ = writeln!(
        io::stderr(),
        "Error: supervisord has ended in the background before it was ready; see its log"
    );
    1
}

/// Sets the mask for files that are made from now on.
pub(crate) fn set_umask(mask: u32) {
    umask(Mode::from_raw_mode(mask));
}

/// The beginning of the file, if it can be read.
fn read_pid(path: &Path) -> Option<String> {
    let mut text = String::new();
    safe_open::open_to_read(path).ok()?.take(MAX_PIDFILE).read_to_string(&mut text).ok()?;
    Some(text)
}

/// An OSError of Python in words.
fn python_error(code: i32, name: &str) -> String {
    format!("[Errno {code}] {}: {name}", Errno::from_raw(code).desc())
}

/// The file with our pid.
#[derive(Clone, Debug)]
pub(crate) struct Pidfile {
    path: PathBuf,
    pid: u32,
}

impl Pidfile {
    /// Writes our pid, over whatever is there. Whether or not it works, `log` gets the original's line.
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

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, unless another daemon has written its own pid to it meanwhile.
    pub(crate) fn remove(self) {
        if !is_special(&self.path)
            && read_pid(&self.path).is_some_and(|text| text.trim() == self.pid.to_string())
        {
            // Somebody else may have removed it.
            let _ = fs::remove_file(&self.path);
        }
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
    fn the_pid_file_holds_our_pid_and_goes_with_us() {
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
    fn a_pid_file_that_another_daemon_took_over_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let (pidfile, _) = write(&path);
        fs::write(&path, "1\n").unwrap();
        pidfile.unwrap().remove();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn a_pid_file_that_cannot_be_written_is_said() {
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

    #[test]
    fn a_folder_that_is_missing_is_told_as_python_tells_it() {
        let told = python_error(2, "'/no'");
        assert_eq!(told, "[Errno 2] No such file or directory: '/no'");
    }
}
