//! supervisord: processes, logs, events and the XML-RPC server. One owner task holds all state.

pub mod child;
mod command;
mod files;
mod generation;
pub mod http;
pub mod inbox;
mod inotify;
mod io;
mod log;
pub mod options;
mod orphans;
pub mod pidproxy;
mod readable_fd;
mod reload;
pub mod request;
pub mod requester;

mod signals;
mod startup;
mod state;
mod supervisor;
pub mod view;

pub use command::main;
