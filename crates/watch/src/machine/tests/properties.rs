//! What holds for every history: random events, commands and clocks.

use std::collections::{BTreeMap as Map, BTreeSet};

use ProcessState::{Exited, Fatal, Running, Starting, Stopped, Stopping};
use ironlance_alert::card::{CardKind, ItemStatus};
use ironlance_config::alerting::{Handover, MemoryLimit, MemoryMeasure, SilenceRule};
use ironlance_core::alerting::channel::Channel;
use ironlance_core::alerting::secret::Secret;
use ironlance_core::time::window::Windows;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::bucket::BucketChangeKind;
use super::super::incident::IncidentState;
use super::super::record::IncidentRecord;
use super::*;

/// Something that may happen.
#[derive(Clone, Debug)]
enum Event {
    State(&'static str, ProcessState),
    Reading(bool),
    Memory(bool),
    Operator(OperatorCommand),
    Stuck(bool),
    ClockSet(i64),
    Supervisor(bool),
}

const PROGRAMS: [&str; 5] = ["a", "b", "c", "api", "mem"];

/// Seconds between two events, in milliseconds.
fn pause() -> impl Strategy<Value = u64> {
    select(vec![0, 100, 1000, 5000, 9900, 10_000, 29_000, 31_000, 61_000, 400_000, 4_000_000])
}

/// What happens to programs, with nothing that holds messages back.
fn plain_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (select(vec!["a", "b", "c"]), select(vec![Exited, Exited, Fatal, Running]))
            .prop_map(|(name, state)| Event::State(name, state)),
        3 => any::<bool>().prop_map(Event::Reading),
        2 => any::<bool>().prop_map(Event::Memory),
        1 => select(vec![-4_000_000, -50_000, 70_000, 90_000_000]).prop_map(Event::ClockSet),
    ]
}

/// All that may happen.
fn any_event() -> impl Strategy<Value = Event> {
    let by = || "anna".to_owned();
    let target = select(vec![
        AckTarget::Programs(vec!["*".to_owned()]),
        AckTarget::Programs(vec!["a".to_owned()]),
        AckTarget::Incident(1),
        AckTarget::Incident(2),
    ]);
    let length = select(vec![1000_u64, 60_000, 600_000, 40_000_000]);
    let now = START * 1000;
    prop_oneof![
        8 => plain_event(),
        3 => (select(PROGRAMS.to_vec()), select(vec![Running, Stopping, Stopped, Starting, Exited]))
            .prop_map(|(name, state)| Event::State(name, state)),
        1 => (target.clone(), proptest::option::of(length.clone())).prop_map(move |(target, until)| {
            let until = until.map(|length| now + length);
            Event::Operator(OperatorCommand::Ack { target, until, by: by(), comment: String::new() })
        }),
        1 => target.prop_map(move |target| Event::Operator(OperatorCommand::Unack { target, by: by() })),
        1 => (select(vec!["a", "*", "api"]), length).prop_map(move |(program, length)| {
            Event::Operator(OperatorCommand::Silence {
                request: String::new(),
                programs: vec![program.to_owned()],
                causes: vec![],
                from: None,
                until: now + length,
                by: by(),
                comment: "deploy".to_owned(),
            })
        }),
        1 => (1_u64..4).prop_map(move |id| Event::Operator(OperatorCommand::EndSilence { id, by: by() })),
        1 => any::<bool>().prop_map(Event::Stuck),
        1 => any::<bool>().prop_map(Event::Supervisor),
    ]
}

fn pager() -> Channel {
    Channel::PagerDuty {
        key: Secret::Literal("0".repeat(32)),
        api: "https://events.pagerduty.com".to_owned(),
    }
}

