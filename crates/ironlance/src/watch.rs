//! `ironlance watch`: the arguments of the listener that tells people of incidents.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ironlance_watch::command::{ConfigChoice, watch};

use crate::usage;

/// The command line of `ironlance watch`.
#[derive(Debug, Parser)]
#[command(
    name = "ironlance watch",
    about = "Tells people of incidents, as the [alert:x] sections of a supervisord.conf say.",
    after_help = "ironlance's supervisord runs this by itself where the configuration has an [alert:x]. Under Supervisor it \
    is an event listener with the command ironlance watch -c FILE, a buffer_size of 1000, and the events PROCESS_STATE, \
    PROCESS_GROUP, SUPERVISOR_STATE_CHANGE, REMOTE_COMMUNICATION and PROCESS_COMMUNICATION. SIGHUP makes it read the configuration again."
)]
pub(crate) struct Args {
    /// The supervisord.conf; searched for as supervisorctl does without it
    #[arg(short, long, value_name = "FILE")]
    configuration: Option<PathBuf>,
    /// The identifier of the supervisor, where its command line gives another than the file
    #[arg(short, long, value_name = "NAME")]
    identifier: Option<String>,
}

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    usage::run(args, 1, |args: Args| {
        Ok(watch::run(&ConfigChoice { file: args.configuration, identifier: args.identifier }))
    })
}
