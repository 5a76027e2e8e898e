//! The life of processes under both daemons: starts, exits, retries, stops, signals.

use ironlance_e2e::{Recorder, TIMEOUT, compare_daemons, until};
use rustix::process::Signal;

#[test]
fn programs_end_in_each_way_and_are_treated_alike() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "all", "")?;
        let listener = recorder.section("recorder", "PROCESS_STATE");
        scenario.dir.script("plainfile", "")?;
        scenario.dir.write("plainfile", "no program at all\n")?;
        let daemon = scenario.daemon(&format!(
            "{listener}\
             [program:stays]\ncommand=sleep 1000\n\
             [program:manual]\ncommand=sleep 1000\nautostart=false\n\
             [program:exit0]\ncommand=true\nstartsecs=0\nautorestart=unexpected\n\
             [program:exit3]\ncommand=sh -c 'exit 3'\nstartsecs=0\nautorestart=false\n\
             [program:fine3]\ncommand=sh -c 'exit 3'\nstartsecs=0\nexitcodes=0,3\n\
             [program:killed]\ncommand=sh -c 'kill -9 $$'\nstartsecs=0\nautorestart=false\n\
             [program:termed]\ncommand=sh -c 'kill -15 $$'\nstartsecs=0\nautorestart=false\n\
             [program:late]\ncommand=sh -c 'sleep 1.4; exit 7'\nautorestart=false\n\
             [program:hopeless]\ncommand=sh -c 'exit 4'\nstartretries=1\n\
             [program:fatal0]\ncommand=true\nstartretries=0\n\
             [program:missing]\ncommand=/no/such/program x\nstartretries=0\n\
             [program:unnamed]\ncommand=no-such-program\nstartretries=0\n\
             [program:folder]\ncommand=/tmp\nstartretries=0\n\
             [program:plainfile]\ncommand={{dir}}/plainfile\nstartretries=0\n\
             [program:quote]\ncommand=sh -c 'exit\nstartretries=0\n\
             [program:nodir]\ncommand=sleep 5\ndirectory=/no/such/folder\nstartretries=0\n"
        ))?;
        let ends = [
            ("stays", "RUNNING"),
            ("manual", "STOPPED"),
            ("exit0", "EXITED"),
            ("exit3", "EXITED"),
            ("fine3", "EXITED"),
            ("killed", "EXITED"),
            ("termed", "EXITED"),
            ("late", "EXITED"),
            ("hopeless", "FATAL"),
            ("fatal0", "FATAL"),
            ("missing", "FATAL"),
            ("unnamed", "FATAL"),
            ("folder", "FATAL"),
            ("plainfile", "FATAL"),
            ("quote", "FATAL"),
            ("nodir", "FATAL"),
        ];
        for (name, state) in ends {
            daemon.wait_state(name, state)?;
            let spawnerr = daemon.info(name, "spawnerr")?;
            let quickly = "\"Exited too quickly (process log may have details)\"";
            match name {
                "nodir" => {
                    scenario.expect_difference(
                        spawnerr,
                        quickly,
                        "\"couldn't chdir to /no/such/folder: ENOENT\"",
                    )?;
                }
                "plainfile" => {
                    scenario.expect_difference(
                        spawnerr,
                        quickly,
                        "\"couldn't exec DIR/plainfile: ENOEXEC\"",
                    )?;
                }
                _ => scenario.note_info(&daemon, name)?,
            }
        }
        let names = ends.map(|(name, _)| name);
        scenario.note_log(&daemon, &names);
        let errors = daemon.log_about("spawnerr").into_iter().filter(|line| !line.contains("couldn't"));
        scenario.note_all("errors", errors);
        let events = recorder.wait_all("of each program's end", |events| {
            let last = |name| events.iter().rfind(|event| event.body_token("processname") == Some(name));
            ends.iter().filter(|(name, _)| *name != "manual").all(|(name, state)| {
                last(name).is_some_and(|event| event.name() == format!("PROCESS_STATE_{state}"))
            })
        })?;
        scenario.note_events(&events, &names);
        scenario.note_all("stderr of nodir", daemon_file(&daemon, "nodir-stderr"));
        Ok(())
    })
    .unwrap();
}

