//! What a listener says about its own wiring when it starts: names that match nothing, events of which it makes nothing.

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

/// How long supervisord may take to tell which programs it has; a listener is started while it is still busy.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks supervisord which programs there are, and says which names match none of them. READY does not wait for it, and
/// a supervisord that does not answer is no matter.
pub(super) fn report_unmatched_names(supervisor: Option<&Client>, named: Vec<NamePattern>) {
    let Some(supervisor) = supervisor.cloned().filter(|_| !named.is_empty()) else { return };
    let ask = move || {
        if let Some(lines) = unmatched_names(&supervisor, &named) {
            note(&lines);
        }
        // The listener waits already: what asking has brought into memory would stay. The answer is dropped by now.
        heap::trim();
        CodePageTrimmer::default().before_wait();
    };
    // Without room for a thread the question is not raw.
    drop(thread::Builder::new().spawn(ask));
}

/// What is to be said of names that match nothing; `None` where supervisord does not answer.
fn unmatched_names(supervisor: &Client, named: &[NamePattern]) -> Option<Vec<String>> {
    let configured = supervisor.call("supervisor.getAllConfigInfo", &[], Some(TIMEOUT)).ok()?;
    Some(unmatched_patterns(named, &processes(&configured)))
}

/// The processes of a configuration, those too that are not in use yet.
fn processes(configured: &Value) -> Vec<Namespec> {
    let Value::Array(configured) = configured else { return Vec::new() };
    let text = |info: &Value, name: &str| info.member(name).and_then(Value::as_str).map(str::to_owned);
    let namespec = |info: &Value| Some(Namespec::new(text(info, "group")?, text(info, "name")?));
    configured.iter().filter_map(namespec).collect()
}

/// Says of which of its events a crash mailer makes no mail, where supervisord tells what it subscribed to. Else gives
/// what is needed to say it when such an event comes.
pub(super) fn report_unused_events(environment: &ListenerEnv, on: Triggers) -> Option<UnusedEvents> {
    let Some(events) = &environment.events else { return Some(UnusedEvents::new(on)) };
    if let Some(line) = unused(events.split(',').map(str::trim).filter(|event| !event.is_empty()), on) {
        note(&[line]);
    }
    None
}

/// Says it of an event that has come.
pub(super) fn report_unused_event(unheard: &mut Option<UnusedEvents>, event: &str) {
    if let Some(line) = unheard.as_mut().and_then(|unheard| unheard.first_notice(event)) {
        note(&[line]);
    }
}
