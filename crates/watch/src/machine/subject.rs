//! What an incident is about: [`Subject`], and [`IncidentKey`] with its family.

use std::fmt;

use ironlance_core::Namespec;
use ironlance_core::alerting::incident::Family;
use serde::{Deserialize, Serialize};

/// What an incident is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A process of the supervisor.
    Program(Namespec),
    /// A check that cannot be made.
    Check {
        /// Of this program.
        program: Namespec,
        /// The family of the check.
        family: Family,
        /// The name of the check; empty where there is only one.
        name: String,
    },
    /// The channels of a receiver.
    Receiver(String),
    /// The supervisor.
    Supervisor,
    /// `watch` itself.
    Watch,
}

/// At most one incident is open for each of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IncidentKey {
    /// What it is about.
    pub subject: Subject,
    /// The family.
    pub family: Family,
}

impl Subject {
    /// The program that it belongs to.
    pub const fn program(&self) -> Option<&Namespec> {
        match self {
            Self::Program(program) | Self::Check { program, .. } => Some(program),
            Self::Receiver(_) | Self::Supervisor | Self::Watch => None,
        }
    }

    /// The process group that it belongs to; its own name where it has none.
    pub fn group(&self) -> String {
        match self {
            Self::Program(program) | Self::Check { program, .. } => program.group.0.clone(),
            Self::Receiver(name) => name.clone(),
            Self::Supervisor | Self::Watch => self.to_string(),
        }
    }
}

impl fmt::Display for Subject {
    /// As people write it: `NAME`, `GROUP:NAME`, the receiver's name, `supervisord`, `watch`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(program) | Self::Check { program, .. } => program.fmt(f),
            Self::Receiver(name) => f.write_str(name),
            Self::Supervisor => f.write_str("supervisord"),
            Self::Watch => f.write_str("watch"),
        }
    }
}
