//! What httpok does about a page that fails: which programs it restarts ([`RestartRule`]), and what it says about
//! it ([`RestartReport`]).

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use ironlance_core::text::python::repr_list;
use ironlance_core::{Namespec, ProcessState};
use ironlance_rpc::ProcessInfo;

use super::filter::ProcessFilter;

/// Whether the page is checked when none of the programs is RUNNING.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eagerness {
    /// It is.
    #[default]
    Eager,
    /// It is not.
    NotEager,
}

/// A limit on the restarts of one program in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxRestarts {
    /// How many; at least 1.
    pub most: usize,
    /// The span; not zero.
    pub within: Duration,
}

/// Counts the restarts of each program against a limit.
#[derive(Debug)]
pub struct RestartBudget {
    limit: MaxRestarts,
    restarts: HashMap<Namespec, Vec<Duration>>,
}

impl RestartBudget {
    /// At most `limit.most` restarts in any span of `limit.within`.
    pub fn new(limit: MaxRestarts) -> Self {
        Self { limit, restarts: HashMap::new() }
    }

    /// Whether the process may be restarted at `now`, a time since any fixed moment; a yes is counted.
    pub fn allows(&mut self, namespec: &Namespec, now: Duration) -> bool {
        let restarts = self.restarts.entry(namespec.clone()).or_default();
        restarts.retain(|then| now.saturating_sub(*then) < self.limit.within);
        if restarts.len() >= self.limit.most {
            return false;
        }
        restarts.push(now);
        true
    }
}

/// Which programs are restarted, and when they are not.
#[derive(Debug)]
pub struct RestartRule {
    /// The programs that the options name.
    pub filter: ProcessFilter,
    /// This listener, which never restarts itself.
    pub own_name: Option<Namespec>,
    /// Whether the page is checked when no program is RUNNING.
    pub eagerness: Eagerness,
    /// How long a program is left alone after its start.
    pub grace: Duration,
    /// Nothing is restarted.
    pub notify_only: bool,
    /// How often a program may be restarted.
    pub budget: Option<RestartBudget>,
}

/// Why a program is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// It is not in the state RUNNING.
    NotRunning,
    /// It was started less than `--grace` ago.
    InGrace,
    /// `--max-restarts` is used up.
    TooOften,
}

impl RestartRule {
    /// The processes that are restarted when the page fails.
    pub fn selected<'i>(&self, infos: &'i [ProcessInfo]) -> Vec<&'i ProcessInfo> {
        let is_selected = |info: &&ProcessInfo| {
            let namespec = info.namespec();
            self.own_name.as_ref() != Some(&namespec) && self.filter.selection.names(&namespec)
        };
        infos.iter().filter(is_selected).collect()
    }

    /// Whether the page is checked whatever the processes do, so that supervisord need not be asked.
    pub fn always_checks(&self) -> bool {
        self.eagerness == Eagerness::Eager && self.grace.is_zero()
    }

    /// Whether the page is checked now.
    pub fn wants_check(&self, infos: &[ProcessInfo]) -> bool {
        let selected = self.selected(infos).into_iter();
        let up: Vec<&ProcessInfo> = selected
            .filter(|info| is_in(info, ProcessState::Running) || is_in(info, ProcessState::Starting))
            .collect();
        let is_running = up.iter().any(|info| is_in(info, ProcessState::Running));
        // A page whose programs have all just been started says nothing yet.
        let all_in_grace = !up.is_empty() && up.iter().all(|info| self.is_in_grace(info));
        (self.eagerness == Eagerness::Eager || is_running) && !all_in_grace
    }

    /// Whether a selected process is restarted at `now`, a time since any fixed moment, or why not; a restart is counted.
    pub fn decide(&mut self, info: &ProcessInfo, now: Duration) -> Result<(), SkipReason> {
        if !is_in(info, ProcessState::Running) {
            return Err(SkipReason::NotRunning);
        }
        if self.is_in_grace(info) {
            return Err(SkipReason::InGrace);
        }
        match self.budget.as_mut().is_none_or(|budget| budget.allows(&info.namespec(), now)) {
            true => Ok(()),
            false => Err(SkipReason::TooOften),
        }
    }

    /// Whether a process that is up was started less than the grace time ago.
    fn is_in_grace(&self, info: &ProcessInfo) -> bool {
        let uptime = Duration::from_secs(u64::try_from(info.now - info.start).unwrap_or_default());
        (is_in(info, ProcessState::Running) || is_in(info, ProcessState::Starting)) && uptime < self.grace
    }

    /// What is about to be restarted.
    pub fn announcement(&self) -> String {
        let ProcessFilter { programs, groups, any, .. } = &self.filter;
        if self.notify_only {
            return "Restarting nothing (--notify-only)".to_owned();
        }
        if *any {
            return "Restarting all running processes".to_owned();
        }
        let groups = groups.iter().map(|group| format!("{group}:*"));
        let named: Vec<String> = programs.iter().cloned().chain(groups).collect();
        format!("Restarting selected processes {}", repr_list(&named))
    }

    /// The named programs that supervisord does not have, if any.
    pub fn missing(&self, infos: &[ProcessInfo]) -> Option<String> {
        let is_pattern = |name: &str| name.starts_with('!') || name.ends_with('*');
        let exists =
            |name: &str| infos.iter().any(|info| info.name == name || info.namespec().qualified() == name);
        let programs = self.filter.programs.iter();
        let missing: Vec<&String> = programs.filter(|name| !is_pattern(name) && !exists(name)).collect();
        (!missing.is_empty())
            .then(|| format!("Programs not restarted because they did not exist: {}", repr_list(&missing)))
    }
}

