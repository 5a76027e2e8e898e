//! What `[program:x]`, `[eventlistener:x]` and `[fcgi-program:x]` have in common: the processes of a section.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use ironlance_core::process::lifecycle::Autorestart;
use ironlance_core::signal;
use ironlance_core::{Namespec, ProcessName};

use crate::env_pairs::parse_env_pairs;
use crate::expansion::ExpansionNames;
use crate::expansion::percent_format::FormatValue;
use crate::ini::Section;
use crate::loader::context::{
    FaultRecorded, LoadContext, ProcessOrigin, SectionScope, WORK_PER_SECTION, Wording,
};
use crate::program::{LogTarget, OutputConfig, Program};
use crate::section::alerting;
use crate::value::{self, InvalidValue, LogDestination, breaks_tokens, shown};

/// The keys that all three know.
pub(crate) const KEYS: [&str; 32] = [
    "command",
    "process_name",
    "numprocs",
    "numprocs_start",
    "priority",
    "autostart",
    "startsecs",
    "startretries",
    "autorestart",
    "exitcodes",
    "stopsignal",
    "stopwaitsecs",
    "stopasgroup",
    "killasgroup",
    "user",
    "redirect_stderr",
    "stdout_logfile",
    "stdout_logfile_maxbytes",
    "stdout_logfile_backups",
    "stdout_capture_maxbytes",
    "stdout_events_enabled",
    "stdout_syslog",
    "stderr_logfile",
    "stderr_logfile_maxbytes",
    "stderr_logfile_backups",
    "stderr_capture_maxbytes",
    "stderr_events_enabled",
    "stderr_syslog",
    "environment",
    "directory",
    "umask",
    "serverurl",
];

/// What is wrong with a name that falls apart within an event.
pub(crate) const UNREADABLE: &str =
    "gives a name with a blank or a colon in it, at which listeners take events apart: none can read of it";

/// The most processes of one section: each takes memory and two pipes.
const MAX_PROCESSES: i64 = 100_000;

/// What a program takes beside its command and its environment: its other texts, its share of a group (bytes).
const PROGRAM: usize = 1024;
/// What a byte of a path costs that is looked for on the disk (bytes of work).
const LOOK: usize = 16;
/// What a pair of an environment takes beside its texts (bytes).
const PAIR: usize = 64;

/// What a section says about all its processes, and how many there are.
struct SharedFields {
    program: Program,
    process_name: String,
    environment: String,
    first: i64,
    count: i64,
}

/// The keys of one stream's file.
struct OutputKeys {
    logfile: &'static str,
    backups: &'static str,
    maxbytes: &'static str,
    syslog: &'static str,
}

const STDOUT: OutputKeys = OutputKeys {
    logfile: "stdout_logfile",
    backups: "stdout_logfile_backups",
    maxbytes: "stdout_logfile_maxbytes",
    syslog: "stdout_syslog",
};
const STDERR: OutputKeys = OutputKeys {
    logfile: "stderr_logfile",
    backups: "stderr_logfile_backups",
    maxbytes: "stderr_logfile_maxbytes",
    syslog: "stderr_syslog",
};

/// The processes of a section, by priority and name. After a fault there may be too few, or wrong ones: the
/// configuration is refused then.
pub(crate) fn read<'a>(
    context: &mut LoadContext<'a>,
    section: &'a Section,
    group: &str,
    shared: &BTreeMap<String, String>,
) -> Vec<Program> {
    let mut scope = SectionScope::new(section, ExpansionNames::default());
    if context.is_full() || context.take_work(&scope, "", WORK_PER_SECTION).is_err() {
        return Vec::new();
    }
    scope.wording = Wording::WithSection;
    let label = scope.label();
    let name = match value::name(label) {
        Ok(name) => name,
        Err(bad) => {
            context.refuse(&scope, "", bad);
            label.to_owned()
        }
    };
    scope.names = ExpansionNames::default()
        .with("here", context.here)
        .with("program_name", &name)
        .with("host_node_name", &context.host.host_node_name)
        .with("group_name", group);
    let before = context.fault_count();
    let common = common(context, &scope);
    check(context, &scope, &common);
    let mut programs = Vec::new();
    let keeps_origins = alerting::is_wanted(context);
    for number in common.first..common.first.saturating_add(common.count) {
        // What is wrong with one process is wrong with them all.
        match process(context, &mut scope, &common, number, shared) {
            Ok(program) if context.fault_count() == before => {
                if breaks_tokens(&program.name.0) && programs.is_empty() {
                    let name = shown(&program.name.0);
                    context.warn_at(&scope, "process_name", &format!("{UNREADABLE}: {name}"));
                }
                if keeps_origins {
                    let name = Namespec::new(group, &*program.name.0);
                    context.origins.push(ProcessOrigin { name, section, number, count: common.count });
                }
                programs.push(program);
            }
            _ => return programs,
        }
    }
    programs.shrink_to_fit();
    programs.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    programs
}

