//! What ^C and the end of the terminal mean: end the program, or only what is being followed.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// Who gets ^C: what is being followed, else the program. One thread decides, so that one ^C is never taken twice.
#[derive(Default)]
pub(crate) struct Interrupts {
    follower: Follower,
    is_watched: bool,
}

/// The other end of the socket of what is being followed.
#[derive(Clone, Default)]
pub(crate) struct Follower(Arc<Mutex<Option<UnixStream>>>);

/// While this lives, ^C makes its socket readable, and does nothing else.
pub(crate) struct Catch {
    follower: Follower,
    heard: UnixStream,
}

/// What ^C does where nothing is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    /// It kills us, as everywhere.
    Kill,
    /// It leaves the line and ends the program with 0, as in the original's shell.
    EndQuietly,
}

impl Interrupts {
    /// Takes ^C for something that is followed.
    pub(crate) fn catch(&mut self) -> io::Result<Catch> {
        if !self.is_watched {
            self.watch(Otherwise::Kill)?;
        }
        let (heard, told) = UnixStream::pair()?;
        *self.follower.lock() = Some(told);
        Ok(Catch { follower: self.follower.clone(), heard })
    }

    /// Lets ^C end the program quietly from now on, and puts the terminal back on every end.
    pub(crate) fn end_on_interrupt(&mut self) -> io::Result<()> {
        self.watch(Otherwise::EndQuietly)
    }

    fn watch(&mut self, otherwise: Otherwise) -> io::Result<()> {
        let before = tcgetattr(io::stdin()).ok();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM])?;
        let follower = self.follower.clone();
        let watch = move || {
            for signal in signals.forever() {
                if signal == SIGINT && follower.tell() {
                    continue;
                }
                restore(before.as_ref());
                if signal == SIGINT && otherwise == Otherwise::EndQuietly {
                    // Not through the buffer of stdout, which somebody may hold.
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

fn restore(before: Option<&Termios>) {
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    }
}

impl Follower {
    /// Tells it of ^C, or of another reason to end; whether it is there.
    pub(crate) fn tell(&self) -> bool {
        let follower = self.lock();
        if let Some(told) = follower.as_ref() {
            // A byte that finds no room is one of many that were not looked at yet.
            let _ = rustix::io::write(told, b"!");
        }
        follower.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Catch {
    /// A socket that becomes readable at ^C.
    pub(crate) fn socket(&self) -> io::Result<UnixStream> {
        self.heard.try_clone()
    }

    /// Who else may end what is followed, as ^C does.
    pub(crate) fn follower(&self) -> Follower {
        self.follower.clone()
    }
}

impl Drop for Catch {
    fn drop(&mut self) {
        *self.follower.lock() = None;
    }
}
