//! What a page says of the alerts of a listener: how many wait and since when, why, and how many were given up.

use super::figures;
use super::frame::Frame;
use super::tail::harmless;
use crate::view::outboxes::OutboxView;

/// All that there is to say; nothing where no alert waits and none was given up.
pub(super) fn words(frame: &Frame<'_>, outbox: &OutboxView) -> Vec<String> {
    let (words, alerts) = (frame.words, &outbox.alerts);
    let trouble = outbox.folder.trouble.as_ref().map(|why| (words.no_state_folder)(&harmless(why)));
    let waiting = (alerts.waiting > 0).then(|| {
        let since = alerts.oldest.map(|at| figures::moment(frame.clock, at, frame.now)).unwrap_or_default();
        let why = alerts.last_error.as_ref().map(|error| format!(" ({})", harmless(&error.reason)));
        (words.alerts_wait)(alerts.waiting, &since) + &why.unwrap_or_default()
    });
    let dead = (alerts.dead > 0).then(|| (words.alerts_dead)(alerts.dead));
    [trouble, waiting, dead].into_iter().flatten().collect()
}
