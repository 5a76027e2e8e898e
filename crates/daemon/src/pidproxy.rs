//! pidproxy: stands in for a daemon that goes its own way, and passes supervisord's signals on to the pid in its file.
//!
//! ```text
//!   supervisord ── signal ──▶ pidproxy ── reads the file, now ──▶ the pid in it
//!                                 └── SIGCHLD: the command has ended, and so do we
//! ```

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use ironlance_config::value;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::OFlags;
use signal_hook::iterator::Signals;

/// The command's name where nothing else is said.
const COMMAND: &str = "pidproxy";
/// A pidfile is a number and a line break; of what is longer no more is read (bytes).
const MAX_PIDFILE: u64 = 4096;

/// Passed on to the pid in the file.
const FORWARDED: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGQUIT];

/// The command; `args` without its own name: the pidfile, the program, and the program's arguments. There are no options.
///
/// Gives 0 when the program has ended, however it did, and as soon as TERM, INT or QUIT has been passed on; 1 where
/// arguments are missing or nobody has the pid in the file.
pub fn main(args: &[String]) -> ExitCode {
    let [pidfile, program, ..] = args else {
        let _ = io::stdout().write_all(usage().as_bytes());
        return ExitCode::FAILURE;
    };
    let signals = match register_handlers() {
        Ok(signals) => signals,
        Err(error) => {
            print_error(&format!("cannot listen to signals: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match start(program, &args[1..]) {
        Ok(child) => forward_signals(signals, child, Path::new(pidfile)),
        Err(error) => {
            print_error(&format!("cannot start {program}: {error}"));
            // As after any other end of the program: so it is in the original.
            ExitCode::SUCCESS
        }
    }
}

/// Handlers, not a mask: a mask would be the program's as well, while handlers end where it begins.
fn register_handlers() -> io::Result<Signals> {
    let passed_on = FORWARDED.iter().map(|signal| *signal as i32);
    Signals::new(passed_on.chain([Signal::SIGCHLD as i32]))
}

/// Starts the program: a path from the working directory, which `PATH` has no say in.
fn start(program: &str, argv: &[String]) -> io::Result<Child> {
    let mut command = Command::new(std::path::absolute(program)?);
    command.arg0(program).args(&argv[1..]);
    command.spawn()
}

/// Serves until the program or we have to end.
fn forward_signals(mut signals: Signals, mut child: Child, pidfile: &Path) -> ExitCode {
    for number in signals.forever() {
        let Ok(signal) = Signal::try_from(number) else { continue };
        if signal == Signal::SIGCHLD {
            // An error is ECHILD: somebody else has its status, and it has ended too.
            if !matches!(child.try_wait(), Ok(None)) {
                return ExitCode::SUCCESS;
            }
            continue;
        }
        match forward(signal, pidfile) {
            AfterSignal::Exit(code) => return code,
            AfterSignal::Continue => {}
        }
    }
    ExitCode::SUCCESS
}

/// What is next after a signal.
enum AfterSignal {
    /// The next signal.
    Continue,
    /// The end, with this status.
    Exit(ExitCode),
}

fn forward(signal: Signal, pidfile: &Path) -> AfterSignal {
    // The file is read now: its pid may be another than a moment ago.
    let Some(pid) = read_pid(pidfile) else {
        let _ = writeln!(io::stdout(), "Can't read child pidfile {}!", pidfile.display());
        return AfterSignal::Continue;
    };
    match (kill(pid, signal), signal) {
        (Err(error), _) => {
            print_error(&format!("cannot send {signal} to {pid} of {}: {}", pidfile.display(), error.desc()));
            AfterSignal::Exit(ExitCode::FAILURE)
        }
        (Ok(()), Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT) => AfterSignal::Exit(ExitCode::SUCCESS),
        (Ok(()), _) => AfterSignal::Continue,
    }
}

/// The pid in the file; none if the file cannot be read, is no number, or names nobody that could be meant: a group,
/// everybody, or ourselves.
fn read_pid(pidfile: &Path) -> Option<Pid> {
    let mut text = String::new();
    // A FIFO that nobody writes to must not hold signals up.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(pidfile).ok()?;
    file.take(MAX_PIDFILE).read_to_string(&mut text).ok()?;
    let pid = i32::try_from(value::integer(text.trim()).ok()?).ok()?;
    (pid > 0 && Pid::from_raw(pid) != Pid::this()).then(|| Pid::from_raw(pid))
}

fn print_error(what: &str) {
    let _ = writeln!(io::stderr(), "{COMMAND}: {what}");
}

fn usage() -> String {
    let called = std::env::args().next().unwrap_or_default();
    let by_own_name = Path::new(&called).file_name().is_some_and(|name| name == COMMAND);
    let name = if by_own_name { &called } else { COMMAND };
    format!(
        "{COMMAND} -- run a command that leaves its pid in a file, and pass signals on to that pid.\n\n\
         TERM, INT, QUIT, HUP, USR1 and USR2 are sent to the pid that the file names at\n\
         that moment. It ends when the command has ended, or when it has passed on one of\n\
         the first three. The command is a path; PATH is not searched.\n\n\
         Usage: {name} <pidfile name> <command> [<cmdarg1> ...]\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid_of(text: &[u8]) -> Option<i32> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        std::fs::write(&file, text).unwrap();
        read_pid(&file).map(Pid::as_raw)
    }

    #[test]
    fn a_pidfile_is_read_as_python_reads_a_number() {
        for (text, pid) in [
            (&b"123\n"[..], Some(123)),
            (b" \t12 \n\n", Some(12)),
            (b"+7", Some(7)),
            (b"1_0", Some(10)),
            (b"", None),
            (b"x", None),
            (b"12 13", None),
            (b"\xff", None),
            (b"99999999999999999999", None),
        ] {
            assert_eq!(pid_of(text), pid, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn nobody_everybody_a_group_and_ourselves_are_never_meant() {
        for text in ["0", "-1", "-77", &std::process::id().to_string()] {
            assert_eq!(pid_of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read_pid(Path::new("/nonexistent/pid")), None);
        assert_eq!(read_pid(Path::new("/")), None);
    }
}