fn is_in(info: &ProcessInfo, state: ProcessState) -> bool {
    info.state == state.code()
}

/// What was done, line by line, for the log and the mail. Each method adds a line and returns it.
#[derive(Clone, Debug, Default)]
pub struct RestartReport {
    lines: Vec<String>,
    /// What became of each program that was not restarted.
    outcomes: String,
    has_restarted: bool,
}

impl RestartReport {
    /// Any other line.
    pub fn line(&mut self, line: String) -> &str {
        self.lines.push(line);
        self.lines.last().map_or("", String::as_str)
    }

    /// A program is left alone.
    pub fn skipped(&mut self, namespec: &Namespec, reason: SkipReason) -> &str {
        let (why, outcome) = match reason {
            SkipReason::NotRunning => ("not in RUNNING state", "not running"),
            SkipReason::InGrace => ("was started only just now (--grace)", "in grace"),
            SkipReason::TooOften => ("was restarted too often (--max-restarts)", "too often"),
        };
        self.outcome(namespec, outcome);
        self.line(format!("{namespec} {why}, NOT restarting"))
    }

    /// A core was written, or not: what the program for it printed.
    pub fn core_written(&mut self, namespec: &Namespec, output: &str) -> &str {
        self.line(format!("gcore output for {namespec}:\n\n {output}"))
    }

    /// A restart begins.
    pub fn restarting(&mut self, namespec: &Namespec) -> &str {
        self.line(format!("{namespec} is in RUNNING state, restarting"))
    }

    /// A restart is done.
    pub fn restarted(&mut self, namespec: &Namespec) -> &str {
        self.has_restarted = true;
        self.line(format!("{namespec} restarted"))
    }

    /// supervisord did not stop it; the start is tried all the same.
    pub fn not_stopped(&mut self, namespec: &Namespec, error: &dyn Display) -> &str {
        self.line(format!("Failed to stop process {namespec}: {error}"))
    }

    /// supervisord did not start it.
    pub fn not_started(&mut self, namespec: &Namespec, error: &dyn Display) -> &str {
        self.outcome(namespec, "not started");
        self.line(format!("Failed to start process {namespec}: {error}"))
    }

    fn outcome(&mut self, namespec: &Namespec, outcome: &str) {
        self.outcomes.push_str(&format!("{namespec} {outcome}; "));
    }

    /// Whether a program was restarted, so that the mail is no repetition.
    pub fn has_restarted(&self) -> bool {
        self.has_restarted
    }

    /// Reports with the same key are mailed once per reminder interval.
    pub fn repeat_key(&self, subject: &str) -> String {
        format!("{subject} {}", self.outcomes)
    }

    /// All lines.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_rpc::{Record, Value};

    fn process(name: &str, state: ProcessState, uptime: i64) -> ProcessInfo {
        let info = Value::record([
            ("name", name.into()),
            ("group", "shop".into()),
            ("state", state.code().into()),
            ("pid", 7_i64.into()),
            ("start", 1000_i64.into()),
            ("now", (1000 + uptime).into()),
        ]);
        ProcessInfo::from_value(info).unwrap()
    }

    fn rule(programs: &[&str]) -> RestartRule {
        let mut filter = ProcessFilter::default();
        programs.iter().for_each(|program| filter.add_program(program).unwrap());
        RestartRule {
            filter,
            own_name: Some(Namespec::new("shop", "httpok")),
            eagerness: Eagerness::Eager,
            grace: Duration::ZERO,
            notify_only: false,
            budget: None,
        }
    }

