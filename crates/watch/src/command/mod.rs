//! What people call: `watch` itself, and the commands that show and steer it.

pub mod alerts;
mod configuration;
mod decision_words;
mod journal_watch;
mod message;
mod signals;
mod waiting_messages;
pub mod watch;

pub use configuration::ConfigChoice;
