//! The command line of both daemons: options, help, faults, the search for the file, what options override.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ironlance_e2e::daemon::{BASE, run, run_command, supervisord, write_config};
use ironlance_e2e::{Daemon, Implementation, Scenario, TestDir, compare_daemons, until};
use rustix::process::Signal;

/// Runs it with these arguments and notes all that it says.
fn note_run(scenario: &mut Scenario, args: &[&str]) -> anyhow::Result<()> {
    let folder = scenario.dir.folder().display().to_string();
    let args: Vec<String> = args.iter().map(|arg| arg.replace("{dir}", &folder)).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = run(&scenario.dir, scenario.implementation, &args)?;
    let bin = scenario.implementation.bin()?.display().to_string();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&bin, "BIN");
    scenario.note(format!("{args:?}: {}\n{}", output.status, text(&output.stdout)));
    // Ours tells the place of a fault, too.
    let prefixes = ["Error: ", "For help, use "];
    scenario.note_all(
        "stderr",
        text(&output.stderr).lines().filter(|line| prefixes.iter().any(|word| line.starts_with(word))),
    );
    Ok(())
}

#[test]
fn options_that_say_something_and_options_that_are_wrong() {
    compare_daemons(|scenario| {
        write_config(&scenario.dir, BASE)?;
        for args in [
            &["-v"][..],
            &["--version"],
            &["--vers"],
            &["-v", "-x"],
            &["-vn"],
            &["-x"],
            &["--no-such"],
            &["--no"],
            &["--user"],
            &["--nodaemon=yes"],
            &["-c"],
            &["positional"],
            &["-n", "positional"],
            &["--", "-n"],
            &["-c", "{dir}/none.conf"],
            &["-c", "{dir}"],
            &["-u", "no-such-user", "-c", "supervisord.conf"],
            &["-u", "987654321", "-c", "supervisord.conf"],
            &["-m", "9", "-c", "supervisord.conf"],
            &["-m", "", "-c", "supervisord.conf"],
            &["-d", "/no/such/folder", "-c", "supervisord.conf"],
            &["-l", "/no/such/folder/log", "-c", "supervisord.conf"],
            &["-y", "many", "-c", "supervisord.conf"],
            &["-y", "5TB", "-c", "supervisord.conf"],
            &["-z", "x", "-c", "supervisord.conf"],
            &["-e", "loud", "-c", "supervisord.conf"],
            &["-j", "/no/such/folder/pid", "-c", "supervisord.conf"],
            &["-q", "/no/such/folder", "-c", "supervisord.conf"],
            &["-a", "x", "-c", "supervisord.conf"],
            &["--minprocs", "x", "-c", "supervisord.conf"],
            &["--minprocs=x", "-c", "supervisord.conf"],
            &["--minfds", "x"],
        ] {
            note_run(scenario, args)?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_help_names_every_option() {
    let dir = TestDir::new().unwrap();
    let helps: Vec<_> = Implementation::BOTH
        .map(|implementation| {
            ["-h", "--help", "-?"].map(|option| run(&dir, implementation, &[option]).unwrap())
        })
        .into();
    for help in helps.iter().flatten() {
        assert_eq!(help.status.code(), Some(0));
        assert!(help.stderr.is_empty(), "{}", String::from_utf8_lossy(&help.stderr));
    }
    let [original, ours] =
        [&helps[0][0], &helps[1][0]].map(|help| String::from_utf8_lossy(&help.stdout).into_owned());
    // Every option of the original, in its words; ours may add some.
    for line in original.lines().filter(|line| line.starts_with('-')) {
        let option = line.split(' ').next().unwrap();
        let long = option.split('/').next_back().unwrap();
        assert!(ours.contains(long), "{long} in\n{ours}");
    }
    assert!(ours.contains("--check"), "{ours}");
}

#[test]
fn a_profile_is_refused_with_a_reason() {
    let dir = TestDir::new().unwrap();
    let output =
        run(&dir, Implementation::Ours, &["--profile_options", "cumulative,calls", "-c", "x"]).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("profile_options"));
}

#[test]
fn options_beat_the_file() {
    compare_daemons(|scenario| {
        let folder = scenario.dir.folder().display().to_string();
        fs::create_dir(scenario.dir.path("logs"))?;
        let args = ["-n", "-s", "-l", "logs/other.log", "-e", "debug", "-j", "other.pid", "-i", "by option", "-q", &format!("{folder}/logs"), "-d", "/tmp", "-m", "077", "-y", "3KB", "-z", "4", "-k", "-t", "-u", "root"];
        let config = format!("{BASE}[program:a]\ncommand=sh -c 'pwd >{{dir}}/pwd; umask >>{{dir}}/pwd; exec sleep 1000'\nstartsecs=0\n")
            .replace("nodaemon=true", "nodaemon=false")
            .replace("logfile={dir}/supervisord.log", "logfile=/no/such/but/unused.log")
            .replace("loglevel=debug", "loglevel=critical");
        let config = config.replace("/no/such/but/unused.log", "{dir}/unused.log");
        let daemon = Daemon::start_on(&scenario.dir, scenario.implementation, &config, &args)?;
        scenario.note_call(&daemon, "getIdentification", &[])?;
        daemon.wait_state("a", "RUNNING")?;
        let pwd = daemon.wait_file("pwd", "0")?;
        scenario.note(pwd);
        let pid = fs::read_to_string(scenario.dir.path("other.pid"))?;
        scenario.note(format!("pid file is right: {}", pid == format!("{}\n", daemon.pid())));
        scenario.note(format!("log {} stdout {:?} stderr {:?}", daemon.file("logs/other.log").contains("DEBG") || daemon.file("logs/other.log").contains("spawned: 'a'"), daemon.stdout(), daemon.stderr()));
        let names: Vec<_> = daemon.files();
        scenario.note_all("files", names);
        let logs = fs::read_dir(scenario.dir.path("logs"))?.flatten().count();
        scenario.note(format!("{logs} logs"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_file_is_searched_where_the_original_searches() {
    compare_daemons(|scenario| {
        let identify = |name: &str| {
            format!("{BASE}[supervisord]\nidentifier={name}\n")
                .replace("{dir}", &scenario.dir.folder().display().to_string())
        };
        // None of the usual places has a file: so says the fault, with the list of them.
        let mut notes = Vec::new();
        for place in ["", "etc/supervisord.conf", "supervisord.conf"] {
            if !place.is_empty() {
                scenario.dir.write(place, &identify(place))?;
            }
            if place.is_empty() {
                let output = run(&scenario.dir, scenario.implementation, &[])?;
                notes.push(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
                continue;
            }
            let daemon =
                Daemon::spawn(&scenario.dir, supervisord(&scenario.dir, scenario.implementation, &[])?)?;
            let answer = until("an answer", std::time::Duration::from_secs(10), || {
                Ok(daemon.call("getIdentification", &[]).ok())
            })?;
            notes.push(format!("{place}: {answer:?}"));
            notes.push(daemon.stderr());
        }
        let bin = scenario.implementation.bin()?;
        let prefix = bin.parent().unwrap().display().to_string();
        let bin = bin.display().to_string();
        // Each has its own words of warning for root.
        let lines =
            notes.iter().flat_map(|note| note.lines()).filter(|line| !line.to_lowercase().contains("warn"));
        scenario.note_all(
            "found",
            lines.map(|line| line.replace(&bin, "BIN").replace(&prefix, "PREFIX")).collect::<Vec<_>>(),
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn as_a_daemon_it_leaves_its_parent_and_says_nothing() {
    compare_daemons(|scenario| {
        let config = write_config(&scenario.dir, &format!("{BASE}[program:a]\ncommand=sh -c 'umask >{{dir}}/umask; pwd >>{{dir}}/umask; exec sleep 1000'\nstartsecs=0\n").replace("nodaemon=true\n", "umask=027\ndirectory=/\n"))?;
        let output = run(&scenario.dir, scenario.implementation, &["-c", &config.display().to_string()])?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        scenario.note(format!("{} {:?}", output.status, text(&output.stdout)));
        let pid = until("the pid file", std::time::Duration::from_secs(10), || {
let text = fs::read_to_string(scenario.dir.path("supervisord.pid")).unwrap_or_default();
Ok(text.strip_suffix("\n").and_then(|pid| pid.parse::<i64>().ok()))
})?;
        let facts = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields: Vec<&str> = facts.rsplit_once(") ").unwrap().1.split(' ').collect();
        // Its parent is whoever takes orphans; it leads a session of its own, without a terminal.
        scenario.note(format!("session leader: {} terminal: {}", fields[3] == pid.to_string(), fields[4]));
        scenario.note(fs::read_link(format!("/proc/{pid}/cwd"))?.display());
        for fd in 0..3 {
            scenario.note(fs::read_link(format!("/proc/{pid}/fd/{fd}"))?.display());
        }
        let mode = |name: &str| fs::metadata(scenario.dir.path(name)).map(|it| format!("{:o}", it.permissions().mode()));
        let modes = ["supervisord.pid", "supervisord.log", "s.sock"].map(|name| format!("{:?} {name}", mode(name)));
        scenario.note_all("modes", modes);
        until("the program's umask", std::time::Duration::from_secs(10), || Ok(fs::read_to_string(scenario.dir.path("umask")).ok().filter(|text| text.lines().count() == 2)))?;
        scenario.note(fs::read_to_string(scenario.dir.path("umask"))?);
        ironlance_e2e::daemon::send(pid, Signal::TERM)?;
        until("its end", std::time::Duration::from_secs(10), || Ok(fs::metadata(format!("/proc/{pid}")).is_err().then_some(())))?;
        scenario.note(format!("pid file left: {} socket left: {}", scenario.dir.path("supervisord.pid").exists(), scenario.dir.path("s.sock").exists()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_name_of_a_link_or_the_first_argument_says_who_it_is() {
    let dir = TestDir::new().unwrap();
    let mut command = dir.ours("ironlance").unwrap();
    command.args(["supervisord", "-v"]);
    let output = run_command(command).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "4.3.0\n");
    let output = run(&dir, Implementation::Ours, &["-v"]).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "4.3.0\n");
}
