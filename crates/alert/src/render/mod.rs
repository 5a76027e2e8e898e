//! Renderers: what a receiver reads, made of a notification. `wording` has the words, `mime` and `sms` what their channels ask for;
//! `card` has the words of a card of `ironlance watch`, cut to what a channel takes.

pub mod card;
mod card_mail;
pub mod mime;
pub mod sms;
pub mod wording;
