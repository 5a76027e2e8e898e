//! `ironlance demo`: half a minute of programs that go wrong, and of mails that tell.
//!
//! The daemon, the six listeners and two of the programs are links to this very binary, and the mail server is a
//! thread of this process. Everything that happens comes through one channel: mails from that server, events from the
//! daemon's own stream of them.

mod catcher;
mod config;
mod letter;
mod narrator;
mod part;
mod plain;
mod stage;
mod tally;
mod watcher;

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
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
use narrator::{Colour, Doors, Ending, Excerpt, Narrator, Paint};
use plain::{News, Plain, about};
use stage::{Stage, StageError};
use tally::{FLAKY, Tally};
use watcher::{Happened, Told};

use crate::usage;

/// The mail server is closed for so long at the start: the first crashes fall into it.
const CLOSED: Duration = Duration::from_secs(10);
/// At the end, mails that are under way have so long to arrive.
const LAST_MAILS: Duration = Duration::from_secs(8);
/// By then each listener has had a reason to tell.
const WHOLE: Duration = Duration::from_secs(25);
/// So often ports are tried.
const TRIES: usize = 5;
/// Whom a line is about that is about a mail.
const MAIL: &str = "mail";
/// When nothing is due.
const LONG: Duration = Duration::from_secs(3600);

/// Shows in half a minute what ironlance does: programs crash, hang and leak, and each mail appears here.
#[derive(Debug, Parser)]
#[command(
    name = "ironlance demo",
    after_help = "Exits with 0 when all expected mails arrived, with 1 otherwise."
)]
struct Args {
    /// End after so long, 25 at least; 0: at Ctrl-C only
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = seconds)]
    seconds: u32,
    /// Leave the folder with the configuration and the logs
    #[arg(long)]
    keep: bool,
}

/// 0, or enough for the whole story.
fn seconds(text: &str) -> Result<u32, String> {
    let seconds = text.parse::<u32>().map_err(|error| error.to_string())?;
    match seconds {
        1.. if Duration::from_secs(seconds.into()) < WHOLE => Err(format!(
            "the whole story takes {} seconds: give as many or more, or 0 to end it by Ctrl-C",
            WHOLE.as_secs()
        )),
        _ => Ok(seconds),
    }
}

/// Everything that can happen.
enum Input {
    Caught(Caught),
    Told(Told),
    Interrupted,
}

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    if let Some((_, part)) = args.split_first().filter(|(flag, _)| *flag == part::FLAG) {
        return part::play(part);
    }
    let args: Args = match usage::parse("ironlance demo", args) {
        Ok(args) => args,
        Err(status) => return status,
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
    let (mut stage, connection) = set_stage(catcher.port())?;
    watcher::watch(connection, move |told| drop(tell.send(Input::Told(told))))
        .context("cannot watch supervisord")?;
    if args.keep {
        stage.keep_folder();
    }
    let mut narrator = Narrator { out: io::stdout(), paint: Paint::of_terminal() };
    let ending = match args.seconds {
        0 => "Ctrl-C ends it.".to_owned(),
        seconds => format!(
            "It ends after {seconds} seconds, with up to {} more for mails under way; or at Ctrl-C.",
            LAST_MAILS.as_secs()
        ),
    };
    let doors = Doors {
        page: &format!("http://127.0.0.1:{}/", stage.page_port()),
        control: &format!("{} status", stage.control().display()),
        log: &stage.folder().join("supervisord.log").display().to_string(),
    };
    narrator.opening(&doors, &ending)?;
    let end = (args.seconds > 0).then(|| start + Duration::from_secs(args.seconds.into()));
    let server = Server { opens, opened_at: Timestamp::now() + CLOSED, is_closed: true };
    let plain = Plain::default();
    let mut story = Story { stage, narrator, plain, tally: Tally::default(), server, start };
    let ending = story.tell(&inbox, end)?;
    story.close(args, ending)
}

/// A port that was free may be taken before supervisord takes it; then others are tried.
fn set_stage(mail: u16) -> Result<(Stage, UnixStream)> {
    let mut tries = 0..TRIES;
    loop {
        tries.next();
        let [shop, page] = config::free_ports().context("cannot find a free port of 127.0.0.1")?;
        match Stage::set(Ports { mail, shop, page }) {
            Err(StageError::Ended(_)) if !tries.is_empty() => {}
            set => return Ok(set?),
        }
    }
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
    plain: Plain,
    tally: Tally,
    server: Server,
    start: Instant,
}

