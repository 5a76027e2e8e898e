//! The fork, and what the child does before execve: [`fork_exec`], called by `spawn` alone. Most of the daemon's
//! unsafe code is here.
//!
//! The child is a copy of a process that may have threads. It allocates no memory, takes no locks and cannot unwind:
//! it makes system calls with what the parent has prepared, and ends with `_exit`. Its steps, in the original's order:
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

use super::exec_errors::{HEADER_LENGTH, MAX_MESSAGE, encode};
use super::identity::{Identity, UserSwitch};

/// The exit status of a child that did not reach execve, as in the original.
const STATUS_NOT_SPAWNED: i32 = 127;
/// The last signal number of Linux.
const LAST_SIGNAL: i32 = 64;
/// Before Linux 5.11 close_range(2) cannot set close-on-exec; then it is set for each descriptor below this.
const MAX_DESCRIPTORS: i32 = 65_536;
/// The longest error line of a child, in bytes; a path can be nearly as long.
const MAX_LINE: usize = 4600;

/// All that the child needs, allocated before the fork.
pub(super) struct PreparedExec<'a> {
    pub(super) file: CString,
    pub(super) argv: CStringArray,
    pub(super) environment: CStringArray,
    pub(super) directory: Option<CString>,
    pub(super) umask: Option<u32>,
    pub(super) identity: Option<&'a Identity>,
    pub(super) nofile: Option<u64>,
    /// Its stdin, stdout and stderr.
    pub(super) stdio: [BorrowedFd<'a>; 3],
    /// The write end of the exec error pipe, which closes on exec.
    pub(super) error_pipe: BorrowedFd<'a>,
}

/// Strings for execve: an array of addresses with a null at its end.
pub(super) struct CStringArray {
    /// What the addresses point into. It does not change any more. It is a `Vec`, as moving a `Box` asserts that no
    /// other pointer leads into it.
    text: Vec<u8>,
    addresses: Box<[*const c_char]>,
}

impl CStringArray {
    /// Takes strings that each end with a zero byte, one behind the other, and the offset of each.
    pub(super) fn new(text: Vec<u8>, starts: &[usize]) -> Self {
        assert!(text.is_empty() || text.ends_with(&[0]), "the last string ends with a zero");
        assert!(starts.iter().all(|start| *start < text.len()), "every string starts in the text");
        let base: *const c_char = text.as_ptr().cast();
        let addresses = starts.iter().map(|start| base.wrapping_add(*start));
        let addresses = addresses.chain([ptr::null()]).collect();
        Self { text, addresses }
    }

    /// The first string; empty if there is none.
    fn first(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.text).unwrap_or_default()
    }
}

/// Sets SIGCHLD to its default action, with which the kernel keeps exit statuses.
pub(super) fn reset_sigchld() {
    // SAFETY: sets no handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Forks. All signals are blocked meanwhile, so that no handler of the parent runs in the child.
pub(super) fn fork_exec(prepared: &PreparedExec<'_>) -> io::Result<u32> {
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    // SAFETY: the child calls `child_main` alone, which makes only calls that are allowed after a fork of a process
    // with threads (signal-safety(7)) and does not return.
    let forked = match unsafe { fork() } {
        Ok(ForkResult::Child) => child_main(prepared),
        Ok(ForkResult::Parent { child }) => Ok(child),
        Err(why) => Err(why),
    };
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    let child = forked?;
    // The child calls it as well, so the group exists before either of them goes on. After execve it fails here, and
    // nothing is missing.
    let _ = setpgid(child, child);
    Ok(child.as_raw().unsigned_abs())
}

/// Forks, and both processes go on here: the way into the background. Gives the new process's pid in the parent, none
/// in the child. To be called while there is one thread.
pub(crate) fn fork_daemon() -> io::Result<Option<u32>> {
    // SAFETY: there is one thread, so all memory is copied in a consistent state and no lock is held.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(None),
        ForkResult::Parent { child } => Ok(Some(child.as_raw().unsigned_abs())),
    }
}

/// The steps between fork and exec that can fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SetupStep {
    /// dup2 to stdin, stdout and stderr.
    Descriptors,
    /// setgroups, setgid, setuid.
    User,
    /// chdir.
    Directory,
    /// execve.
    Exec,
}

/// The failed step.
struct FailedStep {
    step: SetupStep,
    errno: i32,
}

