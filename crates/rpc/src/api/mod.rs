//! Typed answers of supervisord's methods, shared by the server and its clients: a file each, with both directions.
//!
//! `to_value` writes the members in the order of the wire. `from_value` ignores unknown members and gives missing ones a
//! default, because the other side may be older or newer; numbers out of range are clamped.

mod daemon_info;
mod listener_status;
mod outbox_status;
mod process_exit;
mod process_info;

pub use daemon_info::DaemonInfo;
pub use listener_status::ListenerStatus;
pub use outbox_status::OutboxStatus;
pub use process_exit::{ExitInfo, ProcessExitInfo};
pub use process_info::ProcessInfo;

use thiserror::Error;

use crate::value::{Members, Value};

/// A value that is not the expected struct.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0} is missing or of another type")]
pub struct StructError(pub(crate) &'static str);

/// The members of a struct.
fn members(value: Value) -> Result<Members, StructError> {
    match value {
        Value::Struct(members) => Ok(members),
        _ => Err(StructError("the struct")),
    }
}

/// The items of a list of structs.
pub(crate) fn list<T>(
    value: Value,
    read: impl Fn(Value) -> Result<T, StructError>,
) -> Result<Vec<T>, StructError> {
    match value {
        Value::Array(items) => items.into_iter().map(read).collect(),
        _ => Err(StructError("the list")),
    }
}

/// A count as XML-RPC carries it.
fn int(count: u64) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A count from XML-RPC; a negative one is 0.
fn count(int: i64) -> u64 {
    u64::try_from(int).unwrap_or_default()
}

/// `-1` stands for "none" in some members.
fn count_or_none(int: i64) -> Option<u64> {
    u64::try_from(int).ok()
}

/// An empty text stands for "none" in some members.
fn some_text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn texts(items: Vec<Value>) -> Vec<String> {
    let text = |item| match item {
        Value::Str(text) => Some(text),
        _ => None,
    };
    items.into_iter().filter_map(text).collect()
}

fn text_array(texts: Vec<String>) -> Value {
    Value::Array(texts.into_iter().map(Value::Str).collect())
}
