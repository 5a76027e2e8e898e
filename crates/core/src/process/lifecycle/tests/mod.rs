//! The machine held to its diagram, and to what the original does.

use super::*;
use crate::process::exit_status::ExitStatus;
use crate::signal;

mod random;

/// One process on a clock that is set by hand, and what it gave as text.
struct Bench {
    life: Lifecycle,
    now: Now,
    daemon: DaemonState,
    next_pid: u32,
}

const WALL: Duration = Duration::from_secs(1_763_900_000);

impl Bench {
    fn new(policy: Policy) -> Self {
        let life = Lifecycle::new(Namespec::new("pets", "cat"), policy);
        Self {
            life,
            now: Now { mono: Duration::from_secs(100), wall: WALL },
            daemon: DaemonState::Running,
            next_pid: 1,
        }
    }

    /// Takes an input and carries out starts; gives all effects as text, debug lines left out.
    fn on(&mut self, input: Input) -> Vec<String> {
        let mut told = Vec::new();
        let mut effects = self.life.step(input, self.now, self.daemon);
        while !effects.is_empty() {
            let mut more = Vec::new();
            for effect in effects {
                if effect == Effect::Spawn {
                    let pid = self.next_pid;
                    self.next_pid += 1;
                    more = self.life.step(Input::Spawned { pid }, self.now, self.daemon);
                } else {
                    told.extend(tell(&effect));
                }
            }
            effects = more;
        }
        told
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall += time;
    }

    fn ended(&mut self, code: i32) -> Vec<String> {
        self.on(Input::Ended { status: ExitStatus::Code(code) })
    }

    /// Brings it to RUNNING with pid 1.
    fn running(policy: Policy) -> Self {
        let mut bench = Self::new(policy);
        bench.on(Input::Start);
        bench.pass(Duration::from_secs(1));
        bench.on(Input::Wake);
        assert_eq!(bench.life.state(), ProcessState::Running);
        bench
    }

    /// Lets a start fail and gives what came of it.
    fn fail(&mut self) -> Vec<String> {
        let effects = self.life.step(Input::Wake, self.now, self.daemon);
        assert_eq!(effects.last(), Some(&Effect::Spawn));
        self.on(Input::SpawnFailed { why: "can't find command 'cat'".into() })
    }
}

