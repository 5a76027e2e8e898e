//! Findings about event listeners: which are superlance's, and what their options mean here.

use std::collections::BTreeMap;
use std::path::Path;

use ironlance_alert::{Receiver, Secret, Transport};
use ironlance_config::ListenerOutbox;
use ironlance_config::ini::Section;
use ironlance_config::listener_command::{ListenerCommand, parse_command};
use ironlance_core::redact::{is_assignment, redact};
use ironlance_core::text::shlex;
use ironlance_listeners::options::batch;
use ironlance_listeners::options::{
    BatchOptions, CrashmailOptions, HttpokOptions, MemmonOptions, Options, OptionsEnv, Parsed, crashmail,
    httpok, memmon,
};
use ironlance_listeners::rule::batch::BatchMailer;

use super::inspect::ConfigView;
use super::path_search::find_program;
use super::report::{FindingKind, Findings};

/// A buffer of fewer events fills up within a bad minute.
const SMALL_BUFFER: usize = 100;

/// Listeners whose options are examined.
const MAX_LISTENERS: usize = 1000;

/// Adds the findings about `[eventlistener:x]`; returns how many are superlance's.
///
/// `kept` is where each keeps its alerts, as far as known.
pub(super) fn examine(view: &ConfigView<'_>, kept: &[ListenerOutbox], found: &mut Findings) -> usize {
    let mut count = 0;
    let mut gains: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for section in view.sections("eventlistener:") {
        buffer(view, section, found);
        let words = view.words(section);
        let Some(wired) = parse_command(&words) else { continue };
        count += 1;
        if count > MAX_LISTENERS {
            continue;
        }
        place(view, section, &wired, found);
        let Remarks { attention, better } = options(view, &wired);
        for text in attention {
            found.about(view.outline, section, "command", &text);
        }
        for gain in better {
            gains.entry(gain).or_default().push(section.name.trim_start_matches("eventlistener:"));
        }
    }
    if let Some(names) = gains.get_mut(WAITS_ON_DISK) {
        names.retain(|name| {
            !kept.iter().any(|outbox| outbox.pool.0 == *name && outbox.state.problem.is_some())
        });
    }
    for ListenerOutbox { pool, state } in kept.iter().filter(|outbox| outbox.state.granted) {
        let text = format!(
            "{pool}: its user has no folder of its own for alerts: our supervisord makes {} for it; under Supervisor's own, \
             which makes none, its alerts wait in memory only",
            state.path.display()
        );
        found.whole(FindingKind::Improved, &text);
    }
    for (gain, names) in gains.into_iter().filter(|(_, names)| !names.is_empty()) {
        found.whole(FindingKind::Improved, &format!("{}: {gain}", names.join(", ")));
    }
    count
}

fn buffer(view: &ConfigView<'_>, section: &Section, found: &mut Findings) {
    let size = view.value(section, "buffer_size").and_then(|text| text.trim().parse::<usize>().ok());
    if let Some(size) = size.filter(|size| *size < SMALL_BUFFER) {
        let text = format!(
            "keeps {size} events at most and throws older ones away, as under Supervisor; without it more than a million state changes may wait"
        );
        found.about(view.outline, section, "buffer_size", &text);
    }
}

/// A command with a path runs superlance's own program. A missing program is a finding of `programs`.
fn place(view: &ConfigView<'_>, section: &Section, wired: &ListenerCommand<'_>, found: &mut Findings) {
    let ours = std::env::current_exe().and_then(|file| file.canonicalize()).ok();
    let is_ours = |file: &Path| file.canonicalize().ok().is_some_and(|file| Some(file) == ours);
    let name = wired.name;
    if let Some(at) = wired.path.filter(|at| !is_ours(at)) {
        let text = match at.exists() {
            true => format!(
                "goes on running superlance's own {}, which works; command={name} … runs ours",
                at.display()
            ),
            false => format!("runs superlance's own {}; command={name} … runs ours", at.display()),
        };
        found.about(view.outline, section, "command", &text);
    }
}

/// Remarks on the options of a listener.
#[derive(Default)]
struct Remarks {
    attention: Vec<String>,
    better: Vec<&'static str>,
}

impl Remarks {
    fn attention(&mut self, text: impl Into<String>) {
        self.attention.push(text.into());
    }
}

