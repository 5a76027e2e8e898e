//! The configuration file of a supervisord, to typed values: every fault at once, no map of strings leaves.
//!
//! [`load()`] is the way in. Nothing here but `loader::files` and `glob` reads files, and `account` the user database.

mod account;
pub mod alerting;
mod check;
mod config;
mod ctl_settings;
mod default_paths;
pub mod env_pairs;
pub mod expansion;
mod glob;
mod group;
mod group_diff;
mod host_env;
pub mod ini;
mod lint;
pub mod listener_command;
mod listener_outboxes;
mod loader;
mod path;
mod program;
mod sample;
mod section;
mod server;
mod settings;
pub mod value;

pub use alerting::{Alerting, AlertingReport, WatchSummary};
pub use check::{CheckReport, CheckResult, check};
pub use config::{Config, Notes};
pub use ctl_settings::CtlSettings;
pub use default_paths::default_paths;
pub use group::{FcgiSocket, Group, GroupKind, SocketAddress, SocketOwner};
pub use group_diff::{GroupDiff, diff};
pub use host_env::HostEnv;
pub use listener_outboxes::{ListenerOutbox, listener_outboxes, listeners_without_outbox};
pub use loader::fault::{ConfigFault, ConfigFaults};
pub use loader::raw::{RawConfig, load_raw};
pub use loader::{LoadReport, load, load_ctl_settings, load_with_notes};
pub use program::{LogTarget, OutputConfig, Program};
pub use sample::SAMPLE;
pub use section::alerting::duration;
pub use section::factory::result_handler;
pub use server::{Credentials, HttpServer, Password, ServerAddress};
pub use settings::{MainLogTarget, Overrides, Settings, UserRef};
