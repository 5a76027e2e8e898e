//! The verbs of the shell and of the command line: one file each, listed in [`table`]; [`api`] is what they share.

mod add;
pub(crate) mod api;
mod avail;
mod bulk_action;
mod check;
mod clear;
pub mod events;
mod fg;
mod help;
mod history;
mod listeners;
mod maintail;
mod open;
mod outbox_status;
mod pid;
mod quit;
mod reload;
mod remove;
mod reread;
mod restart;
mod shutdown;
mod signal;
mod silence;
mod start;
mod status;
mod stop;
pub(crate) mod table;
mod tail;
mod update;
mod version;
mod why;

#[cfg(test)]
mod tests;
