//! The only caller of waitpid: [`reap`], on SIGCHLD. A second caller would take exit statuses away from it.

use ironlance_core::process::exit_status::ExitStatus;
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, WaitOptions, wait, waitid};

use super::setup;

/// Makes the kernel keep exit statuses: it discards them if SIGCHLD was inherited as ignored. To be called before the
/// first child is started.
pub fn keep_exit_statuses() {
    setup::reset_sigchld();
}

/// Passes every child that has ended to `sink`, also orphans that were reparented to us as PID 1. Does not block.
pub fn reap(sink: &mut dyn FnMut(u32, ExitStatus)) {
    // An error is ECHILD: there are no children. EINTR is impossible without blocking.
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        sink(pid.as_raw_nonzero().get().unsigned_abs(), ExitStatus::from_wait(status.as_raw()));
    }
}

/// Whether there are children, our own or reparented, that are alive or not reaped.
pub fn has_children() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}
