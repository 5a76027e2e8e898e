//! supervisord: processes, logs, events and the XML-RPC server. One owner task holds all state.

pub mod child;
mod daemonize;
pub mod http;
pub mod inbox;
mod limits;
pub mod log;
pub mod options;
pub mod pidproxy;
mod privileges;
mod readiness;
pub mod request;
mod run;
mod signals;
mod supervisor;
pub mod view;

pub use run::main;
