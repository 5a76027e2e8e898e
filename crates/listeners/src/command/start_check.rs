//! Notes that a listener writes about its own configuration when it starts: names that match no program, and events that
//! it does not use.

use std::thread;
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_core::listener::name_check::{NamePattern, unmatched_patterns};
use ironlance_host::code_pages::CodePageTrimmer;
use ironlance_host::heap;
use ironlance_rpc::{Client, Value};

use crate::environment::ListenerEnv;
use crate::note;
use crate::rule::trigger::Triggers;
use crate::rule::unused_events::{UnusedEvents, unused};

/// Time limit for supervisord's answer; it starts listeners while it is still busy itself.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks supervisord for its programs and notes which names match none of them. It runs in a thread, so READY does not
/// wait for it; without an answer nothing is noted.
pub(super) fn report_unmatched_names(supervisor: Option<&Client>, named: Vec<NamePattern>) {
    let Some(supervisor) = supervisor.cloned().filter(|_| !named.is_empty()) else { return };
    let ask = move || {
        if let Some(lines) = unmatched_names(&supervisor, &named) {
            note(&lines);
        }
        // The listener waits for events already: the memory that this request took is given back here.
        heap::trim();
        CodePageTrimmer::default().before_wait();
    };
    // If no thread can be started, nothing is noted.
    drop(thread::Builder::new().spawn(ask));
}

/// The notes about names that match nothing; `None` if supervisord does not answer.
fn unmatched_names(supervisor: &Client, named: &[NamePattern]) -> Option<Vec<String>> {
    let configured = supervisor.call("supervisor.getAllConfigInfo", &[], Some(TIMEOUT)).ok()?;
    Some(unmatched_patterns(named, &processes(&configured)))
}

/// The processes of a configuration, also those that are not active yet.
fn processes(configured: &Value) -> Vec<Namespec> {
    let Value::Array(configured) = configured else { return Vec::new() };
    let text = |info: &Value, name: &str| info.member(name).and_then(Value::as_str).map(str::to_owned);
    let namespec = |info: &Value| Some(Namespec::new(text(info, "group")?, text(info, "name")?));
    configured.iter().filter_map(namespec).collect()
}

/// Notes of which of its events a crash mailer makes no mail, if supervisord says what `events=` is. Otherwise returns
/// what [`report_unused_event`] needs.
pub(super) fn report_unused_events(environment: &ListenerEnv, on: Triggers) -> Option<UnusedEvents> {
    let Some(events) = &environment.events else { return Some(UnusedEvents::new(on)) };
    if let Some(line) = unused(events.split(',').map(str::trim).filter(|event| !event.is_empty()), on) {
        note(&[line]);
    }
    None
}

/// The same note, for an event that was received.
pub(super) fn report_unused_event(unused_events: &mut Option<UnusedEvents>, event: &str) {
    if let Some(line) = unused_events.as_mut().and_then(|unused_events| unused_events.first_notice(event)) {
        note(&[line]);
    }
}
