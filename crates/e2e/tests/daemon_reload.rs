//! Changing a running daemon: reload, groups added and removed, restart, signals, sockets and pid files left behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use ironlance_e2e::daemon::{BASE, describe, run, send, write_config};
use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{Daemon, Implementation, Recorder, TestDir, compare_daemons, until};
use rustix::process::Signal;

const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn a_reload_tells_what_is_new_changed_and_gone_and_changes_nothing_itself() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "groups", "")?;
        let base = format!("{BASE}{}", recorder.section("recorder", "PROCESS_GROUP"));
        let program =
            |name: &str, keys: &str| format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\n{keys}\n");
        let before = [
            program("same", ""),
            program("changed", "priority=5"),
            program("gone", ""),
            program("env", "environment=A=1"),
            "[group:g]\nprograms=m1,m2\n".to_owned(),
            program("m1", ""),
            program("m2", ""),
        ]
        .concat();
        let daemon =
            Daemon::start_on(&scenario.dir, scenario.implementation, &format!("{base}{before}"), &[])?;
        for name in ["same", "changed", "gone", "recorder", "g:m1"] {
            daemon.wait_state(name, "RUNNING")?;
        }
        let pids = ["same", "changed", "gone", "g:m1"].map(|name| daemon.pid_of(name).unwrap());
        scenario.note_call(&daemon, "reloadConfig", &[])?;
        let after = [
            program("same", ""),
            program("changed", "priority=6"),
            program("added", ""),
            program("env", "environment=A=2"),
            "[group:g]\nprograms=m1\n".to_owned(),
            program("m1", ""),
            program("m2", ""),
        ]
        .concat();
        write_config(&scenario.dir, &format!("{base}{after}"))?;
        scenario.note_call(&daemon, "reloadConfig", &[])?;
        scenario.note_call(&daemon, "reloadConfig", &[])?;
        let still = ["same", "changed", "gone", "g:m1"].map(|name| daemon.pid_of(name).unwrap());
        scenario.note(format!("untouched: {}", pids == still));
        let infos = daemon.call("getAllConfigInfo", &[])?.unwrap();
        let fields = ["group", "name", "group_prio", "inuse"];
        let comparable_part = |info: &XmlValue| {
            fields.map(|field| info.get(field).map(XmlValue::to_string).unwrap_or_default()).join(" ")
        };
        scenario.note_all("configured", infos.items().iter().map(comparable_part));
        scenario.note_call(&daemon, "addProcessGroup", &["added".into()])?;
        daemon.wait_state("added", "RUNNING")?;
        scenario.note_call(&daemon, "removeProcessGroup", &["gone".into()])?;
        scenario.note_call(&daemon, "stopProcess", &["gone".into()])?;
        scenario.note_call(&daemon, "removeProcessGroup", &["gone".into()])?;
        scenario.note_call(&daemon, "addProcessGroup", &["gone".into()])?;
        scenario.note_call(&daemon, "stopProcess", &["changed".into()])?;
        scenario.note_call(&daemon, "removeProcessGroup", &["changed".into()])?;
        scenario.note_call(&daemon, "addProcessGroup", &["changed".into()])?;
        daemon.wait_state("changed", "RUNNING")?;
        scenario.note_call(&daemon, "addProcessGroup", &["m2".into()])?;
        scenario.note_call(&daemon, "reloadConfig", &[])?;
        let events = recorder
            .wait_all("of each change", |events| events.iter().any(|event| event.body == "groupname:m2\n"))?;
        scenario.note_all(
            "events",
            events
                .iter()
                .map(|event| format!("{} {:?}", event.name(), event.body))
                .filter(|line| !line.contains("recorder")),
        );
        scenario.note(format!("untouched: {}", pids[0] == daemon.pid_of("same")?));
        scenario.note_all(
            "log",
            daemon.log_lines().into_iter().filter(|line| line.contains("roup") || line.contains("eload")),
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_broken_file_is_not_read_again_and_nothing_changes() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nstartsecs=0\n")?;
        let pid = daemon.wait_state("a", "RUNNING")?;
        for broken in [
            "[program:a]\ncommand=sleep 1000\nstartsecs=soon\n",
            "garbage\n",
            "[program:b]\n",
            "[eventlistener:e]\ncommand=x\n",
            "[supervisord]\nminfds=x\n",
            "[group:g]\nprograms=none\n",
            "[program:c]\ncommand=%(none)s\n",
            "[include]\n",
        ] {
            write_config(&scenario.dir, &format!("{BASE}{broken}"))?;
            scenario.note_call(&daemon, "reloadConfig", &[])?;
        }
        write_config(&scenario.dir, "")?;
        scenario.note_call(&daemon, "reloadConfig", &[])?;
        fs::remove_file(scenario.dir.path("supervisord.conf"))?;
        scenario.note_call(&daemon, "reloadConfig", &[])?;
        scenario.note(format!("untouched: {}", pid == daemon.pid_of("a")?));
        write_config(
            &scenario.dir,
            &format!(
                "{BASE}[program:a]\ncommand=sleep 1000\nstartsecs=0\n[program:new]\ncommand=sleep 1000\n"
            ),
        )?;
        scenario.note_call(&daemon, "reloadConfig", &[])?;
        scenario.note_call(&daemon, "addProcessGroup", &["new".into()])?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_file_made_to_bring_the_reader_down_takes_no_program_down() {
    let dir = TestDir::new().unwrap();
    let start = "[program:a]\ncommand=sleep 1000\nstartsecs=0\n";
    let daemon = Daemon::start_on(&dir, Implementation::Ours, &format!("{BASE}{start}"), &[]).unwrap();
    let pid = daemon.wait_state("a", "RUNNING").unwrap();
    for hostile in [
        "[program:w]\ncommand=echo %(process_num)70000000d\n",
        "[program:w]\ncommand=echo %(process_num).70000000f\n",
        "[program:w]\ncommand=x\nprocess_name=%(process_num)d\nnumprocs=100000000\n",
        "[program:w]\ncommand=x\nprocess_name=%(process_num)131072d\nnumprocs=10000\n",
        "[include]\nfiles=/proc/*/root/proc/*/root/proc/*/root/proc/*/comm\n",
    ] {
        let config = write_config(&dir, &format!("{BASE}{start}{hostile}")).unwrap();
        let fault = daemon.call("reloadConfig", &[]).unwrap().unwrap_err().to_string();
        assert!(fault.contains("CANT_REREAD") && fault.contains("supervisord.conf:"), "{fault}");
        assert!(daemon.call("restart", &[]).unwrap().is_err(), "{hostile}");
        let refusals = daemon.log().matches("not restarted").count();
        daemon.signal(Signal::HUP).unwrap();
        until("the refusal", LIMIT, || {
            Ok((daemon.log().matches("not restarted").count() > refusals).then_some(()))
        })
        .unwrap();
        let checked =
            run(&dir, Implementation::Ours, &["--check", "-c", &config.display().to_string()]).unwrap();
        assert_eq!(checked.status.code(), Some(2), "{}", String::from_utf8_lossy(&checked.stderr));
        assert_eq!(daemon.pid_of("a").unwrap(), pid, "{hostile}");
    }
    // What is wide, but not too wide, is taken.
    let wide = "[program:w]\ncommand=echo %(process_num)70000d\nautostart=false\n";
    write_config(&dir, &format!("{BASE}{start}{wide}")).unwrap();
    daemon.call("reloadConfig", &[]).unwrap().unwrap();
}

#[test]
fn a_refused_reread_names_each_fault_with_its_file_and_line() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start_on(&dir, Implementation::Ours, BASE, &[]).unwrap();
    let broken = "[program:a]\ncommand=x\nstartsecs=soon\n[program:b]\n";
    let config = write_config(&dir, &format!("{BASE}{broken}")).unwrap();
    let first =
        std::fs::read_to_string(&config).unwrap().lines().position(|line| line.starts_with("startsecs"));
    let place = format!("{}:{}: [program:a] startsecs: cannot", config.display(), first.unwrap() + 1);
    for method in ["reloadConfig", "restart"] {
        let fault = daemon.call(method, &[]).unwrap().unwrap_err().to_string();
        for part in
            ["CANT_REREAD: invalid literal for int() with base 10: ", &place, "[program:b] command: cannot"]
        {
            assert!(fault.contains(part), "{method}: {part} in {fault}");
        }
    }
}

