//! `ironlance demo`: for half a minute programs crash, hang and leak, and the mails about them are printed.
//!
//! The daemon, the six listeners and two of the programs are links to this binary; the mail server is a thread of this
//! process. All inputs come through one channel: mails from that server, and events from the daemon's event stream.

mod builtin_program;
mod config;
mod event_stream;
mod explain;
mod mail;
mod printer;
mod sandbox;
mod scorecard;
mod smtp_sink;

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use ironlance_core::event::json::EventJson;
use jiff::Timestamp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use config::Ports;
use explain::{Explainer, mail_summary};
use mail::ParsedMail;
use printer::{Colour, DemoEnd, Printer, wants_colours};
use sandbox::Sandbox;
use scorecard::{FLAKY, Scorecard};
use smtp_sink::{ReceivedMail, SinkEvent};

use crate::usage;

/// The mail server refuses mail for this long at the start, while the first programs crash.
const SERVER_CLOSED: Duration = Duration::from_secs(10);
/// How long to wait at the end for mails that are on their way.
const LAST_MAIL_WAIT: Duration = Duration::from_secs(8);
/// After this time each listener has had a reason for a mail.
const FULL_RUN: Duration = Duration::from_secs(25);
/// Attempts to find free ports.
const MAX_TRIES: usize = 5;
/// The name in front of a line about a mail.
const MAIL: &str = "mail";
/// How long to wait for input when nothing is due.
const IDLE_WAIT: Duration = Duration::from_secs(3600);

/// Shows in half a minute what ironlance does: programs crash, hang and leak, and each mail appears here.
#[derive(Debug, Parser)]
#[command(
    name = "ironlance demo",
    after_help = "Exits with 0 when all expected mails arrived, with 1 otherwise."
)]
pub(crate) struct Args {
    /// End after so long, 25 at least; 0: at Ctrl-C only
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = seconds)]
    seconds: u32,
    /// Leave the folder with the configuration and the logs
    #[arg(long)]
    keep: bool,
}

/// 0, or at least the time of a full run.
fn seconds(text: &str) -> Result<u32, String> {
    let seconds = text.parse::<u32>().map_err(|error| error.to_string())?;
    match seconds {
        1.. if Duration::from_secs(seconds.into()) < FULL_RUN => Err(format!(
            "the whole story takes {} seconds: give as many or more, or 0 to end it by Ctrl-C",
            FULL_RUN.as_secs()
        )),
        _ => Ok(seconds),
    }
}

