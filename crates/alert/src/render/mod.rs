//! Renderers: what a receiver reads, made of a notification. `wording` has the words, `mime` and `sms` what their channels ask for.

pub mod mime;
pub mod sms;
pub mod wording;
