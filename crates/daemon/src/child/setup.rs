//! The fork, and what the child does between it and its program: the one unsafe file of the daemon.
//!
//! The child is a copy of a process that may have had threads, so it takes no memory, no locks and cannot unwind: it
//! makes system calls with what the parent has made ready, and ends with `_exit`. Its steps, in the original's order:
//!
//! ```text
//! signals ─▶ process group ─▶ descriptors ─▶ limit ─▶ user ─▶ folder ─▶ umask ─▶ exec
//!                                  └───────────────────┴────────┴────────────────┴─▶ report, stderr, _exit(127)
//! ```
#![expect(unsafe_code, reason = "fork, and system calls with addresses, in a child that may not take memory")]

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use ironlance_host::errno::symbol;
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use nix::unistd::{ForkResult, Pid, fork, setpgid};

use super::exec_errors::{HEADER_LENGTH, MAX_MESSAGE, SetupStep, encode};
use super::identity::{Identity, UserSwitch};

/// The status of a child that did not get as far as its program, as the original has it.
const STATUS_NOT_SPAWNED: i32 = 127;
/// The last signal that Linux has.
const LAST_SIGNAL: i32 = 64;
/// Where the kernel cannot close descriptors as a range (before 5.11), those below this are closed one by one.
const MAX_DESCRIPTORS: i32 = 65_536;
/// The longest line of a child about its failure, in bytes; a path can be nearly as long.
const MAX_LINE: usize = 4600;

/// All that the child needs.
pub(super) struct PreparedExec<'a> {
    pub(super) file: CString,
    pub(super) argv: CStringArray,
    pub(super) environment: CStringArray,
    pub(super) directory: Option<CString>,
    pub(super) umask: Option<u32>,
    pub(super) identity: Option<&'a Identity>,
    pub(super) nofile: Option<u64>,
    /// What becomes its stdin, stdout and stderr.
    pub(super) stdio: [BorrowedFd<'a>; 3],
    /// Closes itself when the program is executed.
    pub(super) error_pipe: BorrowedFd<'a>,
}

/// Strings as execve wants them: an array of addresses, a null at its end.
pub(super) struct CStringArray {
    /// What the addresses point into; it is not touched any more. A `Vec`, and no `Box`: who moves a box says that
    /// nobody else points into it.
    text: Vec<u8>,
    addresses: Box<[*const c_char]>,
}

impl CStringArray {
    /// Takes strings that each end with a zero, one behind the other, and where each of them starts.
    pub(super) fn new(text: Vec<u8>, starts: &[usize]) -> Self {
        assert!(text.is_empty() || text.ends_with(&[0]), "the last string ends with a zero");
        assert!(starts.iter().all(|start| *start < text.len()), "every string starts in the text");
        let base: *const c_char = text.as_ptr().cast();
        let addresses = starts.iter().map(|start| base.wrapping_add(*start));
        let addresses = addresses.chain([ptr::null()]).collect();
        Self { text, addresses }
    }

    /// The first string, none if there is none.
    fn first(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.text).unwrap_or_default()
    }
}

/// SIGCHLD does what it does by default in this process: nothing, but children that have ended are kept.
pub(super) fn reset_sigchld() {
    // SAFETY: sets no handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Forks. All signals wait meanwhile, so that no handler of ours runs in the child.
pub(super) fn fork_exec(prepared: &PreparedExec<'_>) -> io::Result<u32> {
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    // SAFETY: the child calls `become_program` and nothing else, which keeps to calls that are allowed after a fork
    // of a process with threads (signal-safety(7)) and does not return.
    let forked = match unsafe { fork() } {
        Ok(ForkResult::Child) => child_main(prepared),
        Ok(ForkResult::Parent { child }) => Ok(child),
        Err(why) => Err(why),
    };
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    let child = forked?;
    // The child does this too. Whoever is first, the group is there when we want to signal it; if the child has
    // executed its program already, this fails and nothing is missing.
    let _ = setpgid(child, child);
    Ok(child.as_raw().unsigned_abs())
}

/// Forks, and both halves go on as what this process was: how the daemon goes into the background. Gives the new
/// process's number in the old one, none in the new one. To be called while there is one thread.
pub(crate) fn fork_daemon() -> io::Result<Option<u32>> {
    // SAFETY: there is one thread, so the new process has everything as it is here, and no lock is held.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(None),
        ForkResult::Parent { child } => Ok(Some(child.as_raw().unsigned_abs())),
    }
}

