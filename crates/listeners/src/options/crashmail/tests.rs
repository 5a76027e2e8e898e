//! Command lines of crashmail: superlance's, tried on the original, and ours.

use super::*;
use crate::options::ListenerDestination;
use crate::options::test_support::{
    SENDMAIL, args, check_help, describe_route, differences, mailer, or_dash, outcome, refused, test_env,
};
use crate::rule::filter::ProcessFilter;
use crate::rule::trigger::Triggers;

/// Command lines and what superlance 2.0.0 makes of them on CPython 3.11, but for the documented differences:
/// fields that are not at their default, or how it ends. See `test_support` for the notation.
const AS_SUPERLANCE: &[(&str, &str)] = &[
    ("", "-"),
    ("-h", "exit 0: help"),
    ("--help", "exit 0: help"),
    ("--he", "exit 0: help"),
    ("-p|a|-h", "exit 0: help"),
    ("-ap|x:y", "programs=x:y; any=true"),
    ("-px", "programs=x"),
    ("-p|a|-p|b:c|--program=d|--prog|e", "programs=a,b:c,d,e"),
    ("-a|-m|ops@example.com", "any=true; email=ops@example.com"),
    ("--any|--email|a@x", "any=true; email=a@x"),
    ("-m|a@x,b@y", "email=a@x,b@y"),
    ("-m|", "-"),
    ("-s|cat >/dev/null|-m|a@x", "email=a@x; sendmail=cat >/dev/null"),
    ("--send=x -t|--em=a@x|--opt=web1", "header=web1; email=a@x; sendmail=x -t"),
    ("-o|web1", "header=web1"),
    ("-o|", "-"),
    ("--o|h", "header=h"),
    ("--p|a", "programs=a"),
    ("--s|x", "-"),
    ("--a", "any=true"),
    ("--e|a@x", "email=a@x"),
    ("-x", "exit 255: help"),
    ("--bogus", "exit 255: help"),
    ("-m", "exit 255: help"),
    ("--email", "exit 255: help"),
    ("--any=1", "exit 255: help"),
    ("--any=", "exit 255: help"),
    ("--h", "exit 0: help"),
    ("--=x", "exit 255: help"),
    ("--|-m|a@x", "-"),
    ("-a|file|-m|a@x", "any=true"),
    ("-|-m|a@x", "-"),
    ("-aa", "any=true"),
    ("-ax", "exit 255: help"),
    ("-aoweb|-ma@x", "any=true; header=web; email=a@x"),
    ("-p=x", "programs==x"),
    ("--program=x=y", "programs=x=y"),
    ("-o|-m|-m|a@x", "header=-m; email=a@x"),
    ("-hx", "exit 255: help"),
    ("--help|--bogus", "exit 255: help"),
    ("--email=a@x|--|-x", "email=a@x"),
    ("-oé", "header=é"),
];

fn show(options: Options<CrashmailOptions>) -> String {
    differences(&[
        ("programs", options.filter.programs.join(","), ""),
        ("any", options.filter.any.to_string(), "false"),
        ("header", or_dash(options.own.header), "-"),
        ("email", or_dash(options.destination.email), "-"),
        ("sendmail", mailer(options.destination.receiver.as_ref()), SENDMAIL),
    ])
}

#[test]
fn superlances_command_lines_mean_what_they_meant() {
    for (line, expected) in AS_SUPERLANCE {
        assert_eq!(
            outcome(parse(&args(line), &test_env()), &help().text(), show),
            *expected,
            "crashmail {line}"
        );
    }
}

fn run(line: &str) -> Options<CrashmailOptions> {
    match parse(&args(line), &test_env()) {
        Parsed::Run(options) => options,
        Parsed::Exit { stderr, .. } => panic!("crashmail {line}: {stderr}"),
    }
}

fn is_about(line: &str, group: &str, process: &str) -> bool {
    run(line).filter.selection.includes(&ironlance_core::Namespec::new(group, process))
}

