//! Reading a [`Secret`] when it is needed: [`reveal`].

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::{env, io};

use rustix::fs::OFlags;
use thiserror::Error;

pub use ironlance_core::alerting::secret::Secret;

/// The bytes that are read of a password file.
const MOST: u64 = 64 * 1024;

/// Why a password cannot be read.
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
    /// systemd gives this process no credentials.
    #[error("cannot find the password: CREDENTIALS_DIRECTORY is not set here")]
    NoCredentials,
}

/// The secret itself.
pub fn reveal(secret: &Secret) -> Result<String, SecretError> {
    match secret {
        Secret::Literal(text) => Ok(text.clone()),
        Secret::File(path) => from_file(path.clone()),
        Secret::Env(name) => env::var(name).map_err(|_| SecretError::Env(name.clone())),
        Secret::Credential(name) => {
            let folder = env::var_os("CREDENTIALS_DIRECTORY").ok_or(SecretError::NoCredentials)?;
            from_file(Path::new(&folder).join(name))
        }
    }
}

fn from_file(path: PathBuf) -> Result<String, SecretError> {
    first_line(&path).map_err(|source| SecretError::File { path, source })
}

/// The first line of a regular file: a FIFO might block, and a device never end.
fn first_line(path: &Path) -> io::Result<String> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| io::Error::other("its first line is not UTF-8"))?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() { Err(io::Error::other("its first line is empty")) } else { Ok(line.to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_password_file_gives_its_first_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hunter2\nsecond line\n").unwrap();
        assert_eq!(reveal(&Secret::File(file.path().into())).unwrap(), "hunter2");
    }

    #[test]
    fn what_is_no_password_file_is_an_error_and_blocks_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("empty"), "\nhunter2\n").unwrap();
        fs::write(path("crlf"), "hunter2\r\n").unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("fifo"), rustix::fs::Mode::RWXU).unwrap();
        let reveal = |path: PathBuf| super::reveal(&Secret::File(path)).map_err(|error| error.to_string());
        for (name, why) in [("empty", "its first line is empty"), ("fifo", "it is no file")] {
            let error = format!("cannot read the password file {}: {why}", path(name).display());
            assert_eq!(reveal(path(name)), Err(error));
        }
        assert!(reveal("/dev/zero".into()).unwrap_err().ends_with("it is no file"));
        assert_eq!(reveal(path("crlf")), Ok("hunter2".to_owned()));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = reveal(&Secret::Env("IRONLANCE_NO_SUCH".into())).unwrap_err();
        assert!(error.to_string().contains("IRONLANCE_NO_SUCH"));
    }
}
