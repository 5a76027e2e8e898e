//! How many messages a receiver may get: [`Budget`], the pace of its channels and its place in the outbox.
//!
//! ```text
//!   may send  ──── a channel's window is full, or 3 messages wait ────▶ must wait
//!             ◀─── the oldest leaves the window, or fewer wait ────────
//! ```
//!
//! | channel | at most |
//! |---|---|
//! | slack | 1 in 1 s |
//! | dingtalk, wecom | 18 in 60 s |
//! | feishu | 4 in 1 s, 90 in 60 s |
//! | telegram | 1 in 1 s, 18 in 60 s |
//! | teams | 4 in 1 s |
//! | ntfy | 60 in 300 s |
//! | pagerduty | 110 in 60 s |
//! | sms | `sms_max=` |
//!
//! Each stays below what the vendor allows. A window slides: in no stretch of that time are there more. The deliverer has a
//! pace of its own; this one decides what is put into one message before it is written.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ironlance_config::alerting::AlertReceiver;
use ironlance_core::alerting::channel::Channel;
use serde::{Deserialize, Serialize};

use super::clock::WatchTime;
use super::effect::PaceReason;

/// While this number of messages waits in the outbox, a receiver gets no more.
pub(super) const MAX_WAITING: usize = 3;
/// A full outbox is looked at again after this time at the latest; a report of it comes earlier.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The most messages of a window, whatever `sms_max=` says.
const MAX_WINDOW: usize = 1000;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// At most this number of messages within this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    count: usize,
    within: Duration,
}

/// What was sent to a receiver lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Budget {
    /// When its last messages were made, oldest first, and how many messages of a channel that keeps incidents each was.
    sent: VecDeque<(WatchTime, usize)>,
}

impl Budget {
    /// Why a message has to wait at a time, and until when.
    pub(super) fn refusal(
        &self,
        receiver: &AlertReceiver,
        waiting: &BTreeSet<u64>,
        now: WatchTime,
    ) -> Option<(PaceReason, WatchTime)> {
        if waiting.len() >= MAX_WAITING {
            return Some((PaceReason::Backlog(waiting.len()), now.after(LOOK_AGAIN)));
        }
        let full = |(channel, pace): (&Channel, Pace)| {
            let until = self.full_until(pace, channel.is_stateful(), now)?;
            Some((PaceReason::Channel(channel.name().to_owned()), until))
        };
        let paces = receiver.channels.iter().flat_map(|channel| {
            paces(channel, receiver.sms_max).into_iter().map(move |pace| (channel, pace))
        });
        paces.filter_map(full).max_by_key(|(_, until)| *until)
    }

    /// Counts a message of this number of items.
    pub(super) fn sent(&mut self, receiver: &AlertReceiver, items: usize, now: WatchTime) {
        self.sent.push_back((now, items.max(1)));
        let paces = receiver.channels.iter().flat_map(|channel| paces(channel, receiver.sms_max));
        let longest = paces.map(|pace| pace.within).max().unwrap_or_default();
        while self.sent.len() > MAX_WINDOW
            || self.sent.front().is_some_and(|(at, _)| now.since(*at) >= longest)
        {
            self.sent.pop_front();
        }
    }

    /// Until when a window is full; `None` where it is not.
    fn full_until(&self, pace: Pace, is_stateful: bool, now: WatchTime) -> Option<WatchTime> {
        let mut count = 0;
        for (at, items) in self.sent.iter().rev().take_while(|(at, _)| now.since(*at) < pace.within) {
            count += if is_stateful { *items } else { 1 };
            if count >= pace.count {
                return Some(at.after(pace.within));
            }
        }
        None
    }
}

fn paces(channel: &Channel, sms_max: Option<(u32, Duration)>) -> Vec<Pace> {
    let pace = |count, within| Pace { count, within };
    match channel {
        Channel::Slack { .. } | Channel::SlackToken { .. } => vec![pace(1, SECOND)],
        Channel::DingTalk { .. } | Channel::WeCom { .. } => vec![pace(18, MINUTE)],
        Channel::Feishu { .. } => vec![pace(4, SECOND), pace(90, MINUTE)],
        Channel::Telegram { .. } => vec![pace(1, SECOND), pace(18, MINUTE)],
        Channel::Teams { .. } => vec![pace(4, SECOND)],
        Channel::Ntfy { .. } => vec![pace(60, MINUTE * 5)],
        Channel::PagerDuty { .. } => vec![pace(110, MINUTE)],
        Channel::Twilio { .. } | Channel::Aliyun { .. } | Channel::SmsCommand { .. } => {
            let of_rule = |(count, within)| {
                pace(usize::try_from(count).unwrap_or(usize::MAX).clamp(1, MAX_WINDOW), within)
            };
            sms_max.map(of_rule).into_iter().collect()
        }
        Channel::Alertmanager { .. } | Channel::Webhook { .. } | Channel::Command { .. } => vec![],
    }
}

#[cfg(test)]
mod tests {
    use ironlance_core::alerting::secret::Secret;
    use proptest::prelude::*;

    use super::super::tests::receiver;
    use super::*;

    fn robot() -> AlertReceiver {
        let url = Secret::Literal("https://oapi.dingtalk.com/robot/send".to_owned());
        let channel = Channel::DingTalk { url, secret: None, at: vec![], keyword: None };
        AlertReceiver { channels: vec![channel], ..receiver("ops") }
    }

    #[test]
    fn three_messages_in_the_outbox_are_enough() {
        let (budget, now) = (Budget::default(), WatchTime(1_000_000));
        assert_eq!(budget.refusal(&receiver("ops"), &BTreeSet::from([1, 2]), now), None);
        let (reason, _) = budget.refusal(&receiver("ops"), &BTreeSet::from([1, 2, 3]), now).unwrap();
        assert_eq!(reason, PaceReason::Backlog(3));
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_the_robot_takes_and_none_waits_for_nothing(
            pauses in proptest::collection::vec(0_u64..8000, 1..200),
        ) {
            let (mut budget, robot, none) = (Budget::default(), robot(), BTreeSet::new());
            let mut now = WatchTime(1_000_000);
            let mut sent = Vec::<u64>::new();
            for pause in pauses {
                now = WatchTime(now.0 + pause);
                match budget.refusal(&robot, &none, now) {
                    None => {
                        budget.sent(&robot, 1, now);
                        sent.push(now.0);
                    }
                    Some((_, until)) => {
                        prop_assert!(until > now);
                        prop_assert_eq!(budget.refusal(&robot, &none, until), None);
                    }
                }
                let lately = sent.iter().filter(|at| now.0 - **at < 60_000).count();
                prop_assert!(lately <= 18, "{lately}");
                prop_assert!(budget.sent.len() <= 18);
            }
        }
    }
}
