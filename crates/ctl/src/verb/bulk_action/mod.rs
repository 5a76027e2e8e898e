//! Actions on many processes, shared by start, stop and signal: [`BulkAction`] has a method for all, for a group, and for
//! one process, and the message for each result.

pub(super) mod parallel_calls;
pub(super) mod progress;

use ironlance_rpc::{Fault, FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::struct_view::{Selector, namespec, struct_list};
use crate::verb::api::{Verb, refuse};
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
    /// The known faults. The message has the kind's description, or is supervisord's where that is empty.
    pub(crate) refusals: &'static [FaultKind],
    /// The fault that leaves the exit status unchanged.
    pub(crate) ignored_fault: Option<FaultKind>,
    /// The exit status for an unknown group.
    pub(crate) no_group_status: u8,
}

/// Parses the names and wait options of a verb. Prints the error and returns `None` where they are wrong; `unnamed` is
/// the exit status without a name.
pub(crate) fn parse_arguments<'r>(
    session: &mut Session,
    verb: &Verb,
    rest: &'r str,
    unnamed: u8,
) -> Option<(Vec<&'r str>, AnswerWait)> {
    let mut names = words(rest);
    match parallel_calls::take_wait_options(&mut names) {
        Err(words) => session.fail(exit_status::INVALID_ARGS, &words),
        Ok(answer_wait) if !names.is_empty() => return Some((names, answer_wait)),
        Ok(_) => {
            refuse(session, verb, unnamed, &format!("Error: {} requires a process name", verb.name));
        }
    }
    None
}

impl BulkAction {
    /// Runs the action for each name in turn and prints the results. `extra` are parameters after the name.
    pub(crate) fn run_in_order(
        &self,
        session: &mut Session,
        names: &[&str],
        extra: &[Value],
    ) -> Result<(), CtlError> {
        for NamedCall { name, method, params } in self.calls(names, extra) {
            let answer = session.call(method, &params);
            self.report(session, &name, answer)?;
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
        let questions = self.calls(&names, &extra);
        let mut overdue = Vec::new();
        parallel_calls::call_all(session, questions, answer_wait, progress, &mut |session, name, answer| {
            match answer.as_ref().err().and_then(|error| answer_wait.timed_out(error)) {
                None => act.report(session, name, answer),
                Some(time) => {
                    let who = overdue_processes(session, direction, name);
                    let time = parallel_calls::seconds_text(time);
                    for name in &who {
                        session.fail(exit_status::GENERIC, &format!("{name}: ERROR (timeout after {time})"));
                    }
                    overdue.extend(who);
                    Ok(())
                }
            }
        })?;
        Ok(overdue)
    }

    /// The calls for names; `extra` are parameters after the name.
    fn calls(&self, names: &[&str], extra: &[Value]) -> Vec<NamedCall> {
        if names.contains(&"all") {
            return vec![NamedCall {
                name: "all".to_owned(),
                method: self.all_method,
                params: extra.to_vec(),
            }];
        }
        let call = |name: &&str| {
            let (method, first) = match Selector::parse(name) {
                Selector::Group(group) => (self.group_method, group),
                Selector::Process { .. } => (self.process_method, *name),
            };
            let params = [&[first.into()], extra].concat();
            NamedCall { name: (*name).to_owned(), method, params }
        };
        names.iter().map(call).collect()
    }

    /// Prints the result of the call for a name.
    fn report(
        &self,
        session: &mut Session,
        name: &str,
        answer: Result<Value, CtlError>,
    ) -> Result<(), CtlError> {
        let target = if name == "all" { Selector::Group(name) } else { Selector::parse(name) };
        match (target, answer) {
            (Selector::Group(_), Ok(results)) => {
                for result in struct_list(self.group_method, &results)? {
                    let name = namespec(result.text("group")?, result.text("name")?);
                    // Older servers leave out the description of a success.
                    let description = result.text("description").unwrap_or_default();
                    self.report_result(session, &name, result.int("status")?, description)?;
                }
                Ok(())
            }
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

    fn report_result(
        &self,
        session: &mut Session,
        name: &str,
        code: i64,
        description: &str,
    ) -> Result<(), CtlError> {
        let line = match self.refusals.iter().find(|kind| kind.code() == code).map(|kind| kind.description())
        {
            Some("") => description.to_owned(),
            Some(words) => format!("{name}: ERROR ({words})"),
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
        Selector::Process { .. } | Selector::Group(_) => progress::unfinished(session, direction, name)
            .map_or_else(
                |_| vec![name.to_owned()],
                |missing| missing.iter().map(ToString::to_string).collect(),
            ),
    }
}
