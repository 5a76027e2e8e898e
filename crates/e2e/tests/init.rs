//! `ironlance init`: what it writes is taken by both supervisords, and has mailed before the first program crashes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ironlance_e2e::daemon::Daemon;
use ironlance_e2e::mail_server::{FakeMailServer, FakeMailServerOptions};
use ironlance_e2e::{Implementation, PseudoTerminal, TIMEOUT, TestDir, until};
use rustix::process::{Signal, kill_process};

/// A password with all that means something in a configuration.
const PASSWORD: &str = "p%;\"#";
/// The same in a URL.
const IN_URL: &str = "p%25%3B%22%23";
const SLEEPER: &str = "sleep=sleep 1234";

fn command(dir: &TestDir) -> Command {
    let mut command = dir.ours("ironlance").unwrap();
    command.arg("init");
    command
}

fn init(dir: &TestDir, args: &[&str]) -> Output {
    command(dir).args(args).stdin(Stdio::null()).output().unwrap()
}

/// A run that writes `s.conf` of the test directory; gives what it said.
fn written(dir: &TestDir, args: &[&str]) -> String {
    let output = init(dir, &[&["--output", "s.conf", "--mail-to", "ops@example.com"], args].concat());
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn from_options_to_the_first_crash_in_the_mailbox_under_both_supervisords() {
    for daemon in Implementation::BOTH {
        let dir = TestDir::new().unwrap();
        let setup = FakeMailServerOptions::default().auth(&format!("joe:{PASSWORD}")).clear_auth();
        let server = FakeMailServer::start(&dir, &setup).unwrap();
        let url = format!("smtp://joe:{IN_URL}@127.0.0.1:{}", server.port());
        let printed = written(&dir, &["--smtp", &url, "--program", SLEEPER]);
        assert!(printed.contains("the test alert was sent") && !printed.contains(PASSWORD), "{printed}");
        let mails = server.wait(1).unwrap();
        assert!(
            mails[0].content.contains("Subject: test alert of crashmail on ")
                && mails[0].auth.contains("joe")
        );
        let (config, password) = (dir.path("s.conf"), dir.path("s.smtp-password"));
        let text = fs::read_to_string(&config).unwrap();
        assert!(!text.contains(PASSWORD) && !text.contains(IN_URL), "{text}");
        assert_eq!((mode(&password), mode(&config), mode(&dir.path("supervisor"))), (0o600, 0o644, 0o700));

        let mut supervisord = dir.command(daemon.path("supervisord").unwrap(), Implementation::Ours).unwrap();
        supervisord.args(["-n", "-c", "s.conf"]);
        let _running = Daemon::spawn(&dir, supervisord).unwrap();
        let pid =
            until("the program to run", TIMEOUT, || Ok(dir.processes_named("sleep 1234").pop())).unwrap();
        // Within its startsecs it would not be a crash.
        until("it to be RUNNING", TIMEOUT, || {
            let log = fs::read_to_string(dir.path("supervisor/supervisord.log")).unwrap_or_default();
            Ok(log.contains("success: sleep entered RUNNING").then_some(()))
        })
        .unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        let mails = server.wait(2).unwrap();
        assert!(mails[1].content.contains("sleep crashed at "), "{daemon}: {}", mails[1].content);
    }
}

#[test]
fn it_asks_four_questions_on_a_terminal_and_again_where_an_answer_cannot_be_used() {
    let dir = TestDir::new().unwrap();
    let setup = FakeMailServerOptions::default().auth(&format!("joe:{PASSWORD}")).clear_auth();
    let server = FakeMailServer::start(&dir, &setup).unwrap();
    dir.write("taken.conf", "mine").unwrap();
    let mut terminal = PseudoTerminal::start(&command(&dir), "xterm").unwrap();
    terminal.expect("1. Where do alerts go?").unwrap();
    terminal.line("nobody at home").unwrap();
    terminal.expect("cannot use as a mail address: nobody at home").unwrap();
    terminal.line("ops@example.com").unwrap();
    terminal.expect("2. How is mail sent?").unwrap();
    terminal.line(&format!("smtp://joe@127.0.0.1:{}", server.port())).unwrap();
    terminal.expect("Password of joe (not shown):").unwrap();
    terminal.wait_silent().unwrap();
    terminal.line(PASSWORD).unwrap();
    terminal.expect("3. Which program is to be kept running?").unwrap();
    terminal.line("none").unwrap();
    terminal.expect("4. Where is the configuration to be written?").unwrap();
    terminal.line("taken.conf").unwrap();
    terminal.expect("it is there already").unwrap();
    terminal.line("new.conf").unwrap();
    terminal.expect("the test alert was sent").unwrap();
    assert_eq!(terminal.end().unwrap(), 0);
    let screen = terminal.screen();
    assert!(!screen.contains(PASSWORD) && screen.contains("supervisord -c "), "{screen}");
    assert!(terminal.is_sane().unwrap());
    assert_eq!(fs::read_to_string(dir.path("new.smtp-password")).unwrap().trim_end(), PASSWORD);
    assert_eq!(fs::read_to_string(dir.path("taken.conf")).unwrap(), "mine");
    server.wait(1).unwrap();
}

#[test]
fn a_password_that_the_server_refuses_is_asked_for_again_and_kept_once_it_is_right() {
    let dir = TestDir::new().unwrap();
    let setup = FakeMailServerOptions::default().auth(&format!("joe:{PASSWORD}")).clear_auth();
    let server = FakeMailServer::start(&dir, &setup).unwrap();
    let mut command = command(&dir);
    let url = format!("smtp://joe@127.0.0.1:{}", server.port());
    command.args(["--mail-to", "a@x", "--smtp", &url, "--program", "none", "--output", "s.conf"]);
    let mut terminal = PseudoTerminal::start(&command, "xterm").unwrap();
    terminal.expect("Password of joe (not shown):").unwrap();
    terminal.wait_silent().unwrap();
    terminal.line("wrong").unwrap();
    terminal.expect("cannot log in to smtp://").unwrap();
    terminal.expect("The server refused the login of joe").unwrap();
    terminal.wait_silent().unwrap();
    terminal.line(PASSWORD).unwrap();
    terminal.expect("the test alert was sent").unwrap();
    assert_eq!(terminal.end().unwrap(), 0);
    assert!(!terminal.screen().contains("cannot reach"), "{}", terminal.screen());
    let file = dir.path("s.smtp-password");
    assert_eq!((fs::read_to_string(&file).unwrap().trim_end(), mode(&file)), (PASSWORD, 0o600));
    server.wait(1).unwrap();
}

/// The commands of README's quick start from where the configuration is written, each as it stands there.
fn quick_start() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, part) = readme.split_once("\n## Five minutes").unwrap();
    let part = part.split("\n## ").next().unwrap();
    let lines = part.lines().filter_map(|line| line.strip_prefix("       "));
    lines.skip_while(|line| !line.starts_with("mkdir")).map(str::to_owned).collect()
}

