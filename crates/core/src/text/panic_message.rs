//! [`panic_message`]: the text of a panic that `catch_unwind` caught, for the log.

use std::any::Any;

/// The text that `panic!` was given; `no message` for a payload that is no text.
pub fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_has_a_message() {
        assert_eq!(panic_message(&"a literal"), "a literal");
        assert_eq!(panic_message(&"formatted".to_owned()), "formatted");
        assert_eq!(panic_message(&7), "no message");
    }
}
