//! What to say, to whom, and when; an alert that was taken in here is delivered, once.
//!
//! Nothing in here knows processes or supervisors.

pub mod address;
pub mod alert;
pub mod channel;
pub mod delivery;
pub mod outbox;
pub mod receiver;
pub mod render;
pub mod secret;
pub mod submit;

pub use alert::{Alert, AlertEntry, Draft, Format};
pub use receiver::{Receiver, Security, SmtpServer, Transport};
pub use secret::Secret;
pub use submit::{Submitter, SubmitterOptions};

/// A line on stderr, which supervisord keeps; when even that is gone, there is nobody left to tell.
pub(crate) fn log(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
