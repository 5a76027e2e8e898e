//! kill(2) by number, to a child or to its process group: signal 0, which only checks, and real-time signals have no
//! names.
#![expect(unsafe_code, reason = "the safe wrappers know signals with names only")]

use std::io;

use ironlance_core::process::lifecycle::SignalTarget;
use nix::libc;

/// Sends the signal of this number.
///
/// Errors: as kill(2); ESRCH also for a pid that cannot be one.
pub fn kill(pid: u32, number: i32, target: SignalTarget) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 1);
    let pid = pid.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    let pid = match target {
        SignalTarget::Process => pid,
        SignalTarget::Group => -pid,
    };
    // SAFETY: takes no address.
    match unsafe { libc::kill(pid, number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Command, Stdio};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    #[test]
    fn signal_0_only_checks_and_a_group_of_everybody_is_never_meant() {
        assert!(kill(std::process::id(), 0, SignalTarget::Process).is_ok());
        for pid in [0, 1, u32::MAX] {
            let error = kill(pid, 0, SignalTarget::Group).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ESRCH), "{pid}");
        }
        let error = kill(std::process::id(), 9999, SignalTarget::Process).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn a_signal_to_a_group_reaches_the_children_of_a_child() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "sleep 1000 & echo; wait"])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0]).unwrap();
        kill(child.id(), libc::SIGTERM, SignalTarget::Group).unwrap();
        // The pipe ends when both processes have.
        let mut pipe = [PollFd::new(&stdout, PollFlags::IN)];
        assert_eq!(
            poll(&mut pipe, Some(&Timespec { tv_sec: 20, tv_nsec: 0 })),
            Ok(1),
            "sleep is still running"
        );
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
    }
}