fn common<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>) -> SharedFields {
    let accounts = context.accounts;
    let priority = context.or(scope, "priority", 999, value::integer);
    let autostart = context.or(scope, "autostart", true, value::boolean);
    let autorestart = context.or(scope, "autorestart", Autorestart::Unexpected, value::autorestart);
    let startsecs = context.or(scope, "startsecs", 1, value::integer);
    let startretries = context.or(scope, "startretries", 3, value::integer);
    let stopsignal = context.or(scope, "stopsignal", signal::TERM, value::stop_signal);
    let stopwaitsecs = context.or(scope, "stopwaitsecs", 10, value::integer);
    let stopasgroup = context.or(scope, "stopasgroup", false, value::boolean);
    let killasgroup = context.or(scope, "killasgroup", stopasgroup, value::boolean);
    let exitcodes = context.or(scope, "exitcodes", vec![0], value::exit_codes);
    let redirect_stderr = context.or(scope, "redirect_stderr", false, value::boolean);
    let count = context.or(scope, "numprocs", 1, value::integer);
    let first = context.or(scope, "numprocs_start", 0, value::integer);
    let environment = context.raw(scope, "environment").map_or(String::new(), |entry| entry.value.clone());
    let mut output = |capture: &str, events: &str| OutputConfig {
        logfile: LogTarget::Auto,
        maxbytes: 0,
        backups: 0,
        capture_maxbytes: context.or(scope, capture, 0, value::bytes),
        events_enabled: context.or(scope, events, false, value::boolean),
        syslog: false,
    };
    let stdout = output("stdout_capture_maxbytes", "stdout_events_enabled");
    let stderr = output("stderr_capture_maxbytes", "stderr_events_enabled");
    let serverurl = context.optional(scope, "serverurl", |text| Ok(text.to_owned()));
    let uid = context.optional(scope, "user", |text| value::user(text, accounts)).map(|user| user.uid);
    let umask = context.optional(scope, "umask", value::umask);
    let raw_name = context.raw(scope, "process_name").map_or("%(program_name)s", |entry| &entry.value);
    let process_name = value::name(raw_name).unwrap_or_else(|bad| {
        context.refuse(scope, "process_name", bad);
        raw_name.to_owned()
    });
    let program = Program {
        name: ProcessName(String::new()),
        command: String::new(),
        directory: None,
        umask,
        priority,
        autostart,
        autorestart,
        startsecs,
        startretries,
        uid,
        stdout,
        stderr,
        stopsignal,
        stopwaitsecs,
        stopasgroup,
        killasgroup,
        exitcodes,
        redirect_stderr,
        environment: BTreeMap::new(),
        serverurl: serverurl.filter(|url| value::is_other_than_auto(url)),
    };
    SharedFields { program, process_name, environment, first, count }
}

/// What two keys say against each other.
fn check<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>, common: &SharedFields) {
    let program = &common.program;
    if common.count > 1 && !common.process_name.contains("%(process_num)") {
        let original = "%(process_num) must be present within process_name when numprocs > 1";
        let what = "name more than one process without %(process_num)d in";
        context.refuse(scope, "process_name", InvalidValue::new(what, &common.process_name, original));
    }
    if program.stopasgroup && !program.killasgroup {
        let original = "Cannot set stopasgroup=true and killasgroup=false".to_owned();
        let what = "cannot stop as a group and not kill as a group: false".to_owned();
        context.refuse(scope, "killasgroup", InvalidValue { what, original });
    }
    if common.first.checked_add(common.count).is_none() {
        let (first, original) =
            (common.first.to_string(), format!("numprocs_start {} is too far", common.first));
        context.refuse(scope, "numprocs_start", InvalidValue::new("number processes from", &first, original));
    }
    if common.count > MAX_PROCESSES {
        let (count, original) =
            (common.count.to_string(), format!("numprocs {} is above {MAX_PROCESSES}", common.count));
        let what = "run that many processes of a section";
        context.refuse(scope, "numprocs", InvalidValue::new(what, &count, original));
    }
}

