//! What a page says of the alerts of a listener: how many wait and since when, why, and how many were given up.

use super::context::PageContext;
use super::format;
use super::log_page::printable;
use crate::view::outboxes::OutboxView;

/// All that there is to say; nothing where no alert waits and none was given up.
pub(super) fn words(context: &PageContext<'_>, outbox: &OutboxView) -> Vec<String> {
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
