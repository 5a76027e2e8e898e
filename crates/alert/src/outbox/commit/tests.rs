//! Commits cut by a kill at any step, against a model: each event reaches each receiver exactly once.

use proptest::prelude::*;

use super::*;
use crate::outbox::store::Store;

/// The process was killed.
struct Killed;

/// Kills, and a deliverer that runs now and then.
struct World {
    outbox: Outbox,
    /// How many steps each process lives; the last one lives for ever.
    lives: Vec<usize>,
    /// At which steps the deliverer takes all that waits.
    deliveries: Vec<bool>,
    steps: usize,
    delivered: Vec<String>,
}

impl World {
    /// A step of the process that lives now.
    fn step(&mut self) -> Result<(), Killed> {
        self.steps += 1;
        if self.deliveries[self.steps % self.deliveries.len()] {
            self.deliver();
        }
        match self.lives.last_mut() {
            Some(0) => {
                self.lives.pop();
                age_tmp(&self.outbox);
                self.outbox.clean_tmp();
                Err(Killed)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn deliver(&mut self) {
        for id in self.outbox.ids(OutboxFolder::New).unwrap() {
            let alert = self.outbox.load(OutboxFolder::New, &id).unwrap().alert;
            self.delivered.push(alert.text());
            self.outbox.remove_delivered(&id).unwrap();
        }
    }

    /// A process of the pool gets an event, as the supervisor sends it until it is answered.
    fn handle(&mut self, origin: &str, event: usize, receivers: usize) -> Result<(), Killed> {
        let key = format!("event {event}");
        if !self.outbox.is_unacked(&key) {
            let alert = |receiver| Alert {
                origin: origin.into(),
                ..Alert::sample("true", &format!("{event} to {receiver}"))
            };
            let alerts: Vec<Alert> = (0..receivers).map(alert).collect();
            let outbox = self.outbox.clone();
            let commit = Commit { outbox: &outbox, alerts: &alerts, event: Some(&key) };
            for step in commit.steps() {
                self.step()?;
                commit.run(step).unwrap();
            }
        }
        self.step()
    }
}

/// Hours pass.
fn age_tmp(outbox: &Outbox) {
    let tmp = outbox.dir().join("tmp");
    for name in folder::names(&tmp).unwrap() {
        let file = fs::File::options().write(true).open(tmp.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(7200)).unwrap();
    }
}

fn check(events: &[usize], lives: Vec<usize>, deliveries: Vec<bool>, origins: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path()).unwrap();
    let mut world = World { outbox, lives, deliveries, steps: 0, delivered: Vec::new() };
    let mut lives = 0;
    for (event, receivers) in events.iter().enumerate() {
        while world.handle(origins[lives % origins.len()], event, *receivers).is_err() {
            lives += 1;
        }
        // The supervisor has the answer; a kill in front of the note changes nothing.
        if world.step().is_ok() {
            world.outbox.ack(origins[lives % origins.len()]);
        }
    }
    world.outbox.clean_tmp();
    world.deliver();
    world.delivered.sort();
    let expected = events.iter().enumerate();
    let expected =
        expected.flat_map(|(event, receivers)| (0..*receivers).map(move |to| format!("{event} to {to}")));
    assert_eq!(world.delivered, expected.collect::<Vec<_>>());
}

#[test]
fn a_kill_at_any_step_loses_and_doubles_nothing() {
    for origins in [&["a"][..], &["a 0", "a 1"]] {
        for first in 0..12 {
            for second in [0, 1, 3, 5, 7] {
                check(&[3, 1, 2], vec![second, first], vec![false], origins);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_killed_and_delivered_meanwhile_each_receiver_gets_each_event_once(
        events in prop::collection::vec(1_usize..4, 1..5),
        lives in prop::collection::vec(0_usize..12, 0..5),
        deliveries in prop::collection::vec(any::<bool>(), 1..9),
        pool in any::<bool>(),
    ) {
        check(&events, lives, deliveries, if pool { &["a 0", "a 1"] } else { &["a"] });
    }
}

#[test]
fn a_commit_that_fails_gives_back_what_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path()).unwrap();
    let alerts = [Alert::sample("true", "one"), Alert::sample("true", "two")];
    fs::write(outbox.tmp(&alerts[1].id), "in the way").unwrap();
    let (error, left) = outbox.put_all(&alerts, Some("event 1")).unwrap_err();
    assert!(error.to_string().starts_with("cannot write "), "{error}");
    assert_eq!(left, alerts);
    assert!(outbox.is_empty() && !outbox.is_unacked("event 1"));
    assert_eq!(folder::names(&dir.path().join("outbox/tmp")).unwrap(), Vec::<String>::new());
}

#[test]
fn a_commit_that_takes_hours_keeps_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path()).unwrap();
    let alerts = [Alert::sample("true", "one"), Alert::sample("true", "two")];
    let commit = Commit { outbox: &outbox, alerts: &alerts, event: Some("event 1") };
    for step in commit.steps() {
        if let CommitStep::Release(_) = step {
            age_tmp(&outbox);
            outbox.clean_tmp();
        }
        commit.run(step).unwrap();
    }
    assert_eq!(outbox.ids(OutboxFolder::New).unwrap().len(), 2);
    fs::write(outbox.dir().join("tmp/left"), "by a kill").unwrap();
    age_tmp(&outbox);
    outbox.clean_tmp();
    assert!(folder::names(&outbox.dir().join("tmp")).unwrap().is_empty(), "no commit needs it");
}

#[test]
fn several_alerts_are_not_committed_where_a_kill_could_part_them() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path()).unwrap();
    fs::create_dir(outbox.pending("test")).unwrap();
    let alerts = [Alert::sample("true", "one"), Alert::sample("true", "two")];
    let (_, left) = outbox.put_all(&alerts, Some("event 1")).unwrap_err();
    assert_eq!((left, outbox.is_empty()), (&alerts[..], true));
    outbox.put_all(&alerts[..1], Some("event 1")).unwrap();
}
