//! The answer that says no.

use std::fmt;

use ironlance_core::python::repr;

/// A fault, by Supervisor's codes (its xmlrpc.py, class Faults).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which kind, such as 10 for BAD_NAME.
    pub code: i64,
    /// In words, such as `BAD_NAME: web`.
    pub string: String,
}

impl fmt::Display for Fault {
    /// As Python shows it: `<Fault 10: 'BAD_NAME: web'>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Fault {}: {}>", self.code, repr(&self.string))
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_as_python_shows_it() {
        let fault = Fault { code: 70, string: "NOT_RUNNING: x".into() };
        assert_eq!(fault.to_string(), "<Fault 70: 'NOT_RUNNING: x'>");
    }
}
