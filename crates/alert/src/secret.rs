//! A password, or where to find it; shown to nobody.

use std::path::PathBuf;
use std::{env, fmt, fs, io};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A password, or where it is to be read when it is needed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// The password itself, as it was given on a command line.
    Literal(String),
    /// A file whose first line is the password.
    File(PathBuf),
    /// The name of an environment variable.
    Env(String),
}

/// Why a password could not be had.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the password file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The variable is not set for this process.
    #[error("cannot find the password: the environment variable {0} is not set here")]
    Env(String),
}

impl Secret {
    /// The password.
    pub fn reveal(&self) -> Result<String, SecretError> {
        match self {
            Self::Literal(password) => Ok(password.clone()),
            Self::File(path) => match fs::read_to_string(path) {
                Ok(text) => Ok(text.lines().next().unwrap_or_default().to_owned()),
                Err(source) => Err(SecretError::File { path: path.clone(), source }),
            },
            Self::Env(name) => env::var(name).map_err(|_| SecretError::Env(name.clone())),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("Literal(***)"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Env(name) => write!(f, "Env({name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_a_literal_password() {
        assert_eq!(format!("{:?}", Secret::Literal("hunter2".into())), "Literal(***)");
    }

    #[test]
    fn a_password_file_gives_its_first_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hunter2\nsecond line\n").unwrap();
        assert_eq!(Secret::File(file.path().into()).reveal().unwrap(), "hunter2");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = Secret::Env("IRONLANCE_NO_SUCH".into()).reveal().unwrap_err();
        assert!(error.to_string().contains("IRONLANCE_NO_SUCH"));
    }
}