/// Runs the child. It is `extern "C"` so that a panic, which should not happen, aborts the child: unwinding would
/// continue as a second parent.
extern "C" fn child_main(prepared: &PreparedExec<'_>) -> ! {
    reset_signals();
    // This cannot fail: a new process leads no session.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    let failed = match set_up_and_exec(prepared) {
        Ok(never) => match never {},
        Err(failed) => failed,
    };
    report_failure(prepared, &failed);
    // SAFETY: takes no address, and runs no exit handlers of the parent.
    unsafe { libc::_exit(STATUS_NOT_SPAWNED) }
}

/// Sets every signal to its default action and unblocks all. SIGPIPE and SIGXFSZ are ignored, as under the original
/// (SIGPIPE under systemd as well): a grandchild that outlives its parent gets an error from write(2) and is not
/// killed, and neither is a process that exceeds its file size limit.
fn reset_signals() {
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: sets no handler. SIGKILL, SIGSTOP and the C library's own are refused, which is right.
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
    let failed = |step| move |errno| FailedStep { step, errno };
    set_up_descriptors(prepared).map_err(failed(SetupStep::Descriptors))?;
    if let Some(limit) = prepared.nofile {
        set_soft_nofile(limit);
    }
    if let Some(identity) = prepared.identity {
        change_user(identity).map_err(failed(SetupStep::User))?;
    }
    if let Some(folder) = &prepared.directory {
        // SAFETY: the address is that of a string with a zero byte at its end.
        check(unsafe { libc::chdir(folder.as_ptr()) }).map_err(failed(SetupStep::Directory))?;
    }
    if let Some(mask) = prepared.umask {
        // SAFETY: takes no address.
        unsafe { libc::umask(mask) };
    }
    // SAFETY: file is a string with a zero byte at its end; both arrays hold addresses of such strings in a text that
    // `prepared` owns, and a null at their end (`CStringArray::new`).
    unsafe {
        libc::execve(
            prepared.file.as_ptr(),
            prepared.argv.addresses.as_ptr(),
            prepared.environment.addresses.as_ptr(),
        )
    };
    Err(FailedStep { step: SetupStep::Exec, errno: Errno::last_raw() })
}

/// Sets stdin, stdout and stderr, and close-on-exec for all other descriptors.
fn set_up_descriptors(prepared: &PreparedExec<'_>) -> Result<(), i32> {
    for (theirs, number) in prepared.stdio.iter().zip(0..) {
        // SAFETY: takes no address; what is replaced is the copy of this child.
        check(unsafe { libc::dup2(theirs.as_raw_fd(), number) })?;
    }
    // SAFETY: takes no address. The flag changes descriptors of this child only.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if closed == 0 {
        return Ok(());
    }
    for fd in 3..MAX_DESCRIPTORS {
        // SAFETY: takes no address; it fails for a descriptor that is not open.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

/// Restores the soft limit that the daemon has raised for itself. An error is ignored: a program runs with a higher
/// limit, too.
fn set_soft_nofile(soft: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the address is that of a local variable of the right type.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0 {
        limit.rlim_cur = soft.min(limit.rlim_max);
        // SAFETY: as above.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}

/// Sets the groups first: only root can. If the parent has refused the change, the errno is 0.
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

/// Writes a record to the exec error pipe, and the original's two lines to the child's stderr.
fn report_failure(prepared: &PreparedExec<'_>, failed: &FailedStep) {
    let mut line = LineBuffer { bytes: [0; MAX_LINE], length: 0 };
    line.push(b"supervisor: ");
    let prefix = line.length;
    push_reason(prepared, failed, &mut line);
    let mut buffer = [0; HEADER_LENGTH + MAX_MESSAGE];
    let words = &line.bytes[prefix..line.length];
    let length = encode(Pid::this().as_raw().unsigned_abs(), words, &mut buffer);
    // There is no other way to report anything.
    let _ = rustix::io::write(prepared.error_pipe, &buffer[..length]);
    line.push(b"\nsupervisor: child process was not spawned\n");
    // SAFETY: descriptor 2 is this child's stderr and stays open.
    let stderr = unsafe { BorrowedFd::borrow_raw(2) };
    let _ = rustix::io::write(stderr, &line.bytes[..line.length]);
}

/// The original's words, such as `couldn't exec /x: ENOENT` (process.py, `_spawn_as_child`).
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

/// A line of fixed capacity, as nothing can be allocated; what does not fit is cut.
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

/// A number in decimal, at the end of `digits`.
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
