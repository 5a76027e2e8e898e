//! Alerts: a listener submits a [`Notification`]; the outbox keeps it for each receiver; a process of its own delivers it, once.
//!
//! Nothing in here asks a supervisor.

pub mod address;
pub mod alert;
pub mod card;
pub mod channel;
pub mod delivery;
pub mod mail_server;
pub mod notification;
pub mod outbox;
mod readiness;
pub mod receiver;
pub mod render;
pub mod secret;
pub mod submit;

pub use alert::{Alert, AlertEntry};
pub use notification::Notification;
pub use receiver::{Format, Receiver, Security, SmtpServer, Transport};
pub use secret::Secret;
pub use submit::{Submitter, SubmitterOptions};

/// Writes a line to stderr, which supervisord logs. A failure is ignored: there is no other place to report it.
fn log(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The number in an environment variable, if it is one.
fn number_of_env<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
