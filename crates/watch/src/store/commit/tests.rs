//! The commit on a disk that fails, kills and loses power at each operation, and on a real one in a process that is killed: each
//! message is delivered once. The same test finds the faults of three other orders.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

use super::super::disk::HostDisk;
use super::test_disk::{Fault, TestDisk};
use super::*;

const FOLDER: &str = "watch";
const OUTBOX: &str = "new";

/// The journal: a program, and whether it is bad from then on.
const JOURNAL: [(&str, bool); 8] = [
    ("a", true),
    ("b", true),
    ("a", false),
    ("a", true),
    ("c", true),
    ("b", false),
    ("a", false),
    ("c", false),
];
/// The events of one commit.
const BATCH: usize = 2;

/// A part of the machines: an open incident, or the number of all so far.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Count(usize),
    Open(String, usize),
}

/// What people got.
type Delivered = Rc<RefCell<Vec<String>>>;

/// An order of steps, in the number of messages.
type Order = fn(usize) -> Vec<CommitStep>;

fn deliver(disk: &TestDisk, delivered: &Delivered) {
    let texts = disk.take_all(Path::new(OUTBOX)).into_iter();
    delivered.borrow_mut().extend(texts.map(|(_, content)| String::from_utf8(content).unwrap()));
}

/// One event: opens or closes an incident, and tells it.
fn fold(state: &mut SavedState<Part>, (program, is_bad): (&str, bool)) -> Option<String> {
    state.cursor += 1;
    let open = state.parts.iter().position(|part| matches!(part, Part::Open(open, _) if open == program));
    let Some(Part::Count(count)) = state.parts.first_mut() else { panic!("no count") };
    match (open, is_bad) {
        (None, true) => {
            *count += 1;
            let number = *count;
            state.parts.push(Part::Open(program.to_owned(), number));
            Some(format!("{number}.1 {program} fires"))
        }
        (Some(index), false) => {
            let Part::Open(_, number) = state.parts.remove(index) else { panic!("no incident") };
            Some(format!("{number}.2 {program} recovers"))
        }
        _ => None,
    }
}

/// Reads a journal to its end; what cannot be committed is delivered from memory.
fn watch(disk: impl Disk, root: &Path, journal: &[(&str, bool)], order: Order, memory: &Delivered) {
    let recovered = Committer::recover::<Part>(disk, &root.join(FOLDER), &root.join(OUTBOX));
    let (mut committer, found) = recovered.unwrap();
    assert!(found.faults.iter().all(|fault| !matches!(fault, StoreError::State { .. })), "{found:?}");
    let first = SavedState { cursor: 0, boot: String::new(), parts: vec![Part::Count(0)] };
    let mut state = found.state.unwrap_or(first);
    loop {
        let events = journal.iter().skip(usize::try_from(state.cursor).unwrap()).take(BATCH);
        let events: Vec<_> = events.copied().collect();
        let is_last = events.is_empty();
        let texts = events.into_iter().filter_map(|event| fold(&mut state, event));
        let messages: Vec<Intent> = texts
            .map(|content| Intent { id: content.split_once(' ').unwrap().0.to_owned(), content })
            .collect();
        match committer.commit_in(&order(messages.len()), &state, &messages) {
            Ok(()) if is_last => return,
            Ok(()) | Err(CommitError { is_committed: true, .. }) => {}
            Err(_) => memory.borrow_mut().extend(messages.into_iter().map(|message| message.content)),
        }
    }
}

/// What went wrong in some runs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    runs: usize,
    lost: usize,
    doubled: usize,
}

/// What one run is to have: faults at operations, counted over all of its processes, and the power cut or only the
/// process killed.
fn trial(tally: &mut Tally, order: Order, seed: u64, faults: &[(usize, Fault)], cuts_power: bool) {
    let (disk, delivered) = (TestDisk::default(), Delivered::default());
    let mut rng = fastrand::Rng::with_seed(seed);
    let (faults, there, out) = (faults.to_vec(), disk.clone(), Rc::clone(&delivered));
    let mut chance = rng.fork();
    disk.set_fault(move |number| {
        // The deliverer runs whenever it likes.
        if chance.u8(..10) < 3 {
            deliver(&there, &out);
        }
        faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault)
    });
    while disk.run(|| watch(disk.clone(), Path::new(""), &JOURNAL, order, &delivered)).is_none() {
        if cuts_power {
            disk.cut_power(|count| rng.usize(..count));
        }
    }
    deliver(&disk, &delivered);
    let mut delivered = delivered.borrow().clone();
    let count = delivered.len();
    delivered.sort_unstable();
    delivered.dedup();
    tally.runs += 1;
    tally.doubled += usize::from(count != delivered.len());
    tally.lost += usize::from(delivered != expected(&JOURNAL));
}

