//! supervisord: processes, logs, events and the XML-RPC server. One owner task holds all state.

pub mod child;
mod daemonize;
pub mod http;
pub mod inbox;
mod io;
mod limits;
pub mod log;
pub mod options;
mod orphans;
pub mod pidproxy;
mod privileges;
mod protected;
mod readable_fd;
mod reload;
pub mod request;
pub mod requester;
mod run;
mod signals;
mod special;
mod state;
mod supervisor;
mod unix_socket;
pub mod view;

pub use run::main;
