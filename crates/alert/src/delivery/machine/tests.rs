//! The deliverer's machine with a store in memory: its inputs, when it waits, when it ends.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::delivery::schedule::QueueRules;

const SETTINGS: DeliverySettings =
    DeliverySettings { linger: Duration::from_secs(3600), heartbeat: BEAT, is_from_memory: false };
const BEAT: Duration = Duration::from_secs(30);
const SENT: ScheduleOutcome = ScheduleOutcome::Done { reached: true };

const DEFERRED: ScheduleOutcome = ScheduleOutcome::Deferred { after: None };
const UNREACHABLE: ScheduleOutcome = ScheduleOutcome::Unreachable { after: None };

fn queue_of(transport: &str) -> QueueKey {
    QueueKey { transport: transport.to_owned(), rules: QueueRules::default() }
}

fn queue() -> QueueKey {
    queue_of("mail")
}

fn found(ids: &[&str]) -> Input {
    Input::Found(ids.iter().map(|id| (queue(), (*id).to_owned())).collect())
}

fn ended(id: &str, outcome: ScheduleOutcome) -> Input {
    Input::Finished { queue: queue(), id: id.to_owned(), outcome, jitter: 0.5 }
}

fn carry(id: &str) -> Command {
    Command::Attempt(queue(), id.to_owned())
}

/// A machine that has looked at its store, which holds these.
fn machine(ids: &[&str], now: Instant) -> Machine {
    let mut machine = Machine::new(SETTINGS, now);
    machine.step(found(ids), now);
    machine
}

#[test]
fn an_alert_that_became_due_while_connections_were_closed_is_tried_and_the_machine_ends() {
    let now = Instant::now();
    let mut machine = machine(&["1"], now);
    machine.step(ended("1", DEFERRED), now);
    assert_eq!(machine.step(Input::Drain, now), [Command::Disconnect(1)]);
    // The server is slow at QUIT: meanwhile the pause of the alert is over.
    let later = now + Duration::from_secs(2);
    assert_eq!(machine.step(Input::Disconnected, later), [carry("1")]);
    assert_eq!(machine.step(ended("1", DEFERRED), later), [Command::Disconnect(1)]);
    let later = later + Duration::from_secs(4);
    assert_eq!(machine.step(Input::Disconnected, later), [Command::Scan]);
    machine.step(found(&["1"]), later);
    assert_eq!(machine.phase(), Phase::Ended, "each alert is tried once by who leaves");
}

#[test]
fn a_server_that_never_disconnects_does_not_delay_the_end() {
    let now = Instant::now();
    let mut machine = machine(&["1"], now);
    assert_eq!(machine.step(ended("1", SENT), now), [Command::Disconnect(1)]);
    let deadline = machine.next_deadline().unwrap();
    assert_eq!(deadline, now + DISCONNECT_TIMEOUT);
    assert_eq!(machine.step(Input::Tick, deadline), [Command::Scan]);
    machine.step(found(&[]), deadline);
    assert_eq!((machine.phase(), machine.next_deadline()), (Phase::Ended, None));
}

#[test]
fn what_comes_while_connections_are_closed_is_sent() {
    let now = Instant::now();
    let mut machine = machine(&["1"], now);
    machine.step(ended("1", SENT), now);
    assert_eq!(machine.step(found(&["2"]), now), [carry("2")]);
    assert_eq!(machine.phase(), Phase::Delivering);
}

#[test]
fn a_deliverer_without_a_listener_goes_on_for_its_time_and_then_leaves() {
    let now = Instant::now();
    let mut machine = machine(&["1"], now);
    machine.step(ended("1", UNREACHABLE), now);
    machine.step(Input::Orphaned, now);
    assert_eq!(machine.phase(), Phase::Delivering);
    let soon = now + Duration::from_secs(1);
    assert!(machine.step(Input::Tick, soon).contains(&carry("1")));
    machine.step(ended("1", UNREACHABLE), soon);
    let end = now + SETTINGS.linger;
    machine.step(Input::Tick, end);
    machine.step(ended("1", UNREACHABLE), end);
    machine.step(Input::Disconnected, end);
    machine.step(found(&["1"]), end);
    assert_eq!(machine.phase(), Phase::Ended);
}

#[test]
fn a_deliverer_from_memory_that_has_sent_everything_ends_with_its_listener() {
    let now = Instant::now();
    let mut machine = Machine::new(DeliverySettings { is_from_memory: true, ..SETTINGS }, now);
    machine.step(found(&["1"]), now);
    machine.step(ended("1", SENT), now);
    machine.step(Input::Orphaned, now + FIRST_ALERT);
    machine.step(Input::Disconnected, now + FIRST_ALERT);
    machine.step(found(&[]), now + FIRST_ALERT);
    assert_eq!(machine.phase(), Phase::Ended);
}

