//! `ironlance outbox`: what waits, what was given up, and what to do about it.

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
use ironlance_alert::channel::Progress;
use ironlance_alert::deliver;
use ironlance_alert::deliver::ending::{self, Ended, Whose};
use ironlance_alert::deliver::engine::{Engine, Input};
use ironlance_alert::deliver::holder;
use ironlance_alert::outbox::record::Stored;
use ironlance_alert::outbox::{Outbox, Place, state_dir, unix_time};
use ironlance_core::redact::redact;

use crate::usage;
use list::line;

/// How long to wait for the lock of an outbox.
const MOMENT: Duration = Duration::from_millis(1000);

/// Looks after the alerts that wait to be delivered and those that were given up.
#[derive(Debug, Parser)]
#[command(
    name = "ironlance outbox",
    after_help = "Each user has an outbox: run this as the user that the listener runs as. It is the folder outbox \
    in IRONLANCE_STATE, else in /var/lib/ironlance for root, else in ironlance in XDG_STATE_HOME, else in \
    ~/.local/state/ironlance. An ID may be cut as long as it stays unique."
)]
struct Args {
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
    /// Try again now: all that waits, or these; those that were given up live again
    Retry {
        /// Which; without any, all that wait
        ids: Vec<String>,
        /// Also all that were given up
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Let whoever delivers finish the mail in hand, and end; what waits stays
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
    let args: Args = match usage::parse("ironlance outbox", args) {
        Ok(args) => args,
        Err(status) => return status,
    };
    match run(args.verb) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ironlance outbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The process that delivers; a listener starts it.
pub(crate) fn deliver(args: &[String]) -> ExitCode {
    match args {
        [memory] if memory == "--memory" => deliver::memory(None),
        [memory, state_dir] if memory == "--memory" => deliver::memory(Some(Path::new(state_dir))),
        [dir] if !dir.starts_with('-') => deliver::outbox(Path::new(dir)),
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
        return stop(Whose::Service, wait);
    }
    let outbox = Outbox::open(&state_dir())?;
    match verb {
        Verb::List { dead, json } => list::list(&outbox, dead, json),
        Verb::Show { id } => show(&outbox, &id),
        Verb::Retry { ids, all } => retry(&outbox, &ids, all),
        Verb::Stop { wait, .. } => stop(Whose::Outbox(&outbox), wait),
        Verb::Drop { ids, all_dead } => drop_alerts(&outbox, &ids, all_dead),
    }
}

const fn word(place: Place) -> &'static str {
    match place {
        Place::New => "waiting",
        Place::Dead => "dead",
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

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The alert that an id, or its beginning, means.
fn find(outbox: &Outbox, wanted: &str) -> Result<(Place, String)> {
    let mut hits = Vec::new();
    for place in [Place::New, Place::Dead] {
        for id in outbox.ids(place)? {
            if id == wanted {
                return Ok((place, id));
            }
            if id.starts_with(wanted) && !wanted.is_empty() {
                hits.push((place, id));
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
    let (place, id) = find(outbox, id)?;
    let Stored { alert, attempts, .. } = outbox.load(place, &id)?;
    let mut out = io::stdout().lock();
    writeln!(out, "id:       {id}\nstate:    {}\nfrom:     {}", word(place), alert.origin)?;
    writeln!(out, "made:     {} ago on {}", age(unix_time() - alert.created), alert.host)?;
    writeln!(out, "goes by:  {}\nto:       {}", alert.route.transport, alert.route.to.join(", "))?;
    writeln!(out, "subject:  {}", one_line(alert.subject.as_deref().unwrap_or("(none)")))?;
    for attempt in attempts {
        writeln!(out, "failed:   {} ago: {}", age(unix_time() - attempt.at), redact(&attempt.reason))?;
    }
    writeln!(out, "\n{}", alert.text())?;
    Ok(ExitCode::SUCCESS)
}

fn retry(outbox: &Outbox, ids: &[String], all: bool) -> Result<ExitCode> {
    let mut revive = if all { outbox.ids(Place::Dead)? } else { Vec::new() };
    // What was good of a damaged file has been sent.
    revive.retain(|id| !Outbox::is_damaged_copy(id));
    for id in ids {
        let (place, id) = find(outbox, id)?;
        if place == Place::Dead {
            revive.push(id);
        }
    }
    for id in revive {
        let revived =
            outbox.revive(&id, unix_time()).with_context(|| format!("cannot revive the alert {id}"));
        match revived {
            // One that cannot be read must not keep the others.
            Err(error) if all => writeln!(io::stderr(), "ironlance outbox: {error:#}")?,
            revived => revived?,
        }
    }
    let lock = outbox.lock_file()?;
    if !take(&lock) {
        outbox.nudge();
        writeln!(io::stdout(), "a listener's deliverer is at work; it tries everything again now")?;
        return Ok(ExitCode::SUCCESS);
    }
    // Who waits for the lock sees by it whether we get on: somebody may stop us by ^Z.
    let _ = rustix::stdio::dup2_stdin(&lock);
    let waiting = outbox.ids(Place::New)?;
    let (tell, inbox) = channel();
    // One try of everything, and no waiting for the next.
    tell.send(Input::Leave)?;
    let engine = Engine::new(Arc::new(outbox.clone()));
    let engine = Engine { progress: || Box::new(Aloud), beat: holder::beat, ..engine };
    engine.run(&inbox, &tell);
    outbox.forget_ways();
    let left = outbox.ids(Place::New)?.len();
    let dead = outbox.ids(Place::Dead)?;
    let dead = waiting.iter().filter(|id| dead.contains(id)).count();
    writeln!(io::stdout(), "{}", outcome(waiting.len(), dead, left))?;
    Ok(if left == 0 && dead == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What became of so many alerts, of which some were given up and some still wait.
fn outcome(all: usize, dead: usize, left: usize) -> String {
    format!("{} sent, {dead} given up, {left} still waiting", all.saturating_sub(dead + left))
}

/// Takes the lock. A deliverer that is just ending, or was just killed, gets a moment to let go of it.
fn take(lock: &File) -> bool {
    let end = Instant::now() + MOMENT;
    while lock.try_lock().is_err() {
        if Instant::now() >= end {
            return false;
        }
        thread::park_timeout(MOMENT / 20);
    }
    true
}

/// Says each step of a delivery.
struct Aloud;

impl Progress for Aloud {
    fn step(&mut self, what: &str) {
        let _ = writeln!(io::stdout(), "{what}");
    }
}

/// Ends deliverers. A listener that has something to send starts another.
fn stop(whose: Whose<'_>, wait: u32) -> Result<ExitCode> {
    let Ended { told, left } = ending::end(whose, Duration::from_secs(wait.into()));
    writeln!(io::stdout(), "{} deliverer(s) ended, {left} still in a mail", told - left)?;
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn drop_alerts(outbox: &Outbox, ids: &[String], all_dead: bool) -> Result<ExitCode> {
    let chosen = if all_dead {
        outbox.ids(Place::Dead)?.into_iter().map(|id| (Place::Dead, id)).collect()
    } else {
        ids.iter().map(|id| find(outbox, id)).collect::<Result<Vec<_>>>()?
    };
    for (place, id) in chosen {
        let line = line(outbox, place, &id);
        outbox.drop_alert(place, &id)?;
        writeln!(io::stdout(), "dropped: {line}")?;
    }
    outbox.forget_ways();
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
