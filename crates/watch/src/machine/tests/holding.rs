//! Silences, quiet hours, inhibition, acknowledgements, escalation and fallback.

use ProcessState::{Exited, Fatal, Running, Starting, Stopped, Stopping};
use ironlance_alert::card::{Fact, ItemStatus, Mark};
use ironlance_config::alerting::Handover;
use ironlance_core::alerting::channel::Channel;
use ironlance_core::alerting::secret::Secret;
use ironlance_core::time::window::Windows;

use super::*;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn play(receivers: Vec<AlertReceiver>, programs: &[&str]) -> Play {
    let mut config = config(receivers, programs);
    for program in config.programs.values_mut() {
        program.checks.push(check());
    }
    let mut play = Play::new(config);
    for name in programs {
        play.state(0, name, Running);
    }
    play
}

fn silence(play: &mut Play, at: u64, pattern: &str, length: u64) {
    let command = OperatorCommand::Silence {
        request: "r1".to_owned(),
        programs: vec![pattern.to_owned()],
        causes: vec![],
        from: None,
        until: START * 1000 + at + length,
        by: "anna".to_owned(),
        comment: "deploy".to_owned(),
    };
    play.step(at, Input::Operator(command));
}

fn ack(play: &mut Play, at: u64, target: AckTarget) {
    let (by, comment) = ("anna".to_owned(), "on it".to_owned());
    play.step(at, Input::Operator(OperatorCommand::Ack { target, until: None, by, comment }));
}

fn only_by_handover(name: &str) -> AlertReceiver {
    let mut nobody = Selection::default();
    nobody.add("!*").unwrap();
    AlertReceiver { programs: nobody, ..receiver(name) }
}

fn handover(name: &str, after: u64) -> Option<Handover> {
    Some(Handover { receiver: name.to_owned(), after: Duration::from_millis(after) })
}

fn pager(name: &str) -> AlertReceiver {
    let key = Secret::Literal("0".repeat(32));
    let api = "https://events.pagerduty.com".to_owned();
    AlertReceiver { channels: vec![Channel::PagerDuty { key, api }], ..receiver(name) }
}

fn waiting(receiver: &str, message: u64, attempts: u32) -> Input {
    let last_error = Some("connection refused".to_owned());
    let waiting = vec![WaitingMessage { message, attempts, last_error }];
    Input::Outbox(vec![ReceiverBacklog { receiver: receiver.to_owned(), waiting, rejected: None }])
}

#[test]
fn a_deploy_under_a_silence_tells_nobody_but_what_still_burns_afterwards() {
    let mut play = play(vec![receiver("ops")], &["a", "b"]);
    silence(&mut play, 0, "*", 10 * MINUTE);
    play.state(MINUTE, "a", Exited);
    play.state(2 * MINUTE, "a", Running);
    play.state(3 * MINUTE, "b", Fatal);
    play.go_to(HOUR);
    assert_eq!(play.told(), ["600 ops Held: b fatal Firing"]);
    let (_, notice) = play.notices()[0];
    let (by, comment) = ("anna".to_owned(), "deploy".to_owned());
    let until = i64::try_from(START + 600).unwrap();
    assert_eq!(notice.marks, [Mark::Silenced { by, until, comment }]);
}

#[test]
fn a_silence_that_is_ended_early_tells_at_once() {
    let mut play = play(vec![receiver("ops")], &["b"]);
    silence(&mut play, 0, "b", HOUR);
    play.state(MINUTE, "b", Fatal);
    play.step(5 * MINUTE, Input::Operator(OperatorCommand::EndSilence { id: 1, by: "anna".to_owned() }));
    assert_eq!(play.told(), ["300 ops Held: b fatal Firing"]);
    assert_eq!(play.watch.silences().count(), 1);
}

#[test]
fn the_end_of_what_was_told_passes_a_silence() {
    let mut play = play(vec![receiver("ops")], &["b"]);
    play.state(MINUTE, "b", Fatal);
    silence(&mut play, 2 * MINUTE, "*", 10 * HOUR);
    play.state(HOUR, "b", Running);
    play.go_to(2 * HOUR);
    assert_eq!(play.told(), ["70 ops Firing: b fatal Firing", "3640 ops Recovered: b fatal Recovered"]);
}

