//! Tokens of pipes in the poller: a process and which of its pipes.

use ironlance_core::event::OutputChannel;

use crate::state::ids::ProcessId;

/// The token of a pipe of a process.
pub(crate) fn token(id: ProcessId, end: PipeEnd) -> u64 {
    u64::from(id.0) << 2 | end as u64
}

/// A pipe of a process; the number is a part of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PipeEnd {
    Stdin = 0,
    Stdout = 1,
    Stderr = 2,
}

impl PipeEnd {
    pub(crate) const fn of(channel: OutputChannel) -> Self {
        match channel {
            OutputChannel::Stdout => Self::Stdout,
            OutputChannel::Stderr => Self::Stderr,
        }
    }
}

pub(crate) fn parse_token(token: u64) -> Option<(ProcessId, PipeEnd)> {
    let id = ProcessId(u32::try_from(token >> 2).ok()?);
    let end = [PipeEnd::Stdin, PipeEnd::Stdout, PipeEnd::Stderr]
        .into_iter()
        .find(|end| *end as u64 == token & 3)?;
    Some((id, end))
}