fn process<'a>(
    context: &mut LoadContext<'a>,
    scope: &mut SectionScope<'a>,
    common: &SharedFields,
    number: i64,
    shared: &BTreeMap<String, String>,
) -> Result<Program, FaultRecorded> {
    scope.names.set("process_num", FormatValue::Number(number));
    scope.names.set("numprocs", FormatValue::Number(common.count));
    // The variables of the process before may still be used, as in the original, but hide nothing.
    scope.names.remove_shadowed(&context.variables);
    let own = own_environment(context, scope, common);
    for (name, value) in own.iter().flatten() {
        scope.names.set(format!("ENV_{name}"), FormatValue::Text(value.clone()));
    }
    let directory = context.text(scope, "directory");
    let stdout = output(context, scope, &STDOUT, &common.program.stdout);
    let mut stderr = output(context, scope, &STDERR, &common.program.stderr);
    if common.program.redirect_stderr {
        if matches!(stderr.logfile, LogTarget::File(_)) {
            context.warn(format!(
                "For [{}], redirect_stderr=true but stderr_logfile has also been set to a filename, the filename \
                 has been ignored",
                scope.section.name
            ));
        }
        stderr.logfile = LogTarget::None;
    }
    let command = command(context, scope)?.into_owned();
    let name = context.expanded(scope, "process_name", &common.process_name, "process_name")?.into_owned();
    let own = own?;
    let directory = directory?.map(|text| PathBuf::from(text.into_owned()));
    let pair = |(name, value): (&String, &String)| name.len() + value.len() + PAIR;
    let pairs = shared.iter().chain(&own).map(pair).sum::<usize>();
    let path = |target: &LogTarget| match target {
        LogTarget::File(path) => path.as_os_str().len(),
        LogTarget::Auto | LogTarget::None => 0,
    };
    let paths = path(&stdout.logfile)
        + path(&stderr.logfile)
        + directory.as_ref().map_or(0, |path| path.as_os_str().len());
    let exitcodes = size_of_val(common.program.exitcodes.as_slice());
    let serverurl = common.program.serverurl.as_ref().map_or(0, String::len);
    let size = PROGRAM + command.len() + name.len() + pairs + paths + exitcodes + serverurl;
    if !context.take_room(size) {
        let what = "cannot hold so many programs with such commands and environments".to_owned();
        return Err(context.refuse(scope, "", InvalidValue { original: what.clone(), what }));
    }
    let mut environment = shared.clone();
    environment.extend(own);
    Ok(Program {
        name: ProcessName(name),
        command,
        directory,
        stdout,
        stderr,
        environment,
        ..common.program.clone()
    })
}

fn own_environment<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
    common: &SharedFields,
) -> Result<BTreeMap<String, String>, FaultRecorded> {
    let text = context.expanded(scope, "environment", &common.environment, "environment")?;
    parse_env_pairs(&text).map_err(|bad| context.refuse(scope, "environment", bad))
}

fn command<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
) -> Result<Cow<'a, str>, FaultRecorded> {
    match context.text(scope, "command")? {
        Some(command) => Ok(command),
        None => {
            let original = format!("program section {} does not specify a command", scope.section.name);
            let what = "cannot run a program without a command".to_owned();
            Err(context.refuse(scope, "command", InvalidValue { what, original }))
        }
    }
}

/// The file of a stream, with what the section says of the stream beside it.
fn output<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
    keys: &OutputKeys,
    common: &OutputConfig,
) -> OutputConfig {
    let destination = log_destination(context, scope, keys.logfile);
    let backups = context.or(scope, keys.backups, 10, value::backups);
    let maxbytes = context.or(scope, keys.maxbytes, 50 << 20, value::byte_size);
    let mut syslog = context.or(scope, keys.syslog, false, value::boolean);
    let (section, key) = (&scope.section.name, keys.logfile);
    let logfile = match destination {
        LogDestination::Target(target) => target,
        LogDestination::Syslog => {
            context.warn(format!(
                "For [{section}], {key}=syslog but this is deprecated and will be removed.  Use {}=true to enable \
                 syslog instead.",
                keys.syslog
            ));
            syslog = true;
            LogTarget::None
        }
    };
    if logfile == LogTarget::Auto && maxbytes == 0 {
        context.warn(format!(
            "For [{section}], AUTO logging used for {key} without rollover, set maxbytes > 0 to avoid filling up \
             filesystem unintentionally"
        ));
    }
    OutputConfig {
        logfile,
        maxbytes: u64::try_from(maxbytes).unwrap_or(0),
        backups,
        syslog,
        ..common.clone()
    }
}

/// The original expands this value twice.
fn log_destination<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>, key: &str) -> LogDestination {
    let auto = LogDestination::Target(LogTarget::Auto);
    let Ok(Some(once)) = context.text(scope, key) else { return auto };
    let twice = context.expanded_again(scope, key, once);
    if context.take_work(scope, key, twice.len().saturating_mul(LOOK)).is_err() {
        return auto;
    }
    value::log_file(&twice, context.host).unwrap_or_else(|bad| {
        context.refuse(scope, key, bad);
        auto
    })
}
