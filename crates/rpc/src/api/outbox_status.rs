//! [`OutboxStatus`]: an item of the answer of `ironlance.getAlerts`.

use super::{StructError, count, int, members, text_array, texts};
use crate::value::Value;

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
    pub oldest: Option<u64>,
    /// The number of alerts that were given up.
    pub dead: u64,
    /// Why the last delivery failed; empty after a success.
    pub last_error: String,
    /// When it failed.
    pub last_error_at: Option<u64>,
}

impl OutboxStatus {
    /// The struct.
    pub fn to_value(self) -> Value {
        Value::record([
            ("folder", self.folder.into()),
            ("user", self.user.into()),
            ("listeners", text_array(self.listeners)),
            ("trouble", self.trouble.into()),
            ("waiting", int(self.waiting)),
            ("oldest", int(self.oldest.unwrap_or_default())),
            ("dead", int(self.dead)),
            ("last_error", self.last_error.into()),
            ("last_error_at", int(self.last_error_at.unwrap_or_default())),
        ])
    }

    /// Reads the struct.
    pub fn from_value(value: Value) -> Result<Self, StructError> {
        let time = |seconds: i64| Some(count(seconds)).filter(|seconds| *seconds > 0);
        let mut outbox = Self::default();
        for (key, value) in members(value)? {
            match (&*key, value) {
                ("folder", Value::Str(text)) => outbox.folder = text,
                ("user", Value::Str(text)) => outbox.user = text,
                ("listeners", Value::Array(items)) => outbox.listeners = texts(items),
                ("trouble", Value::Str(text)) => outbox.trouble = text,
                ("waiting", Value::Int(number)) => outbox.waiting = count(number),
                ("oldest", Value::Int(seconds)) => outbox.oldest = time(seconds),
                ("dead", Value::Int(number)) => outbox.dead = count(number),
                ("last_error", Value::Str(text)) => outbox.last_error = text,
                ("last_error_at", Value::Int(seconds)) => outbox.last_error_at = time(seconds),
                _ => {}
            }
        }
        Ok(outbox)
    }

    /// Reads the answer of `ironlance.getAlerts`.
    pub fn list_from_value(value: Value) -> Result<Vec<Self>, StructError> {
        super::list(value, Self::from_value)
    }
}

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
            let ([waiting, dead], [oldest, last_error_at]) = (numbers, times);
            let outbox =
                OutboxStatus { folder, user, listeners, trouble, waiting, oldest, dead, last_error, last_error_at };
            prop_assert_eq!(OutboxStatus::from_value(outbox.clone().to_value()), Ok(outbox));
        }
    }
}
