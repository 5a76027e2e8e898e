//! Lints: what is valid and cannot work, such as a listener that is not subscribed to what it acts on. The original
//! starts with all of it, and so do we: each is a warning, which `--check` and the log have.

use ironlance_core::event::kind::EventKind;
use ironlance_core::listener::name_check::NamePattern;
use ironlance_core::process::name::Namespec;
use ironlance_core::{Selection, text::shlex};

use crate::expansion::ExpansionNames;
use crate::group::{Group, GroupKind};
use crate::listener_command::{ListenerCommand, parse_command};
use crate::loader::context::{LoadContext, SectionScope};
use crate::program::Program;
use crate::server::{HttpServer, ServerAddress};
use crate::value::{breaks_tokens, shown};

/// What was made of the sections that listeners depend on.
pub(crate) struct LintInput<'w> {
    /// Every group.
    pub(crate) groups: &'w [Group],
    /// Every server.
    pub(crate) servers: &'w [HttpServer],
    /// The namespaces of the stock XML-RPC interface.
    pub(crate) interfaces: &'w [String],
}

/// The most listeners that are checked.
const MAX_LISTENERS: usize = 1000;
/// The most processes that an unknown name is compared with.
const MAX_KNOWN: usize = 2000;
/// The most names for which a suggestion is sought.
const MAX_SUGGESTIONS: usize = 200;
/// The most names of one command line that are checked.
const MAX_NAMES: usize = 50;

/// The name of this supervisord stands in the header of each event, between blanks.
pub(crate) fn check_identifier(context: &mut LoadContext<'_>, identifier: &str) {
    let Some(section) = context.ini.section("supervisord") else { return };
    if breaks_tokens(identifier) {
        let text = format!(
            "has a blank or a colon in it, and stands in the header of every event: no listener can read any: {}",
            shown(identifier)
        );
        context.warn_at(&SectionScope::new(section, ExpansionNames::default()), "identifier", &text);
    }
}

/// What `[supervisorctl]` has for a password is sent as it stands.
pub(crate) fn check_ctl_url(context: &mut LoadContext<'_>) {
    let Some(section) = context.ini.section("supervisorctl") else { return };
    let scope = SectionScope::new(section, ExpansionNames::default());
    if context.raw(&scope, "password").is_some_and(|entry| entry.value.starts_with("{SHA}")) {
        let text = "is sent as it stands, and no server takes a digest for its password: the password itself belongs here";
        context.hint_at(&scope, "password", text);
    }
}

/// Looks at every listener of superlance's.
pub(crate) fn check_listeners(context: &mut LoadContext<'_>, whole: &LintInput<'_>) {
    let pools = whole.groups.iter().filter_map(|group| match &group.kind {
        GroupKind::Listeners { events, .. } => Some((group, events.as_slice(), group.programs.first()?)),
        GroupKind::Programs | GroupKind::FastCgi(_) => None,
    });
    let mut left = MAX_SUGGESTIONS;
    for (group, events, program) in pools.take(MAX_LISTENERS) {
        let name = format!("eventlistener:{}", group.name.0);
        let Some(section) = context.ini.section(&name) else { continue };
        let words = shlex::split(&program.command).unwrap_or_default();
        let Some(run) = parse_command(&words) else { continue };
        let scope = SectionScope::new(section, ExpansionNames::default());
        let before = context.notes.warnings.len();
        check_events(context, &scope, events, &run);
        check_recipient(context, &scope, &run);
        check_server_access(context, &scope, whole, program, &run);
        // After a fault there may be too few programs.
        if context.fault_count() == 0 {
            check_names(context, &scope, whole.groups, &run, &mut left);
        }
        let own = context.notes.warnings.iter().skip(before).map(|line| (group.name.clone(), line.clone()));
        let own: Vec<_> = own.collect();
        context.notes.listeners.extend(own);
    }
}

const TICKS: [EventKind; 3] = [EventKind::Tick5, EventKind::Tick60, EventKind::Tick3600];

/// The states that a listener mails about unless `--on` says otherwise.
fn default_states(name: &str) -> &'static [EventKind] {
    match name {
        "crashmail" | "crashmailbatch" | "crashsms" => &[EventKind::ProcessStateExited],
        "fatalmailbatch" => &[EventKind::ProcessStateFatal],
        _ => &[],
    }
}

/// Warns where it is not subscribed to what it acts on.
fn check_events<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
    events: &[EventKind],
    run: &ListenerCommand<'_>,
) {
    let is_heard = |kind: &EventKind| events.iter().any(|event| kind.is_a(*event));
    let name = run.name;
    if name != "crashmail" && !TICKS.iter().any(is_heard) {
        let text = format!("has no TICK event, which is {name}'s clock: it would never act");
        context.warn_at(scope, "events", &text);
    }
    let Some(state) = default_states(name).first() else { return };
    let has_on = run.args.iter().any(|arg| arg == "--on" || arg.starts_with("--on="));
    let others: Vec<EventKind> = EventKind::ALL
        .into_iter()
        .filter(|kind| kind.parent() == Some(EventKind::ProcessState) && kind != state)
        .filter(|kind| events.contains(kind))
        .collect();
    if has_on {
        return;
    }
    if !is_heard(state) {
        let text = format!("has no {state}, which is what {name} tells of: it would never tell anything");
        context.warn_at(scope, "events", &text);
    } else if name == "crashmail" && !others.is_empty() {
        let words: Vec<String> = others
            .iter()
            .map(|kind| kind.name().trim_start_matches("PROCESS_STATE_").to_lowercase())
            .collect();
        let text = format!(
            "names more than crashmail tells of, as in superlance: only unexpected exits; --on exited,{} adds the others",
            words.join(",")
        );
        context.hint_at(scope, "events", &text);
    }
}

