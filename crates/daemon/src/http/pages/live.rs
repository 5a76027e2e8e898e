//! `/live`: sends an open page what has changed, as HTML from the same templates: [`LiveClient`]. Each client gets the
//! difference from what it was sent before.

use std::fmt::Write as _;
use std::time::Duration;

use askama::Template;
use ironlance_host::local_time::LocalClock;
use serde::Serialize;
use tokio::time::timeout;

use super::broadcaster::SnapshotReceiver;
use super::condition::is_named;
use super::context::PageContext;
use super::csrf_token::CsrfToken;
use super::language::LanguageChoice;
use super::program::ExitSection;
use super::row::{ProgramRow, RowPlace, usage_texts};
use super::sections::{EventsSection, GroupRow, ListenersSection, SummarySection, groups, has_head};
use super::snapshot::{Fingerprints, Snapshot};
use crate::http::access::Access;
use crate::http::response_body::{NextPiece, StreamBody};

/// Longest time without a message.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Sent first: the browser's reconnection delay, in milliseconds.
const RETRY: &str = "retry: 2000\n\n";
const KEEP_ALIVE: &str = ":\n\n";

/// One open page.
pub(super) struct LiveClient {
    reader: SnapshotReceiver,
    choice: LanguageChoice,
    access: Access,
    token: CsrfToken,
    clock: LocalClock,
    /// The process that the page is about; `None` for all.
    process: Option<String>,
    /// The fingerprint of what the page was rendered from.
    page_fingerprint: Option<String>,
    sent: Option<SentState>,
    /// Sent first.
    greeting: Option<&'static str>,
}

/// What the client has been sent.
struct SentState {
    fingerprints: Fingerprints,
    samples: u64,
    /// CPU and memory of each program, as the page shows them.
    usage_texts: Vec<(String, String)>,
}

/// A usage update: the process, and CPU and memory as texts and as numbers.
#[derive(Serialize)]
struct UsageRow<'a>(String, &'a str, &'a str, f32, u64);

impl LiveClient {
    pub(super) fn new(
        mut reader: SnapshotReceiver,
        choice: LanguageChoice,
        access: Access,
        token: CsrfToken,
        process: Option<String>,
        page_fingerprint: Option<String>,
    ) -> Self {
        reader.mark_changed();
        Self {
            reader,
            choice,
            access,
            token,
            clock: LocalClock::new(),
            process,
            page_fingerprint,
            sent: None,
            greeting: Some(RETRY),
        }
    }

    /// The changes in a snapshot, as server-sent events (WHATWG HTML, 9.2).
    fn changes(&mut self, snapshot: &Snapshot) -> String {
        let now = &snapshot.fingerprints;
        let before = self.sent.take();
        let mut text = String::new();
        let fresh = before.is_none()
            && self.page_fingerprint.take().is_none_or(|page_fingerprint| page_fingerprint != now.sum());
        let moved = before.as_ref().is_some_and(|sent| sent.fingerprints.layout != now.layout);
        if fresh || moved {
            // Rows have come or gone: the page loads itself again.
            push_event(&mut text, "layout", "");
        } else if let Some(sent) = &before {
            let context = PageContext::new(
                self.choice,
                self.access,
                &self.token,
                &self.clock,
                snapshot.view.now,
                &snapshot.usage,
            );
            match &self.process {
                Some(name) => push_pieces_of_one(&mut text, &context, snapshot, &sent.fingerprints, name),
                None => push_pieces(&mut text, &context, snapshot, &sent.fingerprints),
            }
        }
        let known = before.filter(|sent| sent.fingerprints.layout == now.layout);
        let (samples, usage_texts) = match known {
            Some(sent) => (sent.samples, sent.usage_texts),
            None => (0, vec![Default::default(); now.rows.len()]),
        };
        let mut sent = SentState { fingerprints: now.clone(), samples, usage_texts };
        if sent.samples != snapshot.samples {
            sent.samples = snapshot.samples;
            push_event(&mut text, "gauges", &self.usage_updates(snapshot, &mut sent.usage_texts));
        }
        self.sent = Some(sent);
        text
    }