/// The lines of the automatic log whose name begins so.
fn daemon_file(daemon: &ironlance_e2e::Daemon, prefix: &str) -> Vec<String> {
    let Some(name) = daemon.files().into_iter().find(|name| name.starts_with(prefix)) else {
        return Vec::new();
    };
    daemon.file(&name).lines().map(str::to_owned).collect()
}

#[test]
fn restarts_follow_autorestart_and_the_exit_code() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "all", "")?;
        let listener = recorder.section("recorder", "PROCESS_STATE");
        // Each counts its starts in a file; the third one stays.
        let counting = |name: &str, code: u8| {
            format!(
                "[program:{name}]\ncommand=sh -c 'echo x >>{{dir}}/{name}.starts; [ $(wc -l <{{dir}}/{name}.starts) -ge 3 ] && exec sleep 1000; \
                 exit {code}'\nstartsecs=0\n"
            )
        };
        let daemon = scenario.daemon(&format!(
            "{listener}{}autorestart=true\n{}autorestart=unexpected\n{}autorestart=false\n{}exitcodes=5\n",
            counting("always", 0),
            counting("unexpected", 1),
            counting("never", 1),
            counting("foreseen", 5),
        ))?;
        for name in ["always", "unexpected"] {
            daemon.wait_file(&format!("{name}.starts"), "x\nx\nx\n")?;
            daemon.wait_state(name, "RUNNING")?;
        }
        for name in ["never", "foreseen"] {
            daemon.wait_state(name, "EXITED")?;
            scenario.note(format!("{name}: {}", daemon.file(&format!("{name}.starts")).len()));
        }
        let names = ["always", "unexpected", "never", "foreseen"];
        scenario.note_log(&daemon, &names);
        let events = recorder.wait_all("of the third start", |events| {
            ["always", "unexpected"].iter().all(|name| {
                let mine = events.iter().filter(|event| event.body_token("processname") == Some(*name));
                mine.filter(|event| event.name() == "PROCESS_STATE_RUNNING").count() == 3
            })
        })?;
        scenario.note_events(&events, &names);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_stop_is_the_same_in_every_state() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "all", "")?;
        let listener = recorder.section("recorder", "PROCESS_STATE");
        let daemon = scenario.daemon(&format!(
            "{listener}\
             [program:running]\ncommand=sleep 1000\nstartsecs=0\n\
             [program:starting]\ncommand=sleep 1000\nstartsecs=600\n\
             [program:waiting]\ncommand=false\nstartretries=50\n\
             [program:usr1]\ncommand=sleep 1000\nstartsecs=0\nstopsignal=USR1\n\
             [program:polite]\ncommand=sh -c 'trap \"exit 0\" TERM; echo up; while :; do sleep 0.1; done'\nstartsecs=0\nstdout_logfile={{dir}}/polite\n\
             [program:deaf]\ncommand=sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=1\nstdout_logfile={{dir}}/deaf\n\
             [program:ended]\ncommand=true\nstartsecs=0\n\
             [program:hopeless]\ncommand=false\nstartretries=0\n"
        ))?;
        for (name, state) in [("running", "RUNNING"), ("starting", "STARTING"), ("waiting", "BACKOFF"), ("usr1", "RUNNING"),
            ("polite", "RUNNING"), ("deaf", "RUNNING"), ("ended", "EXITED"), ("hopeless", "FATAL")]
        {
            daemon.wait_state(name, state)?;
        }
        daemon.wait_file("polite", "up")?;
        daemon.wait_file("deaf", "up")?;
        let names = ["running", "starting", "waiting", "usr1", "polite", "deaf", "ended", "hopeless"];
        for name in names {
            // In BACKOFF, the number of tries is a matter of time.
            if name == "waiting" {
                daemon.wait_state(name, "BACKOFF")?;
            }
            scenario.note_call(&daemon, "stopProcess", &[name.into()])?;
            scenario.note_info(&daemon, name)?;
            scenario.note_call(&daemon, "stopProcess", &[name.into()])?;
        }
        let others = names.into_iter().filter(|name| *name != "waiting").collect::<Vec<_>>();
        scenario.note_log(&daemon, &others);
        let events = recorder.wait("of the deaf one's end", |event| {
            event.name() == "PROCESS_STATE_STOPPED" && event.body_token("processname") == Some("deaf")
        })?;
        scenario.note_events(&events, &others);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_stop_without_waiting_answers_at_once_and_a_second_stop_is_no_fault() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon(
            "[program:deaf]\ncommand=sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=2\nstdout_logfile={dir}/deaf\n",
        )?;
        daemon.wait_file("deaf", "up")?;
        scenario.note_call(&daemon, "stopProcess", &["deaf".into(), false.into()])?;
        scenario.note(daemon.state("deaf")?);
        scenario.note_call(&daemon, "stopProcess", &["deaf".into(), false.into()])?;
        scenario.note_call(&daemon, "startProcess", &["deaf".into(), false.into()])?;
        scenario.note_call(&daemon, "signalProcess", &["deaf".into(), "USR2".into()])?;
        daemon.wait_state("deaf", "STOPPED")?;
        scenario.note_info(&daemon, "deaf")?;
        scenario.note_log(&daemon, &["deaf"]);
        scenario.note_call(&daemon, "startProcess", &["deaf".into()])?;
        daemon.wait_file("deaf", "up\nup\n")?;
        scenario.note_call(&daemon, "stopProcess", &["deaf".into()])?;
        scenario.note(format!("waiting is said: {}", daemon.log().contains("waiting for deaf to stop")));
        Ok(())
    })
    .unwrap();
}

