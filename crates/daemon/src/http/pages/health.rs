//! What is wrong with a listener, by the same rules as `supervisorctl listeners`.

use crate::view::ListenerView;

/// Something that somebody should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    NotRunning,
    BrokeProtocol,
    /// Events wait, and it has not said that it takes any.
    NotReady,
    BufferFull,
    /// So many events wait, which is well as long as they become fewer.
    Waiting(usize),
    /// So many events of its pool were given up.
    Lost(u64),
    /// It was restarted for breaking the protocol, so often in a row.
    Offences(u32),
}

/// All that is wrong with it.
pub(super) fn wrongs(listener: &ListenerView) -> Vec<Wrong> {
    let &ListenerView { pending, capacity, dropped, offences, .. } = listener;
    let state = match listener.state {
        "NOT_RUNNING" => Some(Wrong::NotRunning),
        "UNKNOWN" => Some(Wrong::BrokeProtocol),
        "ACKNOWLEDGED" if pending > 0 => Some(Wrong::NotReady),
        _ => None,
    };
    let queue = match pending {
        0 => None,
        _ if pending >= capacity => Some(Wrong::BufferFull),
        _ => Some(Wrong::Waiting(pending)),
    };
    let lost = (dropped > 0).then_some(Wrong::Lost(dropped));
    let offences = (offences > 0).then_some(Wrong::Offences(offences));
    [state, queue, lost, offences].into_iter().flatten().collect()
}

/// Whether any of it is more than a queue that is being worked on.
pub(super) fn is_unwell(wrongs: &[Wrong]) -> bool {
    wrongs.iter().any(|wrong| !matches!(wrong, Wrong::Waiting(_)))
}
