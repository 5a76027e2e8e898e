//! Command lines of httpok: superlance's, tried on the original, and ours.

use super::*;
use crate::options::test_support::{
    SENDMAIL, args, check_help, differences, mailer, or_dash, outcome, refused, test_env,
};
use crate::rule::reminder::RemindInterval;

/// Command lines and what superlance 2.0.0 makes of them on CPython 3.11, but for the documented differences:
/// fields that are not at their default, or how it ends. See `test_support` for the notation.
const AS_SUPERLANCE: &[(&str, &str)] = &[
    ("", "exit 255: help"),
    ("-h", "exit 0: help"),
    ("http://x/", "-"),
    ("-p|a|-p|g:b|http://x/", "programs=a,g:b"),
    ("-a|http://x/y?z#f", "any=true; url=http://x/y?z#f"),
    ("-t|5|-c|200|-c|302|http://x/", "timeout=5; codes=200,302"),
    ("-t|abc|http://x/", "exit 1: line"),
    ("-c|abc|http://x/", "exit 1: line"),
    ("-c||http://x/", "exit 1: line"),
    ("-t| 7 |http://x/", "timeout=7"),
    ("-t|1_0|http://x/", "-"),
    ("-t|+3|http://x/", "timeout=3"),
    ("-b|hello|http://x/", "body=hello"),
    ("-b||http://x/", "-"),
    ("-g|gc|-d|/tmp|http://x/", "core=/tmp with gc"),
    ("-d|/tmp|http://x/", "core=/tmp with /usr/bin/gcore -o"),
    ("-g||-d|/tmp|http://x/", "-"),
    ("-d||http://x/", "-"),
    ("-e|-E|http://x/", "eager=false"),
    ("-Ee|http://x/", "-"),
    ("--eager|http://x/", "-"),
    ("--not-eager|http://x/", "eager=false"),
    ("--no|http://x/", "eager=false"),
    ("--e|http://x/", "exit 255: help"),
    ("--em=a@x|http://x/", "email=a@x"),
    ("--ea|http://x/", "-"),
    ("-n|me|http://x/", "name=me"),
    ("-n||http://x/", "name="),
    ("--name=me|http://x/", "name=me"),
    ("--na|me|http://x/", "name=me"),
    ("--n|me|http://x/", "exit 255: help"),
    ("--co=201|http://x/", "exit 255: help"),
    ("--cor=/c|http://x/", "core=/c with /usr/bin/gcore -o"),
    ("--cod=201|http://x/", "codes=201"),
    ("http://x/|http://y/", "exit 255: help"),
    ("-t|abc", "exit 255: help"),
    ("-t|abc|-h", "exit 0: help"),
    ("http://x/|-h", "exit 255: help"),
    ("-h|--bogus", "exit 255: help"),
    ("-z|http://x/", "exit 255: help"),
    ("-t", "exit 255: help"),
    ("--timeout|3", "exit 255: help"),
    ("--time=3|http://x/", "timeout=3"),
    ("--g=gc|http://x/", "-"),
    ("-aEt5|http://x/", "any=true; timeout=5; eager=false"),
    ("--|-x", "url=-x"),
    ("-s|mail it|-m|a@x|http://x/", "email=a@x; sendmail=mail it"),
    ("--b|x|http://x/", "body=x"),
    ("-p|it's|http://x/", "programs=it's"),
    ("--a|http://x/", "any=true"),
    ("--any=x|http://x/", "exit 255: help"),
    ("-c|0|http://x/", "codes=0"),
];

fn show(options: Options<HttpokOptions>) -> String {
    let codes: Vec<String> = options.own.statuses.iter().map(u16::to_string).collect();
    let core = options.own.core_dir.map(|dir| format!("{} with {}", dir.display(), options.own.gcore));
    differences(&[
        ("programs", options.filter.programs.join(","), ""),
        ("any", options.filter.any.to_string(), "false"),
        ("url", options.own.url, "http://x/"),
        ("timeout", options.own.timeout.as_secs().to_string(), "10"),
        ("codes", codes.join(","), "200"),
        ("body", or_dash(options.own.in_body), "-"),
        ("email", or_dash(options.destination.email), "-"),
        ("sendmail", mailer(options.destination.receiver.as_ref()), SENDMAIL),
        ("core", or_dash(core), "-"),
        ("eager", (options.own.eagerness == Eagerness::Eager).to_string(), "true"),
        ("name", or_dash(options.own.name), "-"),
    ])
}

#[test]
fn superlances_command_lines_mean_what_they_meant() {
    for (line, expected) in AS_SUPERLANCE {
        assert_eq!(
            outcome(parse(&args(line), &test_env()), &help().text(), show),
            *expected,
            "httpok {line}"
        );
    }
}

fn run(line: &str) -> Options<HttpokOptions> {
    match parse(&args(line), &test_env()) {
        Parsed::Run(options) => options,
        Parsed::Exit { stderr, .. } => panic!("httpok {line}: {stderr}"),
    }
}

#[test]
fn restraint_is_read_and_is_none_by_default() {
    let options = run("http://x/");
    assert_eq!((options.own.retries, options.own.grace, options.own.max_restarts), (1, Duration::ZERO, None));
    assert!(!options.own.notify_only && !options.own.insecure && !options.brief && !options.test_alert);
    let options =
        run("--retries=3|--grace|2m|--max-restarts=3/10m|--notify-only|--insecure|--brief|http://x/");
    assert_eq!((options.own.retries, options.own.grace), (3, Duration::from_secs(120)));
    let max_restarts = MaxRestarts { most: 3, within: Duration::from_secs(600) };
    assert_eq!(options.own.max_restarts, Some(max_restarts));
    assert!(options.own.notify_only && options.own.insecure && options.brief);
    assert_eq!(options.remind, RemindInterval::default());
    for line in ["--header=Authorization Bearer hunter2|http://x/", "http://x/|http://joe:hunter2@x/"] {
        let said = refused(parse(&args(line), &test_env()));
        assert!(said.contains("***") && !said.contains("hunter2"), "{said}");
    }
    assert_eq!(run("--remind=5m|http://x/").remind, RemindInterval(Duration::from_secs(300)));
    assert!(
        refused(parse(&args("--remind=soon|http://x/"), &test_env()))
            .contains("not a time such as 90, 90s, 5m, 2h or 1d")
    );
}