/// The inputs of the demo.
enum Input {
    Smtp(SinkEvent),
    /// `None`: the stream has ended.
    Event(Option<EventJson<'static>>),
    Interrupted,
}

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    if let Some((_, part)) = args.split_first().filter(|(flag, _)| *flag == builtin_program::FLAG) {
        return builtin_program::run(part);
    }
    usage::run(args, 1, |args: Args| Ok(if run(&args)? { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// Runs the demo; returns whether every expected mail arrived.
fn run(args: &Args) -> Result<bool> {
    let (tell, inbox) = channel();
    listen_for_signals(tell.clone()).context("cannot listen for Ctrl-C")?;
    let start = Instant::now();
    let opens = start + SERVER_CLOSED;
    let mail = tell.clone();
    let mail_port = smtp_sink::start(opens, move |caught| drop(mail.send(Input::Smtp(caught))))
        .context("cannot listen on a port of 127.0.0.1 for mail")?;
    let (mut sandbox, connection) = start_sandbox(mail_port)?;
    event_stream::watch(connection, move |event| drop(tell.send(Input::Event(event))))
        .context("cannot watch supervisord")?;
    if args.keep {
        sandbox.keep_folder();
    }
    let mut printer = Printer { out: io::stdout(), is_coloured: wants_colours() };
    let ending = match args.seconds {
        0 => "Ctrl-C ends it.".to_owned(),
        seconds => format!(
            "It ends after {seconds} seconds, with up to {} more for mails under way; or at Ctrl-C.",
            LAST_MAIL_WAIT.as_secs()
        ),
    };
    let places = [
        ("web page", format!("http://127.0.0.1:{}/", sandbox.page_port)),
        ("in a shell", format!("{} status", sandbox.control().display())),
        ("its log", sandbox.folder().join("supervisord.log").display().to_string()),
    ];
    printer.opening(&places, &ending)?;
    let end = (args.seconds > 0).then(|| start + Duration::from_secs(args.seconds.into()));
    let mut demo = Demo {
        sandbox,
        printer,
        explainer: Explainer::default(),
        scorecard: Scorecard::default(),
        opens,
        opened_at: Timestamp::now() + SERVER_CLOSED,
        is_closed: true,
        start,
    };
    let ending = demo.run(&inbox, end)?;
    demo.finish(args, ending)
}

/// Starts the sandbox. A free port can be taken before supervisord binds it; then other ports are tried.
fn start_sandbox(mail: u16) -> Result<(Sandbox, UnixStream)> {
    let mut tries = 0..MAX_TRIES;
    loop {
        tries.next();
        let [shop, page] = config::free_ports().context("cannot find a free port of 127.0.0.1")?;
        let mut sandbox = Sandbox::start(Ports { mail, shop, page })?;
        match sandbox.connect()? {
            Some(stream) => return Ok((sandbox, stream)),
            None if tries.is_empty() => bail!("supervisord does not start:\n{}", sandbox.last_output()),
            None => {}
        }
    }
}

/// A second Ctrl-C has no effect: the shutdown takes a few seconds at most.
fn listen_for_signals(tell: Sender<Input>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            let _ = tell.send(Input::Interrupted);
        }
    });
    Ok(())
}

struct Demo {
    sandbox: Sandbox,
    printer: Printer<io::Stdout>,
    explainer: Explainer,
    scorecard: Scorecard,
    /// When the mail server opens.
    opens: Instant,
    /// The same as a date, to compare with the dates of mails.
    opened_at: Timestamp,
    is_closed: bool,
    start: Instant,
}

impl Demo {
    /// Handles inputs until the end, or until Ctrl-C.
    fn run(&mut self, inbox: &Receiver<Input>, mut end: Option<Instant>) -> Result<DemoEnd> {
        let closed = SERVER_CLOSED.as_secs();
        self.print_event(
            MAIL,
            Colour::Red,
            &format!("the server is closed for the first {closed} seconds, on purpose"),
        )?;
        loop {
            let now = Instant::now();
            self.open_server(now)?;
            if end.is_some_and(|end| self.is_over(now, end)) {
                return Ok(DemoEnd::Complete);
            }
            match inbox.recv_timeout(self.deadline(now, end).saturating_duration_since(now)) {
                Ok(Input::Smtp(SinkEvent::Mail(delivery))) => self.on_mail(&delivery)?,
                Ok(Input::Smtp(SinkEvent::Rejected)) => self.on_rejected()?,
                Ok(Input::Event(Some(event))) => self.happened(&event)?,
                Ok(Input::Event(None)) => {
                    if let Some(status) = self.sandbox.exit_status() {
                        bail!("supervisord ended by itself with {status}:\n{}", self.sandbox.last_output())
                    }
                }
                // A crash just now may have its mail on the way.
                Ok(Input::Interrupted)
                    if self.scorecard.has_all_listeners() && end.is_none_or(|end| Instant::now() < end) =>
                {
                    end = Some(Instant::now());
                }
                Ok(Input::Interrupted) | Err(RecvTimeoutError::Disconnected) => {
                    return Ok(self.interrupted_end());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// How the demo ends at Ctrl-C: complete if the missing mails had their time.
    fn interrupted_end(&self) -> DemoEnd {
        let had_its_time = self.start.elapsed() >= FULL_RUN && !self.scorecard.has_all_listeners();
        match had_its_time || self.scorecard.is_complete(self.sandbox.crashes(FLAKY)) {
            true => DemoEnd::Complete,
            false => DemoEnd::Interrupted,
        }
    }

    /// Whether to end: mails that are on their way are waited for, up to a limit.
    fn is_over(&self, now: Instant, end: Instant) -> bool {
        now >= end + LAST_MAIL_WAIT || (now >= end && self.scorecard.is_complete(self.sandbox.crashes(FLAKY)))
    }

    fn deadline(&self, now: Instant, end: Option<Instant>) -> Instant {
        let opening = self.is_closed.then_some(self.opens);
        let end = end.map(|end| if now < end { end } else { end + LAST_MAIL_WAIT });
        [opening, end].into_iter().flatten().min().unwrap_or(now + IDLE_WAIT)
    }

    fn print_event(&mut self, who: &str, colour: Colour, text: &str) -> io::Result<()> {
        self.printer.event(self.start.elapsed(), who, colour, text)
    }

    fn open_server(&mut self, now: Instant) -> io::Result<()> {
        if !self.is_closed || now < self.opens {
            return Ok(());
        }
        self.is_closed = false;
        self.print_event(MAIL, Colour::Green, "the server is open; what waits comes at the next try")
    }

    fn on_rejected(&mut self) -> io::Result<()> {
        self.scorecard.rejected += 1;
        // Only the first is printed; the summary has the number.
        if self.scorecard.rejected > 1 {
            return Ok(());
        }
        self.print_event(MAIL, Colour::Red, "refused (421): it waits on disk, and is tried again")
    }

    fn happened(&mut self, event: &EventJson<'_>) -> io::Result<()> {
        let Some((colour, text)) = self.explainer.explain(event) else { return Ok(()) };
        self.print_event(event.process.as_deref().unwrap_or_default(), colour, &text)
    }

    fn on_mail(&mut self, delivery: &ReceivedMail) -> io::Result<()> {
        let mail = ParsedMail::parse(delivery);
        let nth = self.scorecard.add(&mail);
        let waited = mail.date.is_some_and(|date| date < self.opened_at);
        let remark = if waited { " (it waited)" } else { "" };
        self.print_event(MAIL, Colour::Cyan, &format!("{}: {}{remark}", mail.listener, mail_summary(&mail)))?;
        match (mail.listener.as_str(), nth) {
            ("crashmail", 1) => self.printer.mail(mail.text.trim_end()),
            (_, 1) => self.printer.mail(mail.text_without_details()),
            _ => Ok(()),
        }
    }

    /// Stops everything and prints the summary.
    fn finish(mut self, args: &Args, ending: DemoEnd) -> Result<bool> {
        let crashes = self.sandbox.crashes(FLAKY);
        let folder = self.sandbox.folder().to_owned();
        self.print_event("", Colour::Bold, "The end: supervisord and all it runs are being stopped.")?;
        drop(self.sandbox);
        let lines = self.scorecard.lines(crashes);
        self.printer.summary(&lines, self.scorecard.rejected, ending)?;
        if ending == DemoEnd::Interrupted {
            writeln!(self.printer.out, "The whole story takes {} seconds.", FULL_RUN.as_secs())?;
        }
        if args.keep {
            writeln!(self.printer.out, "The folder is still there: {}", folder.display())?;
        }
        Ok(self.scorecard.is_complete(crashes))
    }
}