#[test]
fn programs_and_groups_are_taken_in_and_left_out() {
    assert!(is_about("", "shop", "web"));
    assert!(is_about("-p|shop:*", "shop", "web"));
    assert!(!is_about("-p|web|-g|db", "shop", "cat"));
    assert!(is_about("-p|cat|--group=shop", "shop", "web"));
    assert!(!is_about("-a|-p|!shop:web", "shop", "web"));
    assert!(is_about("-a|-p|cat", "shop", "web"));
    assert!(!is_about("-g|!shop", "shop", "web"));
}

#[test]
fn what_is_worth_a_mail_is_a_list_and_unexpected_exits_by_default() {
    assert_eq!(run("").triggers, Triggers::only(Trigger::Exited));
    let on = run("--on|fatal,backoff|--on=stopped").triggers;
    for trigger in [Trigger::Fatal, Trigger::Backoff, Trigger::Stopped] {
        assert!(on.contains(trigger));
    }
    assert!(!on.contains(Trigger::Exited));
}

#[test]
fn flags_and_stray_arguments_are_kept() {
    let options = run("--brief|--test-alert|-m|a@x|stray|-p|x");
    assert!(options.brief && options.test_alert);
    assert_eq!(options.ignored, ["stray", "-p", "x"]);
    assert_eq!(options.filter, ProcessFilter::default());
}

#[test]
fn abbreviations_of_ours_come_after_superlances() {
    let receiver = run("--sm=smtp://mail|--em=a@x|--fr=me@x").destination.receiver.unwrap();
    assert_eq!(describe_route(&receiver), "smtp://mail:25 offered None from me@x to a@x");
    // superlance has --any, --help, --email, --optionalheader, --program and --sendmail_program.
    assert_eq!(run("--g=shop|--br|--o=on").own.header.unwrap(), "on");
}

#[test]
fn mails_take_the_way_that_is_asked_for() {
    let to = "-m|a@x, b@y|-m|c@z";
    for (line, expected) in [
        ("", "[/usr/sbin/sendmail -t -i] from - to"),
        ("-s|mail|--from=me@x", "[mail] from me@x to"),
        ("-s|keep|--body-only", "[keep] body only from - to"),
        ("--smtp=smtp://mail", "smtp://mail:25 offered None from ironlance@box to"),
        ("--smtp=smtp://mail:587|--tls", "smtp://mail:587 starttls None from ironlance@box to"),
        ("--smtp=smtp://mail:465|--from=me@x", "smtps://mail:465 implicit None from me@x to"),
        ("--smtp=smtps://mail:1465|--tls", "smtps://mail:1465 implicit None from ironlance@box to"),
        (
            "--smtp=smtps://j%40e:p%3Aw@mail",
            "smtps://j@e@mail:465 implicit Some(Literal(***)) from ironlance@box to",
        ),
        (
            "--smtp=smtps://joe@mail|--password-file=/pw",
            "smtps://joe@mail:465 implicit Some(File(/pw)) from ironlance@box to",
        ),
    ] {
        let line = if line.is_empty() { to.to_owned() } else { format!("{to}|{line}") };
        let delivery = run(&line).destination;
        // A command is given the line as it is; a server has to know them one by one.
        let everybody = if expected.starts_with('[') { "a@x, b@y, c@z" } else { "a@x b@y c@z" };
        assert_eq!(describe_route(&delivery.receiver.unwrap()), format!("{expected} {everybody}"), "{line}");
        assert_eq!(delivery.email.unwrap(), "a@x, b@y, c@z");
    }
}

#[test]
fn without_a_recipient_there_is_no_route() {
    assert_eq!(run("-s|mail").destination, ListenerDestination { receiver: None, email: None });
    assert_eq!(run("-m|, ,").destination.receiver, None);
}