impl Story {
    /// Tells what happens until the end, or until somebody is tired of it.
    fn tell(&mut self, inbox: &Receiver<Input>, mut end: Option<Instant>) -> Result<Ending> {
        let closed = CLOSED.as_secs();
        self.event(
            MAIL,
            Colour::Red,
            &format!("the server is closed for the first {closed} seconds, on purpose"),
        )?;
        loop {
            let now = Instant::now();
            self.open_server(now)?;
            if end.is_some_and(|end| self.is_over(now, end)) {
                return Ok(Ending::Whole);
            }
            match inbox.recv_timeout(self.deadline(now, end).saturating_duration_since(now)) {
                Ok(Input::Caught(Caught::Mail(delivery))) => self.mail(&delivery)?,
                Ok(Input::Caught(Caught::TurnedAway)) => self.turned_away()?,
                Ok(Input::Told(Told::Happened(happened))) => self.happened(&happened)?,
                Ok(Input::Told(Told::Over)) => {
                    if let Some(status) = self.stage.has_ended() {
                        bail!("supervisord ended by itself with {status}:\n{}", self.stage.last_words())
                    }
                }
                // A crash of this moment may have its mail under way.
                Ok(Input::Interrupted)
                    if self.tally.has_all_listeners() && end.is_none_or(|end| Instant::now() < end) =>
                {
                    end = Some(Instant::now());
                }
                Ok(Input::Interrupted) | Err(RecvTimeoutError::Disconnected) => return Ok(self.broken_off()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// What is still missing when somebody breaks off: it had its time, or had not.
    fn broken_off(&self) -> Ending {
        let had_its_time = self.start.elapsed() >= WHOLE && !self.tally.has_all_listeners();
        match had_its_time || self.tally.is_whole(self.stage.crashes(FLAKY)) {
            true => Ending::Whole,
            false => Ending::Early,
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

    fn event(&mut self, who: &str, colour: Colour, text: &str) -> io::Result<()> {
        self.narrator.event(self.start.elapsed(), who, colour, text)
    }

    fn open_server(&mut self, now: Instant) -> io::Result<()> {
        if !self.server.is_closed || now < self.server.opens {
            return Ok(());
        }
        self.server.is_closed = false;
        self.event(MAIL, Colour::Green, "the server is open; what waits comes at the next try")
    }

    fn turned_away(&mut self) -> io::Result<()> {
        self.tally.turned_away += 1;
        match self.tally.turned_away {
            1 => self.event(MAIL, Colour::Red, "refused (421): it waits on disk, and is tried again"),
            // One line is enough to understand it; the summary has the number.
            _ => Ok(()),
        }
    }

    fn happened(&mut self, happened: &Happened) -> io::Result<()> {
        match self.plain.words(happened) {
            Some((News::Bad, text)) => self.event(&happened.process, Colour::Red, &text),
            Some((News::Good, text)) => self.event(&happened.process, Colour::Green, &text),
            None => Ok(()),
        }
    }

    fn mail(&mut self, delivery: &Delivery) -> io::Result<()> {
        let letter = Letter::read(delivery);
        let nth = self.tally.add(&letter);
        let waited = letter.date.is_some_and(|date| date < self.server.opened_at);
        let remark = if waited { " (it waited)" } else { "" };
        self.event(MAIL, Colour::Cyan, &format!("{}: {}{remark}", letter.listener, about(&letter)))?;
        match (letter.listener.as_str(), nth) {
            ("crashmail", 1) => self.narrator.mail(&letter, Excerpt::Whole),
            (_, 1) => self.narrator.mail(&letter, Excerpt::Words),
            _ => Ok(()),
        }
    }

    /// Ends everything and gives the verdict.
    fn close(mut self, args: &Args, ending: Ending) -> Result<bool> {
        let crashes = self.stage.crashes(FLAKY);
        let folder = self.stage.folder().to_owned();
        self.event("", Colour::Bold, "The end: supervisord and all it runs are being stopped.")?;
        drop(self.stage);
        let lines = self.tally.lines(crashes);
        self.narrator.summary(&lines, self.tally.turned_away, ending)?;
        if ending == Ending::Early {
            writeln!(self.narrator.out, "The whole story takes {} seconds.", WHOLE.as_secs())?;
        }
        if args.keep {
            writeln!(self.narrator.out, "The folder is still there: {}", folder.display())?;
        }
        Ok(self.tally.is_whole(crashes))
    }
}
