//! What `[program:x]`, `[eventlistener:x]` and `[fcgi-program:x]` have in common: the processes of a section.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use ironlance_core::ProcessName;
use ironlance_core::process::lifecycle::Autorestart;
use ironlance_core::signal;

use crate::env_pairs::parse_env_pairs;
use crate::ini::Section;
use crate::loader::context::{FaultRecorded, LoadContext, SectionScope, WORK_PER_SECTION, Wording};
use crate::program::{LogTarget, OutputConfig, Program};
use crate::template::ExpansionNames;
use crate::template::percent_format::FormatValue;
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

/// So many processes of one section are not meant: each takes memory and two pipes.
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
    reading: &mut LoadContext<'a>,
    section: &'a Section,
    group: &str,
    shared: &BTreeMap<String, String>,
) -> Vec<Program> {
    let mut page = SectionScope::new(section, ExpansionNames::default());
    if reading.is_full() || reading.take_work(&page, "", WORK_PER_SECTION).is_err() {
        return Vec::new();
    }
    page.wording = Wording::WithSection;
    let label = page.label();
    let name = match value::name(label) {
        Ok(name) => name,
        Err(bad) => {
            reading.refuse(&page, "", bad);
            label.to_owned()
        }
    };
    page.names = ExpansionNames::default()
        .with("here", reading.here)
        .with("program_name", &name)
        .with("host_node_name", &reading.host.host_node_name)
        .with("group_name", group);
    let before = reading.fault_count();
    let common = common(reading, &page);
    check(reading, &page, &common);
    let mut programs = Vec::new();
    for number in common.first..common.first.saturating_add(common.count) {
        // What is wrong with one process is wrong with them all.
        match process(reading, &mut page, &common, number, shared) {
            Ok(program) if reading.fault_count() == before => {
                if breaks_tokens(&program.name.0) && programs.is_empty() {
                    let name = shown(&program.name.0);
                    reading.warn_at(&page, "process_name", &format!("{UNREADABLE}: {name}"));
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

fn common<'a>(reading: &mut LoadContext<'a>, page: &SectionScope<'a>) -> SharedFields {
    let accounts = reading.accounts;
    let priority = reading.or(page, "priority", 999, value::integer);
    let autostart = reading.or(page, "autostart", true, value::boolean);
    let autorestart = reading.or(page, "autorestart", Autorestart::Unexpected, value::autorestart);
    let startsecs = reading.or(page, "startsecs", 1, value::integer);
    let startretries = reading.or(page, "startretries", 3, value::integer);
    let stopsignal = reading.or(page, "stopsignal", signal::TERM, value::stop_signal);
    let stopwaitsecs = reading.or(page, "stopwaitsecs", 10, value::integer);
    let stopasgroup = reading.or(page, "stopasgroup", false, value::boolean);
    let killasgroup = reading.or(page, "killasgroup", stopasgroup, value::boolean);
    let exitcodes = reading.or(page, "exitcodes", vec![0], value::exit_codes);
    let redirect_stderr = reading.or(page, "redirect_stderr", false, value::boolean);
    let count = reading.or(page, "numprocs", 1, value::integer);
    let first = reading.or(page, "numprocs_start", 0, value::integer);
    let environment = reading.raw(page, "environment").map_or(String::new(), |entry| entry.value.clone());
    let mut output = |capture: &str, events: &str| OutputConfig {
        logfile: LogTarget::Auto,
        maxbytes: 0,
        backups: 0,
        capture_maxbytes: reading.or(page, capture, 0, value::bytes),
        events_enabled: reading.or(page, events, false, value::boolean),
        syslog: false,
    };
    let stdout = output("stdout_capture_maxbytes", "stdout_events_enabled");
    let stderr = output("stderr_capture_maxbytes", "stderr_events_enabled");
    let serverurl = reading.optional(page, "serverurl", |text| Ok(text.to_owned()));
    let uid = reading.optional(page, "user", |text| value::user(text, accounts)).map(|user| user.uid);
    let umask = reading.optional(page, "umask", value::umask);
    let raw_name = reading.raw(page, "process_name").map_or("%(program_name)s", |entry| &entry.value);
    let process_name = value::name(raw_name).unwrap_or_else(|bad| {
        reading.refuse(page, "process_name", bad);
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
fn check<'a>(reading: &mut LoadContext<'a>, page: &SectionScope<'a>, common: &SharedFields) {
    let program = &common.program;
    if common.count > 1 && !common.process_name.contains("%(process_num)") {
        let original = "%(process_num) must be present within process_name when numprocs > 1";
        let what = "name more than one process without %(process_num)d in";
        reading.refuse(page, "process_name", InvalidValue::new(what, &common.process_name, original));
    }
    if program.stopasgroup && !program.killasgroup {
        let original = "Cannot set stopasgroup=true and killasgroup=false";
        let what = "stop as a group and not kill as a group".to_owned();
        reading.refuse(
            page,
            "killasgroup",
            InvalidValue { what: format!("cannot {what}: false"), original: original.to_owned() },
        );
    }
    if common.first.checked_add(common.count).is_none() {
        let (first, original) =
            (common.first.to_string(), format!("numprocs_start {} is too far", common.first));
        reading.refuse(page, "numprocs_start", InvalidValue::new("number processes from", &first, original));
    }
    if common.count > MAX_PROCESSES {
        let original = format!("numprocs {} is above {MAX_PROCESSES}", common.count);
        reading.refuse(
            page,
            "numprocs",
            InvalidValue::new("run that many processes of a section", &common.count.to_string(), original),
        );
    }
}

fn process<'a>(
    reading: &mut LoadContext<'a>,
    page: &mut SectionScope<'a>,
    common: &SharedFields,
    number: i64,
    shared: &BTreeMap<String, String>,
) -> Result<Program, FaultRecorded> {
    page.names.set("process_num", FormatValue::Number(number));
    page.names.set("numprocs", FormatValue::Number(common.count));
    // The variables of the process before may still be used, as in the original, but hide nothing.
    page.names.remove_shadowed(&reading.variables);
    let own = own_environment(reading, page, common);
    for (name, value) in own.iter().flatten() {
        page.names.set(format!("ENV_{name}"), FormatValue::Text(value.clone()));
    }
    let directory = reading.text(page, "directory");
    let stdout = output(reading, page, &STDOUT, &common.program.stdout);
    let mut stderr = output(reading, page, &STDERR, &common.program.stderr);
    if common.program.redirect_stderr {
        if matches!(stderr.logfile, LogTarget::File(_)) {
            reading.warn(format!(
                "For [{}], redirect_stderr=true but stderr_logfile has also been set to a filename, the filename \
                 has been ignored",
                page.section.name
            ));
        }
        stderr.logfile = LogTarget::None;
    }
    let command = command(reading, page)?.into_owned();
    let name = reading.expanded(page, "process_name", &common.process_name, "process_name")?.into_owned();
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
    if !reading.take_room(size) {
        let what = "cannot hold so many programs with such commands and environments".to_owned();
        return Err(reading.refuse(page, "", InvalidValue { original: what.clone(), what }));
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
    reading: &mut LoadContext<'a>,
    page: &SectionScope<'a>,
    common: &SharedFields,
) -> Result<BTreeMap<String, String>, FaultRecorded> {
    let text = reading.expanded(page, "environment", &common.environment, "environment")?;
    parse_env_pairs(&text).map_err(|bad| reading.refuse(page, "environment", bad))
}

fn command<'a>(
    reading: &mut LoadContext<'a>,
    page: &SectionScope<'a>,
) -> Result<Cow<'a, str>, FaultRecorded> {
    match reading.text(page, "command")? {
        Some(command) => Ok(command),
        None => {
            let original = format!("program section {} does not specify a command", page.section.name);
            let what = "run a program without a command".to_owned();
            Err(reading.refuse(page, "command", InvalidValue { what: format!("cannot {what}"), original }))
        }
    }
}

/// The file of a stream, with what the section says of the stream beside it.
fn output<'a>(
    reading: &mut LoadContext<'a>,
    page: &SectionScope<'a>,
    keys: &OutputKeys,
    common: &OutputConfig,
) -> OutputConfig {
    let wish = log_destination(reading, page, keys.logfile);
    let backups = reading.or(page, keys.backups, 10, value::backups);
    let maxbytes = reading.or(page, keys.maxbytes, 50 << 20, value::byte_size);
    let mut syslog = reading.or(page, keys.syslog, false, value::boolean);
    let (section, key) = (&page.section.name, keys.logfile);
    let logfile = match wish {
        LogDestination::Target(target) => target,
        LogDestination::Syslog => {
            reading.warn(format!(
                "For [{section}], {key}=syslog but this is deprecated and will be removed.  Use {}=true to enable \
                 syslog instead.",
                keys.syslog
            ));
            syslog = true;
            LogTarget::None
        }
    };
    if logfile == LogTarget::Auto && maxbytes == 0 {
        reading.warn(format!(
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
fn log_destination<'a>(reading: &mut LoadContext<'a>, page: &SectionScope<'a>, key: &str) -> LogDestination {
    let auto = LogDestination::Target(LogTarget::Auto);
    let Ok(Some(once)) = reading.text(page, key) else { return auto };
    let twice = reading.expanded_again(page, key, once);
    if reading.take_work(page, key, twice.len().saturating_mul(LOOK)).is_err() {
        return auto;
    }
    value::log_file(&twice, reading.host).unwrap_or_else(|bad| {
        reading.refuse(page, key, bad);
        auto
    })
}
