//! Typed answers of supervisord's methods, shared by the server and its clients: a file each, with a table of members.
//!
//! Members are written in the order of the table. Reading ignores unknown members and gives missing ones a default,
//! because the other side may be older or newer; numbers out of range are clamped.

mod daemon_info;
mod history_record;
mod listener_status;
mod outbox_status;
mod process_exit;
mod process_info;

pub use daemon_info::DaemonInfo;
pub use history_record::HistoryRecord;
pub use listener_status::ListenerStatus;
pub use outbox_status::OutboxStatus;
pub use process_exit::{ExitInfo, ProcessExitInfo};
pub use process_info::ProcessInfo;

use std::num::NonZeroU64;

use thiserror::Error;

use crate::value::{Members, Value};

/// A value that is not the expected struct.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0} is missing or of another type")]
pub struct StructError(pub(crate) &'static str);

/// A struct of the interface.
pub trait Record: MemberTable {
    /// The struct.
    fn to_value(self) -> Value {
        Value::Struct(self.into_members())
    }

    /// Reads the struct.
    fn from_value(value: Value) -> Result<Self, StructError> {
        read(value, &[])
    }

    /// Reads a list of such structs.
    fn list_from_value(value: Value) -> Result<Vec<Self>, StructError> {
        match value {
            Value::Array(items) => items.into_iter().map(Self::from_value).collect(),
            _ => Err(StructError("the list")),
        }
    }
}

/// The members of a struct in both directions; [`member_table`] implements it.
pub trait MemberTable: Default {
    /// The members in the order of the wire.
    fn into_members(self) -> Members;

    /// Sets a member; `false` for one that the struct does not have, or that is of another type.
    fn set_member(&mut self, key: &str, value: Value) -> bool;
}

/// Implements [`MemberTable`] by the name of each member and its field.
macro_rules! member_table {
    ($type:ident { $($key:literal => $field:ident),+ $(,)? }) => {
        impl $crate::api::MemberTable for $type {
            fn into_members(self) -> $crate::Members {
                vec![$(($key.into(), $crate::api::Member::write(self.$field))),+]
            }

            fn set_member(&mut self, key: &str, value: $crate::Value) -> bool {
                match key {
                    $($key => $crate::api::Member::read(value).map(|value| self.$field = value).is_some(),)+
                    _ => false,
                }
            }
        }
    };
}
use member_table;

/// A type of members.
trait Member: Sized {
    fn write(self) -> Value;

    /// `None` for a value of another type.
    fn read(value: Value) -> Option<Self>;
}

/// Implements [`Member`] by how a type is written and how it is read.
macro_rules! member_types {
    ($($type:ty: $from:pat => $write:expr, $value:pat => $read:expr;)+) => {$(
        impl Member for $type {
            fn write(self) -> Value {
                let $from = self;
                $write
            }

            fn read(value: Value) -> Option<Self> {
                if let $value = value { $read } else { None }
            }
        }
    )+};
}

member_types! {
    String: text => Value::Str(text), Value::Str(text) => Some(text);
    bool: yes => Value::Bool(yes), Value::Bool(yes) => Some(yes);
    i64: number => Value::Int(number), Value::Int(number) => Some(number);
    u32: number => Value::Int(number.into()), Value::Int(number) => u32::try_from(number).ok();
    u64: count => Value::Int(i64::try_from(count).unwrap_or(i64::MAX)), Value::Int(int) => Some(clamp(int));
    // A duration.
    f64: seconds => Value::Double(seconds),
        Value::Double(seconds) => Some(seconds.max(0.0)).filter(|seconds| seconds.is_finite());
    // An empty text stands for "none".
    Option<String>: text => Value::Str(text.unwrap_or_default()),
        Value::Str(text) => Some(Some(text).filter(|text| !text.is_empty()));
    // `-1` stands for "none" where 0 is a count.
    Option<u64>: count => count.map_or(Value::Int(-1), u64::write),
        Value::Int(int) => Some(u64::try_from(int).ok());
    Option<NonZeroU64>: count => count.map_or(0, NonZeroU64::get).write(),
        Value::Int(int) => Some(NonZeroU64::new(clamp(int)));
    Vec<String>: texts => Value::Array(texts.into_iter().map(Value::Str).collect()),
        Value::Array(items) => Some(items.into_iter().filter_map(String::read).collect());
    Vec<(String, u64)>: counts =>
        Value::Struct(counts.into_iter().map(|(kind, count)| (kind.into(), count.write())).collect()),
        Value::Struct(counts) => {
            let counts = counts.into_iter().map(|(kind, count)| Some((kind.into_owned(), u64::read(count)?)));
            Some(counts.flatten().collect())
        };
}

/// A count from XML-RPC; a negative one is 0.
fn clamp(int: i64) -> u64 {
    u64::try_from(int).unwrap_or_default()
}

/// Reads a struct whose members of these names are required.
fn read<T: MemberTable>(value: Value, required: &[&'static str]) -> Result<T, StructError> {
    let Value::Struct(members) = value else { return Err(StructError("the struct")) };
    let (mut record, mut missing) = (T::default(), required.to_vec());
    for (key, value) in members {
        if record.set_member(&key, value) {
            missing.retain(|required| *required != key);
        }
    }
    missing.first().map_or(Ok(record), |key| Err(StructError(key)))
}
