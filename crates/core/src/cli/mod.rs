//! Command lines as the originals read them: Python's getopt and optparse, over one table of options.

pub mod getopt;
pub mod help;
pub mod optparse;
mod scan;
pub mod table;

pub use table::{OptionArg, OptionOrigin, OptionSpec, Takes};

/// A command line that cannot be taken apart, in the words of Python's modules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);
