//! The command line of supervisord: [`parse`] reads it as Python's getopt does, [`find_configuration`] looks for the
//! file if it names none.

use std::io::Write as _;
use std::path::PathBuf;

use ironlance_config::value::{self, InvalidValue};
use ironlance_config::{HostEnv, Overrides, default_paths};
use ironlance_core::cli::help::{CommandHelp, SupervisorHelp};
use ironlance_core::cli::table::{original, ours};
use ironlance_core::cli::{OptionArg, OptionSpec, Takes, getopt};
use ironlance_core::text::python;

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Run the daemon.
    Run(Options),
    /// Check the configuration and print its faults.
    Check(Options),
    /// Print this text on stdout and end with 0.
    Help(String),
    /// Print the version on stdout and end with 0.
    Version,
    /// The command line is refused; end with 2.
    Refused {
        /// What the original prints after `Error: `.
        message: String,
    },
}

/// The options of the daemon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The file of `-c`.
    pub configuration: Option<PathBuf>,
    /// Settings that override those of the configuration.
    pub overrides: Overrides,
}

/// The options that were read, and what the values of others depend on.
struct ParseState<'m> {
    host: &'m HostEnv,
    options: Options,
    /// Whether the configuration is only checked.
    check: bool,
}

/// Why no further option is read.
enum EarlyExit {
    Help,
    Version,
    Refused(String),
}

/// Reads a command line without the command's own name. `progname` is the name in the help.
pub fn parse(progname: &str, args: &[String], machine: &HostEnv) -> Command {
    let rows = rows();
    let (hits, rest) = match getopt::parse(&rows, args) {
        Ok(split) => split,
        Err(usage) => return Command::Refused { message: usage.0 },
    };
    if !rest.is_empty() {
        let list = python::repr_list(rest);
        return Command::Refused { message: format!("positional arguments are not supported: {list}") };
    }
    let mut draft = ParseState { host: machine, options: Options::default(), check: false };
    match (getopt::apply(&hits, &mut draft), draft.check) {
        (Ok(()), false) => Command::Run(draft.options),
        (Ok(()), true) => Command::Check(draft.options),
        (Err(EarlyExit::Help), _) => Command::Help(HELP.text(progname, &SupervisorHelp::options(&rows))),
        (Err(EarlyExit::Version), _) => Command::Version,
        (Err(EarlyExit::Refused(message)), _) => Command::Refused { message },
    }
}

/// The help beside the options.
const HELP: SupervisorHelp = SupervisorHelp {
    command: "supervisord",
    about: "run a set of applications as daemons.",
    operands: "[options]",
    notes: "An option overrides the configuration file.\n\n    supervisord -n -c /etc/supervisord.conf\n    \
    supervisord --check -c /etc/supervisord.conf",
};

/// The command's help.
pub fn help() -> CommandHelp {
    HELP.help(SupervisorHelp::options(&rows()))
}

/// `-?` has no long name, but a row needs one. It matches no option that can be written.
const QUESTION_MARK: &str = "?";

