//! What to say, to whom, and when; an alert that was taken in here is delivered, once.
//!
//! Nothing in here knows processes or supervisors.

pub mod address;
pub mod alert;
pub mod channel;
pub mod deliver;
pub mod message;
pub mod outbox;
pub mod post;
pub mod route;
pub mod secret;
pub mod sms;

pub use alert::{Alert, Draft, Entry, Form};
pub use post::{Post, PostOptions};
pub use route::{Route, Security, SmtpServer, Transport};
pub use secret::Secret;

/// A line on stderr, which supervisord keeps; when even that is gone, there is nobody left to tell.
pub(crate) fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