    #[test]
    fn the_named_programs_are_selected_and_never_the_listener_itself() {
        let infos = [process("web", ProcessState::Running, 9), process("httpok", ProcessState::Running, 9)];
        assert_eq!(rule(&["shop:*"]).selected(&infos), [&infos[0]]);
        assert!(rule(&[]).selected(&infos).is_empty(), "with no name it is none");
    }

    #[test]
    fn an_eager_check_is_made_always_and_another_while_a_program_runs() {
        let stopped = [process("web", ProcessState::Stopped, 9)];
        let running = [process("web", ProcessState::Running, 9)];
        let mut rule = rule(&["web"]);
        assert!(rule.always_checks() && rule.wants_check(&stopped));
        rule.eagerness = Eagerness::NotEager;
        assert!(!rule.always_checks() && !rule.wants_check(&stopped) && rule.wants_check(&running));
    }

    #[test]
    fn a_page_whose_programs_have_all_just_started_is_not_checked() {
        let mut rule = rule(&["shop:*"]);
        rule.grace = Duration::from_secs(10);
        let young = process("web", ProcessState::Starting, 3);
        assert!(!rule.wants_check(std::slice::from_ref(&young)));
        assert!(rule.wants_check(&[young, process("db", ProcessState::Running, 10)]));
        assert!(rule.wants_check(&[process("web", ProcessState::Fatal, 3)]), "it is not up");
    }

    #[test]
    fn a_program_is_restarted_unless_it_is_down_young_or_was_restarted_too_often() {
        let mut rule = rule(&["web"]);
        rule.grace = Duration::from_secs(10);
        rule.budget = Some(RestartBudget::new(MaxRestarts { most: 1, within: Duration::from_secs(60) }));
        let mut decide =
            |state, uptime, now| rule.decide(&process("web", state, uptime), Duration::from_secs(now));
        assert_eq!(decide(ProcessState::Starting, 99, 0), Err(SkipReason::NotRunning));
        assert_eq!(decide(ProcessState::Running, 9, 0), Err(SkipReason::InGrace));
        assert_eq!(decide(ProcessState::Running, 10, 0), Ok(()));
        assert_eq!(decide(ProcessState::Running, 10, 59), Err(SkipReason::TooOften));
        assert_eq!(decide(ProcessState::Running, 10, 60), Ok(()));
    }

    #[test]
    fn a_budget_of_restarts_comes_back_with_time() {
        let mut budget = RestartBudget::new(MaxRestarts { most: 2, within: Duration::from_secs(60) });
        let (cat, dog) = (Namespec::new("cat", "cat"), Namespec::new("dog", "dog"));
        let at = Duration::from_secs;
        assert!(budget.allows(&cat, at(0)));
        assert!(budget.allows(&cat, at(30)));
        assert!(!budget.allows(&cat, at(59)));
        assert!(budget.allows(&dog, at(59)), "each process has a budget of its own");
        assert!(budget.allows(&cat, at(60)));
        assert!(!budget.allows(&cat, at(61)));
    }

    #[test]
    fn what_is_restarted_and_what_is_missing_is_said_as_in_superlance() {
        let mut rule = rule(&["web", "db", "!job", "shop:*"]);
        rule.filter.add_group("g").unwrap();
        assert_eq!(
            rule.announcement(),
            "Restarting selected processes ['web', 'db', '!job', 'shop:*', 'g:*']"
        );
        let missing = rule.missing(&[process("web", ProcessState::Running, 9)]);
        assert_eq!(missing.unwrap(), "Programs not restarted because they did not exist: ['db']");
        rule.filter.any = true;
        assert_eq!(rule.announcement(), "Restarting all running processes");
        rule.notify_only = true;
        assert_eq!(rule.announcement(), "Restarting nothing (--notify-only)");
    }

    #[test]
    fn the_same_outcomes_are_a_repetition_and_a_restart_is_none() {
        let web = Namespec::new("shop", "web");
        let skipped = |reason| {
            let mut report = RestartReport::default();
            assert!(report.skipped(&web, reason).ends_with(", NOT restarting"));
            report
        };
        let key = |reason| skipped(reason).repeat_key("s");
        assert_eq!(key(SkipReason::InGrace), key(SkipReason::InGrace));
        assert_ne!(key(SkipReason::InGrace), key(SkipReason::TooOften));
        let mut report = skipped(SkipReason::NotRunning);
        assert!(!report.has_restarted());
        report.restarted(&web);
        assert!(report.has_restarted());
        assert_eq!(report.lines(), ["shop:web not in RUNNING state, NOT restarting", "shop:web restarted"]);
    }
}