/// What has failed in the child.
struct FailedStep {
    step: SetupStep,
    errno: i32,
}

/// The child's way. It is `extern "C"` so that a panic, which there should not be, ends the child and does not go on as
/// a second parent.
extern "C" fn child_main(prepared: &PreparedExec<'_>) -> ! {
    reset_signals();
    // This cannot fail: the child is new and leads no session.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    let failed = match set_up_and_exec(prepared) {
        Ok(never) => match never {},
        Err(failed) => failed,
    };
    report_failure(prepared, &failed);
    // SAFETY: takes no address, and runs nothing of the parent's.
    unsafe { libc::_exit(STATUS_NOT_SPAWNED) }
}

/// Every signal does what it does by default, and none is blocked. But SIGPIPE and SIGXFSZ are ignored, as under the
/// original (SIGPIPE under systemd as well): a grandchild that outlives its parent and writes gets an error, and is not
/// killed; nor is who writes more than its limit.
fn reset_signals() {
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: sets no handler. KILL, STOP and those of the C library are refused, which is right.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: sets no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // It fails for a wrong first argument only.
    let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

fn set_up_and_exec(prepared: &PreparedExec<'_>) -> Result<std::convert::Infallible, FailedStep> {
    set_up_descriptors(prepared).map_err(|errno| FailedStep { step: SetupStep::Descriptors, errno })?;
    if let Some(limit) = prepared.nofile {
        set_soft_nofile(limit);
    }
    if let Some(identity) = prepared.identity {
        change_user(identity).map_err(|errno| FailedStep { step: SetupStep::User, errno })?;
    }
    if let Some(folder) = &prepared.directory {
        // SAFETY: the address is that of a string with a zero at its end.
        check(unsafe { libc::chdir(folder.as_ptr()) })
            .map_err(|errno| FailedStep { step: SetupStep::Directory, errno })?;
    }
    if let Some(mask) = prepared.umask {
        // SAFETY: takes no address.
        unsafe { libc::umask(mask) };
    }
    // SAFETY: file is a string with a zero at its end; both arrays hold addresses of such strings in a text that
    // `prepared` owns, and a null at their end (`Strings::new`).
    unsafe {
        libc::execve(
            prepared.file.as_ptr(),
            prepared.argv.addresses.as_ptr(),
            prepared.environment.addresses.as_ptr(),
        )
    };
    Err(FailedStep { step: SetupStep::Exec, errno: Errno::last_raw() })
}

/// Stdin, stdout and stderr; whatever else is open closes when the program is executed.
fn set_up_descriptors(prepared: &PreparedExec<'_>) -> Result<(), i32> {
    for (theirs, number) in prepared.stdio.iter().zip(0..) {
        // SAFETY: takes no address; what is replaced is the copy of this child.
        check(unsafe { libc::dup2(theirs.as_raw_fd(), number) })?;
    }
    // SAFETY: takes no address. The flag only marks descriptors of this child.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if closed == 0 {
        return Ok(());
    }
    for fd in 3..MAX_DESCRIPTORS {
        // SAFETY: takes no address; it fails for what is not open.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

/// Gives the soft limit of descriptors back that we have raised for ourselves. A program runs with more, too.
fn set_soft_nofile(soft: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the address is that of a local variable of the right type.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0 {
        limit.rlim_cur = soft.min(limit.rlim_max);
        // SAFETY: as above.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}

/// Groups first: who is not root any more cannot set them. A refusal of the parent's has no number.
fn change_user(identity: &Identity) -> Result<(), i32> {
    let (gid, groups) = match &identity.switch {
        UserSwitch::Unneeded => return Ok(()),
        UserSwitch::Refused(_) => return Err(0),
        UserSwitch::Switch { gid, groups } => (*gid, groups),
    };
    // SAFETY: address and length are those of a slice.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
    // SAFETY: takes no address; there are no threads in this child.
    check(unsafe { libc::setgid(gid) })?;
    // SAFETY: as above.
    check(unsafe { libc::setuid(identity.uid) })
}

fn check(result: i32) -> Result<(), i32> {
    if result < 0 { Err(Errno::last_raw()) } else { Ok(()) }
}

/// Reports to the parent, and writes the original's two lines to the child's stderr.
fn report_failure(prepared: &PreparedExec<'_>, failed: &FailedStep) {
    let mut line = LineBuffer { bytes: [0; MAX_LINE], length: 0 };
    line.push(b"supervisor: ");
    let prefix = line.length;
    push_reason(prepared, failed, &mut line);
    let mut buffer = [0; HEADER_LENGTH + MAX_MESSAGE];
    let words = &line.bytes[prefix..line.length];
    let length = encode(Pid::this().as_raw().unsigned_abs(), failed.step, failed.errno, words, &mut buffer);
    // Nothing is left to do for who cannot even say this.
    let _ = rustix::io::write(prepared.error_pipe, &buffer[..length]);
    line.push(b"\nsupervisor: child process was not spawned\n");
    // SAFETY: descriptor 2 is this child's stderr, whatever became of it, and stays open.
    let stderr = unsafe { BorrowedFd::borrow_raw(2) };
    let _ = rustix::io::write(stderr, &line.bytes[..line.length]);
}

/// `couldn't exec /x: ENOENT` and its like (process.py, `_spawn_as_child`).
fn push_reason(prepared: &PreparedExec<'_>, failed: &FailedStep, line: &mut LineBuffer) {
    let mut digits = [0; 12];
    match failed.step {
        SetupStep::Descriptors => line.push(b"couldn't set up stdin, stdout and stderr"),
        SetupStep::User => {
            line.push(b"couldn't setuid to ");
            line.push(decimal(prepared.identity.map_or(0, |identity| identity.uid), &mut digits));
        }
        SetupStep::Directory => {
            line.push(b"couldn't chdir to ");
            line.push(prepared.directory.as_deref().unwrap_or_default().to_bytes());
        }
        SetupStep::Exec => {
            line.push(b"couldn't exec ");
            line.push(prepared.argv.first().to_bytes());
        }
    }
    line.push(b": ");
    match prepared.identity.map(|identity| &identity.switch) {
        Some(UserSwitch::Refused(why)) if failed.step == SetupStep::User => line.push(why.as_bytes()),
        _ => match symbol(failed.errno) {
            Some(name) => line.push(name.as_bytes()),
            None => line.push(decimal(failed.errno.unsigned_abs(), &mut digits)),
        },
    }
}

/// A line that is put together without taking memory; what does not fit is left out.
struct LineBuffer {
    bytes: [u8; MAX_LINE],
    length: usize,
}

impl LineBuffer {
    fn push(&mut self, piece: &[u8]) {
        let free = &mut self.bytes[self.length..];
        let count = piece.len().min(free.len());
        free[..count].copy_from_slice(&piece[..count]);
        self.length += count;
    }
}

/// A number in digits, the last ones of `digits`.
fn decimal(mut number: u32, digits: &mut [u8; 12]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_digits() {
        let mut digits = [0; 12];
        assert_eq!(decimal(0, &mut digits), b"0");
        assert_eq!(decimal(1000, &mut digits), b"1000");
        assert_eq!(decimal(u32::MAX, &mut digits), b"4294967295");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let mut line = LineBuffer { bytes: [0; MAX_LINE], length: 0 };
        line.push(&[b'a'; MAX_LINE - 1]);
        line.push(b"bc");
        line.push(b"d");
        assert_eq!(&line.bytes[MAX_LINE - 2..], b"ab");
    }
}
