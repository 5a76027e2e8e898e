//! Command lines of memmon: superlance's, tried on the original, and ours.

use super::*;
use crate::options::test_support::{
    SENDMAIL, args, check_help, differences, mailer, or_dash, outcome, refused, test_env,
};
use ironlance_core::Namespec;

/// Command lines and what superlance 2.0.0 makes of them on CPython 3.11, but for the documented differences:
/// fields that are not at their default, or how it ends. See `test_support` for the notation.
const AS_SUPERLANCE: &[(&str, &str)] = &[
    ("", "exit 255: help"),
    ("-h", "exit 0: help"),
    ("-p|a=1", "programs=a=1"),
    ("-p|a=1KB|-g|g=2mb|-a|3Gb", "programs=a=1024; groups=g=2097152; any=3221225472"),
    ("-p|a:b=200MB", "programs=a:b=209715200"),
    ("-p|a=1|-p|b=2|-p|a=3", "programs=a=3,b=2"),
    ("-c|-a|10000", "cumulative=true; any=10000"),
    ("-ca10", "cumulative=true; any=10"),
    ("--cum|--any=1GB", "cumulative=true; any=1073741824"),
    ("-p|a", "exit 255: Unparseable value 'a' for '-p' + help"),
    ("-p|a=b=1", "exit 255: Unparseable value 'a=b=1' for '-p' + help"),
    ("-p|a=x", "exit 255: Unparseable byte_size in 'x' for '-p' + help"),
    ("--program|a=x", "exit 255: Unparseable byte_size in 'x' for '--program' + help"),
    ("--prog=a=x", "exit 255: Unparseable byte_size in 'x' for '--program' + help"),
    ("-g|g", "exit 255: Unparseable value 'g' for '-g' + help"),
    ("-g|g=1.5GB", "exit 255: Unparseable byte_size in '1.5GB' for '-g' + help"),
    ("-a|x", "exit 255: Unparseable byte_size in 'x' for '-a' + help"),
    ("-a|", "exit 255: Unparseable byte_size in '' for '-a' + help"),
    ("--any|", "exit 255: Unparseable byte_size in '' for '--any' + help"),
    ("-a|1k", "exit 255: Unparseable byte_size in '1k' for '-a' + help"),
    ("-a| 5 ", "any=5"),
    ("-a|1_000", "any=1000"),
    ("-a|KB", "exit 255: Unparseable byte_size in 'KB' for '-a' + help"),
    ("-u|90|-a|1", "any=1; uptime=90"),
    ("-u|5m|-a|1", "any=1; uptime=300"),
    ("-u|2H|-a|1", "any=1; uptime=7200"),
    ("-u|1d|-a|1", "any=1; uptime=86400"),
    ("-u|1s|-a|1", "any=1; uptime=1"),
    ("-u|x|-a|1", "exit 255: Unparseable value for time in 'x' for -u + help"),
    ("-u||-a|1", "exit 255: Unparseable value for time in '' for -u + help"),
    ("--uptime=1w", "exit 255: Unparseable value for time in '1w' for --uptime + help"),
    ("-u|-5", "uptime=-5"),
    ("-a|1|-n|web", "any=1; name=web"),
    ("-n|web|-a|1", "any=1; name=web"),
    ("-n||-a|1", "any=1; name="),
    ("-s|x|-m|a@x|-a|1", "any=1; email=a@x; sendmail=x"),
    (
        "--send=y|--em=z@x|--na=me|-c|-gg=1|-gg=2KB|-pb=1|-pa=2",
        "cumulative=true; programs=a=2,b=1; groups=g=2048; email=z@x; sendmail=y; name=me",
    ),
    ("-m||-a|1", "any=1"),
    ("foo", "-"),
    ("--", "-"),
    ("-x", "exit 255: help"),
    ("-p", "exit 255: help"),
    ("--p|a=1", "programs=a=1"),
    ("--n|x", "name=x"),
    ("--c", "cumulative=true"),
    ("--c=1", "exit 255: help"),
    ("-h|-p|bad", "exit 0: help"),
    ("-p|bad|-h", "exit 255: Unparseable value 'bad' for '-p' + help"),
    ("-x|-h", "exit 255: help"),
    ("-p|a=1|file|-a|2", "programs=a=1"),
    ("-p|it's", "exit 255: Unparseable value \"it's\" for '-p' + help"),
    ("-p|a=é", "exit 255: Unparseable byte_size in 'é' for '-p' + help"),
    ("--u=1m", "uptime=60"),
    ("--s|x", "-"),
    ("--e|x@y|-a|1", "any=1; email=x@y"),
];

fn list(limits: &[(String, u64)]) -> String {
    let limits: std::collections::BTreeMap<&String, &u64> =
        limits.iter().map(|(name, bytes)| (name, bytes)).collect();
    let limits: Vec<String> = limits.iter().map(|(name, bytes)| format!("{name}={bytes}")).collect();
    limits.join(",")
}

