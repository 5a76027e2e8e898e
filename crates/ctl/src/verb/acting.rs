//! What start, stop and signal have in common: one method for all, one for a group, one for a process, and words for
//! each result.

use ironlance_rpc::{Fault, FaultKind, Value};

use crate::progress::{self, Direction, Progress};
use crate::record::{Record, Target, namespec, records};
use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::{Verb, say_help};
use crate::wait::{self, Patience, Question};

/// How one of them is asked for, and what is said about it.
#[derive(Clone, Copy)]
pub(crate) struct Act {
    /// The method for every process.
    pub(crate) all: &'static str,
    /// The method for a group.
    pub(crate) group: &'static str,
    /// The method for a process.
    pub(crate) one: &'static str,
    /// What is said when it went well.
    pub(crate) done: &'static str,
    /// What is said when it did not, by kind.
    pub(crate) refusals: &'static [(FaultKind, Words)],
    /// The kind that does not count for the status to end with.
    pub(crate) ignored: Option<FaultKind>,
    /// The status where there is no such group.
    pub(crate) no_group: u8,
}

/// What is said about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// Those of the kind, behind the name: see [`FaultKind::words`].
    Ours,
    /// Supervisord's, instead of everything.
    Server,
}

/// The names and options behind a verb; nothing, and said, where there are none or supervisord is away.
/// `unnamed` is the status to end with where no process is named.
pub(crate) fn named<'r>(
    session: &mut Session,
    verb: &Verb,
    rest: &'r str,
    unnamed: u8,
) -> Result<Option<(Vec<&'r str>, Patience)>, Trouble> {
    if !session.is_up()? {
        return Ok(None);
    }
    let mut names = words(rest);
    match wait::patience(&mut names) {
        Err(words) => session.refuse(status::INVALID_ARGS, &words),
        Ok(patience) if !names.is_empty() => return Ok(Some((names, patience))),
        Ok(_) => {
            session.refuse(unnamed, &format!("Error: {} requires a process name", verb.name));
            say_help(session, verb);
        }
    }
    Ok(None)
}

impl Act {
    /// Does it to what is named, one after the other, and says each result. `extra` follows the name in each call.
    pub(crate) fn run(&self, session: &mut Session, names: &[&str], extra: &[Value]) -> Result<(), Trouble> {
        if names.contains(&"all") {
            let answer = session.call(self.all, extra);
            return self.report(session, Target::Group("all"), answer);
        }
        for name in names {
            let target = Target::of(name);
            let (method, first) = self.question(target, name);
            let params: Vec<Value> = [first].into_iter().chain(extra.iter().cloned()).collect();
            let answer = session.call(method, &params);
            self.report(session, target, answer)?;
        }
        Ok(())
    }

    /// Does it to what is named, at the same time where that is different processes, and says each result in the order
    /// of the names. Gives the processes whose time ran out.
    pub(crate) fn run_together(
        &self,
        session: &mut Session,
        direction: Direction,
        names: &[&str],
        patience: Patience,
    ) -> Result<Vec<String>, Trouble> {
        let names = session.resolve(names)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Without waiting it has only begun.
        let done = if patience == Patience::Nothing { direction.word() } else { self.done };
        let act = Self { done, ..*self };
        let progress = match patience {
            Patience::Nothing => None,
            Patience::Forever | Patience::For(_) => Progress::begin(session, direction, &names)?,
        };
        let extra = if patience == Patience::Nothing { vec![Value::Bool(false)] } else { Vec::new() };
        let questions = if names.contains(&"all") {
            vec![Question { name: "all".to_owned(), method: self.all, params: extra }]
        } else {
            names.iter().map(|name| self.asking(name, &extra)).collect()
        };
        let mut late = Vec::new();
        wait::ask(session, questions, patience, progress, &mut |session, name, answer| match answer
            .as_ref()
            .err()
            .and_then(|trouble| patience.ran_out(trouble))
        {
            None => {
                let target = if name == "all" { Target::Group(name) } else { Target::of(name) };
                act.report(session, target, answer)
            }
            Some(time) => {
                let who = who_is_late(session, direction, name);
                for name in &who {
                    let line = format!("{name}: ERROR (timeout after {})", wait::in_seconds(time));
                    session.refuse(status::GENERIC, &line);
                }
                late.extend(who);
                Ok(())
            }
        })?;
        Ok(late)
    }

    fn asking(&self, name: &str, extra: &[Value]) -> Question {
        let (method, first) = self.question(Target::of(name), name);
        let params = [first].into_iter().chain(extra.iter().cloned()).collect();
        Question { name: name.to_owned(), method, params }
    }

    /// The method for a target, and its first parameter.
    pub(crate) fn question(&self, target: Target<'_>, name: &str) -> (&'static str, Value) {
        match target {
            Target::Group(group) => (self.group, group.into()),
            Target::Process { .. } => (self.one, name.into()),
        }
    }

    /// Says what came of a call about `target`.
    pub(crate) fn report(
        &self,
        session: &mut Session,
        target: Target<'_>,
        answer: Result<Value, Trouble>,
    ) -> Result<(), Trouble> {
        match (target, answer) {
            (Target::Group(_), Ok(results)) => self.say_list(session, self.group, &results),
            (Target::Group(group), Err(trouble)) if is_fault(&trouble, FaultKind::BadName) => {
                session.refuse(self.no_group, &format!("{group}: ERROR (no such group)"));
                Ok(())
            }
            (Target::Process { group, name }, Ok(_)) => {
                session.tell(&format!("{}: {}", namespec(group, name), self.done));
                Ok(())
            }
            (Target::Process { group, name }, Err(trouble)) => match trouble.fault() {
                Some(Fault { code, string }) => {
                    self.say_result(session, &namespec(group, name), *code, string)
                }
                None => Err(trouble),
            },
            (Target::Group(_), Err(trouble)) => Err(trouble),
        }
    }

    fn say_list(&self, session: &mut Session, method: &'static str, results: &Value) -> Result<(), Trouble> {
        for result in records(method, results)? {
            let name = namespec(result.text("group")?, result.text("name")?);
            // Older servers leave the description out where all is well.
            self.say_result(session, &name, result.int("status")?, description(&result))?;
        }
        Ok(())
    }

    fn say_result(
        &self,
        session: &mut Session,
        name: &str,
        code: i64,
        description: &str,
    ) -> Result<(), Trouble> {
        let refusal = self.refusals.iter().find(|(kind, _)| kind.code() == code);
        let line = match refusal {
            Some((kind, Words::Ours)) => format!("{name}: ERROR ({})", kind.description()),
            Some((_, Words::Server)) => description.to_owned(),
            None if code == FaultKind::Success.code() => format!("{name}: {}", self.done),
            None => return Err(Trouble::ResultCode { code, name: name.to_owned() }),
        };
        session.tell(&line);
        if code == FaultKind::BadName.code() {
            session.suggest(name);
        }
        session.note_result(code, self.ignored);
        Ok(())
    }
}

/// Of a group those that have not arrived; if supervisord cannot tell, the group.
fn who_is_late(session: &mut Session, direction: Direction, name: &str) -> Vec<String> {
    match Target::of(name) {
        Target::Process { group, name } if name != "all" => vec![namespec(group, name)],
        Target::Process { .. } | Target::Group(_) => match progress::missing(session, direction, name) {
            Ok(missing) => missing.iter().map(ToString::to_string).collect(),
            Err(_) => vec![name.to_owned()],
        },
    }
}

fn description<'v>(result: &Record<'v>) -> &'v str {
    result.text("description").unwrap_or_default()
}