#[test]
fn only_a_deliverer_without_a_listener_gives_way_to_another() {
    let now = Instant::now();
    let mut machine = machine(&["1"], now);
    machine.step(ended("1", UNREACHABLE), now);
    machine.step(Input::HandoverRequested, now);
    assert_eq!(machine.phase(), Phase::Delivering);
    machine.step(Input::Orphaned, now);
    machine.step(Input::HandoverRequested, now);
    assert_eq!(machine.phase(), Phase::Ended);
}

#[test]
fn a_stalled_mail_delays_a_handover_but_not_the_other_queues() {
    let now = Instant::now();
    let other = || queue_of("other server");
    let mut machine = machine(&["1"], now);
    machine.step(Input::Orphaned, now);
    assert_eq!(machine.step(Input::HandoverRequested, now), []);
    assert_eq!(machine.step(Input::Found(vec![(other(), "2".into()), (queue(), "3".into())]), now), []);
    assert_eq!(machine.next_deadline(), Some(now + STALLED_AFTER));
    let later = now + STALLED_AFTER;
    assert_eq!(machine.step(Input::Tick, later), [Command::Attempt(other(), "2".into())]);
    let done = Input::Finished { queue: other(), id: "2".into(), outcome: SENT, jitter: 0.5 };
    assert_eq!(machine.step(done, later), []);
    assert_eq!(
        machine.step(Input::Found(vec![(other(), "4".into())]), later),
        [Command::Attempt(other(), "4".into())]
    );
    // The mail that was held up ends: as soon as nothing is in hand, the other deliverer takes over.
    assert_eq!(machine.step(ended("1", UNREACHABLE), later), []);
    let done = Input::Finished { queue: other(), id: "4".into(), outcome: SENT, jitter: 0.5 };
    machine.step(done, later);
    assert_eq!(machine.phase(), Phase::Ended, "3 is the other's");
}

#[test]
fn a_deliverer_that_is_stopped_finishes_the_mail_in_hand_and_starts_no_other() {
    let now = Instant::now();
    let mut machine = machine(&["1", "2"], now);
    assert_eq!(machine.step(Input::Stop, now), []);
    assert_eq!(machine.phase(), Phase::Delivering);
    assert_eq!(machine.step(ended("1", SENT), now), []);
    assert_eq!(machine.phase(), Phase::Ended);
}

#[test]
fn a_mail_that_hangs_ends_the_heartbeats_and_does_not_delay_a_stop() {
    let now = Instant::now();
    let mut machine = machine(&["1"], now);
    assert!(machine.step(Input::Tick, now + BEAT).contains(&Command::Heartbeat));
    machine.step(Input::Progress(queue()), now + BEAT);
    let hung = now + BEAT + HUNG_AFTER;
    assert!(machine.step(Input::Tick, hung - Duration::from_secs(1)).contains(&Command::Heartbeat));
    assert!(!machine.step(Input::Tick, hung + BEAT).contains(&Command::Heartbeat));
    machine.step(Input::Stop, hung + BEAT);
    assert_eq!(machine.phase(), Phase::Ended);
}

#[test]
fn nothing_to_send_is_waited_for_a_moment() {
    let now = Instant::now();
    let mut machine = machine(&[], now);
    assert_eq!(machine.phase(), Phase::Delivering);
    assert_eq!(machine.next_deadline(), Some(now + FIRST_ALERT));
    assert_eq!(machine.step(Input::Tick, now + FIRST_ALERT), [Command::Scan]);
}

/// What a random turn does.
#[derive(Clone, Debug)]
enum Turn {
    /// The first mail in hand ends so.
    End(ScheduleOutcome),
    /// A connection is closed.
    Close,
    /// This alert comes into the store.
    Put(u8),
    /// Told so.
    Tell(Input),
    /// So many milliseconds go by.
    Pass(u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => prop_oneof![Just(SENT), Just(DEFERRED), Just(UNREACHABLE)].prop_map(Turn::End),
        3 => Just(Turn::Close),
        2 => any::<u8>().prop_map(Turn::Put),
        2 => prop_oneof![
            Just(Input::RetryAll), Just(Input::Orphaned), Just(Input::HandoverRequested), Just(Input::Drain),
            Just(Input::Stop), Just(Input::StoreFailed), Just(Input::Tick),
        ].prop_map(Turn::Tell),
        4 => (0_u64..5_000).prop_map(Turn::Pass),
    ]
}

/// A machine, its store, and what is under way outside of it.
struct World {
    machine: Machine,
    now: Instant,
    /// The alerts by id, and their queues: three servers.
    store: BTreeMap<String, QueueKey>,
    in_hand: Vec<(QueueKey, String)>,
    closing: usize,
    workers: HashSet<QueueKey>,
}

