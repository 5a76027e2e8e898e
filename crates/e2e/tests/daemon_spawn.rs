//! What a child is born with under both daemons: environment, folder, umask, user, descriptors, sockets.

use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{Scenario, compare_daemons};

/// The lines of a file of the test directory, sorted.
fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Waits for `done` at the end of each file, and notes the files' lines, sorted.
fn note_files(scenario: &mut Scenario, daemon: &ironlance_e2e::Daemon, names: &[&str]) -> anyhow::Result<()> {
    for name in names {
        let text = daemon.wait_file(name, "done\n")?;
        // Each has its own folder of listeners in front.
        scenario.note_all(name, sorted(&text).into_iter().filter(|line| !line.starts_with("PATH=")));
    }
    Ok(())
}

#[test]
fn a_child_gets_the_environment_that_the_file_describes() {
    compare_daemons(|scenario| {
        let show = "sh -c 'env >{dir}/$SUPERVISOR_PROCESS_NAME.env; echo done >>{dir}/$SUPERVISOR_PROCESS_NAME.env'";
        let daemon = scenario.daemon(&format!(
            "[supervisord]\nenvironment=BASE=\"from base\",SHARED=base\n\
             [program:bare]\ncommand={show}\nstartsecs=0\n\
             [program:own]\ncommand={show}\nstartsecs=0\nenvironment=SHARED=own,A=\"x,y=z\",B='single',C=plain,HERE=\"%(here)s\",\n  HOMED=\"%(ENV_HOME)s\",\
             NAMES=\"%(group_name)s/%(program_name)s/%(process_num)d\",LATE=\"%(ENV_BASE)s\"\n\
             [program:many]\ncommand={show}\nstartsecs=0\nnumprocs=2\nnumprocs_start=7\nprocess_name=%(program_name)s_%(process_num)02d\nenvironment=NUM=\"%(process_num)d of %(numprocs)d\"\n\
             [program:member]\ncommand={show}\nstartsecs=0\nserverurl=unix:///elsewhere\n\
             [group:club]\nprograms=member\n"
        ))?;
        note_files(scenario, &daemon, &["bare.env", "own.env", "many_07.env", "many_08.env", "member.env"])
    })
    .unwrap();
}