#[test]
fn the_request_is_a_get_unless_told_otherwise() {
    assert_eq!(run("http://x/").own.method(), "GET");
    assert_eq!(run("--data=a=1|http://x/").own.method(), "POST");
    let options =
        run("--data|x|--method=PUT|--header=A: b c |--header|X-Y:|--auth-file=/a|--ca-file=/c|http://x/");
    assert_eq!((options.own.method(), options.own.data.as_deref()), ("PUT", Some("x")));
    let headers = [("A".to_owned(), "b c".to_owned()), ("X-Y".to_owned(), String::new())];
    assert_eq!(options.own.headers, headers);
    assert_eq!(options.own.auth_file, Some("/a".into()));
    assert_eq!(options.own.ca_file, Some("/c".into()));
}

#[test]
fn programs_are_none_unless_named() {
    let web = ironlance_core::Namespec::new("shop", "web");
    for (line, named) in [
        ("", false),
        ("-a|", true),
        ("-p|web|", true),
        ("--group=shop|", true),
        ("-a|-p|!shop:*|", false),
        ("--group=!shop|-a|", false),
    ] {
        let filter = run(&format!("{line}http://x/")).filter;
        assert_eq!(filter.selection.names(&web), named, "{line}");
    }
}

#[test]
fn a_test_alert_needs_no_page() {
    let options = run("--test-alert|-m|a@x");
    assert!(options.test_alert && options.own.url.is_empty());
    assert_eq!(run("--test-alert|-m|a@x|http://x/").own.url, "http://x/");
}

#[test]
fn what_makes_no_sense_is_told_in_one_line() {
    for (line, expected) in [
        ("", "255 httpok: cannot check anything: the URL is missing"),
        ("http://x/|http://y/", "255 httpok: cannot use the argument \"http://y/\": one URL is enough"),
        ("-t|abc|http://x/", "1 httpok: cannot use 'abc' for -t: not a whole number"),
        (
            "--timeout=0|http://x/",
            "1 httpok: cannot use '0' for --timeout: not a number of seconds, at least 1",
        ),
        ("-t|-3|http://x/", "1 httpok: cannot use '-3' for -t"),
        ("-t|4294967296|http://x/", "1 httpok: cannot use '4294967296' for -t"),
        ("-c|1000|http://x/", "1 httpok: cannot use '1000' for -c: not an HTTP status such as 200"),
        ("-c|x|http://x/", "1 httpok: cannot use 'x' for -c: not a whole number"),
        ("--retries=0|http://x/", "255 httpok: cannot use '0' for --retries: not a whole number from 1"),
        (
            "--grace=-1|http://x/",
            "255 httpok: cannot use '-1' for --grace: not a time such as 45, 45s, 2m or 1h",
        ),
        (
            "--max-restarts=3|http://x/",
            "255 httpok: cannot use '3' for --max-restarts: not N/TIME such as 3/10m",
        ),
        ("--max-restarts=0/1m|http://x/", "255 httpok: cannot use '0/1m' for --max-restarts"),
        ("--max-restarts=1/0|http://x/", "255 httpok: cannot use '1/0' for --max-restarts"),
        ("--header=x|http://x/", "255 httpok: cannot use 'x' for --header: not NAME: VALUE"),
        ("--header=a b: c|http://x/", "255 httpok: cannot use 'a b: c' for --header"),
        ("--header=a: b\r\nc: d|http://x/", "255 httpok: cannot use 'a: b\\r\\nc: d' for --header"),
        ("--method=GET /|http://x/", "255 httpok: cannot use 'GET /' for --method: not a method such as GET"),
        ("--method=|http://x/", "255 httpok: cannot use '' for --method"),
        ("--auth-file=|http://x/", "255 httpok: cannot use '' for --auth-file: it is empty"),
        ("-p||http://x/", "255 httpok: cannot use the value of -p: cannot read \"\""),
        ("--test-alert|http://x/", "255 httpok: cannot send a test alert: -m/--email names no recipient"),
    ] {
        let said = refused(parse(&args(line), &test_env()));
        assert!(said.starts_with(expected), "httpok {line}: {said}");
    }
}

#[test]
fn the_help_names_every_option() {
    check_help(
        &help().text(),
        &[
            "usage: httpok [options] URL",
            "-h, --help",
            "-p, --program PATTERN",
            "-a, --any",
            "-t, --timeout SECONDS",
            "-c, --code STATUS",
            "-b, --body TEXT",
            "-g, --gcore COMMAND",
            "-d, --coredir FOLDER",
            "-e, --eager",
            "-E, --not-eager",
            "-n, --name NAME",
            "-s, --sendmail_program COMMAND",
            "-m, --email ADDRESS",
            "--group GROUP",
            "--retries N",
            "--grace TIME",
            "--max-restarts N/TIME",
            "--notify-only",
            "--remind",
            "--header 'NAME: VALUE'",
            "--method METHOD",
            "--data TEXT",
            "--auth-file FILE",
            "--insecure",
            "--smtp URL",
            "--from ADDRESS",
            "--tls",
            "--password-file FILE",
            "--ca-file FILE",
            "--brief",
            "--test-alert",
        ],
    );
}
