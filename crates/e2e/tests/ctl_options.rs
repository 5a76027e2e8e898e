//! supervisorctl's command line and configuration, as the original reads them.

use std::fs;

use ironlance_e2e::differential::OUR_VERBS;
use ironlance_e2e::redaction::redact;
use ironlance_e2e::{Implementation, Scenario, compare_ctl, compare_ctl_matrix};

/// Runs these arguments as they are, and notes them.
fn run(scenario: &mut Scenario, args: &[&str]) -> anyhow::Result<()> {
    run_with(scenario, args, &[])
}

fn run_with(scenario: &mut Scenario, args: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
    let output = scenario.run_raw(args, b"", variables)?;
    scenario.note_output(&format!("{args:?}"), &output);
    Ok(())
}

#[test]
fn options() {
    compare_ctl(|scenario| {
        let missing = "unix:///no/such.sock";
        for args in [
            &["-x"][..],
            &["-x", "status"],
            &["--nonsense"],
            &["--nonsense=1", "status"],
            &["-c"],
            &["--configuration"],
            &["-s"],
            &["-u"],
            &["-p"],
            &["-r"],
            &["--serverurl"],
            &["--help=x"],
            &["--interactive=1"],
            &["-h"],
            &["--help"],
            &["--he"],
            &["-?"],
            &["-h", "status"],
            &["status", "-h"],
            &["-hx"],
            &["-s", missing, "-h"],
            &["-s", "nonsense", "status"],
            &["-s", "", "status"],
            &["-s", "ftp://host/", "status"],
            &["-s", "http:", "status"],
            &["-s", "unix:", "status"],
            &["-s", "unix:x", "status"],
            &["-s", "unix:/x", "status"],
            &["-s", "unix:///", "status"],
            &["-s", "é://é", "status"],
            &["-s", missing, "-s", "unix:///other.sock", "status"],
            &["-u", "a", "-u", "b", "-s", missing, "status"],
            &["-p", "a", "-p", "b", "-s", missing, "status"],
            &["-i", "-i", "-s", missing, "version"],
            &["-c", "x", "-c", "y", "status"],
            &["--serverurl", missing, "version"],
            &["--serverurl=unix:///no/such.sock", "version"],
            &["--server=unix:///no/such.sock", "version"],
            &["--s", missing, "version"],
            &["-sunix:///no/such.sock", "version"],
            &["--u=x", "-s", missing, "version"],
            &["--username", "x", "--password", "y", "-s", missing, "version"],
            &["--conf", "/no/such.conf", "version"],
            &["--history", "x", "-s", missing, "version"],
            &["--history_file=x", "-s", missing, "version"],
            &["--h", "version"],
            &["--i", "-s", missing, "version"],
            &["-s", missing, "--", "version"],
            &["-s", missing, "--", "-version"],
            &["--", "-x"],
            &["-s", missing, "version", "-x"],
            &["-s", missing, "-"],
            &["-u", "", "-s", missing, "version"],
            &["-hq"],
            &["-ih"],
            &["-isunix:///no/such.sock", "version"],
            &["-ix"],
            &["-é"],
            &["--é"],
            &["---"],
            &["--=x"],
        ] {
            run(scenario, args)?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn configuration_files_that_are_none() {
    compare_ctl(|scenario| {
        fs::create_dir(scenario.dir.path("folder"))?;
        let section = "[supervisorctl]\nserverurl=unix:///no/such.sock\n";
        for (name, text) in [
            ("empty.conf", ""),
            ("other.conf", "[supervisord]\nnodaemon=true\n"),
            ("plain.conf", section),
            ("bare.conf", "[supervisorctl]\n"),
            ("novalue.conf", "[supervisorctl]\nserverurl=\n"),
            ("twice.conf", "[supervisorctl]\nserverurl=unix:///first.sock\n[supervisorctl]\nserverurl=unix:///second.sock\n"),
            ("upper.conf", "[Supervisorctl]\nserverurl=unix:///no/such.sock\n"),
            ("key-upper.conf", "[supervisorctl]\nSERVERURL = unix:///upper.sock ; a comment\n"),
            ("colon.conf", "[supervisorctl]\nserverurl: unix:///colon.sock\n"),
            ("here.conf", "[supervisorctl]\nserverurl=unix://%(here)s/here.sock\n"),
            ("relative.conf", "[supervisorctl]\nserverurl=unix://relative.sock\n"),
            ("dots.conf", "[supervisorctl]\nserverurl=unix:///a/../b/./c//d.sock\n"),
            ("tilde.conf", "[supervisorctl]\nserverurl=unix://~/tilde.sock\n"),
            ("env.conf", "[supervisorctl]\nserverurl=unix:///%(ENV_NAME)s.sock\n"),
            ("noenv.conf", "[supervisorctl]\nserverurl=unix:///%(ENV_NO_SUCH)s.sock\n"),
            ("noexp.conf", "[supervisorctl]\nserverurl=unix:///%(host_node_name)s.sock\n"),
            ("percents.conf", "[supervisorctl]\nserverurl=unix:///100%%.sock\n"),
            ("badurl.conf", "[supervisorctl]\nserverurl=nonsense\n"),
            ("badhttp.conf", "[supervisorctl]\nserverurl=http://\n"),
            ("quoted.conf", "[supervisorctl]\nserverurl=\"unix:///quoted.sock\"\n"),
            ("multi.conf", "[supervisorctl]\nserverurl=unix:///multi\n    .sock\n"),
            ("history.conf", "[supervisorctl]\nserverurl=unix:///no/such.sock\nhistory_file=%(here)s/history\nprompt=x\nusername=a\npassword=b\n"),
            ("badhere.conf", "[supervisorctl]\nserverurl=unix:///no/such.sock\nprompt=%(here)s\n"),
            ("badprompt.conf", "[supervisorctl]\nserverurl=unix:///no/such.sock\nprompt=%(nothing)s\n"),
            ("badusername.conf", "[supervisorctl]\nserverurl=unix:///no/such.sock\nusername=50%\n"),
            ("plugin.conf", "[supervisorctl]\nserverurl=unix:///no/such.sock\n[ctlplugin:x]\n"),
            ("include.conf", "[include]\nfiles=included.ini\n"),
            ("included.ini", section),
            ("crlf.conf", "[supervisorctl]\r\nserverurl=unix:///crlf.sock\r\n"),
            ("others-broken.conf", "[supervisord]\nloglevel=nonsense\n[program:x]\n[supervisorctl]\nserverurl=unix:///others.sock\n"),
            ("continued.conf", "  [supervisorctl]\nserverurl=unix:///indented.sock\n"),
        ] {
            scenario.dir.write(name, text)?;
            if name != "included.ini" {
                run_with(scenario, &["-c", &format!("{{dir}}/{name}"), "version"], &[("NAME", "named%d")])?;
            }
        }
        for args in [
            &["-c", "/no/such.conf", "version"][..], &["-c", "{dir}/folder", "version"], &["-c", "plain.conf", "version"], &["-c", "./folder/../plain.conf", "version"], &["-c", "{dir}/plain.conf/x", "version"], &["-c", "", "version"], &["-c", "no.conf", "version"],
            &["-c", "{dir}/plain.conf", "-s", "unix:///override.sock", "version"], &["-s", "unix:///override.sock", "-c", "{dir}/other.conf", "version"], &["-s", "unix:///override.sock", "-c", "{dir}/badurl.conf", "version"], &["-s", "unix:///a/../b.sock", "-c", "{dir}/plain.conf", "version"], &["-s", "unix://relative.sock", "version"],
        ] {
            run(scenario, args)?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_configuration_that_cannot_be_parsed_is_one_fault_and_no_trace() {
    compare_ctl(|scenario| {
        for (text, printed) in [
            ("[supervisorctl]\nserverurl\n", "Error: Source contains parsing errors: 'DIR/x.conf'\n"),
            ("serverurl=unix:///no/such.sock\n", "Error: File contains no section headers.\n"),
            ("[supervisorctl\nserverurl=x\n", "Error: File contains no section headers.\n"),
        ] {
            scenario.dir.write("x.conf", text)?;
            let output = scenario.run_raw(&["-c", "{dir}/x.conf", "version"], b"", &[])?;
            let stderr_text = redact(&output.stderr_text(), scenario.dir.folder());
            // The original leaves them to Python, which shows its inside and ends with 1.
            if scenario.implementation == Implementation::Ours {
                assert!(stderr_text.starts_with(printed), "{stderr_text}");
                assert_eq!((output.status, output.text().as_str()), (2, ""));
            }
        }
        fs::write(scenario.dir.path("latin1.conf"), b"[supervisorctl]\nserverurl=unix:///\xe9.sock\n")?;
        let output = scenario.run_raw(&["-c", "{dir}/latin1.conf", "version"], b"", &[])?;
        scenario.note(output.status != 0);
        // A lone percent sign: see docs/differences.md.
        scenario.dir.write("x.conf", "[supervisorctl]\nserverurl=unix:///100%.sock\n")?;
        let output = scenario.run_raw(&["-c", "{dir}/x.conf", "version"], b"", &[])?;
        scenario.expect_difference(
            output.text().trim_end(),
            "unix:///100ock no such file",
            "unix:///100%.sock no such file",
        )?;
        // The help of the original has --history-file, its parser --history_file; ours takes both.
        let output =
            scenario.run_raw(&["--history-file=x", "-s", "unix:///no/such.sock", "version"], b"", &[])?;
        scenario.expect_difference(output.status, "2", "7")
    })
    .unwrap();
}

#[test]
fn where_the_configuration_is_looked_for() {
    compare_ctl(|scenario| {
        // Nothing there: the default address, where somebody else's supervisord may run.
        let output = scenario.run_raw(&["nonsense"], b"", &[])?;
        scenario.note_output("nonsense", &output);
        fs::create_dir(scenario.dir.path("etc"))?;
        scenario.dir.write("etc/supervisord.conf", "[supervisorctl]\nserverurl=unix:///in-etc.sock\n")?;
        run(scenario, &["version"])?;
        scenario.dir.write("supervisord.conf", "[supervisorctl]\nserverurl=unix:///here.sock\n")?;
        run(scenario, &["version"])?;
        run(scenario, &["-s", "unix:///override.sock", "version"])?;
        scenario.dir.write("supervisord.conf", "[supervisord]\n")?;
        run(scenario, &["version"])?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn command_lines_joined_and_parsed() {
    compare_ctl_matrix(|scenario| {
        let daemon = scenario.start("[program:a]\ncommand=sleep 1000\nstartsecs=0\n[program:b-c]\ncommand=sleep 1000\nautostart=false\n")?;
        daemon.wait_state("a", "RUNNING")?;
        for args in [
            &["-i", "version"][..], &["-i", "status", "a"], &["version", "-i"], &["status a b-c"], &["status", "'a'"], &["status", "\"a\""], &["status;"], &["status", ";", "a"], &["status#"], &["status", "# a"], &["sta tus"], &["status-a"], &["status.a"], &["status=a"], &["status_a"], &["status1"],
            &["?", "help"], &["?help"], &["!status"], &["!", "status"], &["help", "?"], &["help", "!"], &["shell", "x"], &["EOF"], &["\n"], &["status\na"], &["status\u{b}a"], &["\u{1c}status", "a"], &["\u{85}version"], &["version\u{3000}"],
            &["help", "\u{3000}status"], &["help\tversion"], &["Version"], &["pid", "b-c"], &["status", "-a"], &["status", "--", "a"],
        ] {
            let output = scenario.run_unrecorded(args, b"")?;
            scenario.note_output(&format!("{args:?}"), &output);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn help_is_the_originals_with_ours_behind_it() {
    let output = |implementation| {
        let dir = ironlance_e2e::TestDir::new().unwrap();
        let output = ironlance_e2e::Ctl::new(implementation).run(&dir, &["help"], b"", &[]).unwrap();
        output.text()
    };
    let (original, ours) = (output(Implementation::Original), output(Implementation::Ours));
    let Some(more) = ours.strip_prefix(original.as_str()) else { panic!("{original}\n---\n{ours}") };
    assert!(more.contains(OUR_VERBS), "{more}");
    for verb in ["check", "events", "listeners", "why"] {
        assert!(more.contains(verb), "{verb} in {more}");
    }
}
