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

pub use check::{Checked, Verdict, check};
pub use config::{Config, Notes};
pub use control::Control;
pub use diff::{Diff, diff};
pub use fault::{Fault, Faults};
pub use group::{Group, GroupKind, Owner, Socket, SocketAddress};
pub use load::{Examined, examine, load, load_control};
pub use outboxes::{Outbox, homeless, outboxes};
pub use outline::{Outline, outline};
pub use program::{LogTarget, Output, Program};
pub use sample::SAMPLE;
pub use search::usual_places;
pub use section::factory::result_handler;
pub use server::{Credentials, Password, Server, ServerAddress};
pub use settings::{MainLog, Overrides, Settings, UserRef};
pub use surroundings::Surroundings;