/// Waits until the daemon has gone through a restart: the pid is the same, `started` stands so often in the log.
fn wait_started(daemon: &Daemon, count: usize) -> anyhow::Result<()> {
    until("the restart", LIMIT, || {
        Ok((daemon.log().matches("supervisord started with pid").count() == count).then_some(()))
    })?;
    until("an answer", LIMIT, || {
        Ok(daemon
            .call("getState", &[])
            .ok()
            .and_then(Result::ok)
            .and_then(|state| (state.get("statecode")?.as_int()? == 1).then_some(())))
    })
}

#[test]
fn hup_and_restart_begin_anew_with_the_new_file() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:old]\ncommand=sleep 1000\nstartsecs=0\n[program:kept]\ncommand=sleep 1000\nstartsecs=0\n")?;
        daemon.wait_state("old", "RUNNING")?;
        let before = daemon.wait_state("kept", "RUNNING")?;
        write_config(&scenario.dir, &format!("{BASE}[program:new]\ncommand=sleep 1000\nstartsecs=0\n[program:kept]\ncommand=sleep 1000\nstartsecs=0\n"))?;
        daemon.signal(Signal::HUP)?;
        wait_started(&daemon, 2)?;
        daemon.wait_state("new", "RUNNING")?;
        let after = daemon.wait_state("kept", "RUNNING")?;
        scenario.note(format!("another process: {}", before != after));
        scenario.note_call(&daemon, "getProcessInfo", &["old".into()])?;
        let pid = daemon.call("getPID", &[])?.unwrap();
        scenario.note(format!("the same pid: {}", pid.as_int() == Some(i64::from(daemon.pid()))));
        scenario.note_call(&daemon, "restart", &[])?;
        wait_started(&daemon, 3)?;
        daemon.wait_state("new", "RUNNING")?;
        scenario.note_log(&daemon, &["old", "received", "Restarting", "Included", "RPC interface", "unix_http_server", "supervisord"]);
        scenario.note(format!("{:?}", fs::read_to_string(scenario.dir.path("supervisord.pid"))? == format!("{}\n", daemon.pid())));
        Ok(())
    })
    .unwrap();
}