#[test]
fn the_quick_start_ends_with_an_alert_that_one_can_see_when_every_question_is_answered_by_enter() {
    let dir = TestDir::new().unwrap();
    let commands = quick_start();
    assert_eq!(commands.len(), 7, "{commands:#?}");
    let mut shell = dir.command("/bin/sh", Implementation::Ours).unwrap();
    shell.args(["-ec", &commands[..2].join("\n")]);
    let mut terminal = PseudoTerminal::start(&shell, "xterm").unwrap();
    terminal.expect("1. Where do alerts go?").unwrap();
    terminal.line("").unwrap();
    terminal.expect("2. How is mail sent?").unwrap();
    // A machine with a mailer offers that one, and the alert would leave us.
    terminal.expect("   [").unwrap();
    terminal.line(if terminal.screen().contains("[file]") { "" } else { "file" }).unwrap();
    terminal.expect("3. Which program").unwrap();
    terminal.line("").unwrap();
    terminal.expect("the test alert was sent").unwrap();
    assert_eq!(terminal.end().unwrap(), 0, "{}", terminal.screen());
    let run = |line: &str| {
        let mut shell = dir.command("/bin/sh", Implementation::Ours).unwrap();
        shell.args(["-ec", line]).current_dir(dir.path("watch"));
        let output = shell.stdin(Stdio::null()).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let alerts = || fs::read_to_string(dir.path("watch/supervisor/alerts.txt")).unwrap_or_default();
    assert!(alerts().contains("Subject: test alert of crashmail"), "{}", alerts());
    run(&commands[2]);
    until("the program to run", TIMEOUT, || {
        let status = run(&commands[3]);
        Ok(status.lines().any(|line| line.starts_with("example ") && line.contains("RUNNING")).then_some(()))
    })
    .unwrap();
    run(&commands[4]);
    until("the alert", TIMEOUT, || Ok(alerts().contains("example crashed at ").then_some(()))).unwrap();
    assert!(alerts().starts_with("To: ") && alerts().contains("\n\nTo: "), "{}", alerts());
    let why = run(&commands[5]);
    assert!(why.contains("SIGKILL"), "{why}");
    let waiting = run(&commands[6]);
    assert!(!waiting.contains("crashmail"), "{waiting}");
    run("supervisorctl -c supervisord.conf shutdown");
}

#[test]
fn who_gives_up_at_the_password_gets_the_terminal_back() {
    let dir = TestDir::new().unwrap();
    let mut command = command(&dir);
    command.args(["--mail-to", "a@x", "--smtp", "smtp://joe@localhost", "--output", "s.conf"]);
    let mut terminal = PseudoTerminal::start(&command, "xterm").unwrap();
    terminal.expect("Password of joe (not shown):").unwrap();
    terminal.wait_silent().unwrap();
    terminal.keys("\x03").unwrap();
    assert_eq!(terminal.end().unwrap(), -Signal::INT.as_raw());
    assert!(terminal.is_sane().unwrap());
    assert!(!dir.path("s.conf").exists());
}

#[test]
fn what_is_there_already_is_written_over_only_by_force() {
    let dir = TestDir::new().unwrap();
    dir.write("s.conf", "mine").unwrap();
    let args = ["--yes", "--no-test", "--output", "s.conf"];
    let output = init(&dir, &args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("s.conf: it is there already") && stderr.contains("--force"), "{stderr}");
    assert_eq!(fs::read_to_string(dir.path("s.conf")).unwrap(), "mine");
    assert!(init(&dir, &[&args[..], &["--force"]].concat()).status.success());
    assert!(fs::read_to_string(dir.path("s.conf")).unwrap().contains("[eventlistener:crashmail]"));
}

#[test]
fn by_force_a_link_leads_to_the_file_that_is_written_and_what_is_no_file_is_refused() {
    let dir = TestDir::new().unwrap();
    dir.write("real/s.conf", "mine").unwrap();
    symlink("real/s.conf", dir.path("link.conf")).unwrap();
    let forced = |file: &str| init(&dir, &["--yes", "--no-test", "--force", "--output", file]);
    let output = forced("link.conf");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(dir.path("link.conf").is_symlink() && !dir.path("real/supervisor").exists());
    let text = fs::read_to_string(dir.path("real/s.conf")).unwrap();
    assert!(text.contains("[eventlistener:crashmail]"), "{text}");

    // A FIFO stands for devices too: it can be made without root, and missed by nobody.
    let fifo = dir.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    symlink("fifo", dir.path("to-fifo")).unwrap();
    for file in ["fifo", "to-fifo"] {
        let output = forced(file);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{file}: {stderr}");
        assert!(stderr.contains("it is no regular file") && stderr.lines().count() == 1, "{stderr}");
    }
    assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo() && dir.path("to-fifo").is_symlink());
}

