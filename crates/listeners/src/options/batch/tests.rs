//! Command lines of the batch mailers: superlance's, tried on the originals, and ours.

use super::*;
use crate::options::test_support::{
    args, check_help, describe_route, differences, or_dash, outcome, refused, test_env,
};
use crate::rule::batch::ticks as ticks_of;
use crate::rule::trigger::{Trigger, Triggers};
use ironlance_alert::{Secret, Security, Transport};

/// Command lines and what superlance 2.0.0 makes of them on CPython 3.11, but for the documented differences:
/// fields that are not at their default, or how it ends. See `test_support` for the notation.
const CRASHMAILBATCH: &[(&str, &str)] = &[
    ("", "exit 1: help"),
    ("-h", "exit 0: help"),
    ("--help", "exit 0: help"),
    ("--h", "exit 0: help"),
    ("-t|a@x", "exit 1: help"),
    ("-f|b@y", "exit 1: help"),
    ("OK", "-"),
    ("-t||-f|b@y", "exit 1: help"),
    ("OK|-f|", "exit 1: help"),
    ("-ta@x|-fb@y", "-"),
    ("--toEmail=a@x , c@z|--fromEmail|b@y", "to=a@x,c@z"),
    ("--to|a@x|--from|b@y", "-"),
    ("OK|-i|5", "interval=5.0"),
    ("OK|-i|0.5", "interval=0.5"),
    ("OK|-i0.25", "interval=0.25"),
    ("OK|--interval=1e1", "interval=10.0"),
    ("OK|-i|abc", "exit 2: option -i: invalid floating-point value: 'abc'"),
    ("OK|--inter=abc", "exit 2: option --interval: invalid floating-point value: 'abc'"),
    ("OK|-i|", "exit 2: option -i: invalid floating-point value: ''"),
    ("OK|-i|-1", "interval=-1.0"),
    ("OK|-i|nan", "interval=nan"),
    ("OK|-i|inf", "interval=inf"),
    ("OK|-i|a'b", "exit 2: option -i: invalid floating-point value: \"a'b\""),
    ("OK|-s|My subject", "subject=My subject"),
    ("OK|-s|", "subject="),
    ("OK|--sub=x", "subject=x"),
    ("OK|-H|mail", "host=mail"),
    ("OK|-H|mail:2525", "host=mail:2525"),
    ("OK|--smtpHost=mail", "host=mail"),
    ("OK|--smtp|mail", "host=mail"),
    ("OK|--smtp=mail", "host=mail"),
    ("OK|--sm|mail", "host=mail"),
    ("OK|-e|TICK_5", "tick=TICK_5/5"),
    ("OK|-e|TICK_3600", "tick=TICK_3600/3600"),
    ("OK|-e|tick_5", "exit 1: line"),
    ("OK|-e|TICK_", "exit 1: line"),
    ("OK|-e|TICK_x", "exit 1: line"),
    ("OK|-e|", "exit 1: line"),
    ("-e|bad", "exit 1: help"),
    ("OK|--tick=TICK_5", "tick=TICK_5/5"),
    ("OK|--ti|TICK_5", "tick=TICK_5/5"),
    ("OK|-u|joe|-p|pw", "auth=joe:pw"),
    ("OK|-u|joe", "-"),
    ("OK|-p|pw", "-"),
    ("OK|--user=joe|--pass=pw", "auth=joe:pw"),
    ("OK|-u||-p|pw", "-"),
    ("OK|--tls", "tls=true"),
    ("OK|--tl", "tls=true"),
    ("OK|--tls=1", "exit 2: --tls option does not take a value"),
    ("OK|--tls=", "exit 2: --tls option does not take a value"),
    ("OK|--t|x", "exit 2: ambiguous option: --t (--tickEvent, --tls, --toEmail?)"),
    ("OK|--s|x", "exit 2: ambiguous option: --s (--smtpHost, --subject?)"),
    (
        "OK|--=x",
        "exit 2: ambiguous option: -- (--fromEmail, --help, --interval, --password, --smtpHost, --subject, --tickEvent, --tls, --toEmail, --userName?)",
    ),
    ("OK|--", "-"),
    ("OK|-x", "exit 2: no such option: -x"),
    ("OK|--bogus", "exit 2: no such option: --bogus"),
    ("OK|--bogus=1", "exit 2: no such option: --bogus"),
    ("-t", "exit 2: -t option requires 1 argument"),
    ("--toEmail", "exit 2: --toEmail option requires 1 argument"),
    ("OK|--to", "exit 2: --toEmail option requires 1 argument"),
    ("OK|-ih", "exit 2: option -i: invalid floating-point value: 'h'"),
    ("-h|--bogus", "exit 0: help"),
    ("--bogus|-h", "exit 2: no such option: --bogus"),
    ("file|-t|a@x|-f|b@y|file2", "-"),
    ("-t|a@x|--|-f|b@y", "exit 1: help"),
    ("OK|-", "-"),
    ("-tf|b@y", "exit 1: help"),
    ("--help=x", "exit 2: --help option does not take a value"),
    ("OK|-X-h", "exit 2: no such option: -X"),
    ("OK|--i", "exit 2: --interval option requires 1 argument"),
    ("OK|-i|-h", "exit 2: option -i: invalid floating-point value: '-h'"),
    ("OK|-e|bad|--bogus", "exit 2: no such option: --bogus"),
    ("OK|--smtphost=x", "exit 2: no such option: --smtphost"),
];