#[test]
fn what_makes_no_sense_is_told_in_one_line() {
    for (line, expected) in [
        ("-x", "option -x not recognized"),
        ("--smt", "option --smtp requires argument"),
        ("--body-only|--smtp=smtp://h|-m|x", "cannot use --body-only with a mail server, which takes mails"),
        ("--brief=1", "option --brief must not have an argument"),
        ("--p|a|--=", "option -- not a unique prefix"),
        (
            "--on=crashed",
            "cannot use 'crashed' for --on: \"crashed\" is none of exited, expected, fatal, backoff, stopped, stopping, \
             starting, running, unknown",
        ),
        ("--on=", "cannot use '' for --on: \"\" is none of exited"),
        ("-p|a:", "cannot use the value of -p: cannot read \"a:\": not NAME, GROUP:NAME or GROUP:*"),
        ("-g|a:b", "cannot use the value of -g: cannot read \"a:b\""),
        ("--smtp=mail", "cannot use 'mail' for --smtp: not smtp://HOST or smtps://HOST"),
        (
            "--smtp=http://j:secret@mail",
            "cannot use 'http://***@mail' for --smtp: not smtp://HOST or smtps://HOST",
        ),
        (
            "--smtp=smtp://mail:0x",
            "cannot use 'smtp://mail:***' for --smtp: the port is not a number from 1 to 65535",
        ),
        ("--smtp=smtp://mail|-s|x", "cannot use --smtp and -s together: which is it?"),
        ("--tls|-m|a@x", "cannot use --tls without --smtp"),
        ("--password-file=/x", "cannot use --password-file without --smtp"),
        ("--password-file=", "cannot use '' for --password-file: it is empty"),
        ("--from=", "cannot use '' for --from: it is empty"),
        ("-s| |-m|a@x", "cannot use ' ' for -s: it is empty"),
        ("--test-alert", "cannot send a test alert: -m/--email names no recipient"),
        (
            "--smtp=smtp://joe@mail|-m|a@x",
            "cannot authenticate: there is no password; give it by --password-file, by the environment variable \
             IRONLANCE_SMTP_PASSWORD or by the systemd credential ironlance-smtp-password",
        ),
    ] {
        let said = refused(parse(&args(line), &test_env()));
        assert!(said.starts_with(&format!("255 crashmail: {expected}")), "crashmail {line}: {said}");
    }
}

#[test]
fn a_password_is_looked_for_in_the_order_of_the_documents() {
    let credentials = tempfile::TempDir::new().unwrap();
    let credential = credentials.path().join("ironlance-smtp-password");
    std::fs::write(&credential, "hunter2").unwrap();
    let folder = credentials.path().to_str().unwrap().to_owned();
    let password = |line: &str, in_environment: bool| {
        let variable = |name: &str| match name {
            "IRONLANCE_SMTP_PASSWORD" => in_environment.then(|| "hunter2".to_owned()),
            "CREDENTIALS_DIRECTORY" => Some(folder.clone()),
            _ => None,
        };
        let parsed = parse(&args(line), &OptionsEnv { variable: &variable, host: "box" });
        let Parsed::Run(options) = parsed else { panic!("{}", refused(parsed)) };
        describe_route(&options.destination.receiver.unwrap())
    };
    let user = "-m|a@x|--smtp=smtp://joe@mail";
    let all = "-m|a@x|--smtp=smtp://joe:pw@mail|--password-file=/pw";
    assert!(password(all, true).contains("Literal(***)"));
    assert!(password(&format!("{user}|--password-file=/pw"), true).contains("File(/pw)"));
    assert!(password(user, true).contains("Env(IRONLANCE_SMTP_PASSWORD)"));
    assert!(password(user, false).contains(&format!("File({})", credential.display())));
    // Nobody to be: no AUTH, whatever lies about.
    assert!(password("-m|a@x|--smtp=smtp://mail", true).contains(" None "));
}

#[test]
fn the_help_names_every_option() {
    check_help(
        &help().text(),
        &[
            "-h, --help",
            "-p, --program PATTERN",
            "-a, --any",
            "-o, --optionalheader TEXT",
            "-s, --sendmail_program COMMAND",
            "-m, --email ADDRESS",
            "-g, --group GROUP",
            "--on LIST",
            "--smtp URL",
            "--from ADDRESS",
            "--tls",
            "--password-file FILE",
            "--ca-file FILE",
            "--body-only",
            "--brief",
            "--test-alert",
        ],
    );
}
