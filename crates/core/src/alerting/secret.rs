//! A secret of the configuration, or where it is read when it is needed: [`Secret`]. It is never printed.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A password, a key or a URL that holds one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// The secret itself.
    Literal(String),
    /// A file whose first line it is: `file:/path`.
    File(PathBuf),
    /// The name of an environment variable: `env:NAME`.
    Env(String),
    /// The name of a credential of systemd, a file in `$CREDENTIALS_DIRECTORY`: `credential:NAME`.
    Credential(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("Literal(***)"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Env(name) => write!(f, "Env({name})"),
            Self::Credential(name) => write!(f, "Credential({name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_a_literal_secret() {
        assert_eq!(format!("{:?}", Secret::Literal("hunter2".into())), "Literal(***)");
    }
}
