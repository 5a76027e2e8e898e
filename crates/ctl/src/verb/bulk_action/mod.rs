//! Actions on many processes, shared by start, stop and signal: [`BulkAction`] has a method for all, for a group, and for
//! one process, and the message for each result.

pub(super) mod parallel_calls;
pub(super) mod progress;

use ironlance_rpc::{Fault, FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::struct_view::{Selector, StructView, namespec, struct_list};
use crate::verb::api::{Verb, print_help};
use crate::verb::bulk_action::parallel_calls::{AnswerWait, NamedCall};
use crate::verb::bulk_action::progress::{Direction, ProgressLine};

/// The methods of an action and the messages about its results.
#[derive(Clone, Copy)]
pub(crate) struct BulkAction {
    /// The method for every process.
    pub(crate) all_method: &'static str,
    /// The method for a group.
    pub(crate) group_method: &'static str,
    /// The method for a process.
    pub(crate) process_method: &'static str,
    /// The message after a success.
    pub(crate) success_text: &'static str,
    /// The messages after a fault, by kind.
    pub(crate) refusals: &'static [(FaultKind, RefusalText)],
    /// The fault that leaves the exit status unchanged.
    pub(crate) ignored_fault: Option<FaultKind>,
    /// The exit status for an unknown group.
    pub(crate) no_group_status: u8,
}

/// The message after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalText {
    /// The kind's description after the name: see [`FaultKind::description`].
    FaultKind,
    /// Supervisord's message alone.
    ServerMessage,
}

/// Parses the names and wait options of a verb. Prints the error and returns `None` where they are wrong; `unnamed` is
/// the exit status without a name.
pub(crate) fn parse_arguments<'r>(
    session: &mut Session,
    verb: &Verb,
    rest: &'r str,
    unnamed: u8,
) -> Result<Option<(Vec<&'r str>, AnswerWait)>, CtlError> {
    let mut names = words(rest);
    match parallel_calls::take_wait_options(&mut names) {
        Err(words) => session.fail(exit_status::INVALID_ARGS, &words),
        Ok(answer_wait) if !names.is_empty() => return Ok(Some((names, answer_wait))),
        Ok(_) => {
            session.fail(unnamed, &format!("Error: {} requires a process name", verb.name));
            print_help(session, verb);
        }
    }
    Ok(None)
}

impl BulkAction {
    /// Runs the action for each name in turn and prints the results. `extra` are parameters after the name.
    pub(crate) fn run_in_order(
        &self,
        session: &mut Session,
        names: &[&str],
        extra: &[Value],
    ) -> Result<(), CtlError> {
        if names.contains(&"all") {
            let answer = session.call(self.all_method, extra);
            return self.report(session, Selector::Group("all"), answer);
        }
        for name in names {
            let target = Selector::parse(name);
            let (method, first) = self.method_for(target, name);
            let params: Vec<Value> = [first].into_iter().chain(extra.iter().cloned()).collect();
            let answer = session.call(method, &params);
            self.report(session, target, answer)?;
        }
        Ok(())
    }

    /// Runs the action for all names, in parallel for different processes, and prints the results in the order of the
    /// names. Returns the processes that timed out.
    pub(crate) fn run_in_parallel(
        &self,
        session: &mut Session,
        direction: Direction,
        names: &[&str],
        answer_wait: AnswerWait,
    ) -> Result<Vec<String>, CtlError> {
        let names = session.resolve(names)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Without waiting, the action has only begun.
        let done = if answer_wait == AnswerWait::NoWait { direction.word() } else { self.success_text };
        let act = Self { success_text: done, ..*self };
        let progress = match answer_wait {
            AnswerWait::NoWait => None,
            AnswerWait::UntilDone | AnswerWait::AtMost(_) => ProgressLine::begin(session, direction, &names)?,
        };
        let extra = if answer_wait == AnswerWait::NoWait { vec![Value::Bool(false)] } else { Vec::new() };
        let questions = if names.contains(&"all") {
            vec![NamedCall { name: "all".to_owned(), method: self.all_method, params: extra }]
        } else {
            names.iter().map(|name| self.call_for(name, &extra)).collect()
        };
        let mut overdue = Vec::new();
        parallel_calls::call_all(session, questions, answer_wait, progress, &mut |session, name, answer| {
            match answer.as_ref().err().and_then(|error| answer_wait.timed_out(error)) {
                None => {
                    let target = if name == "all" { Selector::Group(name) } else { Selector::parse(name) };
                    act.report(session, target, answer)
                }
                Some(time) => {
                    let who = overdue_processes(session, direction, name);
                    for name in &who {
                        let line =
                            format!("{name}: ERROR (timeout after {})", parallel_calls::seconds_text(time));
                        session.fail(exit_status::GENERIC, &line);
                    }
                    overdue.extend(who);
                    Ok(())
                }
            }
        })?;
        Ok(overdue)
    }

