//! Who is told, by which line of the configuration; and operators' commands.

use ProcessState::{Fatal, Running};
use ironlance_alert::card::{CardKind, ItemStatus};
use ironlance_config::alerting::Handover;

use super::super::routing::{self, route};
use super::*;

const MINUTE: u64 = 60_000;

fn source(line: usize) -> ValueSource {
    ValueSource { file: "supervisord.conf".to_owned(), line }
}

fn keys<const N: usize>(keys: [(&str, usize); N]) -> BTreeMap<String, ValueSource> {
    keys.into_iter().map(|(key, line)| (key.to_owned(), source(line))).collect()
}

fn selection(patterns: &[&str]) -> Selection {
    let mut selection = Selection::default();
    for pattern in patterns {
        selection.add(pattern).unwrap();
    }
    selection
}

#[test]
fn the_first_key_that_says_no_decides_and_is_named_with_its_line() {
    let ops = AlertReceiver {
        programs: selection(&["web", "db"]),
        severity: Severity::Error,
        key_sources: keys([("only", 11), ("on", 12), ("severity", 13)]),
        on: vec![AlertCause::Crash, AlertCause::Memory],
        ..receiver("ops")
    };
    let mut config = config(vec![ops], &["web", "db", "named", "other", "own"]);
    let mut of = |name: &str, change: &dyn Fn(&mut ProgramAlerting)| {
        change(config.programs.get_mut(&Namespec::new(name, name)).unwrap());
    };
    of("named", &|program| {
        program.receivers = Some(vec!["ops".to_owned()]);
        program.key_sources = keys([("alert", 21)]);
    });
    of("own", &|program| {
        program.receivers = Some(vec!["boss".to_owned()]);
        program.key_sources = keys([("alert", 31)]);
    });
    of("db", &|program| {
        program.on = Some(vec![AlertCause::Fatal]);
        program.key_sources = keys([("alert_on", 41)]);
    });
    use AlertCause::{Crash, Fatal, Memory};
    let rows = [
        ("web", Crash, None, Some("only"), 11),
        ("web", Fatal, Some(RefusalReason::ReceiverCause(Fatal)), Some("on"), 12),
        ("web", Memory, Some(RefusalReason::Severity(Severity::Warning)), Some("severity"), 13),
        ("other", Crash, Some(RefusalReason::NotSelected), Some("only"), 11),
        ("named", Crash, None, Some("alert"), 21),
        ("own", Crash, Some(RefusalReason::NotNamed), Some("alert"), 31),
        ("db", Crash, Some(RefusalReason::ProgramCause(Crash)), Some("alert_on"), 41),
        ("db", Fatal, None, Some("only"), 11),
    ];
    for (name, cause, refusal, key, line) in rows {
        let subject = Subject::Program(Namespec::new(name, name));
        let (severity, _) = routing::severity(&config, &subject, cause, false);
        let route = route(&config, &config.receivers[0], &subject, cause, severity);
        assert_eq!((route.refusal, route.key, route.source.line), (refusal, key, line), "{name} {cause}");
    }
}

#[test]
fn a_program_raises_and_lowers_the_severity_of_its_causes() {
    let mut config = config(vec![], &["web"]);
    let web = Namespec::new("web", "web");
    let program = config.programs.get_mut(&web).unwrap();
    program.severity = SeverityOverride {
        all: Some(Severity::Critical),
        by_cause: vec![(AlertCause::Crash, Severity::Info)],
    };
    program.key_sources = keys([("severity", 7)]);
    let subject = Subject::Program(web);
    let of = |cause| routing::severity(&config, &subject, cause, false);
    assert_eq!(of(AlertCause::Crash), (Severity::Info, Some(source(7))));
    assert_eq!(of(AlertCause::Memory), (Severity::Critical, Some(source(7))));
    let subject = Subject::Supervisor;
    let of = |cause, runs| routing::severity(&config, &subject, cause, runs).0;
    assert_eq!(of(AlertCause::Crash, true), Severity::Warning);
    assert_eq!(of(AlertCause::Crash, false), Severity::Error);
}