/// The options in the original's order.
#[rustfmt::skip]
fn rows<'m>() -> Vec<OptionSpec<ParseState<'m>, EarlyExit>> {
    vec![
        original('c', "configuration", Takes::Value("FILENAME"), "the configuration file; by default it is searched for",
            |draft, given| set(&mut draft.options.configuration, given, Ok(given.value().into()))),
        original('n', "nodaemon", Takes::Nothing, "stay in the foreground", |draft, given| {
            set(&mut draft.options.overrides.nodaemon, given, Ok(true))
        }),
        original('s', "silent", Takes::Nothing, "in the foreground, do not copy the log to stdout", |draft, given| {
            set(&mut draft.options.overrides.silent, given, Ok(true))
        }),
        original('h', "help", Takes::Nothing, "show this text and exit", |_, _| Err(EarlyExit::Help)),
        original('?', QUESTION_MARK, Takes::Nothing, "", |_, _| Err(EarlyExit::Help)),
        original('v', "version", Takes::Nothing, "show the version of Supervisor that this stands in for, and exit",
            |_, _| Err(EarlyExit::Version)),
        original('u', "user", Takes::Value("USER"), "become this user, by name or number", |draft, given| {
            set(&mut draft.options.overrides.user, given, Ok(given.value().to_owned()))
        }),
        original('m', "umask", Takes::Value("UMASK"), "the umask, in octal; default 022",
            |draft, given| set(&mut draft.options.overrides.umask, given, value::umask(given.value()))),
        original('d', "directory", Takes::Value("DIRECTORY"), "change to this directory when going into the background",
            |draft, given| {
                let folder = value::existing_folder(given.value(), draft.host).map(PathBuf::from);
                set(&mut draft.options.overrides.directory, given, folder)
            }),
        // Supervisor's own tests look for the words `use FILENAME as`.
        original('l', "logfile", Takes::Value("FILENAME"), "use FILENAME as the daemon's own log; \"syslog\" for the system's log", |draft, given| {
            let file = value::file_in_folder(given.value(), draft.host);
            set(&mut draft.options.overrides.logfile, given, file)
        }),
        original('y', "logfile_maxbytes", Takes::Value("BYTES"), "the size at which it is rotated; units KB, MB, GB",
            |draft, given| set(&mut draft.options.overrides.logfile_maxbytes, given, value::bytes(given.value()))),
        original('z', "logfile_backups", Takes::Value("NUM"), "how many rotated logs are kept", |draft, given| {
            set(&mut draft.options.overrides.logfile_backups, given, value::backups(given.value()))
        }),
        original('e', "loglevel", Takes::Value("LEVEL"),
            "the lowest level that is logged: critical, error, warn, info, debug, trace or blather",
            |draft, given| set(&mut draft.options.overrides.loglevel, given, value::level(given.value()))),
        original('j', "pidfile", Takes::Value("FILENAME"), "where to write the process id", |draft, given| {
            let file = value::file_in_folder(given.value(), draft.host);
            set(&mut draft.options.overrides.pidfile, given, file)
        }),
        original('i', "identifier", Takes::Value("STR"), "the name of this daemon in events and over XML-RPC",
            |draft, given| set(&mut draft.options.overrides.identifier, given, Ok(given.value().to_owned()))),
        original('q', "childlogdir", Takes::Value("DIRECTORY"), "where the AUTO logs of programs go", |draft, given| {
            let folder = value::existing_folder(given.value(), draft.host).map(PathBuf::from);
            set(&mut draft.options.overrides.childlogdir, given, folder)
        }),
        original('k', "nocleanup", Takes::Nothing, "keep the AUTO logs of earlier runs", |draft, given| {
            set(&mut draft.options.overrides.nocleanup, given, Ok(true))
        }),
        original('a', "minfds", Takes::Value("NUM"), "the least number of file descriptors", |draft, given| {
            set(&mut draft.options.overrides.minfds, given, value::count(given.value()))
        }),
        original('t', "strip_ansi", Takes::Nothing, "remove escape sequences from the output of programs",
            |draft, given| set(&mut draft.options.overrides.strip_ansi, given, Ok(true))),
        original(None, "minprocs", Takes::Value("NUM"), "the least number of processes", |draft, given| {
            set(&mut draft.options.overrides.minprocs, given, value::count(given.value()))
        }),
        original(None, "profile_options", Takes::Value("LIST"), "not supported: it is for Python's profiler",
            |_, _| Err(EarlyExit::Refused("profile_options is not supported: it is for Python's profiler".to_owned()))),
        ours("check", Takes::Nothing, "check the configuration, print every fault, and exit with 0 or 2",
            |draft, _| draft.check = true),
    ]
}

/// Sets an option, which is allowed once.
fn set<T>(slot: &mut Option<T>, given: &OptionArg, value: Result<T, InvalidValue>) -> Result<(), EarlyExit> {
    let value = value.map_err(|bad| {
        let (name, text) = (&given.name, python::repr(given.value()));
        EarlyExit::Refused(format!("invalid value for {name} {text}: {}", bad.original))
    })?;
    if slot.is_some() {
        let name = python::repr(&given.name);
        return Err(EarlyExit::Refused(format!("conflicting command line option {name}")));
    }
    *slot = Some(value);
    Ok(())
}

