//! Problems of an event listener: [`problems`], by the same rules as `supervisorctl listeners`.

use crate::view::ListenerView;

/// A problem that needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListenerProblem {
    NotRunning,
    BrokeProtocol,
    /// Events are queued, and it has not sent READY.
    NotReady,
    BufferFull,
    /// This many events are queued; harmless while the number goes down.
    Queued(usize),
    /// This many events of its pool were dropped, and of which types.
    Dropped(u64, String),
    /// This many events were rejected by all members, and of which types.
    Rejected(u64, String),
    /// It was restarted this often lately for breaking the protocol.
    Recycled(u32),
    /// It wrote output outside the protocol that begins like this.
    StrayOutput(String),
    /// A warning of the configuration.
    Misconfigured(String),
}

/// All problems of a listener.
pub(super) fn problems(listener: &ListenerView) -> Vec<ListenerProblem> {
    let &ListenerView { pending, is_full, offences, .. } = listener;
    let state = match listener.state {
        "NOT_RUNNING" => Some(ListenerProblem::NotRunning),
        "UNKNOWN" => Some(ListenerProblem::BrokeProtocol),
        "ACKNOWLEDGED" if pending > 0 => Some(ListenerProblem::NotReady),
        _ => None,
    };
    let queue = match pending {
        0 => None,
        _ if is_full => Some(ListenerProblem::BufferFull),
        _ => Some(ListenerProblem::Queued(pending)),
    };
    let (lost, dead) = (listener.dropped.total(), listener.dead.total());
    let lost = (lost > 0).then(|| ListenerProblem::Dropped(lost, listener.dropped.to_string()));
    let dead = (dead > 0).then(|| ListenerProblem::Rejected(dead, listener.dead.to_string()));
    let babbled = (listener.babbles > 0)
        .then(|| ListenerProblem::StrayOutput(listener.babble.escape_debug().to_string()));
    let offences = (offences > 0).then_some(ListenerProblem::Recycled(offences));
    let doubts = listener.doubts.iter().cloned().map(ListenerProblem::Misconfigured);
    [state, queue, lost, dead, offences, babbled].into_iter().flatten().chain(doubts).collect()
}

/// Whether any problem is more than a queue that is being worked on, or harmless stray output.
pub(super) fn needs_attention(problems: &[ListenerProblem]) -> bool {
    problems
        .iter()
        .any(|problem| !matches!(problem, ListenerProblem::Queued(_) | ListenerProblem::StrayOutput(_)))
}
