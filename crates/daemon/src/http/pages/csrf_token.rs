//! What the page's own forms know and no other site's: a number nobody can guess, new in each life of the daemon.

use std::hint::black_box;
use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// Bytes of chance.
const CHANCE: usize = 16;
/// Its length as text.
const DIGITS: usize = CHANCE * 2;

/// A token as text.
#[derive(Clone)]
pub(super) struct CsrfToken(String);

impl CsrfToken {
    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers for us.
    pub(super) fn new() -> io::Result<Self> {
        let mut chance = [0_u8; CHANCE];
        // So few bytes come at once or not at all (getrandom(2)).
        if getrandom(&mut chance, GetRandomFlags::empty())? < CHANCE {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self(chance.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is what was shown. It takes the same time wherever the two differ.
    pub(super) fn is(&self, shown: &str) -> bool {
        let (own, shown) = (self.0.as_bytes(), shown.as_bytes());
        if shown.len() != DIGITS {
            return false;
        }
        black_box(own.iter().zip(shown).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)))) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let (one, other) = (CsrfToken::new().unwrap(), CsrfToken::new().unwrap());
        assert_eq!(one.as_str().len(), DIGITS);
        assert!(one.is(one.as_str()) && !one.is(other.as_str()));
        assert!(!one.is("") && !one.is(&one.as_str()[1..]) && !one.is(&format!("{}0", one.as_str())));
    }
}
