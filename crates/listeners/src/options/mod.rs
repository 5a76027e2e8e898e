//! Command lines of the six listeners: superlance's options with superlance's parsing, and ours. Each file parses into a
//! struct of options, in the vocabulary of `rule`; it decides nothing.
//!
//! ```text
//!   arguments ──▶ getopt or optparse ──▶ a row of the command's table ──▶ its setter ──▶ Options
//!                                                   └──▶ help
//! ```
//!
//! crashmail, httpok and memmon are read as Python's getopt reads them, the batch mailers as its optparse does.

pub mod batch;
pub mod crashmail;
pub mod destination;
pub mod httpok;
mod mail_options;
pub mod memmon;
mod number;
mod option_error;
mod row;
mod shared_options;
#[cfg(test)]
mod test_support;

pub use batch::BatchOptions;
pub use crashmail::CrashmailOptions;
pub use destination::ListenerDestination;
pub use httpok::HttpokOptions;
pub use memmon::MemmonOptions;
pub use shared_options::Options;

/// The result of parsing a command line.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed<T> {
    /// Run with these options.
    Run(T),
    /// Print this and exit.
    Exit {
        /// The exit status.
        code: u8,
        /// For standard output.
        stdout: String,
        /// For standard error.
        stderr: String,
    },
}

/// What parsing needs besides the command line.
#[derive(Clone, Copy)]
pub struct OptionsEnv<'a> {
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// This host's name, for the sender's address.
    pub host: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::batch::BatchMailer;
    use proptest::prelude::*;

    /// Parts of command lines, valid and invalid.
    fn argument() -> impl Strategy<Value = String> {
        prop_oneof![
            "-[a-zA-Z!:]{0,4}",
            "--[a-zA-Z_-]{0,10}(=\\PC{0,8})?",
            "(--(smtp|on|header|max-restarts|signal|program|grace)=)?[a-z0-9:/@!%*=.,\\[\\]]{0,16}",
            "\\PC{0,8}",
        ]
    }

    proptest! {
        #[test]
        fn no_command_line_makes_it_panic(args in proptest::collection::vec(argument(), 0..6)) {
            let environment = test_support::test_env();
            let _ = crashmail::parse(&args, &environment);
            let _ = httpok::parse(&args, &environment);
            let _ = memmon::parse(&args, &environment);
            for mailer in [BatchMailer::Crashmailbatch, BatchMailer::Crashsms] {
                let _ = batch::parse(mailer, &args, &environment);
            }
        }
    }
}
