//! `ironlance outbox`: lists, shows, retries and drops the alerts of an outbox. Also the entry of `ironlance deliver`.

mod list;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use ironlance_alert::channel::DeliveryProgress;
use ironlance_alert::delivery;
use ironlance_alert::delivery::lock_holder;
use ironlance_alert::delivery::machine::Input;
use ironlance_alert::delivery::stop_deliverers::{StopScope, Stopped, stop_deliverers};
use ironlance_alert::delivery::worker::DeliveryWorker;
use ironlance_alert::outbox::record::StoredAlert;
use ironlance_alert::outbox::{Outbox, OutboxFolder, unix_time};
use ironlance_core::redact::redact;
use ironlance_core::text::escape::one_line;
use ironlance_host::state_folder::own_state_folder;

use crate::usage;
use list::line;

/// How long to wait for the lock of an outbox.
const LOCK_TIMEOUT: Duration = Duration::from_millis(1000);

/// Lists, shows, retries and drops the alerts that wait to be delivered and those that were given up.
#[derive(Debug, Parser)]
#[command(
    name = "ironlance outbox",
    after_help = "Each user has an outbox: run this as the user that the listener runs as. It is the folder outbox \
    in IRONLANCE_STATE, else in /var/lib/ironlance for root, else in ironlance in XDG_STATE_HOME, else in \
    ~/.local/state/ironlance. An ID may be cut as long as it stays unique."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// A line for each alert, oldest first
    List {
        /// Only those that were given up
        #[arg(long)]
        dead: bool,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// All of one alert, passwords left out
    Show {
        /// Which
        id: String,
    },
    /// Try again now: all that waits, or these; those that were given up wait again
    Retry {
        /// Which; without any, all that wait
        ids: Vec<String>,
        /// Also all that were given up
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Let the deliverer finish the mail in hand, and end; what waits stays
    Stop {
        /// All deliverers of the service (control group) that this command runs in, of all users; for systemd's
        /// ExecStopPost
        #[arg(long)]
        service: bool,
        /// How long to wait for their ends
        #[arg(long, value_name = "SECONDS", default_value_t = 3)]
        wait: u32,
    },
    /// Throw alerts away
    Drop {
        /// Which
        #[arg(required_unless_present = "all_dead")]
        ids: Vec<String>,
        /// All that were given up
        #[arg(long, conflicts_with = "ids")]
        all_dead: bool,
    },
}

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    usage::run(args, 1, |args: Args| run(args.verb))
}

