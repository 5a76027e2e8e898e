//! One output channel of one child, [`Output`]: to its log file, syslog, events and captured messages.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use ironlance_config as config;
use ironlance_core::capture::{Piece, Splitter};
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::{Event, OutputChannel, ProcessOutput};
use ironlance_core::log_level::Level;
use ironlance_core::{Namespec, text::ansi, text::python};

use crate::io::log_backlog::{LogBacklog, OrphanedLog};
use crate::io::poller::ReadPriority;
use crate::log::rotating_file::RotatingFile;
use crate::log::syslog::Syslog;

/// A child's standard output or standard error.
pub(crate) struct Output {
    /// Closed once the child has closed its end.
    pub(crate) fd: Option<OwnedFd>,
    channel: OutputChannel,
    pub(crate) log: Option<RotatingFile>,
    syslog: Option<Syslog>,
    splitter: Option<Splitter>,
    events: bool,
    /// Immediate for listeners, and where output becomes events.
    pub(crate) urgency: ReadPriority,
    /// The pipe has been made larger, because it was found full.
    pub(crate) grown: bool,
    /// Whether it is not read at present, for each [`super::pipes::PauseReason`].
    pub(crate) pauses: [bool; 2],
    /// What the log has not taken yet.
    backlog: LogBacklog,
    /// The last bytes, where no file keeps them.
    pub(crate) recent: Option<Vec<u8>>,
    /// How much went to the log, in bytes.
    pub(crate) logged: u64,
}

/// The process that has written, and the settings that hold for all output.
pub(crate) struct OutputContext<'a> {
    pub(crate) namespec: &'a Rc<Namespec>,
    pub(crate) pid: u32,
    pub(crate) strip_ansi: bool,
    /// The main log is at a level at which output goes there too.
    pub(crate) in_main_log: bool,
    /// A pool or a subscriber wants events about output of this channel.
    pub(crate) events_wanted: bool,
    /// No other output must write to the same stream first.
    pub(crate) may_write: bool,
}

/// What follows from a piece of output.
#[derive(Default)]
pub(crate) struct OutputEffects {
    pub(crate) events: Vec<Event>,
    pub(crate) lines: Vec<(Level, String)>,
}

/// The most output that goes into one event (bytes), as in the original.
const EVENT_BYTES: usize = 128 * 1024;
/// The most that is read at once where messages are captured (bytes): at 45 bytes of tags each, no more events than a
/// listener's buffer has room for when it is three quarters full.
const CAPTURE_READ: usize = 8 * 1024;
/// How much of the last output is kept in memory where there is no log file (bytes).
const RECENT_BYTES: usize = 2048;

impl Output {
    /// Takes over a pipe. The file, where there is one, is open. `is_answers` means the answers of a listener to its pool.
    pub(crate) fn new(
        fd: OwnedFd,
        channel: OutputChannel,
        settings: &config::OutputConfig,
        log: Option<RotatingFile>,
        syslog: Option<Syslog>,
        is_answers: bool,
    ) -> Self {
        let capture = usize::try_from(settings.capture_maxbytes).unwrap_or(usize::MAX);
        let to_events = settings.events_enabled || capture > 0;
        let urgency = if to_events || is_answers { ReadPriority::Immediate } else { ReadPriority::Deferred };
        Self {
            fd: Some(fd),
            channel,
            recent: log.is_none().then(Vec::new),
            log,
            syslog,
            splitter: (capture > 0).then(|| Splitter::new(capture)),
            // The answers of a listener make no events, as in the original.
            events: settings.events_enabled && !is_answers,
            urgency,
            grown: false,
            pauses: [false; 2],
            backlog: LogBacklog::default(),
            logged: 0,
        }
    }