fn expected(journal: &[(&str, bool)]) -> Vec<String> {
    let mut state = SavedState { cursor: 0, boot: String::new(), parts: vec![Part::Count(0)] };
    let mut texts: Vec<_> = journal.iter().filter_map(|event| fold(&mut state, *event)).collect();
    texts.sort_unstable();
    texts
}

/// The operations of a run without faults.
fn operations(order: Order) -> usize {
    let disk = TestDisk::default();
    watch(disk.clone(), Path::new(""), &JOURNAL, order, &Delivered::default());
    disk.operations()
}

/// Kills, or cuts the power, once and twice: `seeds` runs for each operation, and all pairs that are `step` apart.
fn trials(order: Order, cuts_power: bool, seeds: u64, step: usize) -> Tally {
    let mut tally = Tally::default();
    let count = operations(order);
    for first in 0..count {
        for seed in 0..seeds {
            trial(&mut tally, order, seed, &[(first, Fault::Kill)], cuts_power);
        }
        for second in (first + 1..count + 20).step_by(step) {
            trial(&mut tally, order, 7, &[(first, Fault::Kill), (second, Fault::Kill)], cuts_power);
        }
    }
    tally
}

fn kills(order: Order) -> Tally {
    trials(order, false, 4, 20)
}

fn power_cuts(order: Order) -> Tally {
    trials(order, true, 10, 20)
}

/// Leaves out what does not matter to the rule that is tested: the runs.
fn wrong(tally: &Tally) -> (usize, usize) {
    (tally.lost, tally.doubled)
}

#[test]
fn a_kill_at_any_operation_loses_and_doubles_nothing() {
    let tally = trials(steps, false, 40, 2);
    assert!(tally.runs > 2500, "{tally:?}");
    assert_eq!(wrong(&tally), (0, 0), "{tally:?}");
}

#[test]
fn a_power_cut_at_any_operation_loses_and_doubles_nothing() {
    let tally = trials(steps, true, 160, 2);
    assert!(tally.runs > 7500, "{tally:?}");
    assert_eq!(wrong(&tally), (0, 0), "{tally:?}");
}

#[test]
fn a_disk_that_refuses_for_a_while_loses_and_doubles_nothing() {
    let mut tally = Tally::default();
    for first in 0..operations(steps) {
        for length in 1..12 {
            let faults: Vec<_> = (first..first + length).map(|at| (at, Fault::Fail)).collect();
            for seed in 0..3 {
                trial(&mut tally, steps, seed, &faults, false);
            }
        }
    }
    assert!(tally.runs > 1500, "{tally:?}");
    assert_eq!(wrong(&tally), (0, 0), "{tally:?}");
}

#[test]
fn a_kill_while_the_disk_refuses_loses_nothing() {
    let mut tally = Tally::default();
    for first in 0..operations(steps) {
        for length in 1..12 {
            let mut faults: Vec<_> = (first..first + length).map(|at| (at, Fault::Fail)).collect();
            faults.push((first + length, Fault::Kill));
            trial(&mut tally, steps, 7, &faults, false);
        }
    }
    assert!(tally.runs > 500, "{tally:?}");
    // What was delivered from memory may come again: nothing on the disk says that it was.
    assert_eq!(tally.lost, 0, "{tally:?}");
}

#[test]
fn messages_that_are_not_synced_before_the_commit_are_lost_by_a_power_cut() {
    let order = |messages| {
        let mut steps = steps(messages);
        steps.retain(|step| !matches!(step, CommitStep::SyncIntent(_)));
        steps
    };
    assert_eq!(wrong(&kills(order)), (0, 0));
    assert!(power_cuts(order).lost > 0);
}

#[test]
fn messages_that_are_released_before_the_commit_are_doubled() {
    let order = |messages| {
        let is_late = |step: &CommitStep| matches!(step, CommitStep::Release(_) | CommitStep::SyncOutbox);
        let is_early = |step: &CommitStep| {
            matches!(step, CommitStep::WriteIntent(_) | CommitStep::SyncIntent(_) | CommitStep::SyncIntents)
        };
        let (mut early, rest): (Vec<_>, Vec<_>) = steps(messages).into_iter().partition(is_early);
        let (late, state): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_late);
        early.extend(late.into_iter().chain(state));
        early
    };
    let (kills, cuts) = (kills(order), power_cuts(order));
    assert!(kills.doubled > 0 && cuts.doubled > 0, "{kills:?} {cuts:?}");
}

