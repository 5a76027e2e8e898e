//! Opening, creating and removing by path where other users may have put something else in the way.

use std::io;

pub(crate) mod safe_open;
pub(crate) mod special_file;
pub(crate) mod unix_socket;

/// Takes an error that says that a file does not exist for a success.
pub(crate) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