/// The same for fatalmailbatch.
const FATALMAILBATCH: &[(&str, &str)] = &[
    ("OK", "-"),
    ("OK|-s|x", "subject=x"),
    ("-t|a@x,b@x|-f|c@x|-e|TICK_5|-i|0.5", "interval=0.5; to=a@x,b@x; from=c@x; tick=TICK_5/5"),
    ("--nope", "exit 2: no such option: --nope"),
    ("", "exit 1: help"),
];

/// The same for crashsms.
const CRASHSMS: &[(&str, &str)] = &[
    ("OK", "-"),
    ("OK|-s|x", "subject=x"),
    ("OK|-e|TICK_5", "tick=TICK_5/5"),
    ("-i|x", "exit 2: option -i: invalid floating-point value: 'x'"),
    ("", "exit 1: help"),
    ("-h", "exit 0: help"),
    ("OK|-H", "exit 2: -H option requires 1 argument"),
];

fn show(mailer: BatchMailer, options: Options<BatchOptions>) -> String {
    let receiver = options.destination.receiver.unwrap();
    let Transport::Smtp(server) = &receiver.transport else { return "sendmail".into() };
    let host =
        if server.port == 25 { server.host.clone() } else { format!("{}:{}", server.host, server.port) };
    let password =
        server.password.as_ref().map(|password| ironlance_alert::secret::reveal(password).unwrap());
    let auth = server.user.as_ref().zip(password).map(|(user, password)| format!("{user}:{password}"));
    differences(&[
        ("interval", format!("{:?}", options.own.interval).to_lowercase(), "1.0"),
        ("to", receiver.to.join(","), "a@x"),
        ("from", or_dash(receiver.from.as_ref()), "b@y"),
        ("subject", or_dash(options.own.subject.as_ref()), mailer.default_subject().unwrap_or("-")),
        ("host", host, "localhost"),
        ("tick", format!("{}/{}", options.own.tick_event(), options.own.tick_seconds), "TICK_60/60"),
        ("auth", or_dash(auth), "-"),
        ("tls", (server.security == Security::StartTls).to_string(), "false"),
    ])
}

#[test]
fn superlances_command_lines_mean_what_they_meant() {
    for (mailer, lines) in [
        (BatchMailer::Crashmailbatch, CRASHMAILBATCH),
        (BatchMailer::Fatalmailbatch, FATALMAILBATCH),
        (BatchMailer::Crashsms, CRASHSMS),
    ] {
        for (line, expected) in lines {
            let parsed = parse(mailer, &args(line), &test_env());
            let outcome = outcome(parsed, &help(mailer).text(), |options| show(mailer, options));
            assert_eq!(outcome, *expected, "{} {line}", mailer.name());
        }
    }
}

fn run(mailer: BatchMailer, line: &str) -> Options<BatchOptions> {
    match parse(mailer, &args(line), &test_env()) {
        Parsed::Run(options) => options,
        Parsed::Exit { stderr, .. } => panic!("{} {line}: {stderr}", mailer.name()),
    }
}