fn tell(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Spawn => Some("spawn".into()),
        Effect::Kill { pid, signal, reach } => {
            Some(format!("kill {pid} {} {reach:?}", signal::name(*signal)))
        }
        Effect::StateChanged { from, to, detail } => Some(format!("{from} -> {to} {detail:?}")),
        Effect::Log(Level::Debug, _) => None,
        Effect::Log(level, line) => Some(format!("{} {line}", level.tag())),
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_program_is_started_with_the_daemon_and_runs_once_it_stayed_up() {
    let mut bench = Bench::new(Policy::default());
    assert_eq!(bench.life.next_deadline(DaemonState::Running), Some(secs(0)));
    assert_eq!(bench.life.next_deadline(DaemonState::Shutdown), None);
    assert_eq!(bench.on(Input::Wake), ["STOPPED -> STARTING Tries(0)", "INFO spawned: 'cat' with pid 1"]);
    assert_eq!(bench.life.next_deadline(DaemonState::Running), Some(secs(101)));
    assert_eq!(bench.on(Input::Wake), [""; 0]);
    bench.pass(secs(1));
    assert_eq!(
        bench.on(Input::Wake),
        [
            "STARTING -> RUNNING Pid(1)",
            "INFO success: cat entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)"
        ]
    );
    assert_eq!((bench.life.pid(), bench.life.started(), bench.life.starts()), (Some(1), Some(WALL), 1));
    assert_eq!(bench.life.next_deadline(DaemonState::Running), None);
}

#[test]
fn without_startsecs_it_runs_when_it_is_looked_at_next() {
    let mut bench = Bench::new(Policy { startsecs: secs(0), ..Policy::default() });
    assert_eq!(bench.on(Input::Start), ["STOPPED -> STARTING Tries(0)", "INFO spawned: 'cat' with pid 1"]);
    assert_eq!(bench.life.next_deadline(DaemonState::Running), Some(bench.now.mono));
    assert_eq!(
        bench.on(Input::Wake),
        [
            "STARTING -> RUNNING Pid(1)",
            "INFO success: cat entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)"
        ]
    );
}

#[test]
fn failed_starts_are_tried_again_after_one_two_three_seconds_and_then_no_more() {
    let mut bench = Bench::new(Policy::default());
    for tries in 1..=3 {
        let told = bench.fail();
        assert_eq!(
            told,
            ["INFO spawnerr: can't find command 'cat'".into(), format!("STARTING -> BACKOFF Tries({tries})")]
        );
        let due = bench.now.mono + secs(tries);
        assert_eq!(bench.life.next_deadline(DaemonState::Running), Some(due));
        bench.pass(secs(tries));
    }
    bench.fail();
    assert_eq!(bench.life.backoff(), 4);
    assert_eq!(
        bench.on(Input::Wake),
        [
            "BACKOFF -> FATAL Nothing",
            "INFO gave up: cat entered FATAL state, too many start retries too quickly"
        ]
    );
    assert_eq!(bench.life.spawnerr(), Some("can't find command 'cat'"));
    assert_eq!(bench.life.next_deadline(DaemonState::Running), None);
    assert_eq!(bench.on(Input::Start)[0], "FATAL -> STARTING Tries(0)");
}

#[test]
fn a_program_that_ends_too_early_backs_off() {
    let mut bench = Bench::new(Policy::default());
    bench.on(Input::Wake);
    bench.pass(Duration::from_millis(999));
    assert_eq!(
        bench.ended(0),
        ["STARTING -> BACKOFF Tries(1)", "WARN exited: cat (exit status 0; not expected)"]
    );
    assert_eq!(bench.life.spawnerr(), Some("Exited too quickly (process log may have details)"));
    assert_eq!(bench.life.exitstatus(), None);
    let end = bench.life.last_exit().unwrap();
    assert_eq!((end.status, end.pid, end.up), (ExitStatus::Code(0), 1, Duration::from_millis(999)));
}

#[test]
fn a_program_that_never_ran_says_which_step_failed() {
    let mut bench = Bench::new(Policy::default());
    bench.on(Input::Wake);
    let why = "couldn't exec /bin/cat: ENOENT".to_owned();
    let told = bench.on(Input::NeverRan { status: ExitStatus::Code(127), why: why.clone() });
    assert_eq!(
        told,
        [
            "INFO spawnerr: couldn't exec /bin/cat: ENOENT",
            "STARTING -> BACKOFF Tries(1)",
            "WARN exited: cat (exit status 127; not expected)"
        ]
    );
    assert_eq!(bench.life.spawnerr(), Some(why.as_str()));
}

#[test]
fn an_exit_is_expected_by_its_status_and_never_when_a_signal_did_it() {
    let mut bench = Bench::running(Policy { exitcodes: vec![0, 2], ..Policy::default() });
    assert_eq!(
        bench.ended(2),
        ["RUNNING -> EXITED Exit { expected: true, pid: 1 }", "INFO exited: cat (exit status 2; expected)"]
    );
    assert_eq!((bench.life.exitstatus(), bench.life.spawnerr()), (Some(2), None));
    assert_eq!(bench.life.next_deadline(DaemonState::Running), None);

    let mut bench = Bench::running(Policy::default());
    let killed = ExitStatus::Signal { number: 9, core: false };
    assert_eq!(
        bench.on(Input::Ended { status: killed }),
        [
            "RUNNING -> EXITED Exit { expected: false, pid: 1 }",
            "WARN exited: cat (terminated by SIGKILL; not expected)"
        ]
    );
    assert_eq!(bench.life.spawnerr(), Some("Bad exit code -1"));
}

#[test]
fn an_end_that_is_seen_after_startsecs_but_before_the_wake_counts_as_running() {
    let mut bench = Bench::new(Policy::default());
    bench.on(Input::Wake);
    bench.pass(secs(1));
    assert_eq!(
        bench.ended(0)[..2],
        ["STARTING -> RUNNING Pid(1)", "RUNNING -> EXITED Exit { expected: true, pid: 1 }"]
    );
}

#[test]
fn a_program_is_restarted_at_once_by_its_policy() {
    for (autorestart, code, restarts) in [
        (Autorestart::Never, 1, false),
        (Autorestart::Unexpected, 0, false),
        (Autorestart::Unexpected, 1, true),
        (Autorestart::Always, 0, true),
    ] {
        let mut bench = Bench::running(Policy { autorestart, ..Policy::default() });
        bench.ended(code);
        let due = bench.life.next_deadline(DaemonState::Running).is_some_and(|due| due <= bench.now.mono);
        assert_eq!(due, restarts, "{autorestart:?} {code}");
        assert_eq!(bench.life.next_deadline(DaemonState::Restarting), None);
        let told = bench.on(Input::Wake);
        assert_eq!(told.first().is_some_and(|line| line == "EXITED -> STARTING Tries(0)"), restarts);
    }
}

#[test]
fn a_program_that_ends_at_once_again_and_again_is_started_once_a_second() {
    let policy = Policy { startsecs: secs(0), autorestart: Autorestart::Always, ..Policy::default() };
    let mut bench = Bench::new(policy);
    bench.on(Input::Wake);
    for _ in 0..CRASH_LOOP_EXITS {
        bench.pass(Duration::from_millis(1));
        bench.ended(0);
        assert!(!bench.on(Input::Wake).is_empty());
    }
    for _ in 0..3 {
        bench.ended(0);
        assert_eq!(bench.on(Input::Wake), [""; 0]);
        assert_eq!(bench.life.next_deadline(DaemonState::Running), Some(bench.now.mono + secs(1)));
        bench.pass(secs(1));
        assert!(!bench.on(Input::Wake).is_empty());
    }
    bench.pass(secs(1));
    bench.ended(0);
    assert!(!bench.on(Input::Wake).is_empty(), "it stayed up for a second, so it is started at once again");
}

#[test]
fn a_stop_sends_the_stop_signal_and_then_kills_again_and_again() {
    let policy = Policy { stopwaitsecs: secs(5), killasgroup: true, ..Policy::default() };
    let mut bench = Bench::running(policy);
    assert_eq!(bench.on(Input::Stop), ["RUNNING -> STOPPING Pid(1)", "kill 1 SIGTERM Process"]);
    assert!(bench.life.is_stopping());
    assert_eq!(bench.on(Input::Stop), [""; 0]);
    for _ in 0..2 {
        assert_eq!(bench.life.next_deadline(DaemonState::Shutdown), Some(bench.now.mono + secs(5)));
        bench.pass(secs(5));
        assert_eq!(bench.on(Input::Wake), ["WARN killing 'cat' (1) with SIGKILL", "kill 1 SIGKILL Group"]);
    }
    let killed = ExitStatus::Signal { number: 9, core: false };
    assert_eq!(
        bench.on(Input::Ended { status: killed }),
        ["STOPPING -> STOPPED Pid(1)", "WARN stopped: cat (terminated by SIGKILL)"]
    );
    assert_eq!((bench.life.exitstatus(), bench.life.pid()), (Some(-1), None));
    assert_eq!(bench.life.next_deadline(DaemonState::Running), None);
}

#[test]
fn an_expected_status_after_a_stop_is_no_warning() {
    let mut bench = Bench::running(Policy { stopasgroup: true, ..Policy::default() });
    assert_eq!(bench.on(Input::Stop)[1], "kill 1 SIGTERM Group");
    assert_eq!(bench.ended(0)[1], "INFO stopped: cat (exit status 0)");
    assert_eq!(bench.life.stopped(), Some(bench.now.wall));
}

#[test]
fn a_stop_while_starting_ends_stopped_and_in_backoff_at_once() {
    let mut bench = Bench::new(Policy::default());
    bench.on(Input::Wake);
    assert_eq!(bench.on(Input::Stop)[0], "STARTING -> STOPPING Pid(1)");
    assert_eq!(bench.ended(0)[0], "STOPPING -> STOPPED Pid(1)");
    bench.on(Input::Start);
    bench.ended(1);
    assert_eq!(bench.on(Input::Stop), ["BACKOFF -> STOPPED Pid(0)"]);
    assert_eq!(bench.on(Input::Start)[0], "STOPPED -> STARTING Tries(0)");
}

#[test]
fn a_stop_cancels_a_restart_that_is_due() {
    let mut bench = Bench::running(Policy::default());
    bench.ended(1);
    assert_eq!(bench.on(Input::Stop), [""; 0]);
    assert_eq!(bench.on(Input::Wake), [""; 0]);
    assert_eq!(bench.life.state(), ProcessState::Exited);
}

#[test]
fn nothing_is_started_while_the_daemon_ends() {
    let mut bench = Bench::new(Policy::default());
    bench.fail();
    bench.daemon = DaemonState::Shutdown;
    bench.pass(secs(60));
    assert_eq!(bench.on(Input::Wake), [""; 0]);
    assert_eq!(bench.on(Input::Start), [""; 0]);
    assert_eq!(bench.on(Input::GiveUp), ["BACKOFF -> FATAL Nothing"]);
}

#[test]
fn a_process_that_cannot_be_killed_is_unknown_until_it_ends_or_is_stopped_again() {
    let mut bench = Bench::running(Policy::default());
    bench.on(Input::Stop);
    assert_eq!(
        bench.on(Input::KillFailed { why: "EPERM".into() }),
        ["CRIT unknown problem killing cat (1):EPERM", "STOPPING -> UNKNOWN Nothing"]
    );
    assert_eq!(bench.life.pid(), Some(1));
    assert_eq!(bench.on(Input::Start), ["WARN process 'cat' already running"]);
    assert_eq!(bench.on(Input::Stop), ["UNKNOWN -> STOPPING Pid(1)", "kill 1 SIGTERM Process"]);
    bench.on(Input::KillFailed { why: "EPERM".into() });
    assert_eq!(bench.ended(0), ["UNKNOWN -> STOPPED Pid(1)", "INFO stopped: cat (exit status 0)"]);
}

#[test]
fn inputs_that_do_not_fit_are_one_line_in_the_log() {
    let mut bench = Bench::new(Policy::default());
    assert_eq!(bench.ended(3), ["CRIT cat ended (exit status 3), but is STOPPED"]);
    assert_eq!(
        bench.on(Input::Spawned { pid: 7 }),
        ["CRIT process 'cat' (pid 7) was started and nobody asked for it"]
    );
    assert_eq!(bench.on(Input::GiveUp), [""; 0]);
    assert_eq!(bench.life.state(), ProcessState::Stopped);
}

#[test]
fn a_wall_clock_that_is_set_back_changes_no_deadline() {
    let mut bench = Bench::new(Policy::default());
    bench.on(Input::Wake);
    bench.now.mono += secs(1);
    bench.now.wall -= secs(3600);
    assert_eq!(bench.on(Input::Wake)[0], "STARTING -> RUNNING Pid(1)");
    bench.now.mono += secs(1);
    assert_eq!(bench.ended(0)[0], "RUNNING -> EXITED Exit { expected: true, pid: 1 }");
}

/// A listener that has been started and has said this.
fn listener(policy: Policy, shown: Option<Milestone>) -> Bench {
    let mut bench = Bench::new(Policy { role: ProcessRole::Listener, ..policy });
    bench.on(Input::Start);
    if let Some(shown) = shown {
        assert_eq!(bench.on(Input::Milestone(shown)), [""; 0]);
    }
    bench
}

#[test]
fn a_listener_that_has_answered_an_event_has_started_however_soon_it_exits() {
    let policy = Policy { autorestart: Autorestart::Always, ..Policy::default() };
    let mut bench = listener(policy.clone(), Some(Milestone::Answered));
    assert_eq!(
        bench.ended(0)[..2],
        ["STARTING -> RUNNING Pid(1)", "RUNNING -> EXITED Exit { expected: true, pid: 1 }"]
    );
    assert_eq!(bench.on(Input::Wake)[0], "EXITED -> STARTING Tries(0)");
    // The next process has to show it again.
    assert_eq!(bench.ended(0)[0], "STARTING -> BACKOFF Tries(1)");
    let mut bench = listener(policy, Some(Milestone::Ready));
    assert_eq!(bench.ended(0)[0], "STARTING -> BACKOFF Tries(1)");
}

#[test]
fn a_listener_that_ends_before_its_first_ready_again_and_again_is_fatal_however_long_it_took() {
    for startsecs in [0, 1] {
        let policy =
            Policy { startsecs: secs(startsecs), autorestart: Autorestart::Always, ..Policy::default() };
        let mut bench = listener(policy, None);
        for tries in 1..=3 {
            bench.pass(secs(2));
            assert_eq!(
                bench.ended(2)[1],
                "RUNNING -> EXITED Exit { expected: false, pid: ".to_owned() + &format!("{tries} }}")
            );
            assert_eq!(bench.on(Input::Wake), [format!("EXITED -> BACKOFF Tries({tries})")]);
            assert_eq!(bench.life.next_deadline(DaemonState::Running), Some(bench.now.mono + secs(tries)));
            bench.pass(secs(tries));
            assert_eq!(bench.on(Input::Wake)[0].split(' ').nth(2), Some("STARTING"));
        }
        bench.pass(secs(2));
        bench.ended(2);
        bench.on(Input::Wake);
        assert_eq!(bench.on(Input::Wake)[0], "BACKOFF -> FATAL Nothing", "startsecs={startsecs}");
        assert_eq!(bench.life.next_deadline(DaemonState::Running), None);
    }
}

#[test]
fn one_ready_makes_up_for_the_ends_before_it() {
    let policy = Policy { startsecs: secs(0), autorestart: Autorestart::Always, ..Policy::default() };
    let mut bench = listener(policy, None);
    for _ in 0..20 {
        bench.pass(secs(2));
        bench.ended(2);
        bench.on(Input::Wake);
        bench.pass(secs(9));
        bench.on(Input::Wake);
        bench.on(Input::Milestone(Milestone::Ready));
        bench.pass(secs(2));
        bench.ended(2);
        assert_eq!(bench.on(Input::Wake)[0], "EXITED -> STARTING Tries(0)");
    }
}

#[test]
fn a_listener_that_is_recycled_waits_in_backoff_and_was_not_told_to_stop() {
    let mut bench = Bench::running(Policy { role: ProcessRole::Listener, ..Policy::default() });
    let why = "said READY without a RESULT for its event";
    let recycle = Input::Recycle { pause: secs(4), why: why.into() };
    assert_eq!(bench.on(recycle.clone()), ["RUNNING -> STOPPING Pid(1)", "kill 1 SIGTERM Process"]);
    assert!(bench.life.is_recycling());
    assert_eq!(bench.on(recycle), [""; 0]);
    bench.pass(secs(10));
    assert_eq!(bench.on(Input::Wake)[1], "kill 1 SIGKILL Process");
    assert_eq!(
        bench.on(Input::Ended { status: ExitStatus::Signal { number: 9, core: false } }),
        ["STOPPING -> BACKOFF Tries(0)", "INFO recycled: cat (terminated by SIGKILL); starts again in 4 s"]
    );
    assert_eq!(bench.life.spawnerr(), Some(why));
    assert_eq!(bench.life.next_deadline(DaemonState::Running), Some(bench.now.mono + secs(4)));
    bench.pass(secs(4));
    assert_eq!(bench.on(Input::Wake)[0], "BACKOFF -> STARTING Tries(0)");
}

#[test]
fn a_recycled_listener_that_somebody_stops_stays_stopped_and_one_without_autorestart_is_fatal() {
    let recycle = Input::Recycle { pause: secs(0), why: "x".into() };
    let mut bench = Bench::running(Policy::default());
    bench.on(recycle.clone());
    bench.on(Input::Stop);
    assert!(!bench.life.is_recycling());
    assert_eq!(bench.ended(0)[0], "STOPPING -> STOPPED Pid(1)");
    let mut bench = Bench::running(Policy { autorestart: Autorestart::Never, ..Policy::default() });
    bench.on(recycle);
    assert_eq!(bench.ended(0)[0], "STOPPING -> FATAL Nothing");
}