/// Whether there is an address to mail to. The batch mailers refuse to start without one; httpok and memmon restart all
/// the same; crashmail does nothing else. What may be an address in some way of writing options is taken for one.
fn check_recipient<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>, run: &ListenerCommand<'_>) {
    let may_be = |arg: &String| match arg.strip_prefix("--") {
        Some(long) => long.starts_with('e') || long == "help" || long == "test-alert",
        None => arg.strip_prefix('-').is_some_and(|short| short.contains(['m', 'h'])),
    };
    if run.name == "crashmail" && !run.args.iter().any(may_be) {
        let text = "has no -m ADDRESS: crashes are logged, and nobody is mailed";
        context.warn_at(scope, "command", text);
    }
}

/// Whether supervisord answers when it is asked, which httpok and memmon cannot do without.
fn check_server_access<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
    whole: &LintInput<'_>,
    program: &Program,
    run: &ListenerCommand<'_>,
) {
    // Another supervisord, or none on purpose.
    if program.serverurl.is_some() {
        return;
    }
    let is_given = |name: &str| {
        let inherited = context.host.environment.iter().any(|(key, _)| key == name);
        program.environment.contains_key(name) || inherited
    };
    let server = whole.servers.iter().find(|server| matches!(server.address, ServerAddress::Unix { .. }));
    let server = server.or(whole.servers.first());
    let why = match server {
        None => "there is neither [unix_http_server] nor [inet_http_server]".to_owned(),
        Some(_) if !whole.interfaces.iter().any(|name| name == "supervisor") => {
            "there is no [rpcinterface:supervisor]".to_owned()
        }
        Some(server)
            if server.credentials.is_some()
                && !(is_given("SUPERVISOR_USERNAME") && is_given("SUPERVISOR_PASSWORD")) =>
        {
            format!(
                "[{}] has a password, and environment= does not give it SUPERVISOR_USERNAME and SUPERVISOR_PASSWORD",
                shown(&server.section)
            )
        }
        Some(_) => return,
    };
    let what = match run.name {
        "httpok" | "memmon" => "it can neither see nor restart a program",
        _ => "its alerts have no details",
    };
    context.warn_at(scope, "command", &format!("cannot ask supervisord anything ({why}): {what}"));
}

/// Whether the programs that it is to look at are there.
fn check_names<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
    groups: &[Group],
    run: &ListenerCommand<'_>,
    left: &mut usize,
) {
    let known = || -> Vec<Namespec> {
        let names = groups.iter().flat_map(|group| {
            let name =
                |program: &Program| Namespec { group: group.name.clone(), process: program.name.clone() };
            group.programs.iter().map(name)
        });
        names.take(MAX_KNOWN).collect()
    };
    for (option, value) in name_options(run).into_iter().take(MAX_NAMES) {
        let is_group = option == "group" || option == "g";
        let pattern = value.split('=').next().unwrap_or_default();
        let pattern = pattern.strip_prefix('!').unwrap_or(pattern);
        let mut selection = Selection::default();
        let added = if is_group { selection.add_group(pattern) } else { selection.add(pattern) };
        // What is no pattern, the listener itself refuses.
        if added.is_err() || any_matches(&selection, groups) {
            continue;
        }
        let (sort, named) = match is_group {
            true => ("group", NamePattern::Group(pattern.to_owned())),
            false => ("program", NamePattern::Program(pattern.to_owned())),
        };
        let meant = if *left > 0 { named.suggestion(&known()) } else { None };
        *left = left.saturating_sub(1);
        let meant = meant.map_or(String::new(), |meant| format!("; did you mean {}?", shown(&meant)));
        let text = format!("names a {sort} that is not in this configuration: {}{meant}", shown(pattern));
        context.warn_at(scope, "command", &text);
    }
}

fn any_matches(selection: &Selection, groups: &[Group]) -> bool {
    groups.iter().any(|group| {
        group.programs.iter().any(|program| {
            selection.names(&Namespec { group: group.name.clone(), process: program.name.clone() })
        })
    })
}

/// The values of `--program` and `--group`, and of their short forms where they mean the same.
fn name_options<'w>(run: &ListenerCommand<'w>) -> Vec<(&'static str, &'w str)> {
    let options: &[&str] = match run.name {
        // -p of the mailers by SMTP is a password.
        "crashmail" | "memmon" => &["program", "group", "p", "g"],
        // Its -g is the gcore program.
        "httpok" => &["program", "group", "p"],
        _ => &["program", "group"],
    };
    let mut found = Vec::new();
    let mut args = run.args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        for option in options {
            let dashes = if option.len() == 1 { "-" } else { "--" };
            let Some(rest) = arg.strip_prefix(dashes).and_then(|rest| rest.strip_prefix(option)) else {
                continue;
            };
            let value = match (rest, option.len()) {
                ("", _) => args.next(),
                (rest, 1) => Some(rest),
                (rest, _) => rest.strip_prefix('='),
            };
            found.extend(value.map(|value| (*option, value)));
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests;