#[test]
fn signals_reach_the_process_or_its_whole_group() {
    compare_daemons(|scenario| {
        // The grandchild says which signals arrive; its parent is a shell that only waits.
        let family = |name: &str, keys: &str| {
            format!(
                "[program:{name}]\ncommand=sh -c 'sh -c \"exec 2>/dev/null; trap \\\"echo grandchild got TERM >>{{dir}}/{name}; exit 0\\\" TERM; echo up >>{{dir}}/{name}; \
                 while :; do sleep 0.1; done\" & wait'\nstartsecs=0\n{keys}\n"
            )
        };
        let deaf = "[program:deaf]\ncommand=sh -c 'trap \"\" TERM; sh -c \"trap \\\"\\\" TERM; echo up >>{dir}/deaf; while :; do sleep 0.1; done\" & wait; \
             wait'\nstartsecs=0\nstopwaitsecs=1\nkillasgroup=true\n";
        let daemon = scenario.daemon(&format!("{}{}{deaf}", family("alone", ""), family("group", "stopasgroup=true")))?;
        for name in ["alone", "group", "deaf"] {
            daemon.wait_file(name, "up")?;
            scenario.note_call(&daemon, "stopProcess", &[name.into()])?;
        }
        daemon.wait_file("group", "grandchild got TERM")?;
        scenario.note(daemon.file("alone"));
        scenario.note_log(&daemon, &["alone", "group", "deaf"]);
        let left = || scenario.dir.processes_named("echo up >>");
        let count = until("the killed grandchildren to be gone", TIMEOUT, || Ok(Some(left().len()).filter(|left| *left == 1)));
        scenario.note(format!("grandchildren left: {:?}", count.is_ok()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn signal_process_sends_what_was_asked_for() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon(
            "[program:hears]\ncommand=sh -c 'trap \"echo HUP\" HUP; trap \"echo USR1\" USR1; echo up; while :; do sleep 0.05; done'\nstartsecs=0\nstdout_logfile={dir}/hears\nautorestart=false\n\
             [program:still]\ncommand=sleep 1\nautostart=false\n\
             [group:both]\nprograms=hears,still\n",
        )?;
        daemon.wait_file("hears", "up")?;
        for signal in ["HUP", "SIGUSR1", "1", "hup", "sigusr1", " 10 ", "0", "NONE", "99", "", "-1", "1.0"] {
            scenario.note_call(&daemon, "signalProcess", &["both:hears".into(), signal.into()])?;
        }
        daemon.wait_file("hears", "USR1")?;
        scenario.note_call(&daemon, "signalProcess", &["both:still".into(), "HUP".into()])?;
        scenario.note_call(&daemon, "signalProcess", &["both:*".into(), "USR1".into()])?;
        scenario.note_call(&daemon, "signalProcessGroup", &["both".into(), "USR1".into()])?;
        scenario.note_call(&daemon, "signalProcessGroup", &["both".into(), "NONE".into()])?;
        scenario.note_call(&daemon, "signalAllProcesses", &["USR1".into()])?;
        scenario.note_call(&daemon, "signalAllProcesses", &["NONE".into()])?;
        scenario.note_call(&daemon, "signalProcess", &["both:hears".into(), 15.into()])?;
        daemon.wait_log("exited: hears")?;
        scenario.note_log(&daemon, &["hears"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_daemon_that_ends_stops_its_programs_in_order_and_says_so() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "all", "")?;
        let listener = recorder.section("recorder", "EVENT");
        let polite = |name: &str, priority: u32| {
            format!(
                "[program:{name}]\ncommand=sh -c 'trap \"echo end {name} >>{{dir}}/order; exit 0\" TERM; echo start {name} >>{{dir}}/order; while :; do sleep 0.02; done'\n\
                 startsecs=0\npriority={priority}\n"
            )
        };
        let mut daemon = scenario.daemon(&format!("{listener}{}{}{}[program:waiting]\ncommand=/no/such/program\nstartretries=90\n",
            polite("second", 20), polite("third", 30), polite("first", 10)))?;
        for name in ["first", "second", "third"] {
            daemon.wait_file("order", &format!("start {name}"))?;
            daemon.wait_state(name, "RUNNING")?;
        }
        daemon.wait_state("waiting", "BACKOFF")?;
        daemon.wait_state("recorder", "RUNNING")?;
        let status = daemon.stop()?;
        scenario.note(format!("{status}"));
        let order = daemon.file("order");
        scenario.note_all("ends", order.lines().filter(|line| line.starts_with("end")));
        scenario.note_log(&daemon, &["first", "third", "received", "waiting for", "supervisord", "RPC interface", "unix domain", "Server 'unix_http_server'"]);
        let events = recorder.events()?;
        let states = events.iter().filter(|event| event.name().starts_with("SUPERVISOR"));
        scenario.note_all("supervisor events", states.map(|event| format!("{} {:?}", event.name(), event.body)));
        scenario.note_all("files left", daemon.files().into_iter().filter(|name| name.ends_with("sock") || name.ends_with("pid")));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_program_that_is_killed_from_outside_comes_back() {
    compare_daemons(|scenario| {
        let daemon =
            scenario.daemon("[program:victim]\ncommand=sleep 1000\nstartsecs=0\nautorestart=unexpected\n")?;
        for signal in [Signal::KILL, Signal::SEGV, Signal::TERM] {
            daemon.wait_state("victim", "RUNNING")?;
            let before = daemon.hit("victim", signal)?;
            until("another pid", TIMEOUT, || {
                let pid = daemon.pid_of("victim")?;
                Ok((pid != 0 && pid != before).then_some(()))
            })?;
        }
        daemon.wait_state("victim", "RUNNING")?;
        scenario.note_info(&daemon, "victim")?;
        let core = |line: String| line.replace(" (core dumped)", "");
        scenario.note_all("log", daemon.log_about("victim").into_iter().map(core));
        Ok(())
    })
    .unwrap();
}
