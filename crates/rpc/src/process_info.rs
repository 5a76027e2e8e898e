//! What supervisord tells of a process.

use ironlance_core::Namespec;
use thiserror::Error;

use crate::value::Value;

/// The answer of `supervisor.getProcessInfo`, as far as we use it; times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessInfo {
    /// The process's name within its group.
    pub name: String,
    /// Its group.
    pub group: String,
    /// The code of its state.
    pub state: i64,
    /// Its process id; 0 when there is no process.
    pub pid: u32,
    /// When it was last started; 0 for never.
    pub start: i64,
    /// When it last ended; 0 for never.
    pub stop: i64,
    /// Supervisord's clock.
    pub now: i64,
    /// Its last exit status; 0 while it runs, and when a signal ended it -1.
    pub exitstatus: i64,
    /// Why the last start failed; empty when it did not.
    pub spawnerr: String,
    /// In words, such as `pid 12, uptime 0:01:00`.
    pub description: String,
}

/// A struct that does not describe a process.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot read what supervisord tells of a process: {0} is missing or of another type")]
pub struct InfoError(&'static str);

impl ProcessInfo {
    /// Reads the struct; `name`, `group`, `state` and `pid` must be there.
    pub fn from_value(value: &Value) -> Result<Self, InfoError> {
        let text = |key| value.member(key).and_then(Value::as_str).map(str::to_owned).ok_or(InfoError(key));
        let int = |key| value.member(key).and_then(Value::as_int).ok_or(InfoError(key));
        Ok(Self {
            name: text("name")?,
            group: text("group")?,
            state: int("state")?,
            pid: u32::try_from(int("pid")?).map_err(|_| InfoError("pid"))?,
            start: int("start").unwrap_or_default(),
            stop: int("stop").unwrap_or_default(),
            now: int("now").unwrap_or_default(),
            exitstatus: int("exitstatus").unwrap_or_default(),
            spawnerr: text("spawnerr").unwrap_or_default(),
            description: text("description").unwrap_or_default(),
        })
    }

    /// Which process this is.
    pub fn namespec(&self) -> Namespec {
        Namespec::new(self.group.clone(), self.name.clone())
    }
}
