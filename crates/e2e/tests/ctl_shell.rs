//! The shell of supervisorctl with a script on its stdin: prompts and answers byte for byte, and how it ends.

use std::fs;

use ironlance_e2e::daemon::BASE;
use ironlance_e2e::{Daemon, Scenario, TIMEOUT, compare_ctl_matrix, until};

const PROGRAMS: &str = "[program:a]\ncommand=sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\nstdout_logfile={dir}/a.log\n\
    [program:b]\ncommand=sleep 1000\nautostart=false\nstartsecs=0\n[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.log\n";

fn start(scenario: &Scenario) -> anyhow::Result<Daemon> {
    let daemon = scenario.start(PROGRAMS)?;
    daemon.wait_state("cat", "RUNNING")?;
    daemon.wait_file("a.log", "hello")?;
    Ok(daemon)
}

#[test]
fn scripts() {
    compare_ctl_matrix(|scenario| {
        start(scenario)?;
        for script in [
            "",
            "\n",
            "quit\n",
            "exit\n",
            "quit now\n",
            "EOF\n",
            "EOF",
            "version",
            "version\n",
            "version\nversion\n",
            "  version  \n",
            "\tversion\n",
            "version\r\n",
            "\n\n\nversion\n\n",
            "quit\nversion\n",
            "nonsense\nversion\n",
            "help\u{85}\n",
            "status a\nstop a\nstart a b\nstop b\npid none\n",
            "?\u{20}version\n!ls\n?\n!\n",
            "help pid\nhelp help\nhelp none\n",
            "tail a\ntail none\nclear none\n",
            "avail\navail x\nreread\nadd none\n",
            "restart\nrestart none\nsignal\n",
            "start é\nstatus é\né\n",
            "status \\\na\n",
            "version # comment\n# comment\n; comment\n",
            "status 'a b'\n",
            "-1\n1\n_\n",
            "status a;version\n",
            "fg\nfg none\nfg b\n",
            "open\nopen x\nopen unix:///no/such.sock\nversion\nstatus a\n",
            "version x\nversion\nEOF x\n",
            "quit x\n",
            "\x04\nversion\n",
            "\x1b[A\nversion\n",
            "\x03\nversion\n",
            "version\x00\n",
        ] {
            scenario.shell(&[], script.as_bytes())?;
        }
        scenario
            .shell(&[], &[b"status ".as_slice(), "x".repeat(100_000).as_bytes(), b"\nversion\n"].concat())?;
        scenario.shell(&["-i"], b"version\n")?;
        scenario.shell(&["-i", "version"], b"version\n")?;
        scenario.shell(&["-i", "stop", "none"], b"")?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_is_no_text_does_not_end_the_shell() {
    compare_ctl_matrix(|scenario| {
        let _daemon = scenario.start("")?;
        for script in
            [b"status \xff\xfe\nversion\n".as_slice(), b"\xff\nversion\n", b"\xe9t\xe9 \n", b"start \x80\n"]
        {
            let output = scenario.run_unrecorded(&[], script)?;
            // Python puts surrogates in the place of such bytes; what it prints then is its own affair.
            scenario.note(format!("{} {}", output.status, output.text().matches("supervisor> ").count() > 0));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn questions_before_what_cannot_be_undone() {
    compare_ctl_matrix(|scenario| {
        let mut daemon = start(scenario)?;
        for answer in ["n", "", "no", "N", " y", "x", "nyes"] {
            scenario.shell(&[], format!("shutdown\n{answer}\nreload\n{answer}\nversion\n").as_bytes())?;
        }
        scenario.shell(&[], b"shutdown")?;
        scenario.shell(&[], b"shutdown\n")?;
        scenario.shell(&[], b"reload\n")?;
        scenario.shell(&[], b"shutdown x\nreload x\n")?;
        scenario.shell(&["-i", "version"], b"reload\nn\n")?;
        scenario.shell(&[], b"reload\nyes\n")?;
        until("the restart", TIMEOUT, || {
            let anew = daemon.log().matches("supervisord started").count() == 2;
            Ok((anew && daemon.call("getState", &[]).is_ok_and(|state| state.is_ok())).then_some(()))
        })?;
        daemon.wait_state("cat", "RUNNING")?;
        scenario.shell(&[], b"shutdown\nYES\n")?;
        scenario.note(daemon.wait_end()?);
        scenario.shell(&[], b"shutdown\ny\nreload\ny\nstatus\nversion\n")?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn prompts_and_history_from_the_configuration() {
    compare_ctl_matrix(|scenario| {
        let _daemon = scenario.start("")?;
        let socket = format!("unix://{}/s.sock", scenario.dir.folder().display());
        for (name, more) in [
            ("prompt.conf", "prompt=mysupervisor\n"),
            ("unicode.conf", "prompt=überwacher\n"),
            ("expanded.conf", "prompt=%(ENV_HOME)s %(host_node_name)s\n"),
            ("env.conf", "prompt=<%(ENV_NAME)s>\n"),
            ("empty.conf", "prompt=\n"),
            ("history.conf", "history_file=%(here)s/kept.history\n"),
        ] {
            scenario.dir.write(name, &format!("[supervisorctl]\nserverurl={socket}\n{more}"))?;
            let output = scenario.run_raw(
                &["-c", &format!("{{dir}}/{name}")],
                b"version\nhelp quit\n",
                &[("NAME", "the name")],
            )?;
            scenario.note_output(name, &output);
        }
        // Without a terminal nothing is typed, and nothing is remembered.
        scenario.note(
            fs::read_to_string(scenario.dir.path("kept.history")).unwrap_or_default().contains("version"),
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_name_and_password_are_asked_for() {
    compare_ctl_matrix(|scenario| {
        let sections = "[unix_http_server]\nusername=me\npassword=thepassword\n[supervisorctl]\nserverurl=unix://{dir}/s.sock\n[program:a]\ncommand=sleep 1000\nstartsecs=0\n";
        let daemon = Daemon::launch(&scenario.dir, scenario.daemon, &format!("{BASE}{sections}"), &[])?;
        daemon.wait_log("entered RUNNING state")?;
        // No terminal to ask for the password on: it is read from stdin, with a warning.
        for script in ["me\nthepassword\nversion\nstatus b\n", "me\nwrong\nme\nthepassword\nversion\n", "me\nwrong\n", "me\n", "me", ""] {
            let output = scenario.run_unrecorded(&[], script.as_bytes())?;
            scenario.note(format!("<<< {script:?}: {}", output.status));
            for line in output.text().lines() {
                let trouble = line.find("error: ").map_or(line.len(), |at| at);
                scenario.note(format!("| {}", &line[..trouble]));
            }
        }
        Ok(())
    })
    .unwrap();
}
