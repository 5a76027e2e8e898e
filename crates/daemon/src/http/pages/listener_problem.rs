//! What is wrong with a listener, by the same rules as `supervisorctl listeners`.

use crate::view::ListenerView;

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListenerProblem {
    NotRunning,
    BrokeProtocol,
    /// Events wait, and it has not said that it takes any.
    NotReady,
    BufferFull,
    /// So many events wait, which is well as long as they become fewer.
    Queued(usize),
    /// So many events of its pool were given up, and of which types.
    Dropped(u64, String),
    /// So many events were dealt with by nobody, and of which types.
    Rejected(u64, String),
    /// It was recycled for breaking the protocol, so often lately.
    Recycled(u32),
    /// It had stray output that begins like this.
    StrayOutput(String),
    /// It cannot do its work as it is configured.
    Misconfigured(String),
}

/// All that is wrong with it.
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

/// Whether any of it is more than a queue that is being worked on, or an odd habit.
pub(super) fn needs_attention(problems: &[ListenerProblem]) -> bool {
    problems
        .iter()
        .any(|problem| !matches!(problem, ListenerProblem::Queued(_) | ListenerProblem::StrayOutput(_)))
}
