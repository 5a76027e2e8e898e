//! The sections of a page beside the rows: summary, groups, listeners, recent events.

use std::time::Duration;

use askama::Template;
use ironlance_core::ProcessState;
use ironlance_core::event::record::EventRecord;
use ironlance_core::event::{Event, StateDetail, wire};
use ironlance_core::listener::problem::ListenerProblem;
use ironlance_core::text::url_encoding::encode;

use super::condition::{UNEXPECTED, has_failed, is_up};
use super::context::PageContext;
use super::format;
use super::log_page::printable;
use super::row::time_since;
use crate::view::outboxes::OutboxView;
use crate::view::{DaemonView, ListenerView, ProgramView};

/// How many events are shown.
const MAX_EVENTS: usize = 30;

/// The summary line.
#[derive(Template)]
#[template(path = "summary.html")]
pub(super) struct SummarySection<'a> {
    context: &'a PageContext<'a>,
    view: &'a DaemonView,
    state: &'static str,
    up: String,
    counts: Vec<Count>,
    /// How many listeners need attention, if any.
    attention_count: Option<String>,
}

/// The number of programs in one state.
struct Count {
    /// The state, as a class of the style sheet.
    class: &'static str,
    number: usize,
    words: &'static str,
    /// The filter that shows these programs alone.
    filter: String,
}

impl<'a> SummarySection<'a> {
    pub(super) fn new(context: &'a PageContext<'a>, view: &'a DaemonView) -> Self {
        let messages = context.messages;
        let failed = view.programs.iter().filter(|program| has_failed(program)).count();
        let states = ProcessState::ALL.into_iter().map(|state| {
            let is_in = |program: &&ProgramView| program.state == state && !has_failed(program);
            let number = view.programs.iter().filter(is_in).count();
            let filter = state.name().to_lowercase();
            Count { class: state.name(), number, words: (messages.states)(state), filter }
        });
        let filter = format!("exited {UNEXPECTED}");
        let failed = Count { class: "FATAL", number: failed, words: messages.exited_unexpectedly, filter };
        let counts = states.chain([failed]).filter(|count| count.number > 0).collect();
        let (attention_count, all) = (attention_count(view), view.listeners.len());
        let attention_count =
            (attention_count > 0).then(|| (messages.listeners_unwell)(attention_count, all));
        Self {
            context,
            view,
            state: (messages.daemon_states)(view.state),
            up: time_since(context, view.since),
            counts,
            attention_count,
        }
    }
}

/// How many listeners need attention.
pub(super) fn attention_count(view: &DaemonView) -> usize {
    let is_bad = |listener: &&ListenerView| {
        listener.status.problems().iter().any(ListenerProblem::needs_attention)
            || has_bad_outbox(listener, view.now)
    };
    view.listeners.iter().filter(is_bad).count()
}

fn has_bad_outbox(listener: &ListenerView, now: Duration) -> bool {
    listener.outbox.as_ref().is_some_and(|outbox| outbox.needs_attention(now))
}

/// The row of a group, above its programs.
#[derive(Template)]
#[template(path = "group.html")]
pub(super) struct GroupRow<'a> {
    context: &'a PageContext<'a>,
    name: &'a str,
    count: String,
    /// Whether any of its programs can be stopped.
    up: bool,
    /// Its name in the labels of the buttons.
    full: String,
}

impl<'a> GroupRow<'a> {
    pub(super) fn new(context: &'a PageContext<'a>, members: &'a [ProgramView]) -> Self {
        let messages = context.messages;
        let name = members.first().map_or("", |program| &*program.namespec.group.0);
        let GroupCounts { running, up } = GroupCounts::of(members);
        Self {
            context,
            name,
            count: (messages.running_of)(running, members.len()),
            up,
            full: format!("{} {name}", messages.group),
        }
    }
}

/// What a group's row shows of its programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupCounts {
    running: usize,
    /// Whether any of them can be stopped.
    up: bool,
}

impl GroupCounts {
    pub(super) fn of(members: &[ProgramView]) -> Self {
        let running = members.iter().filter(|program| program.state == ProcessState::Running).count();
        Self { running, up: members.iter().any(|program| is_up(program.state)) }
    }
}

/// The programs by group, in the order of the view.
pub(super) fn groups(view: &DaemonView) -> impl Iterator<Item = &[ProgramView]> {
    view.programs.chunk_by(|one, next| one.namespec.group == next.namespec.group)
}

/// Whether a group has a row of its own: every group but that of a single program with the same name.
pub(super) fn has_head(members: &[ProgramView]) -> bool {
    members.len() > 1 || members.iter().any(|program| program.namespec.group.0 != program.namespec.process.0)
}

/// The table of listeners.
#[derive(Template)]
#[template(path = "listeners.html")]
pub(super) struct ListenersSection<'a> {
    context: &'a PageContext<'a>,
    rows: Vec<ListenerRow<'a>>,
}

struct ListenerRow<'a> {
    view: &'a ListenerView,
    key: String,
    link: String,
    shown: String,
    state: &'static str,
    /// Its problems, if any.
    why: Option<String>,
    bad: bool,
}