#[test]
fn messages_that_are_written_after_the_commit_are_lost() {
    let order = |messages| {
        let mut steps = steps(messages);
        let early = steps.iter().position(|step| *step == CommitStep::WriteState).unwrap();
        let late = steps.iter().position(|step| *step == CommitStep::SyncFolder).unwrap() + 1;
        steps[..late].rotate_left(early);
        steps
    };
    let (kills, cuts) = (kills(order), power_cuts(order));
    assert!(kills.lost > 0 && cuts.lost > 0, "{kills:?} {cuts:?}");
}

#[test]
fn a_damaged_state_is_kept_aside_and_its_messages_are_released() {
    let disk = TestDisk::default();
    let state = SavedState::<Part> { cursor: 1, boot: String::new(), parts: Vec::new() };
    let open = || Committer::recover::<Part>(disk.clone(), FOLDER.as_ref(), OUTBOX.as_ref()).unwrap();
    let message = Intent { id: "1.1".to_owned(), content: "text".to_owned() };
    let (mut committer, _) = open();
    // The commit stops before the message is released.
    let order = &steps(1)[..7];
    assert_eq!(order.last(), Some(&CommitStep::SyncFolder));
    committer.commit_in(order, &state, &[message]).unwrap();
    disk.damage(&Path::new(FOLDER).join(STATE));
    let (_, found) = open();
    assert!(found.state.is_none());
    let faults: Vec<_> = found.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["cannot use the saved state watch/state.damaged: line 1: cut"]);
    assert_eq!(disk.take_all(Path::new(OUTBOX)).len(), 1);
    let (_, found) = open();
    assert!(found.state.is_none() && found.faults.is_empty(), "it is reported once: {found:?}");
}

#[test]
fn what_an_earlier_version_of_a_commit_left_is_removed() {
    let disk = TestDisk::default();
    let left = Path::new(FOLDER).join(INTENTS).join("9.1");
    disk.write(&left, b"half").unwrap();
    Committer::recover::<Part>(disk.clone(), FOLDER.as_ref(), OUTBOX.as_ref()).unwrap();
    assert!(!disk.exists(&left).unwrap());
    assert!(disk.take_all(Path::new(OUTBOX)).is_empty());
}

/// A real disk that writes a byte to stderr before each change.
struct ReportingDisk;

impl ReportingDisk {
    fn report(&self) -> HostDisk {
        std::io::stderr().write_all(b".").unwrap();
        HostDisk
    }
}

impl Disk for ReportingDisk {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        HostDisk.read(path)
    }
    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        HostDisk.names(folder)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        HostDisk.exists(path)
    }
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.report().write(path, content)
    }
    fn sync(&self, path: &Path) -> io::Result<()> {
        self.report().sync(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.report().rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.report().remove(path)
    }
}

/// In the environment of a process that is to be killed: its folder.
const CHILD: &str = "IRONLANCE_TEST_COMMIT_IN";

/// Runs the test below in a process of its own, in which it reads the journal, and kills that after some operations; gives
/// whether it came to its end.
fn ends_before(root: &Path, operations: usize) -> bool {
    let name = "store::commit::tests::a_process_that_is_killed_loses_and_doubles_nothing";
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture"]).env(CHILD, root);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut done = vec![0; operations];
    let killed = child.stderr.as_mut().unwrap().read_exact(&mut done).is_ok();
    if killed {
        child.kill().unwrap();
    }
    child.wait().unwrap().success() || !killed
}

#[test]
fn a_process_that_is_killed_loses_and_doubles_nothing() {
    let journal = JOURNAL.repeat(12);
    if let Some(root) = env::var_os(CHILD) {
        return watch(ReportingDisk, root.as_ref(), &journal, steps, &Delivered::default());
    }
    let root = tempfile::tempdir().unwrap();
    let new = root.path().join(OUTBOX);
    fs::create_dir_all(&new).unwrap();
    fs::create_dir_all(root.path().join(FOLDER).join(INTENTS)).unwrap();
    let mut delivered = Vec::new();
    let mut kills = 0;
    loop {
        let has_ended = ends_before(root.path(), fastrand::usize(1..60));
        for entry in fs::read_dir(&new).unwrap() {
            let path = entry.unwrap().path();
            delivered.push(fs::read_to_string(&path).unwrap());
            fs::remove_file(path).unwrap();
        }
        if has_ended {
            break;
        }
        kills += 1;
    }
    delivered.sort_unstable();
    assert_eq!(delivered, expected(&journal));
    assert!(kills > 5, "{kills}");
}