#[test]
fn commands_are_split_and_expanded_alike() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon(
            "[program:words]\ncommand=sh -c 'for word in \"$@\"; do echo \"[$word]\"; done; echo done' x one \"two words\" 'three  3' a\\ b \"q\\\"q\" '' é%%s \"%(program_name)s\" \\;x ;a comment\nstartsecs=0\nstdout_logfile={dir}/words\n\
             [program:lines]\ncommand=sh -c 'for word in \"$@\"; do echo \"[$word]\"; done; echo done' x one\n  two\n  three\nstartsecs=0\nstdout_logfile={dir}/lines\n\
             [program:tilde]\ncommand=sh -c 'echo \"$0 $*\"; echo done' ~ $HOME *\nstartsecs=0\nstdout_logfile={dir}/tilde\n\
             [program:zero]\ncommand=/bin/sh -c 'tr \"\\0\" \" \" </proc/$$/cmdline; echo; echo done' sh\nstartsecs=0\nstdout_logfile={dir}/zero\n",
        )?;
        for name in ["words", "lines", "tilde", "zero"] {
            let text = daemon.wait_file(name, "done\n")?;
            scenario.note_all(name, text.lines());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn folder_umask_user_group_and_descriptors_are_those_of_the_file() {
    compare_daemons(|scenario| {
        std::fs::set_permissions(scenario.dir.folder(), std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        let show = "sh -c 'F={dir}/$SUPERVISOR_PROCESS_NAME.facts; pwd >$F; umask >>$F; id >>$F; ls /proc/self/fd >>$F; cut -d\" \" -f5,6,7 /proc/$$/stat | sed \"s/$$/SELF/g; s/ [0-9][0-9]* / SESSION /\" >>$F; \
                    grep SigBlk /proc/self/status >>$F; grep -q SigIgn.*1... /proc/self/status && echo SIGPIPE is ignored >>$F; ulimit -n >>$F; echo $HOME $USER $LOGNAME >>$F; echo done >>$F'";
        let daemon = scenario.daemon(&format!(
            "[supervisord]\numask=027\n\
             [program:plain]\ncommand={show}\nstartsecs=0\n\
             [program:special]\ncommand={show}\nstartsecs=0\ndirectory=/usr\numask=077\n\
             [program:nobody]\ncommand={show}\nstartsecs=0\nuser=nobody\numask=0\n\
             [program:number]\ncommand={show}\nstartsecs=0\nuser=65534\numask=000\n\
             [program:merged]\ncommand=sh -c 'echo out; echo err >&2; echo done'\nstartsecs=0\nredirect_stderr=true\nstdout_logfile={{dir}}/merged\n"
        ))?;
        note_files(scenario, &daemon, &["plain.facts", "special.facts", "nobody.facts", "number.facts", "merged"])
    })
    .unwrap();
}

#[test]
fn stdin_is_a_pipe_that_can_be_written() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon(
            "[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat\n\
             [program:closed]\ncommand=sh -c 'exec <&-; echo up; exec sleep 1000'\nstartsecs=0\nstdout_logfile={dir}/closed\n\
             [program:off]\ncommand=cat\nautostart=false\n",
        )?;
        daemon.wait_state("cat", "RUNNING")?;
        daemon.wait_file("closed", "up")?;
        scenario.note_call(&daemon, "sendProcessStdin", &["cat".into(), "hello\n".into()])?;
        scenario.note_call(&daemon, "sendProcessStdin", &["cat".into(), "Malmö &<>\n".into()])?;
        scenario.note_call(&daemon, "sendProcessStdin", &["cat".into(), "".into()])?;
        scenario.note_call(&daemon, "sendProcessStdin", &["cat".into(), 5.into()])?;
        scenario.note_call(&daemon, "sendProcessStdin", &["off".into(), "x".into()])?;
        scenario.note_call(&daemon, "sendProcessStdin", &["closed".into(), "x".into()])?;
        scenario.note_call(&daemon, "sendProcessStdin", &["cat:*".into(), "x".into()])?;
        let text = daemon.wait_file("cat", "Malm\u{f6} &<>\n")?;
        scenario.note(text);
        Ok(())
    })
    .unwrap();
}

#[test]
fn groups_and_priorities_order_the_starts() {
    compare_daemons(|scenario| {
        let program = |name: &str, keys: &str| format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\n{keys}\n");
        let daemon = scenario.daemon(&format!(
            "{}{}{}{}{}{}[group:late]\nprograms=g1,g2\npriority=500\n[group:early]\nprograms=g3\npriority=2\n",
            program("zeta", ""),
            program("alpha", "priority=1"),
            program("many", "numprocs=3\nprocess_name=m%(process_num)d\npriority=100"),
            program("g1", "priority=9"),
            program("g2", "priority=8"),
            program("g3", "priority=900"),
        ))?;
        for name in ["zeta", "alpha", "many:m2", "late:g1", "early:g3"] {
            daemon.wait_state(name, "RUNNING")?;
        }
        let starts = daemon.log_lines().into_iter().filter(|line| line.contains("spawned"));
        scenario.note_all("starts", starts);
        scenario.note_call(&daemon, "getAllProcessInfo", &[])?;
        // Stops are told in the order in which they are over.
        scenario.note_call_unordered(&daemon, "stopProcessGroup", &["many".into()])?;
        scenario.note_call_unordered(&daemon, "stopProcess", &["late:*".into()])?;
        scenario.note_call(&daemon, "startProcess", &["late:*".into()])?;
        scenario.note_call(&daemon, "startProcessGroup", &["many".into()])?;
        scenario.note_call(&daemon, "startProcessGroup", &["many".into()])?;
        scenario.note_call_unordered(&daemon, "stopAllProcesses", &[])?;
        scenario.note_call(&daemon, "startAllProcesses", &[])?;
        scenario.note_call(&daemon, "startAllProcesses", &[])?;
        let starts = daemon.log_lines().into_iter().filter(|line| line.contains("spawned"));
        scenario.note_all("all starts", starts);
        Ok(())
    })
    .unwrap();
}

