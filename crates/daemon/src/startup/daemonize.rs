//! Going into the background: a fork, a session of its own, /dev/null as stdin, stdout and stderr (`_daemonize` of the
//! original). The process in the foreground ends when the one in the background is ready.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use ironlance_core::log_level::Level;
use ironlance_core::text::python;
use nix::errno::Errno;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{chdir, umask};

use crate::child::setup;

/// The longest that the process in the foreground waits for the one in the background to be ready.
const READY_TIMEOUT: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// The process in the foreground, which waits until this one is ready.
#[must_use]
pub(crate) struct WaitingParent(OwnedFd);

impl WaitingParent {
    /// Lets it end with status 0.
    pub(crate) fn release(self) {
        // An error means that it was killed meanwhile.
        let _ = rustix::io::write(&self.0, b".");
    }
}

/// Continues in a new process in a session of its own. The calling process ends with status 0 when it is released, with
/// 1 when this one has ended before. To be called while there are no threads and no runtime. `log` gets the original's
/// lines.
pub(crate) fn daemonize(
    directory: Option<&Path>,
    mask: u32,
    log: &mut dyn FnMut(Level, &str),
) -> io::Result<WaitingParent> {
    log(Level::Blather, "supervisord forked; parent exiting");
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    if setup::fork_daemon()?.is_some() {
        drop(writer);
        // Nothing is dropped on the way out: the sockets' files belong to the new process.
        std::process::exit(wait_until_ready(&reader, &READY_TIMEOUT));
    }
    drop(reader);
    setsid()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    log(Level::Info, "daemonizing the supervisord process");
    if let Some(folder) = directory {
        let name = python::repr(&folder.display().to_string());
        match chdir(folder) {
            Ok(()) => log(Level::Info, &format!("set current directory: {name}")),
            Err(why) => {
                let error = python_error(why.raw_os_error(), &name);
                log(Level::Critical, &format!("can't chdir into {name}: {error}"));
            }
        }
    }
    umask(Mode::from_raw_mode(mask));
    Ok(WaitingParent(writer))
}

/// Gives the exit status of the process in the foreground. Reaching the timeout is a success: the process in the
/// background is slow, but it is there.
fn wait_until_ready(background: &OwnedFd, timeout: &Timespec) -> i32 {
    loop {
        match poll(&mut [PollFd::new(background, PollFlags::IN)], Some(timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) | Ok(0) => return 0,
            Ok(_) => break,
        }
    }
    if matches!(rustix::io::read(background, &mut [0]), Ok(1)) {
        return 0;
    }
    let _ = writeln!(
        io::stderr(),
        "Error: supervisord has ended in the background before it was ready; see its log"
    );
    1
}

/// Python's words for an OSError.
fn python_error(code: i32, name: &str) -> String {
    format!("[Errno {code}] {}: {name}", Errno::from_raw(code).desc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_foreground_ends_with_success_when_it_is_released_and_with_1_when_the_background_has_died() {
        let status = |end: fn(WaitingParent)| {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            end(WaitingParent(writer));
            wait_until_ready(&reader, &READY_TIMEOUT)
        };
        assert_eq!(status(WaitingParent::release), 0);
        assert_eq!(status(drop), 1);
    }

    #[test]
    fn a_background_that_takes_long_is_no_failure() {
        let (reader, _writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        assert_eq!(wait_until_ready(&reader, &Timespec { tv_sec: 0, tv_nsec: 1 }), 0);
    }

    #[test]
    fn a_folder_that_is_missing_is_logged_in_pythons_words() {
        assert_eq!(python_error(2, "'/no'"), "[Errno 2] No such file or directory: '/no'");
    }
}