#[test]
fn quiet_hours_end_in_one_digest_and_let_the_worst_through() {
    let quiet = Some(Windows::parse("22:00-07:00").unwrap());
    let mut play = play(vec![AlertReceiver { quiet, ..receiver("ops") }], &["a", "b", "c", "d"]);
    play.state(22 * HOUR + MINUTE, "a", Exited);
    play.state(22 * HOUR + 2 * MINUTE, "a", Running);
    play.state(23 * HOUR, "b", Exited);
    play.state(26 * HOUR, "c", Fatal);
    play.state(26 * HOUR + MINUTE, "c", Running);
    play.reading(27 * HOUR, "d", false);
    play.go_to(32 * HOUR);
    assert_eq!(
        play.told(),
        [
            format!("{} ops Firing: c fatal Firing", 26 * 3600 + 10),
            format!("{} ops Recovered: c fatal Recovered", 26 * 3600 + 100),
            format!("{} ops Digest: a crash Recovered, b crash Firing, d bad Firing", 31 * 3600),
        ]
    );
}

#[test]
fn quiet_hours_end_when_the_clock_on_the_wall_says_so() {
    let quiet = Some(Windows::parse("22:00-07:00").unwrap());
    let mut play = play(vec![AlertReceiver { quiet, ..receiver("ops") }], &["b"]);
    play.state(23 * HOUR, "b", Exited);
    play.go_to(26 * HOUR);
    // Summer time begins: 02:00 is 03:00.
    play.wall_offset += 3_600_000;
    play.go_to(32 * HOUR);
    assert_eq!(play.told(), [format!("{} ops Digest: b crash Firing", 30 * 3600)]);
}

#[test]
fn a_check_hides_under_the_death_of_its_program() {
    let mut play = play(vec![receiver("ops")], &["a"]);
    play.reading(MINUTE, "a", false);
    play.state(MINUTE + 5 * SECOND, "a", Exited);
    play.state(MINUTE + 6 * SECOND, "a", Starting);
    play.state(MINUTE + 7 * SECOND, "a", Running);
    play.reading(MINUTE + 50 * SECOND, "a", true);
    play.go_to(HOUR);
    assert_eq!(play.told(), ["70 ops Firing: a crash UpAgain"]);

    let mut play = self::play(vec![receiver("ops")], &["a"]);
    play.state(MINUTE, "a", Exited);
    play.state(MINUTE + 1, "a", Starting);
    play.state(MINUTE + 2 * SECOND, "a", Running);
    play.reading(MINUTE + 5 * SECOND, "a", false);
    play.go_to(HOUR);
    assert_eq!(
        play.told(),
        ["70 ops Firing: a crash UpAgain", "130 ops Held: a bad Firing"],
        "what is left when the program is up for long enough"
    );
}

#[test]
fn what_nobody_acknowledges_is_escalated_and_the_boss_hears_who_took_it() {
    let ops = AlertReceiver { escalate: handover("boss", 15 * MINUTE), ..receiver("ops") };
    let mut play = play(vec![ops, only_by_handover("boss")], &["a", "b"]);
    play.state(MINUTE, "a", Fatal);
    play.state(2 * MINUTE, "b", Fatal);
    ack(&mut play, 5 * MINUTE, AckTarget::Programs(vec!["b".to_owned()]));
    ack(&mut play, 30 * MINUTE, AckTarget::Incident(1));
    play.state(HOUR, "a", Running);
    play.state(HOUR, "b", Running);
    play.go_to(2 * HOUR);
    assert_eq!(
        play.told(),
        [
            "70 ops Firing: a fatal Firing",
            "130 ops Firing: b fatal Firing",
            "980 boss Firing: a fatal Firing",
            "1810 boss Acknowledged: a fatal Firing",
            "3640 boss Recovered: a fatal Recovered",
            "3640 ops Recovered: a fatal Recovered, b fatal Recovered",
        ]
    );
    let marks = play.notices().into_iter().map(|(_, notice)| notice.marks.clone()).collect::<Vec<_>>();
    assert_eq!(marks[2], [Mark::NotAcknowledged { receiver: "ops".to_owned(), seconds: 900 }]);
    let (by, comment) = ("anna".to_owned(), "on it".to_owned());
    assert_eq!(marks[3], [Mark::AcknowledgedBy { by, comment }]);
}

