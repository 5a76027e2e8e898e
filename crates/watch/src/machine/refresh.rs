//! What Alertmanager is told again each minute: [`refresh`]. It takes for over what it is not told again in time.
//!
//! ```text
//!   nothing known ──told──▶ known ──a minute──▶ told again, unless a message waits in the outbox
//!        ▲                    │ ▲                       │
//!        └──────all over──────┘ └───────────────────────┘
//! ```
//!
//! | state | input | next | effect |
//! |---|---|---|---|
//! | nothing known | an incident is told | a minute from now | |
//! | known | a minute has passed, the outbox is empty | a minute from now | all that it knows and is open, once more |
//! | known | a minute has passed, a message waits | a minute from now | |
//! | known | all is over | nothing known | |

use std::time::Duration;

use ironlance_alert::card::CardKind;
use ironlance_config::alerting::AlertReceiver;
use ironlance_core::alerting::channel::Channel;

use super::bucket::Bucket;
use super::effect::{Audience, Effect};
use super::flush::ReceiverMemory;
use super::notice::{next_number, notice};
use super::record::Situation;

/// How often.
const EVERY: Duration = Duration::from_secs(60);

/// Tells Alertmanager again what it knows, where that is due.
pub(super) fn refresh(
    bucket: &mut Bucket,
    receiver: &AlertReceiver,
    memory: &ReceiverMemory,
    situation: &Situation<'_>,
    next_message: &mut u64,
    effects: &mut Vec<Effect>,
) {
    let has_alertmanager =
        receiver.channels.iter().any(|channel| matches!(channel, Channel::Alertmanager { .. }));
    if !has_alertmanager || bucket.known.is_empty() {
        bucket.refresh = None;
        return;
    }
    let now = situation.time();
    let next = now.after(EVERY);
    let due = *bucket.refresh.get_or_insert(next);
    if now < due {
        return;
    }
    bucket.refresh = Some(next);
    let open = bucket.known.iter().filter_map(|(key, known)| {
        let record = situation.incidents.get(key)?;
        (record.machine.is_open() && record.number == known.incident).then(|| situation.item(record))
    });
    let items = open.collect::<Vec<_>>();
    if memory.waiting.is_empty() && !items.is_empty() {
        effects.push(notice(
            next_number(next_message),
            receiver,
            Audience::Refresh,
            CardKind::Reminder,
            items,
        ));
    }
}
