//! `ironlance watch`: from process events to incidents, and from incidents to one message for each receiver.
//!
//! `machine` decides and is pure; `source` feeds it, `store` keeps it, `checks` measures and acts, `command` is what people call.

pub mod checks;
pub mod command;
pub mod machine;
pub mod source;
pub mod store;
