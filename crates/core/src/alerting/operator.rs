//! What operators ask `ironlance watch` for: [`OperatorCommand`], which travels as JSON in a REMOTE_COMMUNICATION event, so that
//! any supervisor passes it on and its access rules hold.

use serde::{Deserialize, Serialize};

use super::incident::AlertCause;
use crate::process::name::Namespec;

/// The type of the event.
pub const COMMAND_TYPE: &str = "ironlance.watch";

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorCommand {
    /// Silence programs.
    Silence {
        /// A word of the caller, by which it finds the silence in the state.
        #[serde(default)]
        request: String,
        /// `NAME`, `GROUP:NAME`, `GROUP:*`, `*`, `!PATTERN`.
        programs: Vec<String>,
        /// Only these; all where it is empty.
        #[serde(default)]
        causes: Vec<AlertCause>,
        /// From when; now where there is none.
        #[serde(default)]
        from: Option<u64>,
        /// Until when.
        until: u64,
        /// Who asks.
        by: String,
        /// Why.
        #[serde(default)]
        comment: String,
    },
    /// End a silence.
    EndSilence {
        /// Which.
        id: u64,
        /// Who asks.
        by: String,
    },
    /// Acknowledge incidents.
    Ack {
        /// Which.
        target: AckTarget,
        /// Until when; to its end where there is none.
        #[serde(default)]
        until: Option<u64>,
        /// Who asks.
        by: String,
        /// Why.
        #[serde(default)]
        comment: String,
    },
    /// Take an acknowledgement back.
    Unack {
        /// Which.
        target: AckTarget,
        /// Who asks.
        by: String,
    },
    /// Send a test message through all that a real one passes but the grouping.
    Test {
        /// To whom.
        receiver: String,
        /// About what; a made-up program where there is none.
        #[serde(default)]
        program: Option<Namespec>,
        /// The cause that it shows.
        cause: AlertCause,
    },
}

/// Which incidents are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckTarget {
    /// By number.
    Incident(u64),
    /// All open ones of these programs, by patterns as in a silence.
    Programs(Vec<String>),
}