/// One receiver; a check for `api`, a limit for `mem`.
fn plain_config(receivers: Vec<AlertReceiver>) -> Alerting {
    let mut config = config(receivers, &PROGRAMS);
    for (name, program) in &mut config.programs {
        match name.process.0.as_str() {
            "api" => program.checks.push(check()),
            "mem" => {
                program.memory_limit = Some(MemoryLimit {
                    bytes: 1 << 20,
                    measure: MemoryMeasure::Rss,
                    tree: false,
                    lasting: Duration::from_secs(20),
                    action: Action::Notify,
                });
            }
            _ => {}
        }
    }
    config
}

fn happen(play: &mut Play, event: Event, time: u64) {
    match event {
        Event::State(name, state) => play.state(time, name, state),
        Event::Reading(is_good) => play.reading(time, "api", is_good),
        Event::Memory(is_good) => {
            let result = if is_good { ReadingResult::Good } else { ReadingResult::Bad { facts: vec![] } };
            let at = moment(play.now.max(time), play.wall_offset).wall_millis();
            let (program, check) = (Namespec::new("mem", "mem"), String::new());
            let reading = CheckReading { program, family: Family::Memory, check, at, result };
            play.step(time, Input::Check(reading));
        }
        Event::Operator(command) => play.step(time, Input::Operator(command)),
        Event::Stuck(is_stuck) => {
            play.step(time, Input::Wake);
            play.is_stuck = is_stuck;
            play.step(time, Input::Outbox(vec![]));
        }
        Event::ClockSet(by) => {
            play.step(time, Input::Wake);
            play.wall_offset += by;
        }
        Event::Supervisor(true) => play.step(time, Input::Stopping),
        Event::Supervisor(false) => {
            play.step(time, Input::Started { previous: EarlierRun::Killed { last_seen: 5, at: 6 } });
        }
    }
}

fn run(config: Alerting, events: &[(u64, Event)], restarts: bool) -> Play {
    let mut play = Play::new(config);
    play.restarts = restarts;
    for name in PROGRAMS {
        play.state(0, name, Running);
    }
    let mut time = 100_000;
    for (pause, event) in events {
        time += pause;
        happen(&mut play, event.clone(), time);
    }
    play.is_stuck = false;
    play.step(time, Input::Outbox(vec![]));
    play.go_to(time + 40_000_000);
    play
}

/// The numbers of the incidents of a verdict.
fn incidents_where(play: &Play, is: impl Fn(&Verdict) -> bool) -> BTreeSet<(u64, String)> {
    let decisions = play.effects.iter().filter_map(|(_, effect)| match effect {
        Effect::Decided(decision) if is(&decision.what) => {
            Some((decision.incident?, decision.subject.as_ref()?.to_string()))
        }
        _ => None,
    });
    decisions.collect()
}

