//! What is wrong with a listener, by the same rules as `supervisorctl listeners`.

use crate::view::ListenerView;

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    NotRunning,
    BrokeProtocol,
    /// Events wait, and it has not said that it takes any.
    NotReady,
    BufferFull,
    /// So many events wait, which is well as long as they become fewer.
    Waiting(usize),
    /// So many events of its pool were given up, and of which types.
    Lost(u64, String),
    /// So many events were dealt with by nobody, and of which types.
    Dead(u64, String),
    /// It was recycled for breaking the protocol, so often lately.
    Offences(u32),
    /// It had stray output that begins like this.
    Babbled(String),
    /// It cannot do its work as it is configured.
    Doubt(String),
}

/// All that is wrong with it.
pub(super) fn wrongs(listener: &ListenerView) -> Vec<Wrong> {
    let &ListenerView { pending, is_full, offences, .. } = listener;
    let state = match listener.state {
        "NOT_RUNNING" => Some(Wrong::NotRunning),
        "UNKNOWN" => Some(Wrong::BrokeProtocol),
        "ACKNOWLEDGED" if pending > 0 => Some(Wrong::NotReady),
        _ => None,
    };
    let queue = match pending {
        0 => None,
        _ if is_full => Some(Wrong::BufferFull),
        _ => Some(Wrong::Waiting(pending)),
    };
    let (lost, dead) = (listener.dropped.total(), listener.dead.total());
    let lost = (lost > 0).then(|| Wrong::Lost(lost, listener.dropped.to_string()));
    let dead = (dead > 0).then(|| Wrong::Dead(dead, listener.dead.to_string()));
    let babbled = (listener.babbles > 0).then(|| Wrong::Babbled(listener.babble.escape_debug().to_string()));
    let offences = (offences > 0).then_some(Wrong::Offences(offences));
    let doubts = listener.doubts.iter().cloned().map(Wrong::Doubt);
    [state, queue, lost, dead, offences, babbled].into_iter().flatten().chain(doubts).collect()
}

/// Whether any of it is more than a queue that is being worked on, or an odd habit.
pub(super) fn is_unwell(wrongs: &[Wrong]) -> bool {
    wrongs.iter().any(|wrong| !matches!(wrong, Wrong::Waiting(_) | Wrong::Babbled(_)))
}
