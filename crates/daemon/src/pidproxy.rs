//! The pidproxy command: supervisord starts it in the place of a daemon that forks, and [`main`] forwards
//! supervisord's signals to the pid in the daemon's pidfile.
//!
//! ```text
//!   supervisord ── signal ──▶ pidproxy ── reads the file, now ──▶ the pid in it
//!                                └── SIGCHLD: the command has ended, and pidproxy ends too
//! ```

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use ironlance_config::value;
use ironlance_core::cli::help::{CommandHelp, HelpSection};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::OFlags;
use signal_hook::iterator::Signals;

/// The command's name in messages.
const COMMAND: &str = "pidproxy";
/// What follows the command's name.
const OPERANDS: &str = "<pidfile name> <command> [<cmdarg1> ...]";
/// The help before the usage.
const ABOUT: &str = "pidproxy -- run a command that leaves its pid in a file, and pass signals on to that pid.\n\n\
    TERM, INT, QUIT, HUP, USR1 and USR2 are sent to the pid that the file names at\n\
    that moment. It ends when the command has ended, or when it has passed on one of\n\
    the first three. The command is a path; PATH is not searched.";
/// A longer pidfile is not read further (bytes).
const MAX_PIDFILE: u64 = 4096;

/// The signals that are forwarded.
const FORWARDED: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGQUIT];

/// Runs the command; `args` without its own name: the pidfile, the program, and the program's arguments. There are no
/// options.
///
/// Gives 0 when the program has ended, whatever its status, and as soon as TERM, INT or QUIT was forwarded; 1 where
/// arguments are missing or the pid in the file does not exist.
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
            // As after any other end of the program, as in the original.
            ExitCode::SUCCESS
        }
    }
}

/// Installs handlers. A signal mask would be inherited by the program; handlers are reset by execve.
fn register_handlers() -> io::Result<Signals> {
    let forwarded = FORWARDED.iter().map(|signal| *signal as i32);
    Signals::new(forwarded.chain([Signal::SIGCHLD as i32]))
}

/// Starts the program. Its path is relative to the working folder; `PATH` is not searched.
fn start(program: &str, argv: &[String]) -> io::Result<Child> {
    let mut command = Command::new(std::path::absolute(program)?);
    command.arg0(program).args(&argv[1..]);
    command.spawn()
}

/// Forwards signals until the program or pidproxy has to end.
fn forward_signals(mut signals: Signals, mut child: Child, pidfile: &Path) -> ExitCode {
    for number in signals.forever() {
        let Ok(signal) = Signal::try_from(number) else { continue };
        if signal == Signal::SIGCHLD {
            // An error is ECHILD: the status was reaped elsewhere, so the program has ended too.
            if !matches!(child.try_wait(), Ok(None)) {
                return ExitCode::SUCCESS;
            }
            continue;
        }
        if let Some(code) = forward(signal, pidfile) {
            return code;
        }
    }
    ExitCode::SUCCESS
}

/// Forwards a signal. Gives the status with which pidproxy ends after it, if it does.
fn forward(signal: Signal, pidfile: &Path) -> Option<ExitCode> {
    // Read for each signal, as the pid may change.
    let Some(pid) = read_pid(pidfile) else {
        let _ = writeln!(io::stdout(), "Can't read child pidfile {}!", pidfile.display());
        return None;
    };
    match (kill(pid, signal), signal) {
        (Err(error), _) => {
            print_error(&format!("cannot send {signal} to {pid} of {}: {}", pidfile.display(), error.desc()));
            Some(ExitCode::FAILURE)
        }
        (Ok(()), Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT) => Some(ExitCode::SUCCESS),
        (Ok(()), _) => None,
    }
}

/// The pid in the file. None if the file cannot be read or is not a number, or the number means a process group, all
/// processes, or pidproxy itself.
fn read_pid(pidfile: &Path) -> Option<Pid> {
    let mut text = String::new();
    // A FIFO without a writer must not block.
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
    format!("{ABOUT}\n\nUsage: {name} {OPERANDS}\n\n")
}

/// The command's help.
pub fn help() -> CommandHelp {
    CommandHelp {
        usage: format!("{COMMAND} {OPERANDS}"),
        sections: vec![HelpSection::of_text("", ABOUT)],
        subcommands: Vec::new(),
    }
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
    fn a_group_all_processes_and_pidproxy_itself_are_refused() {
        for text in ["0", "-1", "-77", &std::process::id().to_string()] {
            assert_eq!(pid_of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read_pid(Path::new("/nonexistent/pid")), None);
        assert_eq!(read_pid(Path::new("/")), None);
    }
}
