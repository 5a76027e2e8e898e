//! [`OutboxStatus`]: an item of the answer of `ironlance.getAlerts`.

use std::num::NonZeroU64;

use super::{Record, member_table};

/// An outbox of listeners and the alerts in it; times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxStatus {
    /// The state folder.
    pub folder: String,
    /// The user that owns it.
    pub user: String,
    /// The listeners that use it, as `GROUP:NAME`.
    pub listeners: Vec<String>,
    /// Why it cannot store alerts; empty if it can.
    pub trouble: String,
    /// The number of alerts that wait for delivery.
    pub waiting: u64,
    /// When the oldest of them was stored.
    pub oldest: Option<NonZeroU64>,
    /// The number of alerts that were given up.
    pub dead: u64,
    /// Why the last delivery failed; empty after a success.
    pub last_error: String,
    /// When it failed.
    pub last_error_at: Option<NonZeroU64>,
}

member_table! {
    OutboxStatus {
        "folder" => folder, "user" => user, "listeners" => listeners, "trouble" => trouble, "waiting" => waiting,
        "oldest" => oldest, "dead" => dead, "last_error" => last_error, "last_error_at" => last_error_at,
    }
}

impl Record for OutboxStatus {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_outbox_reads_back_as_it_was_written(
            texts in prop::array::uniform4("\\PC{0,8}"), listeners in prop::collection::vec("\\PC{0,8}", 0..3),
            numbers in prop::array::uniform2(0..u64::MAX / 2),
            times in prop::array::uniform2(prop::option::of(1..u64::MAX / 2)),
        ) {
            let [folder, user, trouble, last_error] = texts;
            let ([waiting, dead], times) = (numbers, times.map(|time| time.and_then(NonZeroU64::new)));
            let [oldest, last_error_at] = times;
            let outbox =
                OutboxStatus { folder, user, listeners, trouble, waiting, oldest, dead, last_error, last_error_at };
            prop_assert_eq!(OutboxStatus::from_value(outbox.clone().to_value()), Ok(outbox));
        }
    }
}
