//! The options: an answer for each question, and what else there is to say.

use std::path::PathBuf;

use clap::Parser;

/// Writes a supervisord.conf with listeners that mail when something fails, checks it, and sends a test alert.
#[derive(Debug, Parser)]
#[command(
    name = "ironlance init",
    after_help = "Asks for what no option answers. Exits with 0; with 1 when the file was written and the test alert \
    could not be sent; with 2 when nothing was written.\n\n\
    Example:\n  ironlance init --mail-to ops@example.com --smtp smtps://alerts@mail.example.com \\\n    \
    --password-file /etc/alerts.pw --program 'web=/srv/web --port 8080'"
)]
pub(crate) struct Args {
    /// Where alerts go: a mail address, or several with commas
    #[arg(long, value_name = "ADDRESS")]
    pub(super) mail_to: Option<String>,
    /// The mails' sender, unless ironlance@ and this host's name
    #[arg(long, value_name = "ADDRESS")]
    pub(super) mail_from: Option<String>,
    /// The mail server
    #[arg(
        long,
        value_name = "SERVER",
        conflicts_with_all = ["sendmail", "mail_file"],
        help = "Send by this mail server: HOST[:PORT], smtp://[USER@]HOST[:PORT] or smtps://…"
    )]
    pub(super) smtp: Option<String>,
    /// The file with the password for the mail server; its first line counts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sendmail", "mail_file"])]
    pub(super) password_file: Option<PathBuf>,
    /// Send by a command that takes a mail on its input; without COMMAND, by the sendmail of this machine
    #[arg(long, value_name = "COMMAND", num_args = 0..=1, default_missing_value = "sendmail", conflicts_with = "mail_file")]
    pub(super) sendmail: Option<String>,
    /// Append alerts to a file instead; without FILE, to alerts.txt beside the logs
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "")]
    pub(super) mail_file: Option<PathBuf>,
    /// Keep this program running; may be repeated
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(super) program: Vec<String>,
    /// Where to write the configuration
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Ask nothing: take the default for what no option answers
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Write over what is there
    #[arg(long)]
    pub(super) force: bool,
    /// Send no test alert
    #[arg(long)]
    pub(super) no_test: bool,
}