#[test]
fn an_acknowledged_incident_is_not_reminded_of_until_it_becomes_worse() {
    let mut play = play(vec![receiver("ops")], &["a"]);
    play.state(MINUTE, "a", Exited);
    ack(&mut play, 2 * MINUTE, AckTarget::Incident(1));
    play.state(10 * HOUR, "a", Fatal);
    play.go_to(15 * HOUR);
    assert_eq!(
        play.told(),
        [
            "70 ops Firing: a crash Firing".to_owned(),
            format!("{} ops Worse: a fatal Firing", 36_000 + 10),
            format!("{} ops Reminder: a fatal Firing", 36_000 + 10 + 14_400),
        ]
    );
}

#[test]
fn what_cannot_be_delivered_goes_to_the_fallback_with_the_reason_and_is_an_incident() {
    let ops = AlertReceiver { fallback: handover("sms", 5 * MINUTE), ..receiver("ops") };
    let mut play = play(vec![ops, only_by_handover("sms"), receiver("other")], &["a"]);
    play.is_stuck = true;
    play.state(MINUTE, "a", Fatal);
    play.go_to(75 * SECOND);
    play.step(80 * SECOND, waiting("ops", 1, 2));
    play.step(100 * SECOND, waiting("ops", 1, 3));
    play.go_to(10 * MINUTE);
    play.is_stuck = false;
    play.step(20 * MINUTE, Input::Outbox(vec![]));
    play.go_to(30 * MINUTE);
    let told = play.told().into_iter().filter(|line| line.contains(" sms ")).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            "90 sms Firing: ops bad Firing",
            "380 sms Firing: a fatal Firing",
            "1240 sms Recovered: ops bad Recovered"
        ]
    );
    let notices = play.notices();
    let fallen = notices.iter().find(|(at, notice)| *at == 380 && notice.receiver == "sms").unwrap();
    let reason = "connection refused".to_owned();
    assert_eq!(fallen.1.marks, [Mark::NotDelivered { receiver: "ops".to_owned(), reason }]);
}

#[test]
fn a_receiver_whose_outbox_is_full_gets_one_message_when_it_is_empty_again() {
    let mut play = play(vec![AlertReceiver { repeat: None, ..receiver("ops") }], &["a", "b", "c", "d", "e"]);
    play.is_stuck = true;
    for (minute, name) in (1..).zip(["a", "b", "c", "d", "e"]) {
        play.state(minute * 2 * MINUTE, name, Fatal);
    }
    play.go_to(HOUR);
    assert_eq!(play.notices().len(), 3);
    play.step(HOUR, Input::Outbox(vec![]));
    assert_eq!(play.told()[3], "3600 ops Firing: d fatal Firing, e fatal Firing");
}

#[test]
fn a_stop_by_an_operator_closes_at_a_pager_and_is_a_line_for_people() {
    let mut play = play(vec![pager("ops")], &["a", "b"]);
    play.state(MINUTE, "a", Fatal);
    play.state(2 * MINUTE, "a", Stopped);
    play.state(3 * MINUTE, "b", Fatal);
    play.go_to(HOUR);
    assert_eq!(
        play.told(),
        [
            "70 ops Firing: a fatal Firing",
            "120 ops Recovered: a fatal StoppedByOperator",
            "190 ops Firing: b fatal Firing, a fatal StoppedByOperator",
        ]
    );
    assert_eq!(play.notices()[1].1.audience, Audience::Stateful);
    assert_eq!(play.notices()[2].1.asides.len(), 1);
}

#[test]
fn a_supervisor_that_was_gone_is_one_message_that_says_from_when_to_when() {
    let mut play = play(vec![receiver("ops")], &["a"]);
    let killed = EarlierRun::Killed { last_seen: (START - 500) * 1000, at: START * 1000 };
    play.step(SECOND, Input::Started { previous: killed });
    play.go_to(HOUR);
    assert_eq!(play.told(), ["11 ops Firing: supervisord bad UpAgain"]);
    let item = &play.notices()[0].1.items[0];
    let start = i64::try_from(START).unwrap();
    assert_eq!((item.since, item.severity), (start - 500, Severity::Critical));
    assert_eq!(item.facts, [Fact::RunningSince { at: start, pid: None }]);
}

