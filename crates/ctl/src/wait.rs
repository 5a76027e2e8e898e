//! Several processes started or stopped at the same time, and for how long that is waited for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ironlance_net::ExchangeError;
use ironlance_rpc::{CallError, Client, Value};

use crate::progress::Progress;
use crate::record::Target;
use crate::session::Session;
use crate::trouble::Trouble;

/// So many calls wait for their answers at a time: a supervisord takes some hundred connections.
const TOGETHER: usize = 32;
/// How often the states are asked for while somebody looks.
const PAUSE: Duration = Duration::from_millis(200);
/// A day: longer than this nobody waits, and larger numbers are no spans.
const LONGEST: f64 = 86_400.0;

/// For how long a verb waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until supervisord answers.
    Forever,
    /// Not at all.
    Nothing,
    /// For so long, for each process.
    For(Duration),
}

impl Patience {
    /// Whether a call that came to nothing did so because the time was over; then for how long it was waited.
    pub(crate) fn ran_out(self, trouble: &Trouble) -> Option<Duration> {
        match (self, trouble) {
            (Self::For(time), Trouble::Call(CallError::Unreachable(ExchangeError::TimedOut))) => Some(time),
            _ => None,
        }
    }

    const fn limit(self) -> Option<Duration> {
        match self {
            Self::Forever | Self::Nothing => None,
            Self::For(time) => Some(time),
        }
    }
}

/// Takes `--wait`, `--no-wait` and `--timeout SECONDS` (also `--timeout=SECONDS`) out of a verb's words; the last one
/// counts. Fails with what to say.
pub(crate) fn patience(words: &mut Vec<&str>) -> Result<Patience, String> {
    let mut patience = Patience::Forever;
    let mut rest = Vec::with_capacity(words.len());
    let mut given = words.iter().copied();
    while let Some(word) = given.next() {
        match word {
            "--wait" => patience = Patience::Forever,
            "--no-wait" => patience = Patience::Nothing,
            "--timeout" => patience = Patience::For(seconds(given.next().unwrap_or_default())?),
            _ => match word.strip_prefix("--timeout=") {
                Some(text) => patience = Patience::For(seconds(text)?),
                None => rest.push(word),
            },
        }
    }
    *words = rest;
    Ok(patience)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= LONGEST);
    match number {
        Some(number) => Ok(Duration::from_secs_f64(number)),
        None => Err(format!(
            "Error: cannot wait for {text:?}: --timeout wants seconds, above 0 and at most a day"
        )),
    }
}

/// A span of time as it was given: `5 s`, `0.5 s`.
pub(crate) fn in_seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// A call for a name.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The name.
    pub(crate) name: String,
    /// The method.
    pub(crate) method: &'static str,
    /// Its parameters.
    pub(crate) params: Vec<Value>,
}

/// Takes a name and what came of the question about it.
pub(crate) type OnAnswer<'a> =
    dyn FnMut(&mut Session, &str, Result<Value, Trouble>) -> Result<(), Trouble> + 'a;

/// Asks all questions, at the same time where they are about different processes, and hands the answers to `on_answer`
/// in the order of the questions, each as soon as it and all before it are there. A failure of `on_answer` ends it.
pub(crate) fn ask(
    session: &mut Session,
    questions: Vec<Question>,
    patience: Patience,
    mut progress: Option<Progress>,
    on_answer: &mut OnAnswer<'_>,
) -> Result<(), Trouble> {
    if let ([question], None) = (questions.as_slice(), &progress) {
        let answer = session.call_within(patience.limit(), question.method, &question.params);
        return on_answer(session, &question.name, answer);
    }
    session.flush();
    let supervisor = session.supervisor()?;
    let questions: Arc<[Question]> = questions.into();
    let answers = spread(&supervisor, &questions, patience)?;
    let mut early = BTreeMap::new();
    for (at, question) in questions.iter().enumerate() {
        while !early.contains_key(&at) {
            match next(&answers, progress.as_ref()) {
                Ok((which, answer)) => {
                    early.insert(which, answer);
                }
                Err(RecvTimeoutError::Timeout) => refresh(session, &supervisor, progress.as_mut()),
                // Nobody is left who could answer: a thread was lost.
                Err(RecvTimeoutError::Disconnected) => return Err(lost()),
            }
        }
        if let Some(answer) = early.remove(&at) {
            if let Some(progress) = &mut progress {
                progress.erase(session);
            }
            on_answer(session, &question.name, answer.map_err(Trouble::from))?;
            session.flush();
        }
    }
    Ok(())
}

type Answer = (usize, Result<Value, CallError>);

fn next(answers: &Receiver<Answer>, progress: Option<&Progress>) -> Result<Answer, RecvTimeoutError> {
    match progress {
        Some(_) => answers.recv_timeout(PAUSE),
        None => answers.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

fn refresh(session: &mut Session, supervisor: &Client, progress: Option<&mut Progress>) {
    let Some(progress) = progress.filter(|progress| progress.is_due()) else { return };
    // Who cannot tell now may tell the next time.
    if let Ok(infos) = supervisor.all_process_info() {
        progress.draw(session, &infos);
    }
}

fn lost() -> Trouble {
    Trouble::Machine { what: "wait for answers", reason: std::io::Error::other("a thread ended early") }
}

/// Threads that ask; they end with the questions, or when nobody takes their answers any more.
fn spread(
    supervisor: &Client,
    questions: &Arc<[Question]>,
    patience: Patience,
) -> Result<Receiver<Answer>, Trouble> {
    let (sender, receiver) = mpsc::channel();
    let lanes = Arc::new(lanes(questions));
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..lanes.len().min(TOGETHER) {
        let (sender, supervisor) = (sender.clone(), supervisor.clone());
        let (lanes, next, questions) = (Arc::clone(&lanes), Arc::clone(&next), Arc::clone(questions));
        let work = move || {
            while let Some(lane) = lanes.get(next.fetch_add(1, Ordering::Relaxed)) {
                for at in lane {
                    let Question { method, params, .. } = &questions[*at];
                    if sender.send((*at, supervisor.call(method, params, patience.limit()))).is_err() {
                        return;
                    }
                }
            }
        };
        let spawned = thread::Builder::new().name("call".to_owned()).spawn(work);
        spawned.map_err(|reason| Trouble::Machine { what: "start a thread", reason })?;
    }
    Ok(receiver)
}

/// Which questions must be asked one after the other, because they are about the same process; a lane each. A group
/// that is named as a whole is one lane with all its processes.
fn lanes(questions: &[Question]) -> Vec<Vec<usize>> {
    let targets: Vec<Target<'_>> = questions.iter().map(|question| Target::of(&question.name)).collect();
    let whole: Vec<&str> = targets
        .iter()
        .filter_map(|target| match target {
            Target::Group(group) => Some(*group),
            Target::Process { .. } => None,
        })
        .collect();
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    let mut places: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for (at, target) in targets.iter().enumerate() {
        let key = match target {
            Target::Process { group, name } if !whole.contains(group) => (*group, Some(*name)),
            Target::Process { group, .. } | Target::Group(group) => (*group, None),
        };
        let lane = *places.entry(key).or_insert_with(|| {
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        lanes[lane].push(at);
    }
    lanes
}

#[cfg(test)]
mod tests;
