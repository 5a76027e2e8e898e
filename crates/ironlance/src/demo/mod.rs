//! `ironlance demo`: half a minute of programs that go wrong, and of mails that tell.
//!
//! The daemon, the six listeners and two of the programs are links to this very binary, and the mail server is a
//! thread of this process. Everything that happens comes through one channel.

mod catcher;
mod config;
mod letter;
mod narrator;
mod part;
mod stage;
mod tally;

use std::io::{self, Write};
use std::process::{ExitCode, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use jiff::Timestamp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use catcher::{Catcher, Caught, Delivery};
use config::Ports;
use letter::Letter;
use narrator::{Colour, Narrator, Paint, explain};
use stage::Stage;
use tally::{FLAKY, Tally};

/// The mail server is closed for so long at the start: the first crashes fall into it.
const CLOSED: Duration = Duration::from_secs(10);
/// At the end, mails that are under way have so long to arrive.
const LAST_MAILS: Duration = Duration::from_secs(8);
/// By then each listener has had a reason to tell.
const WHOLE: Duration = Duration::from_secs(25);
/// When nothing is due.
const LONG: Duration = Duration::from_secs(3600);

/// Shows in half a minute what ironlance does: programs crash, hang and leak, and each mail appears here.
#[derive(Debug, Parser)]
#[command(
    name = "ironlance demo",
    after_help = "Exits with 0 when all expected mails arrived, with 1 otherwise."
)]
struct Args {
    /// End after so long; 0: at Ctrl-C only
    #[arg(long, default_value_t = 30, value_name = "N")]
    seconds: u32,
    /// Leave the folder with the configuration and the logs
    #[arg(long)]
    keep: bool,
}

/// Everything that can happen.
enum Input {
    Caught(Caught),
    Interrupted,
    Ended(ExitStatus),
}

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    if let Some((_, part)) = args.split_first().filter(|(flag, _)| *flag == part::FLAG) {
        return part::play(part);
    }
    let args = match Args::try_parse_from(
        std::iter::once("ironlance demo".to_owned()).chain(args.iter().cloned()),
    ) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ironlance demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays it; gives whether every expected mail came.
fn run(args: &Args) -> Result<bool> {
    let (tell, inbox) = channel();
    listen_for_signals(tell.clone()).context("cannot listen for Ctrl-C")?;
    let start = Instant::now();
    let opens = start + CLOSED;
    let mail = tell.clone();
    let catcher = Catcher::open(opens, move |caught| drop(mail.send(Input::Caught(caught))))
        .context("cannot listen on a port of 127.0.0.1 for mail")?;
    let shop = config::free_port().context("cannot find a free port of 127.0.0.1")?;
    let ports = Ports { mail: catcher.port(), shop };
    let mut stage = Stage::set(ports, move |status| drop(tell.send(Input::Ended(status))))?;
    if args.keep {
        stage.keep_folder();
    }
    let mut narrator = Narrator { out: io::stdout(), paint: Paint::of_terminal() };
    let ending = match args.seconds {
        0 => "Ctrl-C ends it.".to_owned(),
        seconds => format!("It ends after {seconds} seconds, or at Ctrl-C."),
    };
    narrator.opening(stage.folder(), &ending)?;
    let end = (args.seconds > 0).then(|| start + Duration::from_secs(args.seconds.into()));
    let server = Server { opens, opened_at: Timestamp::now() + CLOSED, is_closed: true };
    let mut story = Story { stage, narrator, tally: Tally::default(), server, start };
    story.tell(&inbox, end)?;
    story.close(args)
}

/// A second Ctrl-C changes nothing: the end is under way and takes a few seconds at most.
fn listen_for_signals(tell: Sender<Input>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            let _ = tell.send(Input::Interrupted);
        }
    });
    Ok(())
}

/// What is known of the mail server.
struct Server {
    opens: Instant,
    /// The same by the calendar, as mails have it.
    opened_at: Timestamp,
    is_closed: bool,
}