/// The remarks on the options of a listener.
fn options(view: &ConfigView<'_>, wired: &ListenerCommand<'_>) -> Remarks {
    let variable = |name: &str| {
        let mut pairs = view.host_env.environment.iter();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    let environment = OptionsEnv { variable: &variable, host: &view.host_env.host_node_name };
    let mailer = match wired.name {
        "crashmail" => return remarks_for(wired, crashmail::parse(wired.args, &environment), of_crashmail),
        "httpok" => return remarks_for(wired, httpok::parse(wired.args, &environment), of_httpok),
        "memmon" => return remarks_for(wired, memmon::parse(wired.args, &environment), of_memmon),
        "crashmailbatch" => BatchMailer::Crashmailbatch,
        "fatalmailbatch" => BatchMailer::Fatalmailbatch,
        _ => BatchMailer::Crashsms,
    };
    remarks_for(wired, batch::parse(mailer, wired.args, &environment), of_batch)
}

fn remarks_for<O>(
    wired: &ListenerCommand<'_>,
    parsed: Parsed<Options<O>>,
    add: impl FnOnce(&Options<O>, &[String], &mut Remarks),
) -> Remarks {
    let mut remarks = Remarks::default();
    match parsed {
        Parsed::Run(options) => {
            about_route(options.destination.receiver.as_ref(), &mut remarks);
            add(&options, wired.args, &mut remarks);
        }
        Parsed::Exit { stderr, .. } => {
            let why =
                stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it asks for help only");
            remarks.attention(format!("would end at once: {}", why.trim()));
        }
    }
    remarks
}

fn of_crashmail(options: &Options<CrashmailOptions>, _: &[String], remarks: &mut Remarks) {
    if !options.filter.programs.is_empty() && !options.filter.any {
        remarks
            .attention("has -p, which superlance reads and does not use: it mails about every program; here only about these");
    }
}

fn of_httpok(options: &Options<HttpokOptions>, _: &[String], remarks: &mut Remarks) {
    if options.own.url.to_ascii_lowercase().starts_with("https:") && !options.own.insecure {
        remarks.attention(
            "checks an https page, whose certificate is verified here; --insecure or --ca-file for one that cannot be",
        );
    }
    if options.filter.any {
        remarks.better.push(NEVER_ITSELF);
    }
    if options.own.in_body.is_some() {
        remarks.better.push("-b works; superlance's fails on Python 3 (TypeError)");
    }
}

fn of_memmon(options: &Options<MemmonOptions>, _: &[String], remarks: &mut Remarks) {
    if options.own.any.is_some() {
        remarks.better.push(NEVER_ITSELF);
    }
}

const NEVER_ITSELF: &str =
    "-a never restarts the listener itself; superlance's stops itself, and stays stopped";

fn of_batch(_: &Options<BatchOptions>, args: &[String], remarks: &mut Remarks) {
    remarks.better.push("what was collected is on disk, and survives a restart within the interval");
    if args.iter().any(|arg| arg == "--tls") {
        remarks.attention(
            "has --tls: the certificate is verified here, user or not; --ca-file for a server with its own",
        );
    }
}

const WAITS_ON_DISK: &str =
    "an alert that cannot be sent waits on disk for three days; superlance tries once";

/// Adds the remarks on the transport of the mails.
fn about_route(receiver: Option<&Receiver>, remarks: &mut Remarks) {
    let Some(receiver) = receiver else { return };
    remarks.better.push(WAITS_ON_DISK);
    match &receiver.transport {
        Transport::Smtp(server) => {
            if let Some(Secret::Literal(_)) = &server.password {
                remarks.attention("has the mail server's password, which ps shows to every user; --password-file FILE hides it");
            }
        }
        Transport::Sendmail { command } | Transport::BodyOnly { command } => mailer(command, remarks),
        // No option of a listener makes one.
        Transport::Channel { .. } => {}
    }
}

fn mailer(command: &str, remarks: &mut Remarks) {
    let words = shlex::split(command).unwrap_or_default();
    // `NAME=value` in front of it is a variable of the shell, and may be a password.
    let Some(program) = words.iter().find(|word| !is_assignment(word)) else { return };
    let is_there = find_program(program).is_some();
    let program = redact(program);
    if !is_there {
        remarks.attention(format!("mails by {program}, which is not here: its alerts would wait"));
    } else if !program.contains("sendmail") {
        remarks.attention(format!(
            "mails by {program}: a mail is sent when it exits with 0, and tried again otherwise (superlance does not look)"
        ));
    }
}
