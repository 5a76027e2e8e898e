//! The configuration file of a supervisord, to typed values: every fault at once, no map of strings leaves.
//!
//! [`load()`] is the way in. Nothing here but `source` and `glob` reads files, and `account` the user database.

mod account;
mod check;
mod config;
mod control;
pub mod conversion;
mod diff;
pub mod expand;
mod fault;
mod glob;
mod group;
mod guard;
mod hint;
pub mod ini;
mod lint;
mod load;
mod number;
mod outboxes;
mod outline;
pub mod pairs;
mod path;
mod program;
mod reading;
mod sample;
mod search;
mod section;
mod server;
mod settings;
mod source;
pub mod superlance;
mod surroundings;
pub mod value;

pub use check::{CheckReport, CheckResult, check};
pub use config::{Config, Notes};
pub use control::CtlSettings;
pub use diff::{GroupDiff, diff};
pub use fault::{ConfigFault, ConfigFaults};
pub use group::{FcgiSocket, Group, GroupKind, SocketAddress, SocketOwner};
pub use load::{LoadReport, load, load_ctl_settings, load_with_notes};
pub use outboxes::{ListenerOutbox, listener_outboxes, listeners_without_outbox};
pub use outline::{RawConfig, load_raw};
pub use program::{LogTarget, OutputConfig, Program};
pub use sample::SAMPLE;
pub use search::default_paths;
pub use section::factory::result_handler;
pub use server::{Credentials, HttpServer, Password, ServerAddress};
pub use settings::{MainLogTarget, Overrides, Settings, UserRef};
pub use surroundings::HostEnv;
