//! The supervisord command: [`main`] reads the command line and the configuration, and runs one generation of the
//! daemon after the other until it is to end.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use ironlance_config::{self as config, CheckResult, Config, HostEnv};
use ironlance_host::heap;

use crate::generation::{self, GenerationEnd};
use crate::options::{self, Command, Options};
use crate::orphans;
use crate::startup::{COMMAND, StartOrigin};
use crate::supervisor::{InheritedPools, SUPERVISOR_VERSION};

/// The command line or the configuration is refused, as in the original.
const EXIT_USAGE: u8 = 2;
/// A panic (sysexits.h, EX_SOFTWARE).
const EXIT_SOFTWARE: u8 = 70;
/// Free bytes that stay at the end of the heap: buffers of 64 KiB come and go with every large event.
const HEAP_TRIM_THRESHOLD: i32 = 4 * 1024 * 1024;

/// The daemon, or what its command line asks for instead. `args` are without the command's name.
///
/// Gives 0 after an ordinary end, 2 where the command line or the configuration is refused, 70 after a panic.
pub fn main(args: &[String]) -> ExitCode {
    let host_env = HostEnv::current();
    match options::parse(&progname(), args, &host_env) {
        Command::Help(text) => print(&text),
        Command::Version => print(&format!("{SUPERVISOR_VERSION}\n")),
        Command::Refused { message } => refuse(&message),
        Command::Check(options) => with_config_file(&options, |file| check(file, &options, &host_env)),
        Command::Run(options) => with_config_file(&options, |file| run(file, &options, &host_env)),
    }
}

/// Goes on with the file that the command line names, or the first that is found.
fn with_config_file(options: &Options, go_on: impl FnOnce(&Path) -> ExitCode) -> ExitCode {
    let named = options.configuration.clone();
    let file = named.map_or_else(|| options::find_configuration(&progname()), Ok);
    file.map_or_else(|message| refuse(&message), |file| go_on(&file))
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The daemon's name in the original's messages.
fn progname() -> String {
    let called = std::env::args().next().unwrap_or_default();
    let by_own_name = Path::new(&called).file_name().is_some_and(|name| name == COMMAND);
    if by_own_name { called } else { COMMAND.to_owned() }
}

/// Prints what the original prints before it ends with 2.
fn refuse(message: &str) -> ExitCode {
    let _ = write!(io::stderr(), "Error: {message}\nFor help, use {} -h\n", progname());
    ExitCode::from(EXIT_USAGE)
}

fn check(file: &Path, options: &Options, host_env: &HostEnv) -> ExitCode {
    let checked = config::check(file, &options.overrides, host_env);
    for remark in &checked.remarks {
        let _ = writeln!(io::stderr(), "{remark}");
    }
    match checked.result {
        CheckResult::Sound(line) => print(&format!("{line}\n")),
        CheckResult::Faulty => ExitCode::from(EXIT_USAGE),
    }
}

fn run(file: &Path, options: &Options, host_env: &HostEnv) -> ExitCode {
    heap::set_trim_threshold(HEAP_TRIM_THRESHOLD);
    let config = match config::load(file, &options.overrides, host_env) {
        Ok(config) => config,
        // The original's words for the first fault, and each fault on a line of its own.
        Err(faults) => return refuse(&format!("{}\n{faults}", faults.original())),
    };
    let code = run_generations(config, options, host_env);
    orphans::terminate();
    code
}

fn run_generations(config: Config, options: &Options, host_env: &HostEnv) -> ExitCode {
    let ours = env!("CARGO_PKG_VERSION");
    let version = format!("ironlance {ours}, in the place of Supervisor {SUPERVISOR_VERSION}");
    let mut next = (config, StartOrigin::ColdStart { version }, InheritedPools::default());
    loop {
        let (config, origin, pools) = next;
        match generation::run(config, origin, pools, &options.overrides, host_env) {
            Ok(GenerationEnd::Restart { reload, nofile }) => {
                let origin = StartOrigin::Restart { sockets: reload.sockets, log: reload.log, nofile };
                next = (reload.config, origin, reload.pools);
            }
            Ok(GenerationEnd::Exit) => return ExitCode::SUCCESS,
            Ok(GenerationEnd::Panicked) => return ExitCode::from(EXIT_SOFTWARE),
            Err(message) => return refuse(&message),
        }
    }
}
