//! Signal handling: ^C ends the program, or only the log or program that is followed ([`InterruptGuard`]).

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// Dispatches ^C to the current [`InterruptGuard`], else to the default action. One thread decides, so a ^C is never
/// handled twice.
#[derive(Default)]
pub(crate) struct InterruptHandler {
    target: InterruptTarget,
    is_watched: bool,
}

/// The write end of the current guard's socket, if there is a guard.
#[derive(Clone, Default)]
pub(crate) struct InterruptTarget(Arc<Mutex<Option<UnixStream>>>);

/// While it lives, ^C makes its socket readable and does nothing else.
pub(crate) struct InterruptGuard {
    target: InterruptTarget,
}

/// What ^C does without a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DefaultAction {
    /// Terminates the process by the signal.
    Terminate,
    /// Prints a newline and exits with 0, as in the original's shell.
    ExitQuietly,
}

impl InterruptHandler {
    /// Redirects ^C to a new guard, and to the socket that becomes readable then.
    pub(crate) fn catch(&mut self) -> io::Result<(InterruptGuard, UnixStream)> {
        if !self.is_watched {
            self.watch(DefaultAction::Terminate)?;
        }
        let (receiver, sender) = UnixStream::pair()?;
        *self.target.lock() = Some(sender);
        Ok((InterruptGuard { target: self.target.clone() }, receiver))
    }

    /// From now on ^C exits quietly, and the terminal's settings are restored on every signal.
    pub(crate) fn exit_on_interrupt(&mut self) -> io::Result<()> {
        self.watch(DefaultAction::ExitQuietly)
    }

    fn watch(&mut self, otherwise: DefaultAction) -> io::Result<()> {
        let before = tcgetattr(io::stdin()).ok();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM])?;
        let follower = self.target.clone();
        let watch = move || {
            for signal in signals.forever() {
                if signal == SIGINT && follower.notify() {
                    continue;
                }
                if let Some(before) = &before {
                    let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
                }
                if signal == SIGINT && otherwise == DefaultAction::ExitQuietly {
                    // Not through stdout's buffer, which another thread may have locked.
                    let _ = rustix::io::write(io::stdout(), b"\n");
                    std::process::exit(0);
                }
                let _ = low_level::emulate_default_handler(signal);
            }
        };
        thread::Builder::new().name("interrupts".to_owned()).spawn(watch)?;
        self.is_watched = true;
        Ok(())
    }
}

impl InterruptTarget {
    /// Notifies the guard of ^C or of another reason to end; `false` if there is no guard.
    pub(crate) fn notify(&self) -> bool {
        let follower = self.lock();
        if let Some(sender) = follower.as_ref() {
            // A full socket buffer already holds a notification.
            let _ = rustix::io::write(sender, b"!");
        }
        follower.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InterruptGuard {
    /// A handle to notify this guard, as ^C does.
    pub(crate) fn follower(&self) -> InterruptTarget {
        self.target.clone()
    }
}

impl Drop for InterruptGuard {
    fn drop(&mut self) {
        *self.target.lock() = None;
    }
}
