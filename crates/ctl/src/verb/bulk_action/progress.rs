//! The progress of starting or stopping: one line that is overwritten, on a terminal only, and erased before results.

use std::time::{Duration, Instant};

use ironlance_core::{Namespec, ProcessState};
use ironlance_rpc::ProcessInfo;

use crate::error::CtlError;
use crate::output::style;
use crate::selector;
use crate::session::Session;

/// No line is shown before this delay.
const DELAY: Duration = Duration::from_millis(400);
/// The delay for one process, long enough for a usual `startsecs`.
const DELAY_FOR_ONE: Duration = Duration::from_millis(1500);

/// Whether processes start or stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Starting.
    Starting,
    /// Stopping.
    Stopping,
}

impl Direction {
    /// The word in messages.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Stopping => "stopping",
        }
    }

    /// Whether a process in this state is finished.
    const fn is_done(self, state: ProcessState) -> bool {
        use ProcessState::{Exited, Fatal, Running, Stopped, Unknown};
        match self {
            Self::Starting => matches!(state, Running | Exited | Fatal | Unknown),
            Self::Stopping => matches!(state, Stopped | Exited | Fatal | Unknown),
        }
    }

    /// Whether a process in this state has to change.
    const fn is_needed(self, state: ProcessState) -> bool {
        use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
        match self {
            Self::Starting => matches!(state, Stopped | Exited | Fatal | Backoff | Stopping),
            Self::Stopping => matches!(state, Running | Starting | Backoff | Unknown),
        }
    }
}

/// The processes selected by `name` that are not finished.
pub(crate) fn unfinished(
    session: &mut Session,
    direction: Direction,
    name: &str,
) -> Result<Vec<Namespec>, CtlError> {
    let infos = session.all_process_info_soon()?;
    let all: Vec<Namespec> = infos.iter().map(ProcessInfo::namespec).collect();
    let selected = if name == "all" { (0..all.len()).collect() } else { selector::select(name, &all) };
    let is_missing = |at: &usize| !direction.is_done(infos[*at].process_state());
    Ok(selected.into_iter().filter(is_missing).map(|at| all[at].clone()).collect())
}

/// The progress line, and the processes it waits for.
pub(crate) struct ProgressLine {
    direction: Direction,
    /// The processes, each with its start time before the action.
    targets: Vec<(Namespec, i64)>,
    started_at: Instant,
    columns: usize,
    /// The width of the line on the screen, in columns.
    drawn: usize,
}

impl ProgressLine {
    /// The progress of the processes selected by `names`; `None` without a terminal, or if none has to change.
    pub(crate) fn begin(
        session: &mut Session,
        direction: Direction,
        names: &[&str],
    ) -> Result<Option<Self>, CtlError> {
        let terminal = session.terminal();
        if !terminal.is_terminal {
            return Ok(None);
        }
        let infos = session.all_process_info_soon()?;
        Ok(Some(Self::of(direction, names, &infos, terminal.columns))
            .filter(|progress| !progress.targets.is_empty()))
    }

    fn of(direction: Direction, names: &[&str], infos: &[ProcessInfo], columns: usize) -> Self {
        let all: Vec<Namespec> = infos.iter().map(ProcessInfo::namespec).collect();
        let mut selected: Vec<usize> = if names.contains(&"all") {
            (0..all.len()).collect()
        } else {
            names.iter().flat_map(|name| selector::select(name, &all)).collect()
        };
        selected.sort_unstable();
        selected.dedup();
        selected.retain(|at| direction.is_needed(infos[*at].process_state()));
        let targets = selected.into_iter().map(|at| (all[at].clone(), infos[at].start)).collect();
        Self { direction, targets, started_at: Instant::now(), columns, drawn: 0 }
    }

    /// Whether the delay is over.
    pub(crate) fn is_due(&self) -> bool {
        let grace = if self.targets.len() == 1 { DELAY_FOR_ONE } else { DELAY };
        self.started_at.elapsed() >= grace
    }