fn show(options: Options<MemmonOptions>) -> String {
    differences(&[
        ("cumulative", options.own.metric.cumulative.to_string(), "false"),
        ("programs", list(&options.own.programs), ""),
        ("groups", list(&options.own.groups), ""),
        ("any", or_dash(options.own.any), "-"),
        ("email", or_dash(options.destination.email), "-"),
        ("sendmail", mailer(options.destination.receiver.as_ref()), SENDMAIL),
        ("uptime", or_dash(options.own.uptime), "-"),
        ("name", or_dash(options.own.name), "-"),
    ])
}

#[test]
fn superlances_command_lines_mean_what_they_meant() {
    for (line, expected) in AS_SUPERLANCE {
        assert_eq!(
            outcome(parse(&args(line), &test_env()), &help().text(), show),
            *expected,
            "memmon {line}"
        );
    }
}

fn run(line: &str) -> Options<MemmonOptions> {
    match parse(&args(line), &test_env()) {
        Parsed::Run(options) => options,
        Parsed::Exit { stderr, .. } => panic!("memmon {line}: {stderr}"),
    }
}

/// The names of the limits that hold for a process.
fn limits(line: &str, group: &str, process: &str) -> Vec<String> {
    let limits = run(line).own.limits().into_iter();
    limits
        .filter(|limit| limit.processes.names(&Namespec::new(group, process)))
        .map(|limit| limit.named)
        .collect()
}

#[test]
fn a_limit_holds_for_what_its_pattern_names() {
    let line = "-p|web=1|-p|shop:web=2|-p|shop:*=3|-g|shop=4|-a|5";
    assert_eq!(limits(line, "shop", "web"), ["web=1", "shop:web=2", "shop:*=3", "shop=4", "any=5"]);
    assert_eq!(limits(line, "shop", "cat"), ["shop:*=3", "shop=4", "any=5"]);
    assert_eq!(limits(line, "db", "web"), ["web=1", "any=5"]);
    assert_eq!(limits(line, "db", "db"), ["any=5"]);
}

#[test]
fn what_is_left_out_has_no_limit_at_all() {
    let line = "-p|!shop:cat|-a|5|-g|!db|-p|web=1KB|-p|web=2KB";
    assert_eq!(limits(line, "shop", "cat"), Vec::<String>::new());
    assert_eq!(limits(line, "db", "web"), Vec::<String>::new());
    assert_eq!(limits(line, "shop", "web"), ["web=2048", "any=5"]);
    assert_eq!(run("-p|!shop:cat").own.limits(), []);
}

#[test]
fn what_is_done_and_when_is_read() {
    let options = run("-a|1").own;
    assert_eq!((options.ticks, options.signal, options.notify_only), (0, None, false));
    assert_eq!(options.metric, MemoryMetric::default());
    for (line, cumulative) in [("--pss", false), ("--pss|-c", true)] {
        assert_eq!(run(line).own.metric, MemoryMetric { pss: true, cumulative });
    }
    assert!(run("--for|3|--notify-only").own.notify_only);
    assert_eq!(run("--for|3").own.ticks, 3);
    for text in ["usr1", "SIGUSR1", "10"] {
        assert_eq!(run(&format!("--signal={text}")).own.signal, Some(10), "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_told_in_one_line() {
    for (line, expected) in [
        ("", "255 memmon: cannot watch anything: no option is given"),
        ("-a|x", "255 memmon: Unparseable byte_size in 'x' for '-a'"),
        ("-a|-1MB", "255 memmon: Unparseable byte_size in '-1MB' for '-a'"),
        ("-p|=1MB", "255 memmon: cannot use the value of -p: cannot read \"\": not NAME"),
        ("-p|:x=1MB", "255 memmon: cannot use the value of -p: cannot read \":x\": not NAME"),
        ("-g|a:b=1MB", "255 memmon: cannot use the value of -g: cannot read \"a:b\": not NAME"),
        ("-p|!a=1MB", "255 memmon: cannot use '!a=1MB' for -p: what is left out by ! has no size"),
        ("-p|!", "255 memmon: cannot use the value of -p: cannot read"),
        ("--for=0", "255 memmon: cannot use '0' for --for: not a whole number from 1"),
        ("--for=1.5", "255 memmon: cannot use '1.5' for --for"),
        ("--signal=0", "255 memmon: cannot use '0' for --signal: not a signal such as USR1"),
        ("--signal=SIGNOPE", "255 memmon: cannot use 'SIGNOPE' for --signal: not a signal such as USR1"),
        (
            "--signal=9|--notify-only",
            "255 memmon: cannot use --signal and --notify-only together: which is it?",
        ),
        ("--tls", "255 memmon: cannot use --tls without --smtp"),
        ("--test-alert", "255 memmon: cannot send a test alert: -m/--email names no recipient"),
    ] {
        let said = refused(parse(&args(line), &test_env()));
        assert!(said.starts_with(expected), "memmon {line}: {said}");
    }
}

#[test]
fn the_help_names_every_option() {
    check_help(
        &help().text(),
        &[
            "-h, --help",
            "-c, --cumulative",
            "-p, --program PATTERN=SIZE",
            "-g, --group GROUP=SIZE",
            "-a, --any SIZE",
            "-s, --sendmail_program COMMAND",
            "-m, --email ADDRESS",
            "-u, --uptime TIME",
            "-n, --name NAME",
            "--for N",
            "--pss",
            "--signal SIGNAL",
            "--notify-only",
            "--remind",
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
