//! supervisorctl on a terminal: what a person sees and types, with the original and with ours.

use std::fs;
use std::time::Duration;

use ironlance_e2e::ctl::supervisorctl;
use ironlance_e2e::daemon::BASE;
use ironlance_e2e::{Daemon, Implementation, PseudoTerminal, Scenario, TIMEOUT, compare_ctl_matrix};

const PROGRAMS: &str = "[program:a]\ncommand=sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\nstdout_logfile={dir}/a.log\n\
    [program:b]\ncommand=sleep 1000\nautostart=false\nstartsecs=0\n[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.log\n\
    [group:web]\nprograms=one,two\n[program:one]\ncommand=sleep 1000\nstartsecs=0\n[program:two]\ncommand=sleep 1000\nstartsecs=0\n";

fn start(scenario: &Scenario) -> anyhow::Result<Daemon> {
    let daemon = scenario.start(PROGRAMS)?;
    daemon.wait_state("cat", "RUNNING")?;
    daemon.wait_state("web:two", "RUNNING")?;
    daemon.wait_file("a.log", "hello")?;
    Ok(daemon)
}

/// supervisorctl of the scenario on a terminal of this kind.
fn open(scenario: &Scenario, args: &[&str], kind: &str) -> anyhow::Result<PseudoTerminal> {
    let config = scenario.dir.path("supervisord.conf").display().to_string();
    let mut command =
        supervisorctl(&scenario.dir, scenario.implementation, &[&["-c", config.as_str()], args].concat())?;
    command.env("NO_COLOR", "1");
    PseudoTerminal::start(&command, kind)
}

/// Waits for the end, and notes the screen, the status, and whether the terminal is as it was.
fn close(scenario: &mut Scenario, mut terminal: PseudoTerminal) -> anyhow::Result<()> {
    let status = terminal.end()?;
    scenario.note(format!("[{status}] {}", terminal.is_sane()?));
    scenario.note(terminal.screen());
    Ok(())
}

/// The blank behind it is at the end of a line until something is typed.
const PROMPT: &str = "supervisor>";

#[test]
fn a_session() {
    compare_ctl_matrix(|scenario| {
        let _daemon = start(scenario)?;
        for kind in ["xterm-256color", "dumb"] {
            let mut terminal = open(scenario, &[], kind)?;
            terminal.expect(PROMPT)?;
            for line in [
                "version",
                "",
                "  ",
                "nonsense",
                "stop a",
                "start a b",
                "status none",
                "stop b",
                "help pid",
                "?help",
                "tail b",
            ] {
                terminal.line(line)?;
                terminal.expect(PROMPT)?;
            }
            terminal.line("quit")?;
            close(scenario, terminal)?;
        }
        Ok(())
    })
    .unwrap();
}

/// Python now and then misses an interrupt that comes while it draws: then the keys are pressed once more.
fn press_again(scenario: &Scenario, terminal: &mut PseudoTerminal, keys: &str) -> anyhow::Result<()> {
    if scenario.implementation == Implementation::Original && !terminal.ends_within(Duration::from_secs(3))? {
        terminal.keys(keys)?;
    }
    Ok(())
}

