//! `/live`: a page that is open is told what has changed, as pieces of HTML from the templates that made it. Each watcher
//! is sent what differs from what it was sent before.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use askama::Template;
use hyper::body::Bytes;
use ironlance_host::local_time::LocalClock;
use serde::Serialize;
use tokio::time::timeout;

use super::broadcaster::SnapshotReceiver;
use super::condition::is_named;
use super::context::PageContext;
use super::csrf_token::CsrfToken;
use super::language::LanguageChoice;
use super::program::ExitSection;
use super::row::{ProgramRow, RowPlace, measured};
use super::sections::{EventsSection, GroupRow, ListenersSection, SummarySection, groups, has_head};
use super::snapshot::{Fingerprints, Snapshot};
use crate::http::access::Access;
use crate::http::response_body;

/// A watcher hears of us at least so often.
const SILENCE: Duration = Duration::from_secs(15);
/// First of all: when a browser that lost us tries again, in milliseconds.
const GREETING: &str = "retry: 2000\n\n";
const ALIVE: &str = ":\n\n";

/// One who watches.
pub(super) struct LiveClient {
    reader: SnapshotReceiver,
    choice: LanguageChoice,
    access: Access,
    token: CsrfToken,
    clock: LocalClock,
    /// The page is about this process alone.
    only: Option<String>,
    /// What the page says that it has seen.
    seen: Option<String>,
    told: Option<SentState>,
    greeted: bool,
}

/// What a watcher knows.
struct SentState {
    fingerprints: Fingerprints,
    samples: u64,
    /// Processor and memory of each program, as they stand in the page.
    gauges: Vec<(String, String)>,
}

/// One line of what the gauges say: who, and processor and memory in words and in numbers.
#[derive(Serialize)]
struct UsageRow<'a>(String, &'a str, &'a str, f32, u64);

impl LiveClient {
    pub(super) fn new(
        mut reader: SnapshotReceiver,
        choice: LanguageChoice,
        access: Access,
        token: CsrfToken,
        only: Option<String>,
        seen: Option<String>,
    ) -> Self {
        reader.mark_changed();
        Self {
            reader,
            choice,
            access,
            token,
            clock: LocalClock::new(),
            only,
            seen,
            told: None,
            greeted: false,
        }
    }

    /// The body of the answer.
    pub(super) fn stream(self) -> Stream {
        Stream(Some(Box::pin(self.next())))
    }

    /// Waits until there is something to be told; nothing comes after the end.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if !self.greeted {
            self.greeted = true;
            return Some((GREETING.into(), self));
        }
        loop {
            match timeout(SILENCE, self.reader.changed()).await {
                Err(_) => return Some((ALIVE.into(), self)),
                Ok(Err(_)) => return None,
                Ok(Ok(())) => {}
            }
            let snapshot = self.reader.borrow_and_update().clone();
            let text = snapshot.map(|snapshot| self.tell(&snapshot)).unwrap_or_default();
            if !text.is_empty() {
                return Some((text.into(), self));
            }
        }
    }

    /// What is new in a snapshot, as server-sent events (WHATWG HTML, 9.2).
    fn tell(&mut self, snapshot: &Snapshot) -> String {
        let now = &snapshot.fingerprints;
        let before = self.told.take();
        let mut text = String::new();
        let fresh = before.is_none() && self.seen.take().is_none_or(|seen| seen != now.sum());
        let moved = before.as_ref().is_some_and(|told| told.fingerprints.layout != now.layout);
        if fresh || moved {
            // Which rows there are is for the page itself to say.
            push_event(&mut text, "layout", "");
        } else if let Some(told) = &before {
            let context = PageContext::new(
                self.choice,
                self.access,
                &self.token,
                &self.clock,
                snapshot.view.now,
                &snapshot.usage,
            );
            match &self.only {
                Some(name) => push_pieces_of_one(&mut text, &context, snapshot, &told.fingerprints, name),
                None => push_pieces(&mut text, &context, snapshot, &told.fingerprints),
            }
        }
        let known = before.filter(|told| told.fingerprints.layout == now.layout);
        let (samples, gauges) = match known {
            Some(told) => (told.samples, told.gauges),
            None => (0, vec![Default::default(); now.rows.len()]),
        };
        let mut told = SentState { fingerprints: now.clone(), samples, gauges };
        if told.samples != snapshot.samples {
            told.samples = snapshot.samples;
            push_event(&mut text, "gauges", &self.pointers(snapshot, &mut told.gauges));
        }
        self.told = Some(told);
        text
    }

    /// What the gauges say of those programs of which they say something new.
    fn pointers(&self, snapshot: &Snapshot, gauges: &mut [(String, String)]) -> String {
        let mut new = Vec::new();
        for (program, known) in snapshot.view.programs.iter().zip(gauges) {
            let usage = program.pid.and_then(|pid| snapshot.usage.get(&pid)).copied();
            let now = measured(usage);
            let wanted = self.only.as_ref().is_none_or(|name| is_named(program, name));
            if now != *known && wanted {
                *known = now;
                new.push((program, usage.unwrap_or_default(), &*known));
            }
        }
        let pointers = new.into_iter().map(|(program, usage, (cpu, memory))| {
            UsageRow(program.namespec.qualified(), cpu, memory, usage.cpu, usage.memory)
        });
        serde_json::to_string(&pointers.collect::<Vec<_>>()).unwrap_or_default()
    }
}

/// The pieces of the page of all programs that are not as they were. `before` has the same layout.
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

/// The pieces of the page of one program that are not as they were.
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

/// Appends a piece as an event of its own: a browser reads rows and sections by different rules.
fn push(text: &mut String, piece: &impl Template) {
    // Writing to a string does not fail; a piece that did would stay as it was.
    if let Ok(html) = piece.render() {
        push_event(text, "swap", &html);
    }
}

/// Appends an event; each line of its data is a line of its own.
fn push_event(text: &mut String, name: &str, data: &str) {
    let _ = writeln!(text, "event: {name}");
    // A carriage return alone would end a line as well.
    for line in data.split(['\n', '\r']) {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, LiveClient)>>>>;

/// What a watcher is sent, one part after the other.
pub(super) struct Stream(Option<Next>);

impl response_body::StreamBody for Stream {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(next) = &mut self.0 else { return Poll::Ready(None) };
        let Poll::Ready(outcome) = next.as_mut().poll(cx) else { return Poll::Pending };
        let Some((bytes, client)) = outcome else {
            self.0 = None;
            return Poll::Ready(None);
        };
        self.0 = Some(Box::pin(client.next()));
        Poll::Ready(Some(bytes))
    }
}