#[test]
fn fcgi_programs_share_a_socket() {
    compare_daemons(|scenario| {
        let port = closed_port()?;
        let serve = "sh -c 'F={dir}/$SUPERVISOR_PROCESS_NAME.fd; readlink /proc/$$/fd/0 | sed s/[0-9]//g >$F; echo done >>$F; exec sleep 1000'";
        let daemon = scenario.daemon(&format!(
            "[fcgi-program:un]\ncommand={serve}\nsocket=unix://{{dir}}/un.fcgi\nsocket_mode=0640\nsocket_owner=nobody\nnumprocs=2\nprocess_name=un%(process_num)d\nstartsecs=0\n\
             [fcgi-program:plain]\ncommand={serve}\nsocket=unix://%(here)s/%(program_name)s.fcgi\nstartsecs=0\nautostart=false\n\
             [fcgi-program:tcp]\ncommand={serve}\nsocket=tcp://localhost:{port}\nsocket_backlog=7\nstartsecs=0\n"
        ))?;
        note_files(scenario, &daemon, &["un0.fd", "un1.fd", "tcp.fd"])?;
        let facts = |name: &str| {
            use std::os::unix::fs::MetadataExt;
            std::fs::symlink_metadata(scenario.dir.path(name)).map_or_else(|_| "none".to_owned(), |it| format!("{:o} {}:{}", it.mode(), it.uid(), it.gid()))
        };
        let mut seen = vec![facts("un.fcgi")];
        daemon.call("startProcess", &["plain".into()])?.unwrap();
        seen.push(facts("plain.fcgi"));
        daemon.call("stopProcess", &["plain".into()])?.unwrap();
        seen.push(facts("plain.fcgi"));
        daemon.call("stopProcess", &["un:un0".into()])?.unwrap();
        seen.push(facts("un.fcgi"));
        daemon.call("stopProcess", &["un:un1".into()])?.unwrap();
        seen.push(facts("un.fcgi"));
        scenario.note_all("sockets", seen);
        // The original opens and closes each once more when it starts, for a check.
        let mut lines: Vec<_> = daemon.log_lines().into_iter().filter(|line| line.contains(" socket ") && !line.contains("Closing socket tcp")).map(|line| line.replace(&port.to_string(), "PORT")).collect();
        lines.sort();
        lines.dedup();
        scenario.note_all("log", lines);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_user_that_cannot_be_taken_on_is_said() {
    compare_daemons(|scenario| {
        use std::os::unix::fs::PermissionsExt;
        scenario.dir.write("secret", "#!/bin/sh\n")?;
        scenario.dir.write("noexec", "echo\n")?;
        scenario.dir.write("badinterp", "#!/no/such/interpreter\n")?;
        for (name, mode) in [("secret", 0o700), ("noexec", 0o644), ("badinterp", 0o755)] {
            std::fs::set_permissions(scenario.dir.path(name), std::fs::Permissions::from_mode(mode))?;
        }
        let daemon = scenario.daemon(
            "[program:perms]\ncommand={dir}/secret\nuser=nobody\nstartretries=0\nstderr_logfile={dir}/perms\n\
             [program:script]\ncommand={dir}/noexec\nstartretries=0\n[program:badinterp]\ncommand={dir}/badinterp\nstartretries=0\nstderr_logfile={dir}/badinterp.err\n",
        )?;
        daemon.wait_state("badinterp", "FATAL")?;
        let quickly = "\"Exited too quickly (process log may have details)\"";
        let exec = "\"couldn't exec DIR/badinterp: ENOENT\"";
        scenario.expect_difference(daemon.info("badinterp", "spawnerr")?, quickly, exec)?;
        for name in ["perms", "script", "badinterp"] {
            daemon.wait_state(name, "FATAL")?;
            scenario.note_call(&daemon, "startProcess", &[name.into()])?;
        }
        // How often it was tried is a matter of time.
        let text = daemon.wait_file("perms", "not spawned")?;
        scenario.note_all("perms", text.lines().take(2));
        let text = daemon.wait_file("badinterp.err", "not spawned")?;
        scenario.note(text);
        Ok(())
    })
    .unwrap();
}