impl<'a> ListenersSection<'a> {
    pub(super) fn new(context: &'a PageContext<'a>, view: &'a DaemonView) -> Self {
        Self::of(context, &view.listeners, view.now)
    }

    /// The row of one listener; an empty table, which is hidden, if the program is none.
    pub(super) fn about(context: &'a PageContext<'a>, view: &'a DaemonView, program: &ProgramView) -> Self {
        let is_it = |listener: &&ListenerView| listener.namespec == program.namespec;
        Self::of(context, view.listeners.iter().filter(is_it), view.now)
    }

    fn of(
        context: &'a PageContext<'a>,
        listeners: impl IntoIterator<Item = &'a ListenerView>,
        now: Duration,
    ) -> Self {
        let rows = listeners.into_iter().map(|listener| {
            let problems = listener.status.problems();
            let mut words: Vec<String> =
                problems.iter().map(|problem| (context.messages.listener_problem)(problem)).collect();
            words.extend(listener.outbox.iter().flat_map(|outbox| alert_texts(context, outbox)));
            ListenerRow {
                view: listener,
                key: listener.namespec.qualified(),
                link: encode(&listener.namespec.qualified()),
                shown: listener.namespec.to_string(),
                state: (context.messages.listener_states)(listener.state),
                why: (!words.is_empty()).then(|| words.join(" · ")),
                bad: problems.iter().any(ListenerProblem::needs_attention) || has_bad_outbox(listener, now),
            }
        });
        Self { context, rows: rows.collect() }
    }
}

/// The alerts of a listener: how many wait, since when and why, and how many were given up. Empty if there are none.
fn alert_texts(context: &PageContext<'_>, outbox: &OutboxView) -> Vec<String> {
    let (messages, alerts) = (context.messages, &outbox.alerts);
    let trouble = outbox.folder.trouble.as_ref().map(|why| (messages.no_state_folder)(&printable(why)));
    let waiting = (alerts.waiting > 0).then(|| {
        let since =
            alerts.oldest.map(|at| format::moment(context.clock, at, context.now)).unwrap_or_default();
        let why = alerts.last_error.as_ref().map(|error| format!(" ({})", printable(&error.reason)));
        (messages.alerts_wait)(alerts.waiting, &since) + &why.unwrap_or_default()
    });
    let dead = (alerts.dead > 0).then(|| (messages.alerts_dead)(alerts.dead));
    [trouble, waiting, dead].into_iter().flatten().collect()
}

/// The recent events.
#[derive(Template)]
#[template(path = "events.html")]
pub(super) struct EventsSection<'a> {
    context: &'a PageContext<'a>,
    lines: Vec<EventRow<'a>>,
    /// The text if there are none.
    none: String,
}

struct EventRow<'a> {
    at: String,
    name: &'static str,
    /// The new state, as a class of the style sheet.
    class: &'static str,
    about: Option<About>,
    why: Option<std::borrow::Cow<'a, str>>,
}

struct About {
    link: String,
    shown: String,
}

impl<'a> EventsSection<'a> {
    /// Of all programs.
    pub(super) fn new(context: &'a PageContext<'a>, view: &'a DaemonView) -> Self {
        Self::of(context, view, view.recent.iter().map(|record| &**record))
    }

    /// Of one program.
    pub(super) fn about(context: &'a PageContext<'a>, view: &'a DaemonView, program: &ProgramView) -> Self {
        let about = view.recent.iter().map(|record| &**record);
        Self::of(context, view, about.filter(|record| record.event.process() == Some(&program.namespec)))
    }

    fn of(
        context: &'a PageContext<'a>,
        view: &DaemonView,
        records: impl Iterator<Item = &'a EventRecord>,
    ) -> Self {
        let lines = records.take(MAX_EVENTS).map(|record| EventRow {
            at: format::moment(context.clock, record.at, context.now),
            name: (context.messages.event_names)(record.event.kind()),
            class: class(record),
            about: record
                .event
                .process()
                .map(|namespec| About { link: encode(&namespec.qualified()), shown: namespec.to_string() }),
            why: match (&record.why, record.event.process()) {
                (Some(why), _) => Some((context.messages.exit_reason)(why).into()),
                // Only its body says what it is about.
                (None, None) => {
                    let head = wire::body_parts(&record.event).0;
                    head.lines().next().map(|line| line.to_owned().into())
                }
                (None, Some(_)) => None,
            },
        });
        // Older events are not kept, so "nothing has happened yet" would be wrong.
        let none = match view.recent.len() {
            0 => context.messages.no_events.to_owned(),
            kept => (context.messages.no_events_among)(kept),
        };
        Self { context, lines: lines.collect(), none }
    }
}

/// `EXITED` for `PROCESS_STATE_EXITED`, with `unexpected` if it was; empty for other events.
fn class(record: &EventRecord) -> &'static str {
    if let Event::State(change) = &record.event
        && matches!(change.detail, StateDetail::Exit { expected: false, .. })
    {
        return "EXITED unexpected";
    }
    record.event.kind().name().strip_prefix("PROCESS_STATE_").unwrap_or_default()
}