#[test]
fn where_nothing_can_be_written_the_file_is_named_and_nothing_stays() {
    let dir = TestDir::new().unwrap();
    let ours = command(&dir);
    // No file may grow: what a full disk does, without one.
    let mut shell = dir.command("/bin/sh", Implementation::Ours).unwrap();
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]);
    shell.arg(ours.get_program()).args(ours.get_args());
    shell.args(["--yes", "--no-test", "--output", "new/s.conf"]).stdin(Stdio::null());
    let output = shell.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let file = dir.path("new/s.conf");
    assert!(stderr.contains(&format!("cannot write {}: File too large", file.display())), "{stderr}");
    assert!(!dir.path("new").exists());
}

#[test]
fn help_that_cannot_be_written_is_no_success() {
    let dir = TestDir::new().unwrap();
    for name in ["init", "import"] {
        let mut help = dir.ours("ironlance").unwrap();
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(help.args([name, "--help"]).stdout(full).status().unwrap().code(), Some(1), "{name}");
    }
}

#[test]
fn without_a_terminal_the_options_that_are_missing_are_named_and_nothing_is_written() {
    let dir = TestDir::new().unwrap();
    for (args, needles) in [
        (&["--output", "s.conf"][..], &["--mail-to", "--smtp", "--sendmail", "--yes"][..]),
        (&["--output", "s.conf", "--mail-to", "a@x"], &["--smtp"]),
        (&["--output", "s.conf", "--mail-to", "a@x", "--smtp", "smtp://joe@mail"], &["--password-file"]),
        (
            &["--output", "s.conf", "--mail-to", "a b", "--smtp", "mail"],
            &["cannot use as a mail address: a b"],
        ),
        (&["--output", "s.conf", "--yes", "--program", "crashmail=b"], &["that is a listener here"]),
        (
            &["--output", "s.conf", "--yes", "--program", "a=b", "--program", "a=c"],
            &["two programs of one name: a"],
        ),
        (&["--output", "s.conf", "--smtp", "a", "--sendmail"], &["cannot be used with"]),
        (&["--output", ".", "--yes"], &["it is a folder; name a file in it"]),
        (&["--output", "s.conf", "--yes", "--program", "a:b=/bin/cat"], &["a name is made of a-z"]),
        (&["--output", "s.conf", "--yes", "--program", "FOO=1 cat"], &["give it as NAME=env FOO=1 cat"]),
        (&["--output", "s.conf", "--yes", "--smtp", "127.0.0.1:99999"], &["number from 1 to 65535"]),
    ] {
        let output = init(&dir, args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(needles.iter().all(|needle| stderr.contains(needle)), "{args:?}: {stderr}");
        assert!(!dir.path("s.conf").exists() && !dir.path("supervisor").exists(), "{args:?}");
    }
}

#[test]
fn a_mail_server_that_does_not_answer_is_told_and_the_file_stays() {
    let dir = TestDir::new().unwrap();
    // Nobody listens on port 1.
    let output = init(&dir, &["--output", "s.conf", "--mail-to", "a@x", "--smtp", "127.0.0.1:1"]);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(
        stdout.contains("the test alert was not sent") && stdout.contains("Connection refused"),
        "{stdout}"
    );
    assert!(dir.path("s.conf").exists());
}

#[test]
fn a_mailer_with_quotes_and_a_command_with_comment_signs_mean_the_same_to_the_original() {
    let dir = TestDir::new().unwrap();
    let mailer = format!("cat >{}/'a mail;100%'", dir.folder().display());
    let shell = "odd=sh -c 'echo \"a ;b\" # 100% %(x)s'";
    let printed = written(&dir, &["--sendmail", &mailer, "--program", shell]);
    assert!(printed.contains("the test alert was sent"), "{printed}");
    assert!(fs::read_to_string(dir.path("a mail;100%")).unwrap().contains("To: ops@example.com"));
    let script = "import sys\nfrom supervisor.options import ServerOptions\nimport shlex\n\
        sys.argv = ['supervisord']\no = ServerOptions()\no.realize(['-c', 's.conf'])\n\
        for g in o.process_group_configs:\n    print(g.name, shlex.split(g.process_configs[0].command)[-1])\n";
    let python = Implementation::Original.path("python").unwrap();
    let output =
        dir.command(python, Implementation::Original).unwrap().args(["-c", script]).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        stdout.contains("odd echo \"a ;b\" # 100% %(x)s\n"),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(stdout.contains(&format!("crashmail {mailer}\n")), "{stdout}");
}

#[test]
fn a_configuration_that_shows_a_password_is_for_its_owner_only() {
    let dir = TestDir::new().unwrap();
    let printed = written(&dir, &["--smtp", "mail", "--no-test", "--program", "web=sleep 1 --password=x"]);
    assert!(printed.contains("Next:"), "{printed}");
    assert_eq!(mode(&dir.path("s.conf")), 0o600);
}

/// What a shell makes of a line.
fn words(line: &str) -> Vec<String> {
    let output = Command::new("sh").args(["-fc", &format!("printf '%s\\n' {line}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The words that are long options.
fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| c.is_whitespace() || "`,=[]".contains(c));
    words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned).collect()
}

#[test]
fn the_guide_names_every_option_and_its_example_is_taken() {
    let dir = TestDir::new().unwrap();
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/migration.md");
    let guide = fs::read_to_string(guide).unwrap();
    let (_, part) = guide.split_once("\n## A new configuration\n").unwrap();
    let part = part.split("\n## ").next().unwrap();
    let table: String = part.lines().filter(|line| line.starts_with("| `")).collect();
    let written: String = table.split('|').map(|cell| format!("{cell}\n")).collect();
    let mut offered = options(&String::from_utf8(init(&dir, &["--help"]).stdout).unwrap());
    // Of the help itself, and of the program in its example.
    for other in ["--help", "--port"] {
        assert!(offered.remove(other));
    }
    assert_eq!(options(&written), offered);

    let example = part.lines().find_map(|line| line.strip_prefix("    $ ironlance init --")).unwrap();
    dir.write("alerts.pw", "x\n").unwrap();
    let example = format!("--{example}")
        .replace("/etc/alerts.pw", "alerts.pw")
        .replace("/etc/supervisord.conf", "s.conf");
    let output = command(&dir).args(words(&example)).arg("--no-test").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(dir.path("s.conf")).unwrap();
    let line = format!(
        "crashmail -m ops@example.com --from ironlance@{} --smtp smtps://alerts@mail.example.com --tls --password-file {}",
        rustix::system::uname().nodename().to_str().unwrap(),
        dir.path("alerts.pw").display()
    );
    assert!(text.contains(&format!("command={line}\n")), "{line} is not in\n{text}");
}
