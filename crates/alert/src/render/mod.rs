//! What a receiver reads: one renderer for each kind of text, made of the same alert.

pub mod mail;
pub mod sms;