#[test]
fn each_mailer_has_its_own_subject_and_happening() {
    for (mailer, subject, on) in [
        (BatchMailer::Crashmailbatch, Some("Crash alert from supervisord"), Trigger::Exited),
        (BatchMailer::Fatalmailbatch, Some("Fatal start alert from supervisord"), Trigger::Fatal),
        (BatchMailer::Crashsms, None, Trigger::Exited),
    ] {
        let options = run(mailer, "OK");
        assert_eq!(options.own.subject.as_deref(), subject);
        assert_eq!(options.triggers, Triggers::only(on));
        assert_eq!(run(mailer, "OK|--on=running").triggers, Triggers::only(Trigger::Running));
    }
}

#[test]
fn an_interval_is_a_whole_number_of_ticks() {
    for (minutes, tick, ticks) in [
        (1.0, 60, Some(1)),
        (0.5, 5, Some(6)),
        (0.1, 5, Some(2)),
        (0.25, 5, Some(3)),
        (1.0 / 3.0, 5, Some(4)),
        (5.0, 60, Some(5)),
        (1.5, 60, Some(2)),
        (120.0, 3600, Some(2)),
        (1e-9, 5, Some(1)),
        (0.0, 60, Some(1)),
        (-1.0, 60, Some(1)),
        (f64::NEG_INFINITY, 60, Some(1)),
        (f64::INFINITY, 60, None),
        (f64::NAN, 60, None),
        (1e300, 60, None),
        (1.0, 0, None),
        (1.0, u64::MAX, Some(1)),
    ] {
        assert_eq!(ticks_of(minutes, tick), ticks, "{minutes} minutes of TICK_{tick}");
    }
}

#[test]
fn only_crashsms_has_a_length_and_160_is_meant_when_none_is_told() {
    for (line, expected) in [
        ("OK", None),
        ("OK|--max-length", Some(160)),
        ("OK|--max-length|70", Some(70)),
        ("OK|--max-length=306", Some(306)),
        ("OK|--max|stray", Some(160)),
        ("--max-length|-t|a@x|-f|b@y", Some(160)),
    ] {
        assert_eq!(run(BatchMailer::Crashsms, line).own.max_length, expected, "{line}");
    }
    assert_eq!(run(BatchMailer::Crashsms, "OK|--max|stray").ignored, ["stray"]);
    let other = refused(parse(BatchMailer::Crashmailbatch, &args("OK|--max-length"), &test_env()));
    assert!(other.contains("no such option: --max-length"), "{other}");
}

#[test]
fn programs_are_chosen_by_the_long_options() {
    let filter = run(BatchMailer::Crashsms, "OK|--program|shop:*|--group=!db|--pro=!shop:cat").filter;
    assert_eq!(filter.programs, ["shop:*", "!shop:cat"]);
    assert!(filter.selection.includes(&ironlance_core::Namespec::new("shop", "web")));
    assert!(!filter.selection.includes(&ironlance_core::Namespec::new("shop", "cat")));
}

#[test]
fn mails_take_the_way_that_is_asked_for() {
    for (line, expected) in [
        ("-H|mail|-p|pw|-u|joe", "smtp://joe@mail:25 plain Some(Literal(***))"),
        ("-H|mail|--tls", "smtp://mail:25 starttls None"),
        ("-H|mail:465", "smtp://mail:465 plain None"),
        ("-H|mail:465|--tls", "smtps://mail:465 implicit None"),
        ("-H|[::1]:26", "smtp://[::1]:26 plain None"),
        ("--smtp=smtps://mail", "smtps://mail:465 implicit None"),
        ("--smtp|smtp://joe:pw@mail:587", "smtp://joe@mail:587 offered Some(Literal(***))"),
        ("-H|smtp://joe@mail|-p|pw|-u|ann", "smtp://ann@mail:25 offered Some(Literal(***))"),
        ("-u|joe|--password-file=/pw", "smtp://joe@localhost:25 plain Some(File(/pw))"),
        ("-u|joe|-p|pw|--password-f=/pw", "smtp://joe@localhost:25 plain Some(Literal(***))"),
        ("--sendmail_program=mail -t", "[mail -t]"),
        ("--send|mail -t", "[mail -t]"),
    ] {
        let receiver = run(BatchMailer::Crashmailbatch, &format!("OK|{line}")).destination.receiver.unwrap();
        assert_eq!(describe_route(&receiver), format!("{expected} from b@y to a@x"), "{line}");
    }
}

