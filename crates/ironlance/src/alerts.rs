//! `ironlance alerts`: the arguments of the commands that show and steer `ironlance watch`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use ironlance_core::alerting::incident::AlertCause;
use ironlance_watch::command::ConfigChoice;
use ironlance_watch::command::alerts::{self, AlertsError, ListOptions, Outcome};

use crate::usage;

/// Shows incidents, who is told of them and why, and steers it: acknowledgements, silences, test messages.
#[derive(Debug, Parser)]
#[command(
    name = "ironlance alerts",
    after_help = "list and explain read what watch has stored: run them as the user that it runs as. The others send a \
    command through the supervisor, as supervisorctl does. The exit status is 1 where nothing was matched or delivered, and \
    3 for list --check where something burns."
)]
pub(crate) struct Args {
    /// The supervisord.conf; searched for as supervisorctl does without it
    #[arg(short, long, value_name = "FILE", global = true)]
    configuration: Option<PathBuf>,
    /// The identifier of the supervisor, where its command line gives another than the file
    #[arg(short, long, value_name = "NAME", global = true)]
    identifier: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// A line for each open incident
    List {
        /// Also those that are over
        #[arg(long)]
        all: bool,
        /// For programs: a JSON object a line
        #[arg(long)]
        json: bool,
        /// Exit with 3 if there is one
        #[arg(long)]
        check: bool,
    },
    /// Who would be told if something happened to a program now, by which line of the configuration; and what became of its
    /// open incidents
    Explain {
        /// NAME or GROUP:NAME
        program: String,
        /// crash, loop, fatal, unhealthy, memory, cpu, heartbeat …
        #[arg(long, default_value = "crash", value_parser = cause)]
        cause: AlertCause,
    },
    /// Acknowledge: no reminder and no escalation until it is over or becomes worse
    Ack {
        /// The number of an incident, or programs: NAME, GROUP:NAME, GROUP:*
        #[arg(required = true)]
        what: Vec<String>,
        /// Only for this time: 4h
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        lasting: Option<Duration>,
        /// Why
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Take acknowledgements back
    Unack {
        /// The number of an incident, or programs
        #[arg(required = true)]
        what: Vec<String>,
    },
    /// Tell nobody about some programs for a time; what is still wrong then is told
    Silence {
        /// NAME, GROUP:NAME, GROUP:*, *, !PATTERN; then the time: 30m
        #[arg(required = true, num_args = 2.., value_name = "PATTERN… TIME")]
        what: Vec<String>,
        /// Only these causes
        #[arg(long, value_delimiter = ',', value_parser = cause)]
        causes: Vec<AlertCause>,
        /// Why
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// A line for each silence
    Silences,
    /// End a silence
    EndSilence {
        /// Its number
        id: u64,
    },
    /// Send a test message through each channel of a receiver, step by step
    Test {
        #[arg(help = "The x of [alert:x]")]
        receiver: String,
        /// About this program
        #[arg(long)]
        program: Option<String>,
        /// With this cause
        #[arg(long, default_value = "crash", value_parser = cause)]
        cause: AlertCause,
        /// Show it, and send nothing
        #[arg(long)]
        dry_run: bool,
    },
}

fn cause(text: &str) -> Result<AlertCause, String> {
    AlertCause::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = AlertCause::ALL.iter().map(|cause| cause.name()).collect();
        format!("it is none of {}", names.join(", "))
    })
}

fn time(text: &str) -> Result<Duration, String> {
    ironlance_config::duration(text).map_err(|error| error.what)
}

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    usage::run(args, 1, |args: Args| run(args))
}

fn run(args: Args) -> Result<ExitCode> {
    let choice = ConfigChoice { file: args.configuration, identifier: args.identifier };
    let outcome = carry_out(&choice, args.verb)?;
    Ok(match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Nothing => ExitCode::FAILURE,
        Outcome::Burns => ExitCode::from(3),
    })
}

fn carry_out(choice: &ConfigChoice, verb: Verb) -> Result<Outcome, AlertsError> {
    match verb {
        Verb::List { all, json, check } => alerts::list(choice, ListOptions { all, json, check }),
        Verb::Explain { program, cause } => alerts::explain(choice, &program, cause),
        Verb::Ack { what, lasting, comment } => {
            alerts::ack(choice, alerts::ack_target(&what), lasting, comment)
        }
        Verb::Unack { what } => alerts::unack(choice, alerts::ack_target(&what)),
        Verb::Silence { mut what, causes, comment } => {
            let last = what.pop().unwrap_or_default();
            let lasting = time(&last).map_err(AlertsError::Configuration)?;
            alerts::silence(choice, what, lasting, causes, comment)
        }
        Verb::Silences => alerts::list_silences(choice),
        Verb::EndSilence { id } => alerts::end_silence(choice, id),
        Verb::Test { receiver, program, cause, dry_run } => {
            alerts::test(choice, &receiver, program.as_deref(), cause, dry_run)
        }
    }
}