#[test]
fn a_channel_in_trouble_is_told_to_its_fallback_or_else_to_all_others() {
    let nobody = selection(&["!*"]);
    let to = Some(Handover { receiver: "sms".to_owned(), after: Duration::from_secs(300) });
    let config = config(
        vec![
            AlertReceiver { fallback: to, ..receiver("ops") },
            AlertReceiver { programs: nobody, ..receiver("sms") },
            receiver("other"),
        ],
        &[],
    );
    let who = |troubled: &str| {
        let subject = Subject::Receiver(troubled.to_owned());
        let is_in = |receiver: &&AlertReceiver| {
            route(&config, receiver, &subject, AlertCause::Delivery, Severity::Error).refusal.is_none()
        };
        config.receivers.iter().filter(is_in).map(|receiver| receiver.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(who("ops"), ["sms"]);
    assert_eq!(who("other"), ["ops"]);
    assert_eq!(who("sms"), ["ops", "other"]);
}

fn refusals(play: &Play) -> Vec<String> {
    let refused = play.effects.iter().filter_map(|(_, effect)| match effect {
        Effect::Decided(Decision { what: Verdict::Refused(reason), .. }) => Some(reason.clone()),
        _ => None,
    });
    refused.collect()
}

#[test]
fn what_an_operator_cannot_have_is_refused_with_the_reason() {
    let mut play = Play::new(config(vec![receiver("ops")], &["web"]));
    let by = || "anna".to_owned();
    let silence = |programs: Vec<String>, until| OperatorCommand::Silence {
        request: String::new(),
        programs,
        causes: vec![],
        from: None,
        until,
        by: by(),
        comment: String::new(),
    };
    let commands = [
        silence(vec!["web".to_owned()], 5),
        silence(vec![":web".to_owned()], (START + 60) * 1000),
        OperatorCommand::EndSilence { id: 9, by: by() },
        OperatorCommand::Ack {
            target: AckTarget::Incident(3),
            until: None,
            by: by(),
            comment: String::new(),
        },
        OperatorCommand::Test { receiver: "nobody".to_owned(), program: None, cause: AlertCause::Fatal },
    ];
    for command in commands {
        play.step(0, Input::Operator(command));
    }
    assert_eq!(
        refusals(&play),
        [
            "cannot silence: its end is over",
            "cannot read \":web\": not NAME, GROUP:NAME or GROUP:*, with or without a leading !",
            "cannot end silence 9: there is none",
            "cannot acknowledge: no such open incident",
            "cannot test [alert:nobody]: there is none",
        ]
    );
    assert_eq!(play.watch.silences().count(), 0);
}

#[test]
fn a_test_message_goes_out_at_once_and_leaves_nothing_behind() {
    let mut play = Play::new(config(vec![receiver("ops")], &["web"]));
    let program = Some(Namespec::new("web", "web"));
    let command = OperatorCommand::Test { receiver: "ops".to_owned(), program, cause: AlertCause::Unhealthy };
    play.step(0, Input::Operator(command));
    let (_, notice) = play.notices()[0];
    assert_eq!((notice.kind, notice.severity), (CardKind::Test, Severity::Error));
    assert_eq!((notice.items[0].program.as_str(), notice.items[0].status), ("web", ItemStatus::Firing));
    assert!(play.watch.open_incidents().is_empty() && play.watch.next_deadline().is_none());
}

#[test]
fn the_list_shows_who_knows_and_what_holds() {
    let mut play = Play::new(config(vec![receiver("ops")], &["web", "db"]));
    play.state(0, "web", Running);
    play.state(MINUTE, "web", Fatal);
    play.go_to(2 * MINUTE);
    let silence = OperatorCommand::Silence {
        request: "r".to_owned(),
        programs: vec!["db".to_owned()],
        causes: vec![],
        from: None,
        until: (START + 3600) * 1000,
        by: "anna".to_owned(),
        comment: "dump".to_owned(),
    };
    play.step(2 * MINUTE, Input::Operator(silence));
    play.state(3 * MINUTE, "db", Fatal);
    play.go_to(4 * MINUTE);
    let ack = OperatorCommand::Ack {
        target: AckTarget::Programs(vec!["web".to_owned()]),
        until: Some((START + 600) * 1000),
        by: "anna".to_owned(),
        comment: "on it".to_owned(),
    };
    play.step(5 * MINUTE, Input::Operator(ack));
    let [web, db] = play.watch.open_incidents().try_into().unwrap();
    assert_eq!(web.receivers[0].last, Some(((START + 70) * 1000, 1)));
    assert_eq!(web.ack.map(|ack| ack.by), Some("anna".to_owned()));
    assert_eq!(
        (web.number, web.phase, web.is_up),
        (1, ironlance_core::alerting::incident::Phase::Fatal, false)
    );
    assert!(matches!(db.receivers[0].hold, Some(Hold::Silence { id: 1, .. })), "{db:?}");
    assert_eq!((db.receivers[0].last, db.receivers[0].due), (None, None));
    play.go_to(11 * MINUTE);
    play.step(11 * MINUTE, Input::Wake);
    assert_eq!(play.watch.open_incidents()[0].ack, None, "its time is over");
}