#[test]
fn the_environment_gives_a_password_to_a_user_of_superlances_kind() {
    let variable = |name: &str| (name == "IRONLANCE_SMTP_PASSWORD").then(|| "hunter2".to_owned());
    let environment = OptionsEnv { variable: &variable, host: "box" };
    let parsed = parse(BatchMailer::Crashsms, &args("OK|-u|joe"), &environment);
    let Parsed::Run(options) = parsed else { panic!("{}", refused(parsed)) };
    let Transport::Smtp(server) = options.destination.receiver.unwrap().transport else { panic!("not SMTP") };
    assert_eq!(server.password, Some(Secret::Env("IRONLANCE_SMTP_PASSWORD".into())));
}

#[test]
fn what_makes_no_sense_is_told_in_one_line() {
    for (line, expected) in [
        (
            "OK|--on=x",
            "2 Usage: crashsms [options]\n\ncrashsms: error: cannot use 'x' for --on: \"x\" is none of",
        ),
        ("OK|-e|tick_5", "1 crashsms: cannot use 'tick_5' for -e: Invalid TICK event name: tick_5"),
        (
            "OK|--tick=TICK_5_0",
            "1 crashsms: cannot use 'TICK_5_0' for --tickEvent: Invalid TICK event name: TICK_5_0",
        ),
        ("-f|b@y", "1 crashsms: cannot mail: -t/--toEmail names no recipient"),
        ("-f|b@y|-t|,", "1 crashsms: cannot mail: -t/--toEmail names no recipient"),
        ("-t|a@x", "1 crashsms: cannot mail: -f/--fromEmail names no sender"),
    ] {
        let said = refused(parse(BatchMailer::Crashsms, &args(line), &test_env()));
        assert!(said.starts_with(expected), "crashsms {line}: {said}");
    }
    for (line, expected) in [
        ("--max-length=0", "cannot use '0' for --max-length: not a number of characters, at least 1"),
        ("--max-length=", "cannot use '' for --max-length"),
        ("--pas|x|--passw=y|--program=a:", "cannot use the value of --program: cannot read \"a:\""),
        ("-H|", "cannot use '' for -H: the host is missing"),
        ("-H|mail:x", "cannot use 'mail:x' for -H: the port is not a number from 1 to 65535"),
        ("-H|joe:secret@mail", "cannot use '***@mail' for -H: the port is not a number"),
        ("-H|mail|--sendmail_program=x", "cannot use -H and --sendmail_program together: which is it?"),
        ("--tls|--sendmail_program=x", "cannot use --tls with --sendmail_program"),
        ("-u|joe|--sendmail_program=x", "cannot use -u/--userName with --sendmail_program"),
        ("--sendmail_program=", "cannot use '' for --sendmail_program: it is empty"),
        ("-H|smtp://joe@mail", "cannot authenticate: there is no password; give it by --password-file"),
    ] {
        let said = refused(parse(BatchMailer::Crashsms, &args(&format!("OK|{line}")), &test_env()));
        let expected = format!("2 Usage: crashsms [options]\n\ncrashsms: error: {expected}");
        assert!(said.starts_with(&expected), "crashsms {line}: {said}");
    }
}

#[test]
fn the_help_names_every_option() {
    for mailer in [BatchMailer::Crashmailbatch, BatchMailer::Fatalmailbatch, BatchMailer::Crashsms] {
        check_help(
            &help(mailer).text(),
            &[
                mailer.name(),
                "-h, --help",
                "-i, --interval MINUTES",
                "-t, --toEmail LIST",
                "-f, --fromEmail ADDRESS",
                "-s, --subject TEXT",
                "-H, --smtpHost HOST[:PORT]",
                "-e, --tickEvent TICK_n",
                "-u, --userName USER",
                "-p, --password PASSWORD",
                "--tls",
                "--program PATTERN",
                "--group GROUP",
                "--on LIST",
                "--sendmail_program COMMAND",
                "--password-file FILE",
                "--ca-file FILE",
                "--brief",
                "--test-alert",
            ],
        );
        assert_eq!(help(mailer).text().contains("--max-length[=N]"), mailer == BatchMailer::Crashsms);
    }
}
