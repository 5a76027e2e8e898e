//! Command lines of the six listeners: superlance's, with superlance's parsing, and what we add to them.
//!
//! ```text
//!   arguments ──▶ getopt or optparse ──▶ a Row of the command's table ──▶ its `apply` ──▶ wishes ──▶ options
//!                                                    └──▶ help
//! ```
//!
//! crashmail, httpok and memmon are read as Python's getopt reads them, the batch mailers as its optparse does.

pub mod batch;
pub mod crashmail;
pub mod delivery;
mod getopt;
pub mod happening;
mod help;
pub mod httpok;
pub mod memmon;
mod number;
mod optparse;
mod refusal;
mod server;
pub mod signal;
mod table;
pub mod who;
mod wishes;

pub use batch::BatchOptions;
pub use crashmail::CrashmailOptions;
pub use delivery::Delivery;
pub use happening::{Happening, Happenings};
pub use httpok::HttpokOptions;
pub use memmon::MemmonOptions;
pub use who::Who;

/// What comes of a command line.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed<T> {
    /// Do the command's work.
    Run(T),
    /// Say this, and end.
    Exit {
        /// The exit status.
        code: u8,
        /// For standard output.
        stdout: String,
        /// For standard error.
        stderr: String,
    },
}

/// What the options ask of the world outside the command line.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Gives the value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// This host's name, for the sender's address.
    pub host: &'a str,
}
