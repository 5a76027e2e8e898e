//! How fast the carrier of each channel may be sent messages: [`pace_of`], for the queues of the deliverer. Below the
//! carriers' own limits, since others may use the same robot.

use std::time::Duration;

use ironlance_core::alerting::channel::Channel;

/// At most `count` attempts begin in any time of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaceLimit {
    /// The number of attempts; not zero.
    pub count: usize,
    /// The time.
    pub within: Duration,
}

const fn limit(count: usize, seconds: u64) -> PaceLimit {
    PaceLimit { count, within: Duration::from_secs(seconds) }
}

/// The limits of a channel's queue; none where its carrier has none.
pub fn pace_of(channel: &Channel) -> &'static [PaceLimit] {
    match channel {
        Channel::Slack { .. } | Channel::SlackToken { .. } => const { &[limit(1, 1)] },
        // Known from practice: Microsoft does not say it of workflows.
        Channel::Teams { .. } => const { &[limit(4, 1)] },
        // 20 a minute; who sends more is blocked for 10 minutes.
        Channel::DingTalk { .. } | Channel::WeCom { .. } => const { &[limit(18, 60)] },
        // 5 a second and 100 a minute.
        Channel::Feishu { .. } => const { &[limit(4, 1), limit(90, 60)] },
        // 1 a second in a chat, 20 a minute in a group.
        Channel::Telegram { .. } => const { &[limit(1, 1), limit(18, 60)] },
        // About 120 a minute.
        Channel::PagerDuty { .. } => const { &[limit(110, 60)] },
        // A bucket of 60 that gets one each 5 seconds.
        Channel::Ntfy { .. } => const { &[limit(60, 300)] },
        Channel::Alertmanager { .. }
        | Channel::Webhook { .. }
        | Channel::Twilio { .. }
        | Channel::Aliyun { .. }
        | Channel::SmsCommand { .. }
        | Channel::Command { .. } => &[],
    }
}