impl World {
    fn new(settings: DeliverySettings) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(settings, now),
            now,
            store: BTreeMap::new(),
            in_hand: Vec::new(),
            closing: 0,
            workers: HashSet::new(),
        }
    }

    /// One input, and all that follows of it at once.
    fn tell(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for command in self.machine.step(input, self.now) {
                match command {
                    Command::Scan | Command::Rescan => {
                        let all = self.store.iter().map(|(id, queue)| (queue.clone(), id.clone()));
                        inputs.push(Input::Found(all.collect()));
                    }
                    Command::Attempt(queue, id) => {
                        assert!(self.in_hand.iter().all(|(busy, _)| *busy != queue), "one at a time");
                        self.workers.insert(queue.clone());
                        self.in_hand.push((queue, id));
                    }
                    Command::Disconnect(count) => {
                        assert_eq!(count, self.workers.len());
                        assert!(self.in_hand.is_empty(), "only idle connections are closed");
                        self.closing += self.workers.len();
                        self.workers.clear();
                    }
                    Command::Heartbeat => {}
                }
            }
        }
        self.is_waiting();
    }

    /// What must hold whenever the machine waits.
    fn is_waiting(&self) {
        let ended = self.machine.phase() == Phase::Ended;
        assert_eq!(self.machine.next_deadline().is_none(), ended, "a deadline whenever it waits");
        if ended {
            return;
        }
        let mut due = format!("{:?}", self.machine.phase());
        assert_ne!(self.machine.phase(), Phase::FinalScan, "the store answers at once");
        let draining = self.machine.draining.is_some() || self.machine.is_stopping;
        due.push_str(if draining { ", draining" } else { "" });
        let works = !self.in_hand.is_empty() || self.closing > 0;
        if draining || self.machine.is_yielding {
            assert!(works, "who may leave waits only for work under way: {due}");
        }
        if draining || self.machine.unblocked_at().is_some_and(|at| at > self.now) {
            // Nothing is begun.
        } else if let Some(at) = self.machine.schedule.next_deadline() {
            assert!(at > self.now, "what is due is under way: {due}");
        }
    }

    fn play(&mut self, turn: Turn) {
        if self.machine.phase() == Phase::Ended {
            return;
        }
        match turn {
            Turn::End(outcome) => self.end(outcome),
            Turn::Close => self.close(),
            Turn::Put(number) => {
                let (id, queue) = (format!("{number:03}"), queue_of(&format!("server {}", number % 3)));
                self.store.insert(id.clone(), queue.clone());
                self.tell(Input::Found(vec![(queue, id)]));
            }
            Turn::Tell(input) => self.tell(input),
            Turn::Pass(milliseconds) => {
                let end = self.now + Duration::from_millis(milliseconds);
                while let Some(at) = self.machine.next_deadline().filter(|at| *at <= end) {
                    self.now = self.now.max(at);
                    self.tell(Input::Tick);
                }
                self.now = end;
            }
        }
    }

    fn end(&mut self, outcome: ScheduleOutcome) {
        if let Some((queue, id)) = self.in_hand.pop() {
            if matches!(outcome, ScheduleOutcome::Done { .. }) {
                self.store.remove(&id);
            }
            self.tell(Input::Finished { queue, id, outcome, jitter: 0.5 });
        }
    }

    fn close(&mut self) {
        if self.closing > 0 {
            self.closing -= 1;
            self.tell(Input::Disconnected);
        }
    }
}

proptest! {
    #[test]
    fn it_never_waits_while_anything_is_due_or_it_may_leave_and_ends_at_last(
        turns in prop::collection::vec(turn(), 0..80), is_from_memory in any::<bool>(),
    ) {
        let mut world = World::new(DeliverySettings { is_from_memory, ..SETTINGS });
        world.tell(Input::Tick);
        for turn in turns {
            world.play(turn);
        }
        // From now on every server defers what it gets, and is slow to disconnect.
        if world.machine.phase() != Phase::Ended {
            world.tell(Input::Drain);
        }
        let mut steps = 0;
        while world.machine.phase() != Phase::Ended {
            steps += 1;
            prop_assert!(steps < 2_000, "it does not end: {:?}", world.machine);
            match (world.in_hand.is_empty(), world.closing) {
                (false, _) => world.end(DEFERRED),
                (true, 0) => {
                    world.now = world.machine.next_deadline().unwrap();
                    world.tell(Input::Tick);
                }
                (true, _) => {
                    world.now += Duration::from_secs(2);
                    world.close();
                }
            }
        }
    }

    #[test]
    fn without_trouble_everything_is_sent_before_it_ends(
        turns in prop::collection::vec(turn(), 0..40),
    ) {
        let mut world = World::new(SETTINGS);
        world.tell(Input::Tick);
        let harmless = |turn: &Turn| !matches!(turn, Turn::Tell(Input::Drain | Input::Stop | Input::HandoverRequested));
        turns.into_iter().filter(harmless).for_each(|turn| world.play(turn));
        while world.machine.phase() != Phase::Ended {
            if !world.in_hand.is_empty() {
                world.end(SENT);
            } else if world.closing > 0 {
                world.close();
            } else {
                world.now = world.machine.next_deadline().unwrap();
                world.tell(Input::Tick);
            }
        }
        // What was put after the end is the next deliverer's.
        prop_assert!(world.store.is_empty(), "{:?}", world.store);
    }
}
