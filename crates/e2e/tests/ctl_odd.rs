//! supervisorctl in scripts of another kind: lines that end as on other systems, a password that is piped in, a
//! terminal that shows nothing of what is typed, a stdout that cannot be written.

use std::fs::{self, File};
use std::process::{Output, Stdio};

use ironlance_e2e::ctl::{Told, supervisorctl};
use ironlance_e2e::daemon::{BASE, run_command};
use ironlance_e2e::{Daemon, Flavour, Play, Scene, Terminal, duet, quartet};

const NOBODY: &str = "unix:///no/such.sock";

#[test]
fn only_a_line_feed_ends_a_line_of_a_script() {
    duet(|play| {
        for script in
            [&b"version\r\nhelp quit\r\n"[..], b"help quit\rhelp exit\r", b"\r", b"exit\r\nhelp quit\r\n"]
        {
            let told = play.bare(&["-s", NOBODY], script, &[])?;
            play.note_told(&String::from_utf8_lossy(script), &told);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn name_and_password_may_be_piped_in() {
    quartet(|play| {
        let sections = "[unix_http_server]\nfile={dir}/s.sock\nusername=me\npassword=secret\n\
                        [supervisorctl]\nserverurl=unix://{dir}/s.sock\n\
                        [program:a]\ncommand=sleep 1000\nstartsecs=0\n";
        let base = BASE.replace("[unix_http_server]\nfile={dir}/s.sock\n", "");
        let daemon = Daemon::launch(&play.scene, play.daemon, &format!("{base}{sections}"), &[])?;
        daemon.wait_log("spawned: 'a'")?;
        for script in [&b"me\nsecret\nversion\n"[..], b"me\nsecret", b"no\nbody\nme\nsecret\nversion\n"] {
            let mut told = without_terminal(play, script)?;
            // Python also tells of a line of its own code.
            let complaint = told.complaint();
            let of_python = |line: &&str| !line.contains("getpass");
            let said: Vec<&str> = complaint.lines().filter(of_python).collect();
            play.note(said.join("\n"));
            told.stderr.clear();
            play.note_told(&String::from_utf8_lossy(script), &told);
        }
        Ok(())
    })
    .unwrap();
}

/// Runs a shell with this stdin where there is no terminal to ask at, not even that of whoever runs the tests.
fn without_terminal(play: &Play, stdin: &[u8]) -> anyhow::Result<Told> {
    let config = play.scene.path("supervisord.conf").display().to_string();
    let inner = supervisorctl(&play.scene, play.flavour, &["-c", &config])?;
    let input = play.scene.path("script");
    fs::write(&input, stdin)?;
    let mut command = play.scene.command("setsid", play.flavour)?;
    command.arg("--wait").arg(inner.get_program()).args(inner.get_args()).stdin(File::open(input)?);
    let ended = run_command(command)?;
    let status = ended.status.code().unwrap_or(-1);
    Ok(Told { status, stdout: ended.stdout, stderr: ended.stderr })
}

#[test]
fn a_terminal_without_echo_shows_only_what_is_said() {
    duet(|play| {
        let inner = supervisorctl(&play.scene, play.flavour, &["-s", NOBODY])?;
        let mut command = play.scene.command("sh", play.flavour)?;
        command
            .args(["-c", "stty -echo && exec \"$0\" \"$@\""])
            .arg(inner.get_program())
            .args(inner.get_args());
        for kind in ["xterm", "dumb"] {
            let mut terminal = Terminal::start(&command, kind)?;
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
            play.note(format!("{kind} [{status}]\n{}", terminal.screen()));
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
        for flavour in [Flavour::Original, Flavour::Ours] {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let told = writing_to(full.into(), flavour, args, script).unwrap();
            // Python has another status for what it cannot write at its very end.
            assert_ne!(told.status.code(), Some(0), "{flavour} {args:?}");
            if flavour == Flavour::Ours {
                assert_eq!(told.status.code(), Some(1), "{args:?}");
                let complaint = String::from_utf8(told.stderr).unwrap();
                let reason = "No space left on device (os error 28)";
                assert_eq!(complaint, format!("error: cannot write to stdout: {reason}\n"), "{args:?}");
            }
        }
    }
}

#[test]
fn a_reader_that_left_is_no_failure_to_tell_of() {
    for (args, script) in [(&["-h"][..], ""), (&["help"], ""), (&["-s", NOBODY], "version\n")] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let told = writing_to(writer.into(), Flavour::Ours, args, script).unwrap();
        assert_eq!(told.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8(told.stderr).unwrap(), "", "{args:?}");
    }
}

/// Runs supervisorctl with this stdin and this stdout.
fn writing_to(stdout: Stdio, flavour: Flavour, args: &[&str], stdin: &str) -> anyhow::Result<Output> {
    let scene = Scene::new()?;
    let input = File::open(scene.write("script", stdin)?)?;
    let mut command = supervisorctl(&scene, flavour, args)?;
    Ok(command.stdin(input).stdout(stdout).stderr(Stdio::piped()).output()?)
}
