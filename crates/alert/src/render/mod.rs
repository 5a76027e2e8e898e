//! Renderers: what a receiver reads, made of a notification. `text` has the words, `mail` and `sms` what their channels ask for.

pub mod mail;
pub mod sms;
pub mod text;