    /// Draws the line again.
    pub(crate) fn draw(&mut self, session: &mut Session, infos: &[ProcessInfo]) {
        let line =
            style::truncate(&self.line(infos, self.started_at.elapsed()), self.columns.saturating_sub(1));
        let width = style::width(&line);
        // Blanks instead of an escape sequence work on every terminal.
        let blanks = " ".repeat(self.drawn.saturating_sub(width));
        session.print_bytes(format!("\r{line}{blanks}").as_bytes());
        session.flush();
        self.drawn = width.max(self.drawn);
    }

    /// Erases the line.
    pub(crate) fn erase(&mut self, session: &mut Session) {
        if self.drawn > 0 {
            session.print_bytes(format!("\r{}\r", " ".repeat(self.drawn)).as_bytes());
            self.drawn = 0;
        }
    }

    /// Whether a process is finished. One to be started that still has the start time `before` has not started yet.
    fn is_finished(&self, info: &ProcessInfo, before: i64) -> bool {
        let state = info.process_state();
        let is_as_before =
            self.direction == Direction::Starting && state != ProcessState::Running && info.start == before;
        self.direction.is_done(state) && !is_as_before
    }

    /// `starting 12 of 40 … 3.1 s: web:3, web:4`: how many are finished, and which are not.
    fn line(&self, infos: &[ProcessInfo], elapsed: Duration) -> String {
        let is_missing = |(namespec, before): &&(Namespec, i64)| {
            let is_it =
                |info: &&ProcessInfo| info.name == namespec.process.0 && info.group == namespec.group.0;
            infos.iter().find(is_it).is_some_and(|info| !self.is_finished(info, *before))
        };
        let missing = self.targets.iter().filter(is_missing);
        let missing: Vec<String> =
            missing.map(|(namespec, _)| style::escape_controls(&namespec.to_string())).collect();
        let (all, arrived) = (self.targets.len(), self.targets.len() - missing.len());
        let (word, seconds) = (self.direction.word(), elapsed.as_secs_f64());
        let colon = if missing.is_empty() { "" } else { ": " };
        format!("{word} {arrived} of {all} … {seconds:.1} s{colon}{}", missing.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, state: ProcessState) -> ProcessInfo {
        ProcessInfo { name: name.into(), group: "web".into(), state: state.code(), ..ProcessInfo::default() }
    }

    fn of(direction: Direction, names: &[&str], states: &[ProcessState]) -> ProgressLine {
        ProgressLine::of(direction, names, &infos(states), 80)
    }

    fn infos(states: &[ProcessState]) -> Vec<ProcessInfo> {
        states.iter().enumerate().map(|(at, state)| info(&at.to_string(), *state)).collect()
    }

    #[test]
    fn the_line_counts_who_has_arrived_and_names_who_has_not() {
        use ProcessState::{Fatal, Running, Starting, Stopped};
        let progress = of(Direction::Starting, &["web:*"], &[Stopped, Fatal, Stopped, Running]);
        let mut now = infos(&[Running, Starting, Fatal, Running]);
        now[2].start = 1;
        let line = progress.line(&now, Duration::from_millis(3140));
        assert_eq!(line, "starting 2 of 3 … 3.1 s: web:1");
        let line = progress.line(&infos(&[Running, Fatal, Running, Running]), Duration::from_secs(3));
        assert_eq!(line, "starting 2 of 3 … 3.0 s: web:1", "it was FATAL before, and still is");
        let line = progress.line(&infos(&[Running, Running, Running, Running]), Duration::from_secs(4));
        assert_eq!(line, "starting 3 of 3 … 4.0 s");
    }

    #[test]
    fn who_has_arrived_already_is_not_waited_for() {
        use ProcessState::{Running, Stopped};
        assert_eq!(of(Direction::Starting, &["all"], &[Stopped, Running]).targets.len(), 1);
        assert_eq!(of(Direction::Stopping, &["web:0", "web:0"], &[Running, Running]).targets.len(), 1);
        assert_eq!(of(Direction::Stopping, &["web:*", "web:1"], &[Running, Running]).targets.len(), 2);
    }
}