    /// The usage of the programs for which it has changed.
    fn usage_updates(&self, snapshot: &Snapshot, shown: &mut [(String, String)]) -> String {
        let mut new = Vec::new();
        for (program, known) in snapshot.view.programs.iter().zip(shown) {
            let usage = program.pid.and_then(|pid| snapshot.usage.get(&pid)).copied();
            let now = usage_texts(usage);
            let wanted = self.process.as_ref().is_none_or(|name| is_named(program, name));
            if now != *known && wanted {
                *known = now;
                new.push((program, usage.unwrap_or_default(), &*known));
            }
        }
        let usage_updates = new.into_iter().map(|(program, usage, (cpu, memory))| {
            UsageRow(program.namespec.qualified(), cpu, memory, usage.cpu, usage.memory)
        });
        serde_json::to_string(&usage_updates.collect::<Vec<_>>()).unwrap_or_default()
    }
}

/// Appends the changed pieces of the index page. `before` has the same layout.
fn push_pieces(text: &mut String, context: &PageContext<'_>, snapshot: &Snapshot, before: &Fingerprints) {
    let (view, now) = (&snapshot.view, &snapshot.fingerprints);
    let mut changed = now.rows.iter().zip(&before.rows).map(|(now, before)| now != before);
    let heads = now.heads.iter().zip(&before.heads).map(|(now, before)| now != before);
    for (members, changed_head) in groups(view).zip(heads) {
        let headed = has_head(members);
        if headed && changed_head {
            push(text, &GroupRow::new(context, members));
        }
        let place = if headed { RowPlace::InGroup } else { RowPlace::Single };
        for program in members {
            if changed.next().unwrap_or(false) {
                push(text, &ProgramRow::new(context, program, place));
            }
        }
    }
    if now.summary != before.summary {
        push(text, &SummarySection::new(context, view));
    }
    if now.listeners != before.listeners {
        push(text, &ListenersSection::new(context, view));
    }
    if now.events != before.events {
        push(text, &EventsSection::new(context, view));
    }
}

/// Appends the changed pieces of the page of one program.
fn push_pieces_of_one(
    text: &mut String,
    context: &PageContext<'_>,
    snapshot: &Snapshot,
    before: &Fingerprints,
    name: &str,
) {
    let (view, now) = (&snapshot.view, &snapshot.fingerprints);
    let Some(at) = view.programs.iter().position(|program| is_named(program, name)) else { return };
    let program = &view.programs[at];
    if now.rows.get(at) != before.rows.get(at) {
        push(text, &ProgramRow::new(context, program, RowPlace::Alone));
        push(text, &ExitSection::new(context, program));
    }
    if program.is_listener && now.listeners != before.listeners {
        push(text, &ListenersSection::about(context, view, program));
    }
    if now.events != before.events {
        push(text, &EventsSection::about(context, view, program));
    }
}

/// Appends a piece as its own event: browsers parse rows and sections by different rules.
fn push(text: &mut String, piece: &impl Template) {
    // Rendering to a string does not fail; if it did, the piece would stay as it was.
    if let Ok(html) = piece.render() {
        push_event(text, "swap", &html);
    }
}

/// Appends an event; each line of its data becomes a `data:` line.
fn push_event(text: &mut String, name: &str, data: &str) {
    let _ = writeln!(text, "event: {name}");
    // A single carriage return would also end a line.
    for line in data.split(['\n', '\r']) {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
}

/// The messages to the client.
impl StreamBody for LiveClient {
    fn next(mut self: Box<Self>) -> NextPiece {
        Box::pin(async move {
            if let Some(greeting) = self.greeting.take() {
                return Some((greeting.into(), self as _));
            }
            loop {
                match timeout(KEEP_ALIVE_INTERVAL, self.reader.changed()).await {
                    Err(_) => return Some((KEEP_ALIVE.into(), self as _)),
                    Ok(changed) => changed.ok()?,
                }
                let snapshot = self.reader.borrow_and_update().clone();
                let text = snapshot.map(|snapshot| self.changes(&snapshot)).unwrap_or_default();
                if !text.is_empty() {
                    return Some((text.into(), self as _));
                }
            }
        })
    }
}