struct Story {
    stage: Stage,
    narrator: Narrator<io::Stdout>,
    tally: Tally,
    server: Server,
    start: Instant,
}

impl Story {
    /// Tells what happens until the end, or until somebody is tired of it.
    fn tell(&mut self, inbox: &Receiver<Input>, mut end: Option<Instant>) -> Result<()> {
        let closed = CLOSED.as_secs();
        self.event(
            Colour::Bold,
            &format!(
                "The mail server is down for the first {closed} seconds, on purpose: nothing may be lost."
            ),
        )?;
        loop {
            let now = Instant::now();
            self.open_server(now)?;
            if end.is_some_and(|end| self.is_over(now, end)) {
                return Ok(());
            }
            match inbox.recv_timeout(self.deadline(now, end).saturating_duration_since(now)) {
                Ok(Input::Caught(Caught::Mail(delivery))) => self.mail(&delivery)?,
                Ok(Input::Caught(Caught::TurnedAway)) => self.turned_away()?,
                Ok(Input::Ended(status)) => {
                    bail!("supervisord ended by itself with {status}:\n{}", self.stage.last_words())
                }
                // A crash of this moment may have its mail under way.
                Ok(Input::Interrupted)
                    if self.tally.has_all_listeners() && end.is_none_or(|end| Instant::now() < end) =>
                {
                    end = Some(Instant::now());
                }
                Ok(Input::Interrupted) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Past the end, mails that are under way are waited for, but not for long.
    fn is_over(&self, now: Instant, end: Instant) -> bool {
        now >= end + LAST_MAILS || (now >= end && self.tally.is_whole(self.stage.crashes(FLAKY)))
    }

    fn deadline(&self, now: Instant, end: Option<Instant>) -> Instant {
        let opening = self.server.is_closed.then_some(self.server.opens);
        let end = end.map(|end| if now < end { end } else { end + LAST_MAILS });
        [opening, end].into_iter().flatten().min().unwrap_or(now + LONG)
    }

    fn event(&mut self, colour: Colour, text: &str) -> io::Result<()> {
        self.narrator.event(self.start.elapsed(), colour, text)
    }

    fn open_server(&mut self, now: Instant) -> io::Result<()> {
        if !self.server.is_closed || now < self.server.opens {
            return Ok(());
        }
        self.server.is_closed = false;
        self.event(Colour::Green, "The mail server is up; what waits in the outbox comes at the next try.\n")
    }

    fn turned_away(&mut self) -> io::Result<()> {
        self.tally.turned_away += 1;
        let text = match self.tally.turned_away {
            1 => "The mail server turned a delivery away (421): the alert waits in the outbox, on disk.",
            _ => "It turned another try away.",
        };
        self.event(Colour::Red, text)
    }

    fn mail(&mut self, delivery: &Delivery) -> io::Result<()> {
        let letter = Letter::read(delivery);
        let nth = self.tally.add(&letter);
        let waited = letter.date.is_some_and(|date| date < self.server.opened_at);
        let remark = if waited { "; the mail waited until the server was up" } else { "" };
        self.event(Colour::Bold, &format!("{}{remark}.", explain(&letter)))?;
        self.narrator.mail(&letter, nth)
    }

    /// Ends everything and gives the verdict.
    fn close(mut self, args: &Args) -> Result<bool> {
        let crashes = self.stage.crashes(FLAKY);
        let folder = self.stage.folder().to_owned();
        self.event(Colour::Bold, "The end: supervisord and all it runs are being stopped.")?;
        drop(self.stage);
        let lines = self.tally.lines(crashes);
        self.narrator.summary(&lines, self.tally.turned_away)?;
        if !self.tally.has_all_listeners() && self.start.elapsed() < WHOLE {
            writeln!(
                self.narrator.out,
                "It was stopped early: the whole story takes {} seconds.",
                WHOLE.as_secs()
            )?;
        }
        if args.keep {
            writeln!(self.narrator.out, "The folder is still there: {}", folder.display())?;
        }
        Ok(self.tally.is_whole(crashes))
    }
}