/// Messages to all channels of a bucket are never closer than its interval.
fn assert_spacing(play: &Play, receiver: &str, interval: u64) -> Result<(), TestCaseError> {
    let own = play.effects.iter().filter_map(|(at, effect)| match effect {
        Effect::Notify(notice) if notice.receiver == receiver && notice.audience == Audience::All => {
            Some(*at)
        }
        _ => None,
    });
    let times = own.collect::<Vec<_>>();
    for pair in times.windows(2) {
        prop_assert!(pair[1] - pair[0] >= interval, "messages at {} and {}", pair[0], pair[1]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_fired_is_told_what_burns_is_known_and_no_recovery_is_forgotten(
        events in vec((pause(), plain_event()), 1..60),
    ) {
        let ops = AlertReceiver { channels: vec![pager()], ..receiver("ops") };
        let play = run(plain_config(vec![ops]), &events, false);
        assert_spacing(&play, "ops", 60_000)?;

        let opened = incidents_where(&play, |what| matches!(what, Verdict::Opened(_)));
        let reported = incidents_where(&play, |what| matches!(what, Verdict::Told { .. }));
        prop_assert!(reported.is_subset(&opened));
        let names = |set: &BTreeSet<(u64, String)>| set.iter().map(|(_, name)| name.clone()).collect::<BTreeSet<_>>();
        prop_assert_eq!(names(&opened), names(&reported));

        let bucket = play.watch.buckets.values().next();
        for record in play.watch.facts.incidents.values() {
            let known = bucket.and_then(|bucket| bucket.known.get(&record.key));
            match record.machine.state {
                IncidentState::Firing => {
                    prop_assert!(known.is_some_and(|known| !known.is_up && known.incident == record.number));
                }
                IncidentState::Idle => prop_assert!(known.is_none()),
                IncidentState::Pending | IncidentState::Recovering => prop_assert!(false, "nothing waits so long"),
            }
        }
        prop_assert!(bucket.is_none_or(|bucket| bucket.changed.is_empty() && bucket.up.is_empty()));
        let is_calm = play.watch.facts.incidents.values().all(|record| !record.machine.is_open());
        prop_assert!(!is_calm || play.watch.next_deadline().is_none(), "no wake-up without need");
    }

    #[test]
    fn the_end_is_told_only_of_what_was_told_and_the_last_word_about_what_burns_is_that_it_burns(
        events in vec((pause(), plain_event()), 1..60),
    ) {
        let ops = AlertReceiver { channels: vec![pager()], ..receiver("ops") };
        let play = run(plain_config(vec![ops]), &events, false);
        let mut last = Map::<u64, ItemStatus>::new();
        let mut open_at_pager = BTreeSet::new();
        for (_, notice) in play.notices() {
            for item in &notice.items {
                let before = last.insert(item.incident, item.status);
                if notice.audience == Audience::Stateful {
                    // People read that it runs again, or that it goes on under the number of the next incident.
                    let goes_on = |other: &Notice| {
                        other.items.iter().any(|next| next.program == item.program && next.incident > item.incident)
                    };
                    let is_in_words = before == Some(ItemStatus::UpAgain)
                        || (before == Some(ItemStatus::Firing) && play.notices().iter().any(|(_, other)| goes_on(other)));
                    prop_assert!(is_in_words, "closed without a word: {item:?} after {before:?}");
                }
                match item.status {
                    ItemStatus::Recovered => {
                        prop_assert!(before != Some(ItemStatus::Recovered), "over twice: {item:?}");
                        open_at_pager.remove(&item.incident);
                    }
                    _ => {
                        prop_assert!(before != Some(ItemStatus::Recovered), "over, and told again: {item:?}");
                        open_at_pager.insert(item.incident);
                    }
                }
            }
        }
        let burning = play.watch.facts.incidents.values().filter(|record| record.machine.is_open());
        let burning = burning.map(|record| record.number).collect::<BTreeSet<_>>();
        for number in &burning {
            prop_assert_eq!(last.get(number), Some(&ItemStatus::Firing));
        }
        prop_assert_eq!(open_at_pager, burning, "what a pager has open is what burns");
    }

    #[test]
    fn whatever_happens_messages_keep_their_distance_and_ends_follow_beginnings(
        events in vec((pause(), any_event()), 1..60),
    ) {
        let play = run(rich_config(), &events, false);
        for (name, interval) in [("ops", 60_000), ("boss", 60_000), ("pager", 60_000)] {
            assert_spacing(&play, name, interval)?;
        }
        let mut known = BTreeSet::new();
        for (_, notice) in play.notices() {
            prop_assert!(!notice.items.is_empty() || !notice.asides.is_empty());
            for item in &notice.items {
                let place = (notice.receiver.clone(), item.incident);
                if notice.audience == Audience::Stateful {
                    prop_assert!(known.contains(&place), "{notice:?}");
                }
                if matches!(notice.kind, CardKind::Worse | CardKind::Reminder | CardKind::Acknowledged) {
                    let is_old = known.contains(&place) || item.status != ItemStatus::Firing || notice.items.len() > 1;
                    prop_assert!(is_old, "{notice:?}");
                }
                known.insert(place);
            }
        }
        for bucket in play.watch.buckets.values() {
            for change in bucket.changed.values().filter(|change| change.kind == BucketChangeKind::Recovered) {
                prop_assert!(false, "a recovery waits: {change:?}");
            }
            for (key, known) in &bucket.known {
                let record = play.watch.facts.incidents.get(key);
                let record = record.filter(|record| record.machine.is_open());
                // For people the next incident goes on where the end of this one was not told yet.
                let is_this = |record: &IncidentRecord| {
                    record.number == known.incident || bucket.changed.contains_key(key)
                };
                prop_assert!(record.is_some_and(is_this), "known and over: {key:?}");
            }
        }
    }

    #[test]
    fn explain_says_what_a_step_does(
        events in vec((pause(), any_event()), 0..12),
        settings in vec(receiver_settings(), 1..4),
        windows in vec((select(vec!["web", "*", "other"]), select(WINDOWS.to_vec()), any::<bool>()), 0..3),
        cause in select(vec![AlertCause::Crash, AlertCause::Fatal, AlertCause::Unhealthy]),
        severity in proptest::option::of(select(vec![Severity::Info, Severity::Critical])),
        own in proptest::option::of(vec(select(vec!["r0", "r1"]), 0..2)),
        hour in 0_u64..168,
    ) {
        let receivers = settings.into_iter().enumerate();
        let receivers = receivers.map(|(number, own)| AlertReceiver { name: format!("r{number}"), ..own }).collect();
        let mut config = plain_config(receivers);
        let web = Namespec::new("web", "web");
        let mut program = program();
        program.checks.push(check());
        program.severity.all = severity;
        program.receivers = own.map(|names| names.into_iter().map(str::to_owned).collect());
        config.programs.insert(web.clone(), program);
        for (pattern, when, only_health) in windows {
            let mut programs = Selection::default();
            programs.add(pattern).unwrap();
            config.silences.push(SilenceRule {
                name: "x".to_owned(),
                source: ValueSource::default(),
                programs,
                when: Windows::parse(when).unwrap(),
                causes: if only_health { vec![AlertCause::Unhealthy] } else { vec![] },
                comment: String::new(),
            });
        }
        let mut play = Play::new(config);
        play.go_to(hour * 3_600_000);
        for name in PROGRAMS.into_iter().chain(["web"]) {
            play.state(hour * 3_600_000, name, Running);
        }
        let mut time = play.now;
        for (pause, event) in events {
            time += pause;
            // Clocks that are set are no matter of foresight.
            if !matches!(event, Event::ClockSet(_) | Event::Stuck(_) | Event::Supervisor(_)) {
                happen(&mut play, event, time);
            }
        }
        play.go_to(time);
        let explained = play.watch.explain(&web, cause, &play.moment()).unwrap();
        let first = play.effects.len();
        let now = play.now;
        match cause {
            AlertCause::Crash => play.state(now, "web", Exited),
            AlertCause::Fatal => play.state(now, "web", Fatal),
            _ => play.reading(now, "web", false),
        }
        play.go_to(now + 9 * 86_400_000);
        for one in &explained.receivers {
            let notices = play.effects[first..].iter().find_map(|(at, effect)| match effect {
                Effect::Notify(notice) if notice.receiver == one.receiver => {
                    notice.items.iter().any(|item| item.program == "web").then_some(START * 1000 + at)
                }
                _ => None,
            });
            prop_assert_eq!(one.at, notices, "{:?} at {}", one, START * 1000 + now);
            prop_assert_eq!(one.at.is_none(), one.route.refusal.is_some() || one.hold == Some(Hold::Shutdown));
        }
    }
}

proptest! {
    // Each step of each case writes and reads a snapshot.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_restart_at_any_step_changes_nothing(events in vec((pause(), any_event()), 1..40)) {
        let config = rich_config();
        let without = run(config.clone(), &events, false);
        let with = run(config, &events, true);
        prop_assert_eq!(without.effects.len(), with.effects.len());
        for (one, other) in without.effects.iter().zip(&with.effects) {
            prop_assert_eq!(one, other);
        }
    }
}

const WINDOWS: [&str; 4] =
    ["22:00-07:00", "mon-fri 09:00-18:00", "daily 02:00-03:00", "mon 00:00-24:00, tue 03:00-05:00"];

/// A receiver with other settings than the defaults, without a name.
fn receiver_settings() -> impl Strategy<Value = AlertReceiver> {
    (
        select(vec![0_u64, 10, 90]),
        select(vec![60_u64, 300]),
        proptest::option::of(select(WINDOWS.to_vec())),
        select(vec![Severity::Info, Severity::Warning, Severity::Error, Severity::Critical]),
        select(vec![Severity::Error, Severity::Critical]),
        select(vec!["*", "!web", "web", "a"]),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(wait, interval, quiet, severity, except, only, fatal_only, by_program)| {
            let mut own = receiver("");
            own.group_wait = Duration::from_secs(wait);
            own.group_interval = Duration::from_secs(interval);
            own.quiet = quiet.map(|quiet| Windows::parse(quiet).unwrap());
            own.severity = severity;
            own.quiet_except = except;
            own.programs.add(only).unwrap();
            if fatal_only {
                own.on = vec![AlertCause::Fatal];
            }
            if by_program {
                own.group_by = vec![GroupBy::Program];
            } else if fatal_only {
                let command = "/usr/bin/sms".to_owned();
                own.channels = vec![Channel::SmsCommand { command, to: vec!["1".to_owned()] }];
                own.sms_max = Some((1, Duration::from_secs(5 * 3600)));
            }
            own
        })
}

/// Quiet hours, escalation, fallback, a pager, and a program that is told as it starts and stops.
fn rich_config() -> Alerting {
    let handover = |name: &str, seconds| {
        Some(Handover { receiver: name.to_owned(), after: Duration::from_secs(seconds) })
    };
    let ops = AlertReceiver {
        escalate: handover("boss", 900),
        fallback: handover("boss", 300),
        repeat: Some(Duration::from_secs(3600)),
        ..receiver("ops")
    };
    let mut nobody = Selection::default();
    nobody.add("!*").unwrap();
    let boss = AlertReceiver { programs: nobody, ..receiver("boss") };
    let pager = AlertReceiver {
        channels: vec![pager()],
        quiet: Some(Windows::parse("00:30-01:00, 22:00-07:00").unwrap()),
        on: AlertCause::ALL.to_vec(),
        repeat: None,
        ..receiver("pager")
    };
    plain_config(vec![ops, boss, pager])
}

#[test]
fn ten_thousand_incidents_are_the_most_and_leave_nothing_behind() {
    let names = (0..12_000).map(|number| format!("p{number}")).collect::<Vec<_>>();
    let names = names.iter().map(String::as_str).collect::<Vec<_>>();
    let mut play = Play::new(config(vec![receiver("ops")], &names));
    let all = |play: &Play, state| {
        let at = play.moment().wall_millis();
        Input::Reconciled(names.iter().map(|name| report(name, at, state)).collect())
    };
    let input = all(&play, Fatal);
    play.step(0, input);
    play.go_to(20_000);
    assert_eq!(play.watch.facts.incidents.len(), 10_000);
    assert_eq!(play.notices()[0].1.items.len(), 10_000);
    let input = all(&play, Running);
    play.step(30_000, input);
    play.go_to(200_000);
    play.step(200_000 + 3_700_000, Input::Wake);
    play.step(200_000 + 3_800_000, Input::Wake);
    assert_eq!(play.watch.facts.incidents.len(), 0);
    assert_eq!(play.watch.buckets.len(), 0);
    assert!(play.watch.next_deadline().is_none());
}