/// The configuration file where the command line names none: in places relative to the program, in the working folder,
/// in `/etc`. `Err` has the original's words.
///
/// `program` is the name of argv; for a bare name, the path that the kernel was given counts, as for a Python script.
/// Root is warned on stderr: a user who owns the working folder could choose root's configuration.
pub fn find_configuration(program: &str) -> Result<PathBuf, String> {
    if rustix::process::getuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "warning: root searches default places for its configuration, the working directory among them; name the \
             file with -c"
        );
    }
    let places = default_paths(program);
    if let Some(found) = places.iter().find(|path| path.exists()) {
        return Ok(found.clone());
    }
    let names: Vec<_> = places.iter().map(|path| path.to_string_lossy()).collect();
    let paths = names.join(", ");
    Err(format!(
        "No config file found at default paths ({paths}); use the -c option to specify a config file at a different \
         path"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_core::log_level::Level;

    fn command(line: &str) -> Command {
        let machine = HostEnv {
            environment: Vec::new(),
            cwd: "/".into(),
            host_node_name: "box".to_owned(),
            temp_dir: "/tmp".into(),
            uid: 0,
        };
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse("supervisord", &args, &machine)
    }

    fn refused(line: &str) -> String {
        match command(line) {
            Command::Refused { message } => message,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_option_is_understood_in_both_forms() {
        let short = "-c /c -n -s -u me -m 27 -d /tmp -l /tmp/l -y 1KB -z 3 -e debug -j /tmp/p -i id -q /tmp -k -a 7 -t \
                     --minprocs 9";
        let long = "--configuration=/c --nodaemon --silent --user=me --umask 27 --directory=/tmp --logfile=/tmp/l \
                    --logfile_maxbytes=1KB --logfile_backups=3 --loglevel=debug --pidfile=/tmp/p --identifier=id \
                    --childlogdir=/tmp --nocleanup --minfds=7 --strip_ansi --minp=9";
        let options = Options {
            configuration: Some("/c".into()),
            overrides: Overrides {
                minfds: Some(7),
                minprocs: Some(9),
                directory: Some("/tmp".into()),
                user: Some("me".to_owned()),
                umask: Some(0o27),
                logfile: Some("/tmp/l".to_owned()),
                logfile_maxbytes: Some(1024),
                logfile_backups: Some(3),
                loglevel: Some(Level::Debug),
                pidfile: Some("/tmp/p".to_owned()),
                identifier: Some("id".to_owned()),
                nodaemon: Some(true),
                silent: Some(true),
                childlogdir: Some("/tmp".into()),
                nocleanup: Some(true),
                strip_ansi: Some(true),
            },
        };
        assert_eq!(command(short), Command::Run(options.clone()));
        assert_eq!(command(long), Command::Run(options.clone()));
        assert_eq!(command(&format!("{long} --check")), Command::Check(options));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_in_the_originals_words() {
        for (line, message) in [
            ("-n -n", "conflicting command line option '-n'"),
            ("-c x --configuration y", "conflicting command line option '--configuration'"),
            ("-e foo", "invalid value for -e 'foo': bad logging level name 'foo'"),
            ("-m 9", "invalid value for -m '9': 9 can not be converted to an octal type"),
            ("-d /nope", "invalid value for -d '/nope': /nope is not an existing directory"),
            (
                "-l /nope/x",
                "invalid value for -l '/nope/x': The directory named as part of the path /nope/x does not exist",
            ),
            ("-y 1x", "invalid value for -y '1x': invalid literal for int() with base 10: '1x'"),
            ("--minprocs=x", "invalid value for --minprocs 'x': invalid literal for int() with base 10: 'x'"),
            ("a b", "positional arguments are not supported: ['a', 'b']"),
            ("-n x -k", "positional arguments are not supported: ['x', '-k']"),
            ("--nodaemon=1", "option --nodaemon must not have an argument"),
            ("--no", "option --no not a unique prefix"),
            ("--c=nope", "option --c not a unique prefix"),
            ("-Z", "option -Z not recognized"),
            ("-c", "option -c requires argument"),
            ("--user", "option --user requires argument"),
            ("-e foo -h", "invalid value for -e 'foo': bad logging level name 'foo'"),
        ] {
            assert_eq!(refused(line), message, "{line}");
        }
        assert!(refused("--profile_options=calls").contains("profiler"));
    }

    #[test]
    fn help_and_version_stop_at_once() {
        for line in ["-h", "--help", "-?", "-hv", "-h -e foo"] {
            let Command::Help(text) = command(line) else { panic!("{line} gives no help") };
            assert!(text.starts_with("supervisord -- run a set of applications"), "{text}");
            for row in rows().iter().filter(|row| row.long != QUESTION_MARK) {
                assert!(text.contains(&format!("--{}", row.long)), "{}", row.long);
            }
        }
        assert_eq!(command("-vh"), Command::Version);
        assert_eq!(command("--version"), Command::Version);
    }
}