#[test]
fn a_shutdown_ends_everything_and_what_its_programs_do_is_no_news() {
    let mut play = play(vec![pager("ops")], &["a", "b"]);
    play.state(MINUTE, "a", Fatal);
    play.state(5 * MINUTE, "b", Exited);
    play.step(5 * MINUTE + SECOND, Input::Stopping);
    play.state(5 * MINUTE + 2 * SECOND, "a", Stopping);
    play.state(5 * MINUTE + 3 * SECOND, "b", Exited);
    play.go_to(HOUR);
    assert_eq!(play.told(), ["70 ops Firing: a fatal Firing", "301 ops Recovered: a fatal Shutdown"]);
    assert!(play.watch.open_incidents().is_empty());
}

#[test]
fn who_wants_to_know_of_starts_and_stops_gets_lines() {
    let all = AlertReceiver { on: AlertCause::ALL.to_vec(), ..receiver("archive") };
    let mut config = config(vec![all, receiver("ops")], &["a", "b"]);
    config.programs.values_mut().for_each(|program| program.checks.push(check()));
    let mut play = Play::new(config);
    play.state(SECOND, "a", Running);
    play.state(2 * SECOND, "b", Running);
    let finished = ProcessReport { expected: true, restarts: false, ..report("b", START * 1000, Exited) };
    play.step(MINUTE * 5, Input::Process(finished));
    play.state(5 * MINUTE + SECOND, "a", Stopped);
    play.go_to(HOUR);
    assert_eq!(
        play.told(),
        [
            "11 archive Firing: a backoff Started, b backoff Started",
            "310 archive Firing: b backoff Finished, a backoff Stopped",
        ]
    );
    assert_eq!(play.notices()[0].1.severity, Severity::Info);
    assert_eq!(play.notices()[1].1.asides[0].status, ItemStatus::Finished);
}

