//! An incident: what it is about ([`Family`]), how bad it has become ([`Phase`]), how much it matters ([`Severity`]), and
//! what a receiver asks to be told ([`AlertCause`]).
//!
//! One program has at most one open incident of each family. A crash, a crash loop and FATAL are phases of the family
//! `down`, so that people hear of one death once.

use serde::{Deserialize, Serialize};

/// What an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The program does not run, or does not stay up.
    Down,
    /// A `healthcheck=` fails.
    Health,
    /// More memory than `memory_limit=`.
    Memory,
    /// More CPU time than `cpu_limit=`.
    Cpu,
    /// Nothing was heard of it for the time of `heartbeat=`.
    Heartbeat,
    /// An event listener lost events, broke the protocol or gave up.
    Listener,
    /// The supervisor itself ended without a shutdown.
    Supervisor,
    /// A channel does not take messages.
    Delivery,
}

/// How bad an incident has become. The order is from harmless to worst within a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It exited too quickly and is tried again.
    Backoff,
    /// It exited unexpectedly.
    Crash,
    /// A check, a limit or a channel is bad; for families other than `down`.
    Bad,
    /// It exits again and again.
    Loop,
    /// A check turns bad and good again and again.
    Flapping,
    /// It is not started any more.
    Fatal,
}

/// How much an incident matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at in working hours.
    Warning,
    /// Something does not work.
    Error,
    /// Somebody has to act now.
    Critical,
}

/// What `on=` and `alert_on=` name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertCause {
    /// An unexpected exit.
    Crash,
    /// A crash loop.
    Loop,
    /// Given up.
    Fatal,
    /// A health check that fails.
    Unhealthy,
    /// Over the memory limit.
    Memory,
    /// Over the CPU limit.
    Cpu,
    /// No heartbeat.
    Heartbeat,
    /// A listener in trouble.
    Listener,
    /// The supervisor was gone.
    Supervisor,
    /// A channel in trouble.
    Delivery,
    /// The end of an incident.
    Recovered,
    /// An exit with an expected status.
    Expected,
    /// A start that is tried again.
    Backoff,
    /// A program was started.
    Started,
    /// A program was stopped.
    Stopped,
}

impl Phase {
    /// The rank of the transition table: only a higher one makes an incident worse. A crash and a bad reading rank the
    /// same, as do a loop and flapping.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Backoff => 0,
            Self::Crash | Self::Bad => 1,
            Self::Loop | Self::Flapping => 2,
            Self::Fatal => 3,
        }
    }
}

/// Implements `ALL`, `name` and `from_name` over a table of names.
macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it in configuration, state and JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// The value of that word.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named!(Family {
    Down = "down",
    Health = "health",
    Memory = "memory",
    Cpu = "cpu",
    Heartbeat = "heartbeat",
    Listener = "listener",
    Supervisor = "supervisor",
    Delivery = "delivery",
});

named!(Phase {
    Backoff = "backoff",
    Crash = "crash",
    Bad = "bad",
    Loop = "loop",
    Flapping = "flapping",
    Fatal = "fatal",
});

named!(Severity { Info = "info", Warning = "warning", Error = "error", Critical = "critical" });

named!(AlertCause {
    Crash = "crash",
    Loop = "loop",
    Fatal = "fatal",
    Unhealthy = "unhealthy",
    Memory = "memory",
    Cpu = "cpu",
    Heartbeat = "heartbeat",
    Listener = "listener",
    Supervisor = "supervisor",
    Delivery = "delivery",
    Recovered = "recovered",
    Expected = "expected",
    Backoff = "backoff",
    Started = "started",
    Stopped = "stopped",
});

impl AlertCause {
    /// What an incident of this family in this phase is called in `on=`.
    pub const fn of(family: Family, phase: Phase) -> Self {
        match (family, phase) {
            (Family::Down, Phase::Fatal) => Self::Fatal,
            (Family::Down, Phase::Loop | Phase::Flapping) => Self::Loop,
            (Family::Down, Phase::Backoff) => Self::Backoff,
            (Family::Down, Phase::Crash | Phase::Bad) => Self::Crash,
            (Family::Health, _) => Self::Unhealthy,
            (Family::Memory, _) => Self::Memory,
            (Family::Cpu, _) => Self::Cpu,
            (Family::Heartbeat, _) => Self::Heartbeat,
            (Family::Listener, _) => Self::Listener,
            (Family::Supervisor, _) => Self::Supervisor,
            (Family::Delivery, _) => Self::Delivery,
        }
    }

    /// The family and the phase that it is about; `None` for what is no incident. The inverse of `of` up to phases that
    /// have the same word.
    pub const fn incident(self) -> Option<(Family, Phase)> {
        match self {
            Self::Crash => Some((Family::Down, Phase::Crash)),
            Self::Loop => Some((Family::Down, Phase::Loop)),
            Self::Fatal => Some((Family::Down, Phase::Fatal)),
            Self::Backoff => Some((Family::Down, Phase::Backoff)),
            Self::Unhealthy => Some((Family::Health, Phase::Bad)),
            Self::Memory => Some((Family::Memory, Phase::Bad)),
            Self::Cpu => Some((Family::Cpu, Phase::Bad)),
            Self::Heartbeat => Some((Family::Heartbeat, Phase::Bad)),
            Self::Listener => Some((Family::Listener, Phase::Bad)),
            Self::Supervisor => Some((Family::Supervisor, Phase::Bad)),
            Self::Delivery => Some((Family::Delivery, Phase::Bad)),
            Self::Recovered | Self::Expected | Self::Started | Self::Stopped => None,
        }
    }

    /// The severity where the configuration gives none. A crash is a warning where the program runs again by the time
    /// that it is told.
    pub const fn severity(self, runs_again: bool) -> Severity {
        match self {
            Self::Crash if runs_again => Severity::Warning,
            Self::Memory | Self::Cpu => Severity::Warning,
            Self::Crash
            | Self::Loop
            | Self::Unhealthy
            | Self::Heartbeat
            | Self::Listener
            | Self::Delivery => Severity::Error,
            Self::Fatal | Self::Supervisor => Severity::Critical,
            Self::Recovered | Self::Expected | Self::Backoff | Self::Started | Self::Stopped => {
                Severity::Info
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_its_value() {
        assert!(Family::ALL.iter().all(|value| Family::from_name(value.name()) == Some(*value)));
        assert!(Phase::ALL.iter().all(|value| Phase::from_name(value.name()) == Some(*value)));
        assert!(Severity::ALL.iter().all(|value| Severity::from_name(value.name()) == Some(*value)));
        assert!(AlertCause::ALL.iter().all(|value| AlertCause::from_name(value.name()) == Some(*value)));
        assert_eq!(AlertCause::from_name("CRASH"), None);
    }

    #[test]
    fn only_a_crash_that_was_mended_is_less_severe() {
        let mended = |cause: &&AlertCause| cause.severity(true) != cause.severity(false);
        assert_eq!(AlertCause::ALL.iter().filter(mended).collect::<Vec<_>>(), [&AlertCause::Crash]);
    }
}
