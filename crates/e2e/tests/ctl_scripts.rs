//! supervisorctl in scripts of another kind: lines that end as on other systems, a password that is piped in, a
//! terminal that shows nothing of what is typed, a stdout that cannot be written.

use std::fs::{self, File};
use std::process::{Output, Stdio};

use ironlance_e2e::ctl::{CtlOutput, supervisorctl};
use ironlance_e2e::daemon::{BASE, run_command};
use ironlance_e2e::{
    Daemon, Implementation, PseudoTerminal, Scenario, TestDir, compare_ctl, compare_ctl_matrix,
};

const NOBODY: &str = "unix:///no/such.sock";

#[test]
fn only_a_line_feed_ends_a_line_of_a_script() {
    compare_ctl(|scenario| {
        for script in
            [&b"version\r\nhelp quit\r\n"[..], b"help quit\rhelp exit\r", b"\r", b"exit\r\nhelp quit\r\n"]
        {
            let output = scenario.run_raw(&["-s", NOBODY], script, &[])?;
            scenario.note_output(&String::from_utf8_lossy(script), &output);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn name_and_password_may_be_piped_in() {
    compare_ctl_matrix(|scenario| {
        let sections = "[unix_http_server]\nfile={dir}/s.sock\nusername=me\npassword=secret\n\
                        [supervisorctl]\nserverurl=unix://{dir}/s.sock\n\
                        [program:a]\ncommand=sleep 1000\nstartsecs=0\n";
        let base = BASE.replace("[unix_http_server]\nfile={dir}/s.sock\n", "");
        let daemon = Daemon::launch(&scenario.dir, scenario.daemon, &format!("{base}{sections}"), &[])?;
        daemon.wait_log("spawned: 'a'")?;
        for script in [&b"me\nsecret\nversion\n"[..], b"me\nsecret", b"no\nbody\nme\nsecret\nversion\n"] {
            let mut output = without_terminal(scenario, script)?;
            // Python also tells of a line of its own code.
            let stderr_text = output.stderr_text();
            let of_python = |line: &&str| !line.contains("getpass");
            let printed: Vec<&str> = stderr_text.lines().filter(of_python).collect();
            scenario.note(printed.join("\n"));
            output.stderr.clear();
            scenario.note_output(&String::from_utf8_lossy(script), &output);
        }
        Ok(())
    })
    .unwrap();
}

/// Runs a shell with this stdin where there is no terminal to ask at, not even that of whoever runs the tests.
fn without_terminal(scenario: &Scenario, stdin: &[u8]) -> anyhow::Result<CtlOutput> {
    let config = scenario.dir.path("supervisord.conf").display().to_string();
    let inner = supervisorctl(&scenario.dir, scenario.implementation, &["-c", &config])?;
    let input = scenario.dir.path("script");
    fs::write(&input, stdin)?;
    let mut command = scenario.dir.command("setsid", scenario.implementation)?;
    command.arg("--wait").arg(inner.get_program()).args(inner.get_args()).stdin(File::open(input)?);
    let ended = run_command(command)?;
    let status = ended.status.code().unwrap_or(-1);
    Ok(CtlOutput { status, stdout: ended.stdout, stderr: ended.stderr })
}

#[test]
fn a_terminal_without_echo_shows_only_what_is_said() {
    compare_ctl(|scenario| {
        let inner = supervisorctl(&scenario.dir, scenario.implementation, &["-s", NOBODY])?;
        let mut command = scenario.dir.command("sh", scenario.implementation)?;
        command
            .args(["-c", "stty -echo && exec \"$0\" \"$@\""])
            .arg(inner.get_program())
            .args(inner.get_args());
        for kind in ["xterm", "dumb"] {
            let mut terminal = PseudoTerminal::start(&command, kind)?;
            terminal.expect("supervisor>")?;
            for (line, answer) in [
                ("help quit", "supervisor>"),
                ("shutdown", "y/N?"),
                ("n", "supervisor>"),
                ("é", "supervisor>"),
            ] {
                terminal.line(line)?;
                terminal.expect(answer)?;
            }
            terminal.line("quit")?;
            let status = terminal.end()?;
            scenario.note(format!("{kind} [{status}]\n{}", terminal.screen()));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_stdout_that_is_full_is_a_failure_of_every_kind_of_run() {
    for (args, script) in [
        (&["-s", NOBODY][..], "version\n"),
        (&["-s", NOBODY], "quit\n"),
        (&["-s", NOBODY, "version"], ""),
        (&["-s", NOBODY, "help"], ""),
        (&["-h"], ""),
    ] {
        for implementation in [Implementation::Original, Implementation::Ours] {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let output = writing_to(full.into(), implementation, args, script).unwrap();
            // Python has another status for what it cannot write at its very end.
            assert_ne!(output.status.code(), Some(0), "{implementation} {args:?}");
            if implementation == Implementation::Ours {
                assert_eq!(output.status.code(), Some(1), "{args:?}");
                let stderr_text = String::from_utf8(output.stderr).unwrap();
                let reason = "No space left on device (os error 28)";
                assert_eq!(stderr_text, format!("error: cannot write to stdout: {reason}\n"), "{args:?}");
            }
        }
    }
}

#[test]
fn a_reader_that_left_is_no_failure_to_tell_of() {
    for (args, script) in [(&["-h"][..], ""), (&["help"], ""), (&["-s", NOBODY], "version\n")] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = writing_to(writer.into(), Implementation::Ours, args, script).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args:?}");
    }
}

/// Runs supervisorctl with this stdin and this stdout.
fn writing_to(
    stdout: Stdio,
    implementation: Implementation,
    args: &[&str],
    stdin: &str,
) -> anyhow::Result<Output> {
    let dir = TestDir::new()?;
    let input = File::open(dir.write("script", stdin)?)?;
    let mut command = supervisorctl(&dir, implementation, args)?;
    Ok(command.stdin(input).stdout(stdout).stderr(Stdio::piped()).output()?)
}
