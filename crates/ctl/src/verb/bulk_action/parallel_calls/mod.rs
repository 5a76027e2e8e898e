//! Parallel calls: [`call_all`] calls methods for several processes at once, with a wait mode and a progress line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ironlance_net::ExchangeError;
use ironlance_rpc::{CallError, Client, Value};

use crate::error::CtlError;
use crate::session::Session;
use crate::struct_view::Selector;
use crate::verb::bulk_action::progress::ProgressLine;

/// The most calls at a time: a supervisord accepts some hundred connections.
const MAX_CONCURRENT: usize = 32;
/// How often the progress line is refreshed.
const REFRESH_INTERVAL: Duration = Duration::from_millis(200);
/// The longest timeout: a day.
const MAX_TIMEOUT_SECONDS: f64 = 86_400.0;

/// How long a verb waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerWait {
    /// Until the action is done.
    UntilDone,
    /// No wait.
    NoWait,
    /// At most this long, for each process.
    AtMost(Duration),
}

impl AnswerWait {
    /// The time limit, if `error` is a timeout under it.
    pub(crate) fn timed_out(self, error: &CtlError) -> Option<Duration> {
        match (self, error) {
            (Self::AtMost(time), CtlError::Call(CallError::Unreachable(ExchangeError::TimedOut))) => {
                Some(time)
            }
            _ => None,
        }
    }

    const fn limit(self) -> Option<Duration> {
        match self {
            Self::UntilDone | Self::NoWait => None,
            Self::AtMost(time) => Some(time),
        }
    }
}

/// Removes `--wait`, `--no-wait` and `--timeout SECONDS` (also `--timeout=SECONDS`) from a verb's arguments; the last
/// one counts. An error is the message to print.
pub(crate) fn take_wait_options(words: &mut Vec<&str>) -> Result<AnswerWait, String> {
    let mut answer_wait = AnswerWait::UntilDone;
    let mut rest = Vec::with_capacity(words.len());
    let mut given = words.iter().copied();
    while let Some(word) = given.next() {
        match word {
            "--wait" => answer_wait = AnswerWait::UntilDone,
            "--no-wait" => answer_wait = AnswerWait::NoWait,
            "--timeout" => answer_wait = AnswerWait::AtMost(seconds(given.next().unwrap_or_default())?),
            _ => match word.strip_prefix("--timeout=") {
                Some(text) => answer_wait = AnswerWait::AtMost(seconds(text)?),
                None => rest.push(word),
            },
        }
    }
    *words = rest;
    Ok(answer_wait)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= MAX_TIMEOUT_SECONDS);
    match number {
        Some(number) => Ok(Duration::from_secs_f64(number)),
        None => Err(format!(
            "Error: cannot wait for {text:?}: --timeout wants seconds, above 0 and at most a day"
        )),
    }
}

/// A duration in seconds: `5 s`, `0.5 s`.
pub(crate) fn seconds_text(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// A call for a name on the command line.
#[derive(Clone, Debug)]
pub(crate) struct NamedCall {
    /// The name.
    pub(crate) name: String,
    /// The method.
    pub(crate) method: &'static str,
    /// Its parameters.
    pub(crate) params: Vec<Value>,
}

/// Receives a name and the result of its call.
pub(crate) type OnAnswer<'a> =
    dyn FnMut(&mut Session, &str, Result<Value, CtlError>) -> Result<(), CtlError> + 'a;

/// Makes all calls, in parallel for different processes, and passes the results to `on_answer` in the order of the
/// calls, each as soon as it and all before it are complete. An error of `on_answer` ends it.
pub(crate) fn call_all(
    session: &mut Session,
    questions: Vec<NamedCall>,
    answer_wait: AnswerWait,
    mut progress: Option<ProgressLine>,
    on_answer: &mut OnAnswer<'_>,
) -> Result<(), CtlError> {
    if let ([question], None) = (questions.as_slice(), &progress) {
        let answer = session.call_within(answer_wait.limit(), question.method, &question.params);
        return on_answer(session, &question.name, answer);
    }
    session.flush();
    let client = session.client()?;
    let questions: Arc<[NamedCall]> = questions.into();
    let answers = spawn_callers(&client, &questions, answer_wait)?;
    let mut early = BTreeMap::new();
    for (at, question) in questions.iter().enumerate() {
        while !early.contains_key(&at) {
            match answers.recv_timeout(if progress.is_some() { REFRESH_INTERVAL } else { Duration::MAX }) {
                Ok((which, answer)) => {
                    early.insert(which, answer);
                }
                Err(RecvTimeoutError::Timeout) => refresh(session, &client, progress.as_mut()),
                // No sender is left.
                Err(RecvTimeoutError::Disconnected) => {
                    let reason = std::io::Error::other("a thread ended early");
                    return Err(CtlError::System { what: "wait for answers", reason });
                }
            }
        }
        if let Some(answer) = early.remove(&at) {
            if let Some(progress) = &mut progress {
                progress.erase(session);
            }
            on_answer(session, &question.name, answer.map_err(CtlError::from))?;
            session.flush();
        }
    }
    Ok(())
}

type Answer = (usize, Result<Value, CallError>);

fn refresh(session: &mut Session, client: &Client, progress: Option<&mut ProgressLine>) {
    let Some(progress) = progress.filter(|progress| progress.is_due()) else { return };
    // After an error the next refresh tries again.
    if let Ok(infos) = client.all_process_info() {
        progress.draw(session, &infos);
    }
}

/// Starts the threads that make the calls; they end with the calls, or when the receiver is dropped.
fn spawn_callers(
    client: &Client,
    questions: &Arc<[NamedCall]>,
    answer_wait: AnswerWait,
) -> Result<Receiver<Answer>, CtlError> {
    let (sender, receiver) = mpsc::channel();
    let queues = Arc::new(group_by_target(questions));
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..queues.len().min(MAX_CONCURRENT) {
        let (sender, client) = (sender.clone(), client.clone());
        let (queues, next, questions) = (Arc::clone(&queues), Arc::clone(&next), Arc::clone(questions));
        let work = move || {
            while let Some(queue) = queues.get(next.fetch_add(1, Ordering::Relaxed)) {
                for at in queue {
                    let NamedCall { method, params, .. } = &questions[*at];
                    if sender.send((*at, client.call(method, params, answer_wait.limit()))).is_err() {
                        return;
                    }
                }
            }
        };
        let spawned = thread::Builder::new().name("call".to_owned()).spawn(work);
        spawned.map_err(|reason| CtlError::System { what: "start a thread", reason })?;
    }
    Ok(receiver)
}

/// The calls that must run in sequence because they are for the same process, a queue each. A whole group shares a
/// queue with its processes.
fn group_by_target(questions: &[NamedCall]) -> Vec<Vec<usize>> {
    let targets: Vec<Selector<'_>> =
        questions.iter().map(|question| Selector::parse(&question.name)).collect();
    let group = |target: &Selector<'_>| matches!(target, Selector::Group(_));
    let whole: Vec<Selector<'_>> = targets.iter().copied().filter(group).collect();
    let mut queues: Vec<Vec<usize>> = Vec::new();
    let mut places: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for (at, target) in targets.iter().enumerate() {
        let key = match target {
            Selector::Process { group, name } if !whole.contains(&Selector::Group(group)) => {
                (*group, Some(*name))
            }
            Selector::Process { group, .. } | Selector::Group(group) => (*group, None),
        };
        let queue = *places.entry(key).or_insert_with(|| {
            queues.push(Vec::new());
            queues.len() - 1
        });
        queues[queue].push(at);
    }
    queues
}

#[cfg(test)]
mod tests;