    fn call_for(&self, name: &str, extra: &[Value]) -> NamedCall {
        let (method, first) = self.method_for(Selector::parse(name), name);
        let params = [first].into_iter().chain(extra.iter().cloned()).collect();
        NamedCall { name: name.to_owned(), method, params }
    }

    /// The method for a selector, and its first parameter.
    pub(crate) fn method_for(&self, target: Selector<'_>, name: &str) -> (&'static str, Value) {
        match target {
            Selector::Group(group) => (self.group_method, group.into()),
            Selector::Process { .. } => (self.process_method, name.into()),
        }
    }

    /// Prints the result of a call for `target`.
    pub(crate) fn report(
        &self,
        session: &mut Session,
        target: Selector<'_>,
        answer: Result<Value, CtlError>,
    ) -> Result<(), CtlError> {
        match (target, answer) {
            (Selector::Group(_), Ok(results)) => self.report_list(session, self.group_method, &results),
            (Selector::Group(group), Err(error)) if error.is_fault(FaultKind::BadName) => {
                session.fail(self.no_group_status, &format!("{group}: ERROR (no such group)"));
                Ok(())
            }
            (Selector::Process { group, name }, Ok(_)) => {
                session.print_sanitized(&format!("{}: {}", namespec(group, name), self.success_text));
                Ok(())
            }
            (Selector::Process { group, name }, Err(error)) => match error.fault() {
                Some(Fault { code, string }) => {
                    self.report_result(session, &namespec(group, name), *code, string)
                }
                None => Err(error),
            },
            (Selector::Group(_), Err(error)) => Err(error),
        }
    }

    fn report_list(
        &self,
        session: &mut Session,
        method: &'static str,
        results: &Value,
    ) -> Result<(), CtlError> {
        for result in struct_list(method, results)? {
            let name = namespec(result.text("group")?, result.text("name")?);
            // Older servers leave out the description of a success.
            self.report_result(session, &name, result.int("status")?, description(&result))?;
        }
        Ok(())
    }

    fn report_result(
        &self,
        session: &mut Session,
        name: &str,
        code: i64,
        description: &str,
    ) -> Result<(), CtlError> {
        let refusal = self.refusals.iter().find(|(kind, _)| kind.code() == code);
        let line = match refusal {
            Some((kind, RefusalText::FaultKind)) => format!("{name}: ERROR ({})", kind.description()),
            Some((_, RefusalText::ServerMessage)) => description.to_owned(),
            None if code == FaultKind::Success.code() => format!("{name}: {}", self.success_text),
            None => return Err(CtlError::ResultCode { code, name: name.to_owned() }),
        };
        session.print_sanitized(&line);
        if code == FaultKind::BadName.code() {
            session.print_suggestion(name);
        }
        session.note_result(code, self.ignored_fault);
        Ok(())
    }
}

/// The unfinished processes of a name; the name itself if they cannot be fetched.
fn overdue_processes(session: &mut Session, direction: Direction, name: &str) -> Vec<String> {
    match Selector::parse(name) {
        Selector::Process { group, name } if name != "all" => vec![namespec(group, name)],
        Selector::Process { .. } | Selector::Group(_) => match progress::unfinished(session, direction, name)
        {
            Ok(missing) => missing.iter().map(ToString::to_string).collect(),
            Err(_) => vec![name.to_owned()],
        },
    }
}

fn description<'v>(result: &StructView<'v>) -> &'v str {
    result.text("description").unwrap_or_default()
}
