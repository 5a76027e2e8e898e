//! The one place that waits for children: a second one would take the other's exit statuses.

use ironlance_core::process::exit_status::ExitStatus;
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, WaitOptions, wait, waitid};

use super::setup;

/// Sees to it that children wait for us when they have ended: who started us may have had SIGCHLD ignored, and then
/// the kernel throws their statuses away. To be called before the first child is started.
pub fn keep_exit_statuses() {
    setup::reset_sigchld();
}

/// Tells of all children that have ended, ours and those that were left to us as PID 1, and waits for none.
pub fn reap(sink: &mut dyn FnMut(u32, ExitStatus)) {
    // An error is ECHILD: there are no children. EINTR cannot be, as nothing is waited for.
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        sink(pid.as_raw_nonzero().get().unsigned_abs(), ExitStatus::from_wait(status.as_raw()));
    }
}

/// Whether there is any child, ours or one that was left to us, alive or not reaped yet.
pub fn has_children() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}
