//! Command lines that do not start a listener: exit codes and streams, held against the originals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Stdio};

use anyhow::Context;
use ironlance_e2e::implementation::LISTENERS;
use ironlance_e2e::{Implementation, TestDir};

/// What a command did that ended by itself.
#[derive(Debug)]
struct Ending {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(command: &mut Command) -> anyhow::Result<Ending> {
    let output = command.stdin(Stdio::null()).output().context("cannot run it")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ending { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

/// Outside supervisord.
fn ending(dir: &TestDir, implementation: Implementation, line: &str) -> anyhow::Result<Ending> {
    let mut words = line.split_whitespace().map(|word| word.replace('␣', " "));
    let name = words.next().context("no command")?;
    run(dir.command(implementation.path(&name)?, implementation)?.args(words))
}

/// Runs both: same exit code, and each says something on stdout when and only when the other does.
fn agree(line: &str) -> (Ending, Ending) {
    let dir = TestDir::new().unwrap();
    let original = ending(&dir, Implementation::Original, line).unwrap();
    let ours = ending(&dir, Implementation::Ours, line).unwrap();
    assert_eq!(ours.code, original.code, "{line}\n{original:#?}\n{ours:#?}");
    assert_eq!(ours.stdout.is_empty(), original.stdout.is_empty(), "{line}\n{original:#?}\n{ours:#?}");
    (original, ours)
}

#[test]
fn the_first_three_print_usage_on_stdout_and_exit_255() {
    for line in [
        "crashmail -x",
        "crashmail --nonsense",
        "crashmail -m",
        "crashmail --email",
        "crashmail --any=yes",
        "crashmail --e",
        "httpok",
        "httpok -p cat",
        "httpok http://a/ http://b/",
        "httpok -z http://a/",
        "httpok --timeout",
        "httpok --e http://a/",
        "httpok --any=1 http://a/",
        "httpok -t 5",
        "memmon",
        "memmon -q",
        "memmon --any",
        "memmon -p cat",
        "memmon -p cat=1=2",
        "memmon -p cat=many",
        "memmon -a 1TB",
        "memmon -a 1.5MB",
        "memmon -a",
        "memmon -g shop=1XB",
        "memmon -u soon -a 1GB",
        "memmon -u 5w -a 1GB",
        "memmon --cumulative=1 -a 1",
    ] {
        // A shortening of ours must not turn an error of the original into something that runs.
        let (original, ours) = agree(line);
        assert_eq!(ours.code, Some(255), "{line}");
        if original.stdout.starts_with("Unparseable") {
            let first = |ending: &Ending| ending.stdout.lines().next().unwrap_or_default().to_owned();
            assert_eq!(first(&ours), first(&original), "{line}");
        }
    }
}

#[test]
fn help_goes_to_stdout_and_exits_0() {
    for name in LISTENERS {
        for option in ["-h", "--help", "--hel"] {
            let (_, ours) = agree(&format!("{name} {option}"));
            assert_eq!((ours.code, ours.stderr.as_str()), (Some(0), ""), "{name} {option}");
        }
    }
}

#[test]
fn help_names_every_option_of_the_original() {
    let dir = TestDir::new().unwrap();
    for name in LISTENERS {
        let original = ending(&dir, Implementation::Original, &format!("{name} --help")).unwrap().stdout;
        let ours = ending(&dir, Implementation::Ours, &format!("{name} --help")).unwrap().stdout;
        let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let options =
            original.split(ends).filter(|word| word.starts_with('-') && word.trim_matches('-').len() > 1);
        for option in options.filter(|word| word.starts_with("--") && !word.ends_with('-')) {
            assert!(ours.contains(option), "{name}: {option}");
        }
        for line in original.lines().filter(|line| line.starts_with('-')) {
            let option = &line[..2];
            assert!(option == "--" || ours.contains(&format!("{option},")), "{name}: {option} in\n{ours}");
        }
    }
}

#[test]
fn the_batch_mailers_print_usage_on_stderr_and_exit_2() {
    for name in ["crashmailbatch", "fatalmailbatch", "crashsms"] {
        for args in [
            "-x",
            "--nonsense",
            "-i",
            "-i soon",
            "--interval=1m",
            "--s=x",
            "--t=x",
            "--smtpHost",
            "--tls=yes",
            "-t",
            "-ix",
        ] {
            let (original, ours) = agree(&format!("{name} {args}"));
            assert_eq!(ours.code, Some(2), "{name} {args}");
            let fault = |ending: &Ending| ending.stderr.lines().last().unwrap_or_default().to_owned();
            assert_eq!(fault(&ours), fault(&original), "{name} {args}");
            assert!(ours.stderr.starts_with("Usage:"), "{name} {args}: {}", ours.stderr);
        }
    }
}

#[test]
fn the_batch_mailers_print_help_without_an_address_and_exit_1() {
    for name in ["crashmailbatch", "fatalmailbatch", "crashsms"] {
        for args in ["", "-t a@example.com", "-f a@example.com", "operand", "-t␣ -f a@example.com -s x"] {
            let args = args.replace("-t␣ ", "");
            let (_, ours) = agree(&format!("{name} {args}"));
            assert_eq!(ours.code, Some(1), "{name} {args}");
            assert!(ours.stdout.contains("--toEmail"), "{name} {args}: {}", ours.stdout);
        }
    }
}

#[test]
fn numbers_that_python_refuses_end_with_1_and_one_line_of_ours() {
    for line in [
        "httpok -t soon http://a/",
        "httpok -c OK http://a/",
        "httpok -t 1.5 http://a/",
        "httpok -c␣ http://a/",
    ] {
        let (original, ours) = agree(line);
        assert!(original.stderr.contains("Traceback"), "{line}");
        assert_eq!((ours.code, ours.stderr.lines().count()), (Some(1), 1), "{line}: {ours:?}");
    }
}

#[test]
fn outside_supervisord_one_line_tells_and_the_code_is_the_originals() {
    for line in [
        "crashmail",
        "crashmail -a -m a@example.com",
        "httpok http://localhost/",
        "httpok -a -t 5 http://localhost/",
        "memmon -a 1GB",
        "crashmailbatch -t a@example.com -f b@example.com",
        "fatalmailbatch -t a@example.com -f b@example.com --tls -u x -p y",
        "crashsms --toEmail a@example.com --fromEmail=b@example.com",
    ] {
        let (original, ours) = agree(line);
        assert_eq!(ours.stderr.lines().count(), 1, "{line}: {}", ours.stderr);
        if !original.stderr.contains("Traceback") {
            assert_eq!(ours.stderr, original.stderr, "{line}");
        }
    }
}

#[test]
fn at_the_end_of_input_we_end_with_0() {
    let dir = TestDir::new().unwrap();
    for line in [
        "crashmail",
        "memmon -a 1GB",
        "httpok http://localhost/",
        "crashsms -t a@example.com -f b@example.com",
    ] {
        let mut words = line.split_whitespace();
        let path = Implementation::Ours.path(words.next().unwrap()).unwrap();
        let mut command = dir.command(path, Implementation::Ours).unwrap();
        command.args(words).env("SUPERVISOR_SERVER_URL", "unix:///nowhere");
        let ours = run(&mut command).unwrap();
        assert_eq!(
            (ours.code, ours.stdout.as_str(), ours.stderr.as_str()),
            (Some(0), "READY\n", ""),
            "{line}"
        );
    }
}

#[test]
fn the_binary_takes_the_command_as_its_first_argument_too() {
    let dir = TestDir::new().unwrap();
    for name in LISTENERS {
        let by_name = ending(&dir, Implementation::Ours, &format!("{name} --help")).unwrap();
        let by_argument = ending(&dir, Implementation::Ours, &format!("ironlance {name} --help")).unwrap();
        assert_eq!(by_name.stdout, by_argument.stdout);
    }
    let unknown = ending(&dir, Implementation::Ours, "ironlance nonsense").unwrap();
    assert_eq!((unknown.code, unknown.stderr.lines().count()), (Some(2), 1));
}
