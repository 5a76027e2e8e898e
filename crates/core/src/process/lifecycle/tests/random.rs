//! Any inputs at any times: the machine keeps to its table, and its promises.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// The rows of the table at the top of the module.
fn table() -> BTreeSet<(String, String)> {
    let rows = include_str!("../mod.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    let cells = rows.map(|row| row.split(" | ").map(str::to_owned).collect::<Vec<_>>());
    cells
        .filter(|cells| ProcessState::from_name(&cells[0]).is_some())
        .map(|cells| (cells[0].clone(), cells[1].clone()))
        .collect()
}

#[derive(Clone, Debug)]
struct Move {
    input: Input,
    pass: Duration,
    daemon: DaemonState,
}

fn input() -> impl Strategy<Value = Input> {
    let status = prop_oneof![
        (0..3).prop_map(ExitStatus::Code),
        Just(ExitStatus::Signal { number: 9, core: true }),
        any::<i32>().prop_map(ExitStatus::Other),
    ];
    prop_oneof![
        6 => Just(Input::Wake),
        3 => Just(Input::Start),
        4 => (1u32..1000).prop_map(|pid| Input::Spawned { pid }),
        2 => Just(Input::SpawnFailed { why: "why".into() }),
        2 => Just(Input::Stop),
        1 => (0u64..90).prop_map(|pause| Input::Recycle { pause: Duration::from_secs(pause), why: "why".into() }),
        1 => prop::sample::select(vec![Milestone::Ready, Milestone::Answered]).prop_map(Input::Milestone),
        1 => Just(Input::GiveUp),
        1 => Just(Input::KillFailed { why: "why".into() }),
        3 => status.clone().prop_map(|status| Input::Ended { status }),
        1 => status.prop_map(|status| Input::NeverRan { status, why: "why".into() }),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let pass = prop_oneof![
        3 => Just(Duration::ZERO),
        3 => (0u64..5000).prop_map(Duration::from_millis),
        1 => any::<u32>().prop_map(|seconds| Duration::from_secs(seconds.into())),
    ];
    let daemon = prop_oneof![8 => Just(DaemonState::Running), 1 => Just(DaemonState::Restarting), 1 => Just(DaemonState::Shutdown)];
    prop::collection::vec(
        (input(), pass, daemon).prop_map(|(input, pass, daemon)| Move { input, pass, daemon }),
        0..60,
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let autorestart =
        prop::sample::select(vec![Autorestart::Never, Autorestart::Unexpected, Autorestart::Always]);
    let time =
        prop_oneof![Just(Duration::ZERO), (0u64..4).prop_map(Duration::from_secs), Just(Duration::MAX)];
    (any::<(bool, bool, bool, bool)>(), autorestart, time.clone(), time, 0u32..3).prop_map(
        |(
            (autostart, stopasgroup, killasgroup, listens),
            autorestart,
            startsecs,
            stopwaitsecs,
            startretries,
        )| {
            Policy {
                autostart,
                autorestart,
                startsecs,
                startretries,
                stopwaitsecs,
                role: if listens { ProcessRole::Listener } else { ProcessRole::Program },
                stopasgroup,
                killasgroup,
                ..Policy::default()
            }
        },
    )
}

/// What is seen from outside.
struct Witness {
    state: ProcessState,
    /// A start was asked for, and neither answered nor ended.
    spawned: bool,
    edges: BTreeSet<(String, String)>,
}

impl Witness {
    fn see(&mut self, before: &Lifecycle, input: &Input, effects: &[Effect], daemon: DaemonState) {
        if self.state == ProcessState::Starting && before.pid().is_none() {
            match input {
                Input::SpawnFailed { .. } => self.spawned = false,
                Input::Wake
                | Input::Start
                | Input::Spawned { .. }
                | Input::Stop
                | Input::Recycle { .. }
                | Input::Milestone(_)
                | Input::GiveUp
                | Input::KillFailed { .. }
                | Input::Ended { .. }
                | Input::NeverRan { .. } => {}
            }
        } else if matches!(input, Input::Ended { .. } | Input::NeverRan { .. }) && before.pid().is_some() {
            self.spawned = false;
        }
        for effect in effects {
            match effect {
                Effect::Spawn => {
                    assert!(!self.spawned, "two starts without an end between them");
                    assert_eq!(daemon, DaemonState::Running);
                    self.spawned = true;
                }
                Effect::Kill { pid, .. } => assert_eq!(before.pid(), Some(*pid)),
                Effect::StateChanged { from, to, .. } => {
                    assert_eq!(*from, self.state);
                    self.edges.insert((from.name().into(), to.name().into()));
                    self.state = *to;
                }
                Effect::Log(..) => {}
            }
        }
    }
}

fn run(policy: Policy, moves: &[Move]) -> BTreeSet<(String, String)> {
    let mut life = Lifecycle::new(Namespec::new("g", "p"), policy);
    let mut now = Now { mono: Duration::ZERO, wall: WALL };
    let mut witness = Witness { state: ProcessState::Stopped, spawned: false, edges: BTreeSet::new() };
    for step in moves {
        now.mono += step.pass;
        let before = life.clone();
        let effects = life.step(step.input.clone(), now, step.daemon);
        witness.see(&before, &step.input, &effects, step.daemon);
        assert_eq!(life.state(), witness.state);
        settles(&life, now, step.daemon);
    }
    witness.edges
}

/// Waking at every deadline comes to an end: each wake either waits for an answer, or moves the deadline on.
fn settles(life: &Lifecycle, now: Now, daemon: DaemonState) {
    let mut life = life.clone();
    for _ in 0..3 {
        let Some(due) = life.next_deadline(daemon).filter(|due| *due <= now.mono) else { return };
        let effects = life.step(Input::Wake, now, daemon);
        assert!(!effects.is_empty(), "a deadline at {due:?} that does nothing at {now:?}: {life:?}");
        if life.is_stopping() && life.policy().stopwaitsecs.is_zero() {
            return;
        }
    }
    assert!(life.next_deadline(daemon).is_none_or(|due| due > now.mono), "{life:?}");
}

proptest! {
    #[test]
    fn no_input_at_any_time_leads_off_the_table(policy in policy(), moves in moves()) {
        let off: Vec<_> = run(policy, &moves).difference(&table()).cloned().collect();
        prop_assert!(off.is_empty(), "{off:?}");
    }
}

#[test]
fn every_row_of_the_table_is_reached() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..1000 {
        let tree = (policy(), moves()).new_tree(&mut runner).unwrap();
        let (policy, moves) = proptest::strategy::ValueTree::current(&tree);
        seen.extend(run(policy, &moves));
    }
    assert_eq!(seen, table());
    assert_eq!(seen.len(), 18);
}