#[test]
fn each_signal_ends_it_or_is_ignored_as_by_the_original() {
    compare_daemons(|scenario| {
        for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
            let mut daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nstartsecs=0\n")?;
            daemon.wait_state("a", "RUNNING")?;
            daemon.signal(signal)?;
            scenario.note(format!("{signal:?}: {}", daemon.wait_end()?));
            scenario.note_log(&daemon, &["received", "a"]);
            scenario.note(format!("{:?}", daemon.files()));
            fs::remove_file(scenario.dir.path("supervisord.log"))?;
        }
        let mut daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nstartsecs=0\n")?;
        daemon.wait_state("a", "RUNNING")?;
        daemon.signal(Signal::PIPE)?;
        daemon.signal(Signal::WINCH)?;
        daemon.signal(Signal::CHILD)?;
        scenario.note_call(&daemon, "getState", &[])?;
        scenario.note_call(&daemon, "shutdown", &[])?;
        scenario.note(daemon.wait_end()?);
        scenario.note_log(&daemon, &["received", "a"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_second_signal_does_not_hurry_it() {
    compare_daemons(|scenario| {
        let mut daemon = scenario.daemon("[program:deaf]\ncommand=sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=2\nstdout_logfile={dir}/deaf\n")?;
        daemon.wait_file("deaf", "up")?;
        daemon.signal(Signal::TERM)?;
        daemon.wait_log("received SIGTERM")?;
        daemon.signal(Signal::INT)?;
        daemon.wait_log("received SIGINT")?;
        scenario.note(daemon.wait_end()?);
        scenario.note_log(&daemon, &["received", "deaf"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_stale_socket_is_taken_over_and_a_live_one_is_not() {
    compare_daemons(|scenario| {
        drop(UnixListener::bind(scenario.dir.path("s.sock"))?);
        let daemon = scenario.daemon("")?;
        scenario.note_all("log", daemon.log_lines());
        scenario.note(format!("{} {}", daemon.stdout().contains("Unlinking stale socket"), daemon.stderr()));
        // The second one goes: the socket is in use.
        let config = scenario.dir.write(
            "second.conf",
            &BASE
                .replace("{dir}/supervisord", "{dir}/second")
                .replace("{dir}", &scenario.dir.folder().display().to_string()),
        )?;
        let output = run(&scenario.dir, scenario.implementation, &["-c", &config.display().to_string()])?;
        let bin = scenario.implementation.bin()?.display().to_string();
        scenario.note(format!(
            "{} {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).replace(&bin, "BIN")
        ));
        scenario.note(scenario.dir.path("second.pid").exists());
        scenario.note_call(&daemon, "getState", &[])?;
        // A port that is taken.
        let door = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = door.local_addr()?.port();
        let config = scenario.dir.write(
            "third.conf",
            &format!(
                "{}[inet_http_server]\nport=127.0.0.1:{port}\n",
                BASE.replace("{dir}/s", "{dir}/third")
                    .replace("{dir}", &scenario.dir.folder().display().to_string())
            ),
        )?;
        let output = run(&scenario.dir, scenario.implementation, &["-c", &config.display().to_string()])?;
        scenario.note(format!(
            "{} {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).replace(&bin, "BIN").replace(&port.to_string(), "PORT")
        ));
        scenario.note_all("files", daemon.files());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_socket_has_the_mode_and_owner_of_the_file() {
    compare_daemons(|scenario| {
        use std::os::unix::fs::MetadataExt;
        let facts = |name: &str| {
            fs::metadata(scenario.dir.path(name))
                .map(|it| format!("{:o} {}:{} {name}", it.mode(), it.uid(), it.gid()))
                .unwrap_or_default()
        };
        let mut daemon = scenario.daemon("")?;
        let mut notes = vec![facts("s.sock"), facts("supervisord.pid"), facts("supervisord.log")];
        daemon.stop()?;
        let mut daemon = scenario.daemon("[unix_http_server]\nchmod=0770\nchown=nobody:nogroup\n")?;
        notes.push(facts("s.sock"));
        daemon.stop()?;
        let daemon = scenario.daemon("[unix_http_server]\nchmod=0666\nchown=nobody\n")?;
        notes.push(facts("s.sock"));
        drop(daemon);
        scenario.note_all("facts", notes);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_pid_file_that_is_there_is_replaced_and_one_that_cannot_be_written_is_said() {
    compare_daemons(|scenario| {
        scenario.dir.write("supervisord.pid", "1\n")?;
        let daemon = scenario.daemon("")?;
        scenario.note(format!(
            "{}",
            fs::read_to_string(scenario.dir.path("supervisord.pid"))? == format!("{}\n", daemon.pid())
        ));
        drop(daemon);
        let folder = scenario.dir.path("folder.pid");
        fs::create_dir(&folder)?;
        let mut daemon = scenario.daemon("[supervisord]\npidfile={dir}/folder.pid\n")?;
        daemon.wait_log("could not write pidfile")?;
        scenario.note_log(&daemon, &["pidfile"]);
        scenario.note(daemon.stop()?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_user_to_run_as_is_taken_on() {
    compare_daemons(|scenario| {
        fs::set_permissions(scenario.dir.folder(), fs::Permissions::from_mode(0o777))?;
        let mut daemon = scenario.daemon("[supervisord]\nuser=nobody\n[program:a]\ncommand=sh -c 'id >{dir}/id; exec sleep 1000'\nstartsecs=0\n[program:b]\ncommand=true\nuser=root\nstartretries=0\nstderr_logfile={dir}/b.err\n")?;
        let id = daemon.wait_file("id", "\n")?;
        scenario.note(id);
        daemon.wait_state("b", "FATAL")?;
        scenario.note(daemon.file("b.err"));
        scenario.expect_difference(daemon.info("b", "spawnerr")?, "\"Exited too quickly (process log may have details)\"", "\"couldn't setuid to 0: Can't drop privilege as nonroot user\"")?;
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
        scenario.note_all("status", status.lines().filter(|line| ["Uid:", "Gid:", "Groups:"].iter().any(|key| line.starts_with(key))));
        scenario.note_all("log", daemon.log_lines().into_iter().filter(|line| !line.contains("spawnerr: couldn't") && !line.contains("'a'") && !line.contains(" a ") && !line.contains('b')));
        scenario.note(daemon.stop()?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_killed_daemon_leaves_its_programs_and_the_next_one_does_not_take_them() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nstartsecs=0\n")?;
        let pid = daemon.wait_state("a", "RUNNING")?;
        drop(daemon);
        scenario.note(format!("alive: {}", fs::metadata(format!("/proc/{pid}")).is_ok()));
        let daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nstartsecs=0\n")?;
        let again = daemon.wait_state("a", "RUNNING")?;
        scenario.note(format!("another: {}", pid != again));
        send(pid, Signal::KILL)?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_restart_takes_over_every_setting_of_the_new_file() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nstartsecs=0\n")?;
        daemon.wait_state("a", "RUNNING")?;
        let new = BASE.replace("{dir}/supervisord.log", "{dir}/new.log").replace("{dir}/supervisord.pid", "{dir}/new.pid").replace("loglevel=debug", "loglevel=info")
            + "[supervisord]\nidentifier=renamed\nenvironment=NEW=\"yes\"\n[unix_http_server]\nchmod=0770\n[program:b]\ncommand=sh -c 'echo $NEW $OLD >{dir}/b; exec sleep 1000'\nstartsecs=0\nenvironment=OLD=no\n";
        write_config(&scenario.dir, &new)?;
        scenario.note_call(&daemon, "restart", &[])?;
        daemon.wait_file("new.log", "supervisord started")?;
        until("an answer", LIMIT, || Ok(daemon.call("getIdentification", &[]).ok().map(drop)))?;
        scenario.note_call(&daemon, "getIdentification", &[])?;
        let words = daemon.wait_file("b", "\n")?;
        scenario.note(words);
        let mode = fs::metadata(scenario.dir.path("s.sock"))?.permissions().mode();
        scenario.note(format!("{mode:o} {} {}", scenario.dir.path("new.pid").exists(), scenario.dir.path("supervisord.pid").exists()));
        scenario.note(daemon.file("new.log").contains("DEBG"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_restart_with_a_broken_file_is_refused_by_ours_and_the_end_of_the_original() {
    for implementation in Implementation::BOTH {
        let dir = TestDir::new().unwrap();
        let mut daemon =
            Daemon::start(&dir, implementation, "[program:a]\ncommand=sleep 1000\nstartsecs=0\n").unwrap();
        let pid = daemon.wait_state("a", "RUNNING").unwrap();
        write_config(&dir, &format!("{BASE}[program:a]\ncommand=sleep 1000\nstartsecs=soon\n")).unwrap();
        daemon.signal(Signal::HUP).unwrap();
        if implementation == Implementation::Original {
            assert_eq!(daemon.wait_end().unwrap().code(), Some(2));
            continue;
        }
        daemon.wait_log("[program:a] startsecs: cannot ").unwrap();
        assert_eq!(daemon.wait_state("a", "RUNNING").unwrap(), pid);
        assert_eq!(daemon.call("getState", &[]).unwrap().unwrap().get("statecode"), Some(&XmlValue::Int(1)));
    }
}

#[test]
fn a_group_that_grows_or_shrinks_is_changed_as_a_whole() {
    compare_daemons(|scenario| {
        let many = |count: u32| format!("{BASE}[program:many]\ncommand=sleep 1000\nstartsecs=0\nnumprocs={count}\nprocess_name=m%(process_num)d\n");
        let daemon = Daemon::start_on(&scenario.dir, scenario.implementation, &many(2), &[])?;
        daemon.wait_state("many:m1", "RUNNING")?;
        for count in [3, 1] {
            write_config(&scenario.dir, &many(count))?;
            scenario.note_call(&daemon, "reloadConfig", &[])?;
            scenario.note_call_unordered(&daemon, "stopProcessGroup", &["many".into()])?;
            scenario.note_call(&daemon, "removeProcessGroup", &["many".into()])?;
            scenario.note_call(&daemon, "addProcessGroup", &["many".into()])?;
            daemon.wait_state("many:m0", "RUNNING")?;
            let all = daemon.call("getAllProcessInfo", &[])?.unwrap();
            scenario.note_all("all", all.items().iter().map(|info| info.get("name").map(XmlValue::to_string).unwrap_or_default()));
        }
        Ok(())
    })
    .unwrap();
}

/// What a restart with `[supervisord]` and server sections of `sections` is refused with; the program of before still
/// runs and the daemon answers.
fn refused(daemon: &Daemon, dir: &TestDir, config: &str) -> anyhow::Result<(String, String)> {
    let pid = daemon.pid_of("a")?;
    write_config(dir, &format!("{config}[program:a]\ncommand=sleep 1000\nstartsecs=0\n"))?;
    let refusals = |log: &str| log.matches("not restarted: ").count();
    let before = refusals(&daemon.log());
    let fault = describe(&daemon.call("restart", &[])?);
    daemon.signal(Signal::HUP)?;
    until("two refusals", LIMIT, || Ok((refusals(&daemon.log()) == before + 2).then_some(())))?;
    anyhow::ensure!(daemon.wait_state("a", "RUNNING")? == pid, "it was restarted");
    let log = daemon.log();
    let line = log.lines().rfind(|line| line.contains("not restarted: ")).unwrap_or_default();
    Ok((fault, line.to_owned()))
}

#[test]
fn a_restart_that_cannot_be_applied_stops_nothing_and_says_why() {
    let dir = TestDir::new().unwrap();
    let daemon =
        Daemon::start(&dir, Implementation::Ours, "[program:a]\ncommand=sleep 1000\nstartsecs=0\n").unwrap();
    daemon.wait_state("a", "RUNNING").unwrap();
    let door = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = door.local_addr().unwrap().port();
    fs::create_dir(dir.path("is-a-folder")).unwrap();
    let root = rustix::process::getuid().is_root();
    let cases = [
        (format!("{BASE}[inet_http_server]\nport=127.0.0.1:{port}\n"), "another program listens there"),
        (BASE.replace("{dir}/s.sock", "{dir}/gone/s.sock"), "No such file or directory"),
        (format!("{BASE}[supervisord]\nminfds=4000000000\n"), "The minimum number of file descriptors"),
        (BASE.replace("{dir}/supervisord.log", "{dir}/is-a-folder"), "cannot open log file"),
        (
            format!("{BASE}[supervisord]\nuser=nobody\n"),
            if root { "Permission denied" } else { "nonroot user" },
        ),
    ];
    for (config, why) in &cases {
        let (fault, line) = refused(&daemon, &dir, config).unwrap();
        assert!(fault.contains("CANT_REREAD") && fault.contains(why), "{fault}");
        assert!(line.contains("nothing has been stopped") && line.contains(why), "{line}");
    }
    // A restart that can be applied still works.
    write_config(
        &dir,
        &format!("{BASE}[inet_http_server]\nport=127.0.0.1:{port}\n[program:b]\ncommand=sleep 1000\n"),
    )
    .unwrap();
    drop(door);
    daemon.call("restart", &[]).unwrap().unwrap();
    wait_started(&daemon, 2).unwrap();
    daemon.wait_state("b", "RUNNING").unwrap();
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
}

#[test]
fn a_daemon_that_has_started_without_a_folder_for_its_programs_logs_restarts_without_it() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let dir = TestDir::new().unwrap();
    fs::set_permissions(dir.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::create_dir(dir.path("roots")).unwrap();
    let config = format!(
        "{BASE}[supervisord]\nuser=nobody\nchildlogdir={{dir}}/roots\n[program:a]\ncommand=sleep 1000\nstartsecs=0\n"
    );
    let daemon = Daemon::start_on(&dir, Implementation::Ours, &config, &[]).unwrap();
    daemon.wait_log("its output is not kept").unwrap();
    daemon.call("restart", &[]).unwrap().unwrap();
    wait_started(&daemon, 2).unwrap();
}

#[test]
fn a_restart_knows_its_own_socket_by_any_path() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(&dir, Implementation::Ours, "[program:a]\ncommand=sleep 1000\n").unwrap();
    daemon.wait_state("a", "RUNNING").unwrap();
    // As /var/run is a link to /run; and a link to the socket itself.
    symlink(".", dir.path("run")).unwrap();
    symlink("s.sock", dir.path("link")).unwrap();
    for (count, path) in [(2, "run/s.sock"), (3, "s.sock"), (4, "link")] {
        let config = BASE.replace("{dir}/s.sock", &format!("{{dir}}/{path}"));
        write_config(&dir, &format!("{config}[program:a]\ncommand=sleep 1000\n")).unwrap();
        daemon.signal(Signal::HUP).unwrap();
        until("the restart", LIMIT, || {
            let starts = daemon.log().matches("supervisord started with pid").count();
            Ok((starts == count).then_some(()))
        })
        .unwrap();
        let socket = dir.path(path);
        until("an answer", LIMIT, || Ok(UnixStream::connect(&socket).is_ok().then_some(()))).unwrap();
    }
    assert!(!dir.path("link").is_symlink() && !dir.path("s.sock").exists());
}

#[test]
fn no_client_is_refused_while_the_daemon_begins_anew() {
    let dir = TestDir::new().unwrap();
    let config = format!(
        "{BASE}[program:slow]\ncommand=sh -c \"trap 'sleep 1; exit' TERM; while :; do sleep 0.1; done\"\n"
    );
    let daemon = Daemon::start_on(&dir, Implementation::Ours, &config, &[]).unwrap();
    daemon.wait_state("slow", "RUNNING").unwrap();
    daemon.call("restart", &[]).unwrap().unwrap();
    // Connections are taken all the time: by the old life, by the queue between the two, by the new one.
    until("the restart", LIMIT, || {
        daemon.connect()?;
        Ok((daemon.log().matches("supervisord started with pid").count() == 2).then_some(()))
    })
    .unwrap();
    wait_started(&daemon, 2).unwrap();
}

#[test]
fn a_refused_reload_is_told_in_plain_words_by_supervisorctl() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(&dir, Implementation::Ours, "[program:a]\ncommand=sleep 1000\n").unwrap();
    let pid = daemon.wait_state("a", "RUNNING").unwrap();
    write_config(&dir, &BASE.replace("{dir}/s.sock", "{dir}/gone/s.sock")).unwrap();
    let mut command = dir.ours("supervisorctl").unwrap();
    let door = format!("[supervisorctl]\nserverurl=unix://{}\n", dir.path("s.sock").display());
    let asking = dir.write("ctl.conf", &door).unwrap();
    command.arg("-c").arg(asking).arg("reload");
    let output = ironlance_e2e::daemon::run_command(command).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("ERROR: not restarted, nothing was stopped: CANT_REREAD: "), "{text}");
    assert!(text.contains("/gone/s: No such file") || text.contains("/gone/s.sock: No such file"), "{text}");
    assert_eq!(daemon.pid_of("a").unwrap(), pid);
}
