//! The CSRF token of the pages' forms: a random number, new in each generation of the daemon.

use std::io;

use ironlance_core::text::constant_time;
use rustix::rand::{GetRandomFlags, getrandom};

/// Random bytes in a token.
const RANDOM_BYTES: usize = 16;

/// A token as text.
#[derive(Clone)]
pub(super) struct CsrfToken(String);

impl CsrfToken {
    /// A new random token.
    ///
    /// # Errors
    /// getrandom(2) failed.
    pub(super) fn new() -> io::Result<Self> {
        let mut random = [0_u8; RANDOM_BYTES];
        // getrandom(2) returns this few bytes at once or not at all.
        if getrandom(&mut random, GetRandomFlags::empty())? < RANDOM_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self(random.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares in a time that does not depend on where the two differ.
    pub(super) fn matches(&self, shown: &str) -> bool {
        constant_time::eq(self.0.as_bytes(), shown.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let (one, other) = (CsrfToken::new().unwrap(), CsrfToken::new().unwrap());
        assert_eq!(one.as_str().len(), 2 * RANDOM_BYTES);
        assert!(one.matches(one.as_str()) && !one.matches(other.as_str()));
        assert!(
            !one.matches("")
                && !one.matches(&one.as_str()[1..])
                && !one.matches(&format!("{}0", one.as_str()))
        );
    }
}