    /// The pipe, until the child has closed it.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pauses.contains(&true)
    }

    /// The types of events that what is read becomes.
    pub(crate) fn event_kinds(&self) -> Vec<EventKind> {
        let (log, communication) = match self.channel {
            OutputChannel::Stdout => (EventKind::ProcessLogStdout, EventKind::ProcessCommunicationStdout),
            OutputChannel::Stderr => (EventKind::ProcessLogStderr, EventKind::ProcessCommunicationStderr),
        };
        let kinds = [self.events.then_some(log), self.splitter.is_some().then_some(communication)];
        kinds.into_iter().flatten().collect()
    }

    /// How much may be read at once (bytes): each message that is captured becomes an event.
    pub(crate) const fn read_limit(&self) -> usize {
        if self.splitter.is_some() { CAPTURE_READ } else { usize::MAX }
    }

    /// Takes bytes that were read from the pipe. `None` is the end of the child: bytes held back as the start of a token
    /// are ordinary output.
    pub(crate) fn accept(
        &mut self,
        data: Option<&[u8]>,
        source: &OutputContext<'_>,
        into: &mut OutputEffects,
    ) {
        match (self.splitter.take(), data) {
            (None, data) => self.forward(data.unwrap_or_default(), true, source, into),
            (Some(mut splitter), None) => splitter.finish(&mut |piece| self.take_piece(piece, source, into)),
            (Some(mut splitter), Some(data)) => {
                splitter.push(data, &mut |piece| self.take_piece(piece, source, into));
                self.splitter = Some(splitter);
            }
        }
    }

    fn take_piece(&mut self, piece: Piece<'_>, source: &OutputContext<'_>, into: &mut OutputEffects) {
        match piece {
            Piece::Plain(data) => self.forward(data, true, source, into),
            Piece::Inside(data) => self.forward(data, false, source, into),
            Piece::Captured(data) => {
                let data = if source.strip_ansi { ansi::strip(&data) } else { data.as_slice().into() };
                let output = ProcessOutput::new(source.namespec, source.pid, &data);
                into.events.push(Event::Communication(self.channel, output));
                let name = python::repr(&source.namespec.process.0);
                into.lines
                    .push((Level::Debug, format!("{name} {} emitted a comm event", self.channel.name())));
            }
        }
    }

    fn forward(&mut self, data: &[u8], to_log: bool, source: &OutputContext<'_>, into: &mut OutputEffects) {
        if data.is_empty() {
            return;
        }
        let stripped = if source.strip_ansi { ansi::strip(data) } else { data.into() };
        if to_log {
            self.write(&stripped, source, into);
        }
        if source.in_main_log {
            into.lines.push((Level::Debug, self.as_debug_line(&stripped, source)));
        }
        if self.events && source.events_wanted {
            let output = |part| ProcessOutput::new(source.namespec, source.pid, part);
            let event = |part| Event::Log(self.channel, output(part));
            into.events.extend(stripped.chunks(EVENT_BYTES).map(event));
        }
    }

    fn as_debug_line(&self, data: &[u8], source: &OutputContext<'_>) -> String {
        let text = match std::str::from_utf8(data) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("Undecodable: {}", python::repr_bytes(data)),
        };
        format!("{} {} output:\n{text}", python::repr(&source.namespec.process.0), self.channel.name())
    }

    fn write(&mut self, data: &[u8], source: &OutputContext<'_>, into: &mut OutputEffects) {
        if let Some(log) = &mut self.log {
            self.logged += data.len() as u64;
            if source.may_write {
                into.lines.extend(self.backlog.write(log, data));
            } else {
                self.backlog.defer(data);
            }
        }
        if let Some(syslog) = &mut self.syslog {
            // Lines that the system's log does not take are lost, as with every program.
            let _ = syslog.write(&format!("{} ", source.namespec.process), data, "");
        }
        if let Some(recent) = &mut self.recent {
            append_recent(recent, data);
        }
    }

    /// Where it is logged, if that is a stream.
    pub(crate) fn stream(&self) -> Option<&Path> {
        self.log.as_ref().filter(|log| log.is_stream()).map(RotatingFile::path)
    }

    /// Whether the log has not taken all.
    pub(crate) const fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Offers the backlog to the log again. Gives a line for the main log, if there is one.
    pub(crate) fn flush(&mut self, now: Duration) -> Option<(Level, String)> {
        self.backlog.flush(self.log.as_mut()?, now)
    }

    /// The log with its backlog, if there is any, when the child has exited.
    pub(crate) fn into_orphaned_log(self) -> Option<OrphanedLog> {
        let log = self.log.filter(|_| !self.backlog.is_empty())?;
        Some(OrphanedLog { log, backlog: self.backlog })
    }
}

/// Appends to `recent`, of which only the end is kept.
fn append_recent(recent: &mut Vec<u8>, data: &[u8]) {
    let data = &data[data.len().saturating_sub(RECENT_BYTES)..];
    let surplus = (recent.len() + data.len()).saturating_sub(RECENT_BYTES);
    recent.drain(..surplus.min(recent.len()));
    recent.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_what_was_said_is_remembered() {
        let mut recent = Vec::new();
        append_recent(&mut recent, &[b'a'; RECENT_BYTES + 10]);
        assert_eq!(recent.len(), RECENT_BYTES);
        append_recent(&mut recent, b"end");
        assert_eq!(recent.len(), RECENT_BYTES);
        assert!(recent.ends_with(b"aend"));
    }
}