#[test]
fn how_a_session_ends() {
    compare_ctl_matrix(|scenario| {
        let _daemon = start(scenario)?;
        for (line, keys) in [
            ("", "\x04"),
            ("", "\x03"),
            ("quit", "\r"),
            ("exit", "\r"),
            ("EOF", "\r"),
            ("half a line", "\x03"),
            ("half a line", "\x04\x15\x04"),
        ] {
            let mut terminal = open(scenario, &[], "xterm")?;
            terminal.expect(PROMPT)?;
            terminal.keys(line)?;
            terminal.expect(line)?;
            terminal.keys(keys)?;
            press_again(scenario, &mut terminal, keys)?;
            scenario.note(format!("{line:?} {keys:?}"));
            close(scenario, terminal)?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_line_is_edited_and_remembered() {
    compare_ctl_matrix(|scenario| {
        let config = format!(
            "{PROGRAMS}[supervisorctl]\nserverurl=unix://{{dir}}/s.sock\nhistory_file={{dir}}/kept\n"
        );
        let daemon = scenario.start(&config)?;
        daemon.wait_state("cat", "RUNNING")?;
        let mut terminal = open(scenario, &[], "xterm")?;
        terminal.expect(PROMPT)?;
        terminal.line("")?;
        terminal.expect(PROMPT)?;
        // Typed and taken back, moved in, called back with the arrow and with ^P, searched for.
        for keys in [
            "versionx\x7f\r",
            "xhelp\x01\x04 version\x05\r",
            "status none\x17\x17version\r",
            "\x1b[A\r",
            "\x10\x10\r",
            "garbage\x15version\r",
            "\x12help\r",
        ] {
            terminal.keys(keys)?;
            terminal.expect(&format!("\n{PROMPT}"))?;
        }
        terminal.keys("\x04")?;
        let status = terminal.end()?;
        scenario.note(format!("[{status}] {}", terminal.is_sane()?));
        let screen = terminal.screen();
        // How a search is drawn is the editor's affair; what was run is not.
        scenario.note(screen.matches("Show the version of the remote supervisord").count());
        let version = |line: &&str| line.starts_with("4.");
        scenario.note(screen.lines().filter(version).count());
        scenario.note(fs::read_to_string(scenario.dir.path("kept"))?.replace("#V2\n", ""));
        // The next session knows them.
        let mut terminal = open(scenario, &[], "xterm")?;
        terminal.expect(PROMPT)?;
        terminal.keys("\x1b[A\x1b[A\r")?;
        terminal.expect(&format!("\n{PROMPT}"))?;
        terminal.keys("\x04")?;
        close(scenario, terminal)
    })
    .unwrap();
}

#[test]
fn names_are_completed() {
    compare_ctl_matrix(|scenario| {
        let daemon = start(scenario)?;
        let mut terminal = open(scenario, &[], "xterm")?;
        terminal.expect(PROMPT)?;
        for (keys, expected) in [
            ("vers\t", "version "),
            ("statu\tc\t", "status cat "),
            ("stop web:t\t", "stop web:two "),
            ("start web:*\t", "start web:* "),
            ("add w\t", "add web "),
            ("help ava\t", "help avail "),
            ("update c\t", "update cat "),
            ("tail -f ca\t", "tail -f cat "),
            ("start web:o\tweb:t\t", "start web:one web:two "),
            ("signal HUP c\t", "signal HUP cat "),
        ] {
            // The mark shows where the cursor stands then.
            terminal.keys(&format!("{keys}!"))?;
            terminal.expect(&format!(" {expected}!"))?;
            // The line is empty again, and takes a verb.
            terminal.keys("\x15version\r")?;
            terminal.expect(&format!("\n{PROMPT}"))?;
        }
        // What cannot be completed stays.
        for keys in ["version x\t", "status nobody\t", "nonsense c\t"] {
            terminal.keys(keys)?;
            terminal.keys("!\r")?;
            terminal.expect(&format!("\n{PROMPT}"))?;
        }
        // All candidates are shown on request.
        terminal.keys("st\t\t")?;
        for verb in ["start", "status", "stop"] {
            terminal.expect(verb)?;
        }
        terminal.keys("\x15\r")?;
        // A program that was added since is known.
        scenario.rewrite(&format!("{PROGRAMS}[program:zebra]\ncommand=sleep 1000\nstartsecs=0\n"))?;
        daemon.call("reloadConfig", &[])?.unwrap();
        daemon.call("addProcessGroup", &["zebra".into()])?.unwrap();
        terminal.keys("status z\t!")?;
        terminal.expect("status zebra !")?;
        terminal.keys("\x15quit\r")?;
        scenario.note(terminal.end()?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn questions_and_passwords() {
    compare_ctl_matrix(|scenario| {
        let sections = "[unix_http_server]\nusername=me\npassword=thepassword\n[supervisorctl]\nserverurl=unix://{dir}/s.sock\n[program:a]\ncommand=sleep 1000\nstartsecs=0\nautostart=false\n";
        let mut daemon = Daemon::launch(&scenario.dir, scenario.daemon, &format!("{BASE}{sections}"), &[])?;
        daemon.wait_log("supervisord started")?;
        let mut terminal = open(scenario, &[], "xterm")?;
        terminal.expect("Username:")?;
        terminal.line("me")?;
        terminal.expect("Password:")?;
        terminal.wait_silent()?;
        terminal.line("wrong")?;
        terminal.expect("Username:")?;
        terminal.line("me")?;
        terminal.expect("Password:")?;
        terminal.wait_silent()?;
        terminal.line("thepassword")?;
        terminal.expect(PROMPT)?;
        terminal.line("status a")?;
        terminal.expect(PROMPT)?;
        terminal.line("shutdown")?;
        terminal.expect("y/N?")?;
        terminal.line("no")?;
        terminal.expect(PROMPT)?;
        terminal.line("shutdown")?;
        terminal.expect("y/N?")?;
        terminal.line("y")?;
        terminal.expect(PROMPT)?;
        scenario.note(daemon.wait_end()?);
        terminal.line("version")?;
        terminal.expect(PROMPT)?;
        terminal.keys("\x04")?;
        assert!(!terminal.screen().contains("wrong") && !terminal.screen().contains("thepassword"));
        close(scenario, terminal)
    })
    .unwrap();
}

#[test]
fn an_interrupted_question_ends_the_session() {
    compare_ctl_matrix(|scenario| {
        let _daemon = start(scenario)?;
        for keys in ["\x03", "\x04"] {
            let mut terminal = open(scenario, &[], "xterm")?;
            terminal.expect(PROMPT)?;
            terminal.line("shutdown")?;
            terminal.expect("y/N?")?;
            terminal.keys(keys)?;
            if keys == "\x04" {
                terminal.expect(PROMPT)?;
                terminal.line("quit")?;
            }
            press_again(scenario, &mut terminal, keys)?;
            let status = terminal.end()?;
            // One of the two editors lets the terminal show the key, and trouble has its own words.
            let screen = terminal.screen().replace("^C", "");
            let words = screen.split("y/N?").nth(1).unwrap_or_default();
            let trouble = words.trim_start().starts_with("error: ");
            scenario.note(format!(
                "{keys:?} [{status}] {} {trouble} {:?}",
                terminal.is_sane()?,
                words.lines().last().unwrap_or_default().trim_end()
            ));
        }
        Ok(())
    })
    .unwrap();
}

/// The screen without what the original says when the interrupt comes while it looks at what it has read, and with one
/// key for those that it was pressed in vain.
fn uninterrupted(screen: &str) -> String {
    let printed = "Cannot connect, error: <class 'KeyboardInterrupt'> ()";
    let line = |line: &str| match line.split_once("^C") {
        Some((before, after)) if after.replace("^C", "").is_empty() || after.ends_with(printed) => {
            format!("{before}^C")
        }
        _ => line.to_owned(),
    };
    screen.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Presses ^C until it worked within the time given. Ours must hear the first; the original loses one that comes while
/// it reads.
fn interrupt(
    whose: Implementation,
    terminal: &mut PseudoTerminal,
    worked: impl Fn(&mut PseudoTerminal, Duration) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let (presses, limit) = match whose {
        Implementation::Ours => (1, TIMEOUT),
        Implementation::Original => (8, Duration::from_secs(3)),
    };
    for _ in 0..presses {
        terminal.keys("\x03")?;
        if worked(terminal, limit)? {
            return Ok(());
        }
    }
    anyhow::bail!("^C changed nothing\n{}", terminal.screen())
}

#[test]
fn a_log_is_followed_until_it_is_interrupted() {
    compare_ctl_matrix(|scenario| {
        let daemon = start(scenario)?;
        let say = |words: &str| daemon.write_stdin("cat", words);
        let prompted = |terminal: &mut PseudoTerminal, limit| terminal.shows_within(PROMPT, limit);
        say("before é\n")?;
        daemon.wait_file("cat.log", "before")?;
        // As a command of its own, and within a session.
        let mut terminal = open(scenario, &["tail", "-f", "cat"], "xterm")?;
        terminal.expect("before é\n")?;
        say("after\n")?;
        terminal.expect("after\n")?;
        interrupt(scenario.implementation, &mut terminal, PseudoTerminal::ends_within)?;
        let status = terminal.end()?;
        scenario.note(format!("[{status}] {}\n{}", terminal.is_sane()?, uninterrupted(&terminal.screen())));
        let mut terminal = open(scenario, &[], "xterm")?;
        terminal.expect(PROMPT)?;
        terminal.line("tail -f cat")?;
        terminal.expect("before é\nafter\n")?;
        say("and then\n")?;
        terminal.expect("and then\n")?;
        interrupt(scenario.implementation, &mut terminal, prompted)?;
        terminal.line("tail -f none")?;
        terminal.expect(PROMPT)?;
        terminal.line("version")?;
        terminal.expect(PROMPT)?;
        terminal.line("maintail -f")?;
        terminal.expect("cat")?;
        interrupt(scenario.implementation, &mut terminal, prompted)?;
        terminal.line("quit")?;
        let status = terminal.end()?;
        scenario.note(format!("[{status}] {}", terminal.is_sane()?));
        let screen = uninterrupted(&terminal.screen());
        // The main log is another each time.
        scenario.note(screen.split("maintail -f").next().unwrap_or_default());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_foreground_of_a_program() {
    compare_ctl_matrix(|scenario| {
        let daemon = start(scenario)?;
        let mut terminal = open(scenario, &["fg", "cat"], "xterm")?;
        terminal.expect("==> Press Ctrl-C to exit <==\n")?;
        terminal.line("first é")?;
        terminal.expect("first é\nfirst é\n")?;
        terminal.line("second")?;
        terminal.expect("second\nsecond\n")?;
        terminal.keys("\x03")?;
        terminal.expect("Exiting foreground")?;
        if scenario.implementation == Implementation::Original {
            // Its thread goes on listening, and ends only by force.
            drop(terminal);
        } else {
            assert_eq!((terminal.end()?, terminal.is_sane()?), (0, true));
        }
        let mut terminal = open(scenario, &[], "xterm")?;
        terminal.expect(PROMPT)?;
        for line in ["fg", "fg none", "fg b", "fg a b", "fg cat"] {
            terminal.line(line)?;
            terminal.expect(if line == "fg cat" { "<==\nfirst é\nsecond\n" } else { PROMPT })?;
        }
        if scenario.implementation == Implementation::Original {
            // What is typed before its line editor is there is shown twice.
            terminal.wait_silent()?;
        }
        terminal.line("third")?;
        terminal.expect("third\nthird\n")?;
        daemon.wait_file("cat.log", "third\n")?;
        terminal.keys("\x03")?;
        terminal.expect(PROMPT)?;
        terminal.line("version")?;
        terminal.expect(PROMPT)?;
        scenario.note(terminal.screen().replace("^CExiting", "Exiting"));
        terminal.line("quit")?;
        if scenario.implementation == Implementation::Ours {
            assert_eq!((terminal.end()?, terminal.is_sane()?), (0, true));
        }
        scenario.note(daemon.file("cat.log"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn colours_are_for_terminals_that_know_them() {
    let dir = ironlance_e2e::TestDir::new().unwrap();
    let config = format!("{BASE}{}{PROGRAMS}", ironlance_e2e::differential::SECTION);
    let daemon = Daemon::start_on(&dir, Implementation::Ours, &config, &[]).unwrap();
    daemon.wait_state("a", "RUNNING").unwrap();
    for (kind, colour, wanted) in
        [("xterm", None, true), ("xterm", Some(""), true), ("xterm", Some("1"), false), ("dumb", None, false)]
    {
        for args in [&["-c", "supervisord.conf", "status"][..], &["-c", "supervisord.conf"]] {
            let mut command = supervisorctl(&dir, Implementation::Ours, args).unwrap();
            if let Some(value) = colour {
                command.env("NO_COLOR", value);
            }
            let mut terminal = PseudoTerminal::start(&command, kind).unwrap();
            if args.len() == 2 {
                terminal.expect(PROMPT).unwrap();
                terminal.line("quit").unwrap();
            }
            assert_eq!(terminal.end().unwrap(), if args.len() == 2 { 0 } else { 3 });
            let text = String::from_utf8_lossy(terminal.bytes()).into_owned();
            assert_eq!(text.contains("\u{1b}[32mRUNNING"), wanted, "{kind} {colour:?} {text:?}");
            assert!(kind != "dumb" || !text.contains('\u{1b}'), "{text:?}");
        }
    }
}