/// The process that delivers; a listener starts it.
pub(crate) fn deliver(args: &[String]) -> ExitCode {
    match args {
        [memory] if memory == "--memory" => delivery::memory(None),
        [memory, state_dir] if memory == "--memory" => delivery::memory(Some(Path::new(state_dir))),
        [dir] if !dir.starts_with('-') => delivery::outbox(Path::new(dir)),
        _ => {
            let help = "usage: ironlance deliver OUTBOX | --memory [STATE]\n\n\
                Delivers alerts; the listeners start it, with the outbox's lock for its input.\n\
                To deliver by hand, see ironlance outbox retry.\n";
            let _ = io::stderr().write_all(help.as_bytes());
            ExitCode::from(2)
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode> {
    if let Verb::Stop { service: true, wait } = verb {
        return stop(StopScope::Service, wait);
    }
    let outbox = Outbox::open(&own_state_folder())?;
    match verb {
        Verb::List { dead, json } => list::list(&outbox, dead, json),
        Verb::Show { id } => show(&outbox, &id),
        Verb::Retry { ids, all } => retry(&outbox, &ids, all),
        Verb::Stop { wait, .. } => stop(StopScope::Outbox(&outbox), wait),
        Verb::Drop { ids, all_dead } => drop_alerts(&outbox, &ids, all_dead),
    }
}

const fn state(folder: OutboxFolder) -> &'static str {
    match folder {
        OutboxFolder::New => "waiting",
        OutboxFolder::Dead => "dead",
    }
}

fn age(seconds: i64) -> String {
    match seconds {
        i64::MIN..120 => format!("{} s", seconds.max(0)),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The alert that an id, or its beginning, means.
fn find(outbox: &Outbox, wanted: &str) -> Result<(OutboxFolder, String)> {
    let mut hits = Vec::new();
    for folder in [OutboxFolder::New, OutboxFolder::Dead] {
        for id in outbox.ids(folder)? {
            if id == wanted {
                return Ok((folder, id));
            }
            if id.starts_with(wanted) && !wanted.is_empty() {
                hits.push((folder, id));
            }
        }
    }
    match (hits.pop(), hits.len()) {
        (Some(hit), 0) => Ok(hit),
        (Some(_), more) => bail!("cannot tell which alert {wanted} is: {} begin so", more + 1),
        (None, _) => bail!("cannot find the alert {wanted}"),
    }
}

fn show(outbox: &Outbox, id: &str) -> Result<ExitCode> {
    let (folder, id) = find(outbox, id)?;
    let StoredAlert { alert, attempts, .. } = outbox.load(folder, &id)?;
    let mut out = io::stdout().lock();
    writeln!(out, "id:       {id}\nstate:    {}\nfrom:     {}", state(folder), alert.origin)?;
    writeln!(out, "made:     {} ago on {}", age(unix_time() - alert.created), alert.host)?;
    writeln!(out, "goes by:  {}\nto:       {}", alert.receiver.transport, alert.receiver.to.join(", "))?;
    writeln!(out, "subject:  {}", one_line(alert.subject.as_deref().unwrap_or("(none)")))?;
    for attempt in attempts {
        writeln!(out, "failed:   {} ago: {}", age(unix_time() - attempt.at), redact(&attempt.reason))?;
    }
    writeln!(out, "\n{}", alert.text())?;
    Ok(ExitCode::SUCCESS)
}

fn retry(outbox: &Outbox, ids: &[String], all: bool) -> Result<ExitCode> {
    let mut dead = if all { outbox.ids(OutboxFolder::Dead)? } else { Vec::new() };
    // The good lines of a damaged file have been sent.
    dead.retain(|id| !Outbox::is_damaged_copy(id));
    for id in ids {
        let (folder, id) = find(outbox, id)?;
        if folder == OutboxFolder::Dead {
            dead.push(id);
        }
    }
    for id in dead {
        let retried =
            outbox.retry_dead(&id, unix_time()).with_context(|| format!("cannot revive the alert {id}"));
        match retried {
            // An alert that cannot be read must not stop the others.
            Err(error) if all => writeln!(io::stderr(), "ironlance outbox: {error:#}")?,
            retried => retried?,
        }
    }
    let lock = outbox.lock_file()?;
    if !try_lock(&lock) {
        outbox.wake_worker();
        writeln!(io::stdout(), "a listener's deliverer is at work; it tries everything again now")?;
        return Ok(ExitCode::SUCCESS);
    }
    // The heartbeat is the offset of the lock as standard input: ^Z may stall this process.
    let _ = rustix::stdio::dup2_stdin(&lock);
    let waiting = outbox.ids(OutboxFolder::New)?;
    let (tell, inbox) = channel();
    // One attempt of everything that waits.
    tell.send(Input::Drain.into())?;
    let worker = DeliveryWorker::new(Arc::new(outbox.clone()));
    let worker =
        DeliveryWorker { progress: || Box::new(PrintedSteps), heartbeat: lock_holder::heartbeat, ..worker };
    worker.run(&inbox, &tell);
    outbox.clear_overrides();
    let left = outbox.ids(OutboxFolder::New)?.len();
    let dead = outbox.ids(OutboxFolder::Dead)?;
    let dead = waiting.iter().filter(|id| dead.contains(id)).count();
    writeln!(io::stdout(), "{}", outcome(waiting.len(), dead, left))?;
    Ok(if left == 0 && dead == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The summary of a retry: of `all` alerts, how many were given up and how many still wait.
fn outcome(all: usize, dead: usize, left: usize) -> String {
    format!("{} sent, {dead} given up, {left} still waiting", all.saturating_sub(dead + left))
}

/// Takes the lock. A deliverer that is ending, or was just killed, gets a moment to release it.
fn try_lock(lock: &File) -> bool {
    let end = Instant::now() + LOCK_TIMEOUT;
    while lock.try_lock().is_err() {
        if Instant::now() >= end {
            return false;
        }
        thread::park_timeout(LOCK_TIMEOUT / 20);
    }
    true
}

/// Prints each step of a delivery.
struct PrintedSteps;

impl DeliveryProgress for PrintedSteps {
    fn step(&mut self, what: &str) {
        let _ = writeln!(io::stdout(), "{what}");
    }
}

/// Stops deliverers. A listener that has something to send starts another.
fn stop(scope: StopScope<'_>, wait: u32) -> Result<ExitCode> {
    let Stopped { asked, remaining } = stop_deliverers(scope, Duration::from_secs(wait.into()));
    writeln!(io::stdout(), "{} deliverer(s) ended, {remaining} still in a mail", asked - remaining)?;
    Ok(if remaining == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn drop_alerts(outbox: &Outbox, ids: &[String], all_dead: bool) -> Result<ExitCode> {
    let chosen = if all_dead {
        outbox.ids(OutboxFolder::Dead)?.into_iter().map(|id| (OutboxFolder::Dead, id)).collect()
    } else {
        ids.iter().map(|id| find(outbox, id)).collect::<Result<Vec<_>>>()?
    };
    for (folder, id) in chosen {
        let line = line(outbox, folder, &id);
        outbox.discard(folder, &id)?;
        writeln!(io::stdout(), "dropped: {line}")?;
    }
    outbox.clear_overrides();
    outbox.forget_last_error();
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_and_what_was_given_up_are_told_apart() {
        assert_eq!(outcome(5, 1, 2), "2 sent, 1 given up, 2 still waiting");
        assert_eq!(outcome(1, 1, 1), "0 sent, 1 given up, 1 still waiting", "one came meanwhile");
    }
}