#[test]
fn a_receiver_that_is_gone_closes_at_its_pager_and_a_new_one_hears_what_begins_from_now_on() {
    let mut play = play(vec![pager("old")], &["a", "b"]);
    play.state(MINUTE, "a", Exited);
    play.go_to(2 * MINUTE);
    let new = config(vec![receiver("new")], &["a", "b"]);
    let effects = play.watch.reload(new, &play.moment());
    let Some(Effect::Notify(notice)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!((notice.receiver.as_str(), notice.audience), ("old", Audience::Stateful));
    assert_eq!(notice.marks, [Mark::NoLongerReported]);
    play.state(3 * MINUTE, "a", Fatal);
    play.state(4 * MINUTE, "b", Fatal);
    play.state(5 * MINUTE, "a", Running);
    play.go_to(HOUR);
    let told = play.told().into_iter().filter(|line| line.contains(" new ")).collect::<Vec<_>>();
    assert_eq!(told, ["250 new Firing: b fatal Firing"]);
}

#[test]
fn a_crash_that_runs_again_is_too_little_for_who_wants_errors() {
    let mut play = play(vec![AlertReceiver { severity: Severity::Error, ..receiver("ops") }], &["a", "b"]);
    play.state(MINUTE, "a", Exited);
    play.state(MINUTE + SECOND, "a", Running);
    play.state(5 * MINUTE, "b", Exited);
    play.go_to(HOUR);
    assert_eq!(play.told(), ["310 ops Firing: b crash Firing"]);
}

#[test]
fn what_events_left_out_is_found_by_comparing() {
    let all = AlertReceiver { on: AlertCause::ALL.to_vec(), ..receiver("ops") };
    let mut play = play(vec![all], &["a", "b", "c", "d"]);
    play.go_to(MINUTE);
    play.effects.clear();
    play.state(2 * MINUTE, "b", Fatal);
    play.go_to(3 * MINUTE);
    let at = (START + 100) * 1000;
    let reports = [("a", Fatal), ("b", Running), ("c", Exited)].map(|(name, state)| report(name, at, state));
    play.step(4 * MINUTE, Input::Reconciled(reports.to_vec()));
    play.step(4 * MINUTE, Input::Reconciled(reports.to_vec()));
    play.go_to(HOUR);
    assert_eq!(
        play.told(),
        [
            "130 ops Firing: b fatal Firing",
            "250 ops Firing: a fatal Firing, c crash Firing, b backoff Started",
            "310 ops Recovered: b fatal Recovered",
        ]
    );
}

#[test]
fn a_crash_of_watch_itself_is_told_as_over_when_it_runs_and_not_as_removed() {
    let mut play = play(vec![receiver("ops")], &["a"]);
    play.state(MINUTE, "watch", Exited);
    // Our supervisor names its hidden pool in no list, and records nothing where the disk refuses.
    play.step(MINUTE, Input::Reconciled(vec![report("a", START * 1000, Running)]));
    play.go_to(HOUR);
    assert_eq!(play.told(), ["70 ops Firing: watch crash UpAgain"]);
}

#[test]
fn the_first_look_at_a_supervisor_is_no_news_but_for_what_is_fatal() {
    let all = AlertReceiver { on: AlertCause::ALL.to_vec(), ..receiver("ops") };
    let mut play = Play::new(config(vec![all], &["a", "b", "c", "d"]));
    let states = [("a", Running), ("b", Fatal), ("c", Exited), ("d", Stopped)];
    let reports = states.map(|(name, state)| report(name, START * 1000, state)).to_vec();
    play.step(SECOND, Input::Reconciled(reports));
    play.go_to(HOUR);
    assert_eq!(play.told(), ["11 ops Firing: b fatal Firing"]);
}

#[test]
fn explain_names_the_key_the_hold_and_the_escalation() {
    let source = |line| ValueSource { file: "/etc/supervisord.conf".to_owned(), line };
    let mut ops = AlertReceiver { escalate: handover("oncall", 10 * MINUTE), ..receiver("ops") };
    ops.quiet = Some(Windows::parse("00:00-07:00").unwrap());
    ops.key_sources.insert("quiet".to_owned(), source(41));
    let mut oncall = only_by_handover("oncall");
    oncall.key_sources.insert("only".to_owned(), source(52));
    let mut play = play(vec![ops, oncall], &["web"]);
    play.go_to(MINUTE);
    let web = Namespec::new("web", "web");
    let explained = play.watch.explain(&web, AlertCause::Unhealthy, &play.moment()).unwrap();
    assert_eq!((explained.severity, explained.severity_source), (Severity::Error, None));
    let [ops, oncall] = explained.receivers.as_slice() else { panic!() };
    let seven = (START + 7 * 3600) * 1000;
    assert_eq!((ops.at, ops.hold_source.clone()), (Some(seven), Some(source(41))));
    assert_eq!(oncall.route.refusal, Some(RefusalReason::NotSelected));
    assert_eq!((oncall.route.key, oncall.route.source.clone()), (Some("only"), source(52)));
    assert_eq!(oncall.route.escalation, Some(("ops".to_owned(), seven + 10 * MINUTE)));
    assert!(play.watch.explain(&Namespec::new("x", "x"), AlertCause::Crash, &play.moment()).is_none());
}

#[test]
fn alertmanager_is_told_each_minute_what_it_knows_until_that_is_over() {
    let url = Secret::Literal("http://am:9093".to_owned());
    let channels = vec![Channel::Alertmanager { url, hold: 300 }];
    let mut play = play(vec![AlertReceiver { channels, repeat: None, ..receiver("am") }], &["a"]);
    play.state(MINUTE, "a", Fatal);
    play.go_to(3 * MINUTE);
    play.is_stuck = true;
    play.step(3 * MINUTE + 5 * SECOND, waiting("am", 1, 1));
    play.go_to(6 * MINUTE);
    play.is_stuck = false;
    play.step(6 * MINUTE + SECOND, Input::Outbox(vec![]));
    play.state(6 * MINUTE + 2 * SECOND, "a", Running);
    play.go_to(HOUR);
    assert_eq!(
        play.told(),
        [
            "70 am Firing: a fatal Firing",
            "130 am Reminder: a fatal Firing",
            "370 am Reminder: a fatal UpAgain",
            "402 am Recovered: a fatal Recovered"
        ]
    );
    assert_eq!(play.notices()[1].1.audience, Audience::Refresh);
    assert!(play.watch.next_deadline().is_none());
}
