//! The manual pages and the completions of shells: made by the binary, taken by man and by real shells.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::PathBuf;

use ironlance_e2e::daemon::run_command;
use ironlance_e2e::implementation::{LISTENERS, SUPERVISORS};
use ironlance_e2e::terminal::PseudoTerminal;
use ironlance_e2e::{Daemon, Implementation, TestDir};

fn ironlance(dir: &TestDir, args: &[&str]) -> String {
    let mut command = dir.ours("ironlance").unwrap();
    command.args(args);
    let output = run_command(command).unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn pages(dir: &TestDir) -> Vec<PathBuf> {
    ironlance(dir, &["manual", "--folder", "man"]);
    let sections = ["man1", "man5", "man8"].map(|section| dir.path("man").join(section));
    let pages = sections.iter().flat_map(|section| fs::read_dir(section).unwrap());
    pages.map(|page| page.unwrap().path()).collect()
}

#[test]
fn on_a_terminal_a_page_is_shown_and_not_its_source() {
    let dir = TestDir::new().unwrap();
    let mut command = dir.ours("ironlance").unwrap();
    // Whether there is man here or not: what it or we hand to the pager is text.
    command.args(["manual", "pidproxy"]).env("PAGER", "cat").env("MANPAGER", "cat");
    let mut terminal = PseudoTerminal::start(&command, "dumb").unwrap();
    terminal.expect("NAME").unwrap();
    assert_eq!(terminal.end().unwrap(), 0);
    let bytes = String::from_utf8_lossy(terminal.bytes()).into_owned();
    assert!(bytes.contains("pidproxy") && !bytes.contains(".TH ") && !bytes.contains("\\-"), "{bytes}");
}

#[test]
fn every_command_has_a_page_that_names_its_options() {
    let dir = TestDir::new().unwrap();
    let pages = pages(&dir);
    let stems: Vec<String> =
        pages.iter().map(|page| page.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let ours = ["ironlance", "ironlance-demo", "ironlance-outbox", "supervisord.conf"];
    for name in LISTENERS.iter().chain(&SUPERVISORS).chain(&ours) {
        assert!(stems.iter().any(|stem| stem == name), "no page of {name}: {stems:?}");
    }
    let text = ironlance(&dir, &["manual", "crashmail"]);
    assert!(text.contains("\\-\\-test\\-alert") && text.contains(".SH SYNOPSIS"), "{text}");
    let text = ironlance(&dir, &["manual", "supervisorctl"]);
    for verb in ["start", "status", "tail", "reread", "help"] {
        assert!(text.contains(&format!(".SS {verb}\n")), "no verb {verb}: {text}");
    }
    // What is ours is told as such, and every status.
    for phrase in [
        ".SH \"ACTIONS OF IRONLANCE\"",
        ".SS why\n",
        "Of ironlance:\n",
        "\\-\\-timeout",
        "\\-\\-no\\-wait",
        "\\-\\-json",
    ] {
        assert!(text.contains(phrase), "{phrase}: {text}");
    }
    let statuses = text.split(".SH \"EXIT STATUS\"").nth(1).unwrap();
    for status in ["0", "1", "2", "3", "4", "5", "7"] {
        assert!(statuses.contains(&format!(".TP\n\\fB{status}\\fR\n")), "{status}: {statuses}");
    }
    let text = ironlance(&dir, &["manual", "outbox"]);
    assert!(text.contains("\\-\\-dead"), "the options of subcommands are missing: {text}");
}

#[test]
fn man_takes_every_page_without_a_warning() {
    let dir = TestDir::new().unwrap();
    for page in pages(&dir) {
        let mut command = dir.command("man", Implementation::Ours).unwrap();
        command
            .args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(&page)
            .env("MANROFFSEQ", "")
            .env("MANPAGER", "cat");
        let output = run_command(command).unwrap();
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(printed, "", "{}", page.display());
        assert!(String::from_utf8_lossy(&output.stdout).contains("NAME"), "{}", page.display());
    }
}

/// What bash offers at the end of a line.
fn offered(dir: &TestDir, line: &str) -> Vec<String> {
    let script = "source script.bash\n\
        COMP_LINE=$1 COMP_POINT=${#1}\n\
        COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'\n\
        read -ra COMP_WORDS <<<\"$1\"\n\
        _ironlance\n\
        printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let mut command = dir.command("bash", Implementation::Ours).unwrap();
    command.args(["-c", script, "bash", line]);
    let output = run_command(command).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .filter(|word| !word.is_empty())
        .collect()
}

fn sorted(mut words: Vec<String>) -> String {
    words.sort();
    words.join(" ")
}

#[test]
fn bash_completes_commands_options_and_verbs() {
    let dir = TestDir::new().unwrap();
    dir.write("script.bash", &ironlance(&dir, &["completion", "bash"])).unwrap();
    assert_eq!(sorted(offered(&dir, "supervisorctl rest")), "restart");
    assert_eq!(sorted(offered(&dir, "supervisorctl --s")), "--serverurl");
    assert_eq!(sorted(offered(&dir, "ironlance outb")), "outbox");
    assert_eq!(sorted(offered(&dir, "ironlance outbox l")), "list");
    assert_eq!(sorted(offered(&dir, "crashmail --test")), "--test-alert");
    assert_eq!(sorted(offered(&dir, "/usr/bin/crashmail --test")), "--test-alert");
    assert_eq!(sorted(offered(&dir, "ironlance httpok --grace 5 --ret")), "--retries");
    assert_eq!(sorted(offered(&dir, "ironlance completion ")), "bash fish zsh");
    // Behind a verb are the verb's own.
    assert_eq!(sorted(offered(&dir, "supervisorctl why --j")), "--json");
    assert_eq!(sorted(offered(&dir, "supervisorctl shutdown --s")), "");
    for verb in ["start", "stop", "restart"] {
        let line = format!("supervisorctl {verb} --");
        assert_eq!(sorted(offered(&dir, &line)), "--no-wait --timeout --wait");
    }
    assert_eq!(sorted(offered(&dir, "supervisorctl start --timeout ")), "");
    assert_eq!(sorted(offered(&dir, "supervisorctl status --")), "--json");
    assert_eq!(sorted(offered(&dir, "supervisorctl signal H")), "HUP");
    assert_eq!(sorted(offered(&dir, "supervisorctl tail x st")), "stderr stdout");
    assert_eq!(sorted(offered(&dir, "supervisorctl tail -f x stdo")), "stdout");
    assert_eq!(sorted(offered(&dir, "supervisorctl tail x stderr ")), "");
    assert_eq!(
        sorted(offered(&dir, "supervisorctl events PROCESS_G")),
        "PROCESS_GROUP PROCESS_GROUP_ADDED PROCESS_GROUP_REMOVED"
    );
    assert_eq!(sorted(offered(&dir, "ironlance supervisorctl events TICK TICK_6")), "TICK_60");
    // The value of an option is a file.
    assert_eq!(sorted(offered(&dir, "supervisord -c script.b")), "script.bash");
    assert_eq!(sorted(offered(&dir, "supervisorctl help rel")), "reload");
}

#[test]
fn bash_completes_the_programs_of_the_daemon_that_is_meant() {
    let dir = TestDir::new().unwrap();
    dir.write("script.bash", &ironlance(&dir, &["completion", "bash"])).unwrap();
    let sections = "[supervisorctl]\nserverurl=unix://{dir}/s.sock\n\
        [program:web]\ncommand=sleep 1000\n[program:worker]\ncommand=sleep 1000\n[group:shop]\nprograms=worker\n";
    let _daemon = Daemon::start(&dir, Implementation::Ours, sections).unwrap();
    let ask = |line: &str| sorted(offered(&dir, &format!("supervisorctl -c supervisord.conf {line}")));
    assert_eq!(ask("start w"), "web");
    assert_eq!(ask("start "), "all shop:* shop:worker web");
    // bash has taken what stands before the colon already.
    assert_eq!(ask("stop shop:"), "* worker");
    assert_eq!(ask("stop web shop:w"), "worker");
    assert_eq!(ask("update s"), "shop");
    assert_eq!(ask("start --timeout 5 w"), "web");
    assert_eq!(ask("signal HUP w"), "web");
    assert_eq!(ask("tail w"), "web");
    assert_eq!(ask("shutdown "), "");
    // Nobody there: nothing is said, and nothing is offered.
    assert_eq!(sorted(offered(&dir, "supervisorctl -s unix:///nonexistent stop w")), "");
}

#[test]
fn the_other_shells_take_their_scripts() {
    let dir = TestDir::new().unwrap();
    for shell in ["zsh", "fish"] {
        let script = dir.write(shell, &ironlance(&dir, &["completion", shell])).unwrap();
        let mut command = dir.command(shell, Implementation::Ours).unwrap();
        command.arg("-n").arg(&script);
        let output = run_command(command).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
    let fish = |line: &str| {
        let mut command = dir.command("fish", Implementation::Ours).unwrap();
        command.args(["--no-config", "-c", &format!("source fish; complete -C '{line}'")]);
        let printed = String::from_utf8(run_command(command).unwrap().stdout).unwrap();
        sorted(printed.lines().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect())
    };
    for (line, offers) in [
        ("supervisorctl rerea", "reread"),
        ("crashmail --test", "--test-alert"),
        ("supervisorctl --s", "--serverurl"),
        ("supervisorctl start --", "--no-wait --timeout --wait"),
        ("ironlance supervisorctl restart --t", "--timeout"),
        ("supervisorctl status --", "--json"),
        ("supervisorctl signal H", "HUP"),
        ("supervisorctl tail x st", "stderr stdout"),
        ("supervisorctl events PROCESS_GROUP_", "PROCESS_GROUP_ADDED PROCESS_GROUP_REMOVED"),
    ] {
        assert_eq!(fish(line), offers, "{line}");
    }
}
