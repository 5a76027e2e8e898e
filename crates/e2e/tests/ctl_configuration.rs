//! supervisorctl's verbs about the configuration and about supervisord itself, as the original has them.

use ironlance_e2e::daemon::send;
use ironlance_e2e::{Daemon, Scenario, TIMEOUT, compare_ctl_matrix, until};
use rustix::process::Signal;

fn program(name: &str, keys: &str) -> String {
    format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\n{keys}\n")
}

/// What runs at first.
fn before() -> String {
    ["same", "changed", "gone", "other"].map(|name| program(name, "")).concat()
        + "[group:g]\nprograms=m1,m2\n"
        + &program("m1", "")
        + &program("m2", "")
}

/// What the file says then.
fn after() -> String {
    program("same", "")
        + &program("changed", "environment=A=\"b\"")
        + &program("new", "autostart=false")
        + &program("newer", "")
        + &program("other", "stopwaitsecs=3")
        + "[group:g]\nprograms=m1\n"
        + &program("m1", "")
}

fn start(scenario: &Scenario) -> anyhow::Result<Daemon> {
    let daemon = scenario.start(&before())?;
    daemon.wait_state("g:m2", "RUNNING")?;
    Ok(daemon)
}

#[test]
fn update_does_what_reread_tells() {
    compare_ctl_matrix(|scenario| {
        let _daemon = start(scenario)?;
        scenario.run_each(&[
            "reread",
            "update",
            "update none",
            "update same",
            "update all",
            "reread x",
            "update same none",
        ])?;
        scenario.rewrite(&after())?;
        scenario.run_each(&[
            "reread",
            "reread",
            "status",
            "avail",
            "add new",
            "add new",
            "status new",
            "update none",
            "update new changed",
            "update g",
            "update",
            "update",
            "reread",
            "status",
        ])?;
        scenario.rewrite(&before())?;
        scenario.run_each(&["update gone none", "update all none", "status", "avail"])?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn add_and_remove() {
    compare_ctl_matrix(|scenario| {
        let daemon = start(scenario)?;
        scenario.run_each(&[
            "add",
            "remove",
            "add none",
            "remove none",
            "add same",
            "add same none",
            "remove same",
            "remove none same",
            "stop same",
            "remove same",
            "remove same",
            "status same",
            "start same",
            "avail",
            "add same none g",
            "status same",
            "remove g",
            "remove g:*",
            "remove g:m1",
            "add g:*",
            "remove m1",
            "stop g:m1",
            "stop g:m2",
            "remove g gone",
            "status",
            "add g",
            "status g:*",
            "add all",
            "remove all",
            "add *",
        ])?;
        daemon.wait_state("g:m2", "RUNNING")?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_broken_configuration_is_told() {
    compare_ctl_matrix(|scenario| {
        let _daemon = start(scenario)?;
        for broken in [
            "[program:a]\ncommand=sleep 1000\nstartsecs=soon\n",
            "[program:a]\n",
            "[program:a]\ncommand=sleep %(ENV_NO_SUCH_THING)s\n",
            "[group:g]\nprograms=nobody\n",
            "[program:a]\ncommand=sleep 1000\nstopsignal=NONE\n",
            "[eventlistener:a]\ncommand=cat\nevents=NONE\n",
            "[program:a b:c]\ncommand=cat\n",
        ] {
            scenario.rewrite(&(before() + broken))?;
            for line in ["reread", "update"] {
                let output = scenario.run_unrecorded(&[line], b"")?;
                // Ours goes on with all other faults, each with its line.
                let first = output.text().lines().next().unwrap_or_default().to_owned();
                let first = if first.starts_with("error: ") { "error: …".to_owned() } else { first };
                scenario.note(format!("{line} of {broken}: [{}] {first}", output.status));
            }
        }
        scenario.rewrite(&before())?;
        scenario.run_each(&["reread", "update", "status"])?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn reload_and_shutdown() {
    compare_ctl_matrix(|scenario| {
        let mut daemon = start(scenario)?;
        scenario.run_each(&["reload x", "shutdown x", "reload now please", "shutdown -f", "reload"])?;
        until("the restart", TIMEOUT, || {
            let anew = daemon.log().matches("supervisord started").count() == 2;
            Ok((anew && daemon.call("getState", &[]).is_ok_and(|state| state.is_ok())).then_some(()))
        })?;
        daemon.wait_state("g:m2", "RUNNING")?;
        scenario.run_each(&["status", "shutdown"])?;
        scenario.note(daemon.wait_end()?);
        scenario.run_each(&[
            "shutdown",
            "reload",
            "status",
            "status a",
            "pid",
            "pid a",
            "start a",
            "stop a",
            "restart a",
            "tail a",
            "tail -f a",
            "maintail",
            "maintail -f",
            "clear a",
            "signal HUP a",
            "fg a",
            "fg",
            "version",
            "start",
            "stop",
            "restart",
            "signal",
            "tail",
            "clear",
            "reread",
            "update",
            "update a",
            "add a",
            "add",
            "remove a",
            "avail",
            "avail x",
            "open unix://{dir}/s.sock",
            "help",
            "help status",
            "nonsense",
        ])?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_supervisord_that_is_shutting_down() {
    compare_ctl_matrix(|scenario| {
        // It takes its time to end, and is asked meanwhile.
        let mut daemon = scenario.start(
            "[program:slow]\ncommand=sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=600\nstdout_logfile={dir}/slow.log\n\
             [program:b]\ncommand=sleep 1000\nautostart=false\nstartsecs=0\n",
        )?;
        let pid: i64 = daemon.wait_file("slow.log", "\n")?.trim().parse()?;
        scenario.run("shutdown")?;
        until("the shutdown to begin", TIMEOUT, || {
            Ok((daemon.state("slow").unwrap_or_else(|_| "STOPPING".to_owned()) == "STOPPING").then_some(()))
        })?;
        scenario.run_each(&[
            "shutdown", "reload", "status", "status slow", "pid b", "start b", "start none", "stop b", "restart b", "start all", "stop all", "start b:*", "signal HUP slow", "signal HUP all", "tail slow", "clear slow", "clear all", "maintail -f", "avail", "reread", "update", "add b", "remove b", "version", "fg slow",
        ])?;
        send(pid, Signal::KILL)?;
        scenario.note(daemon.wait_end()?);
        Ok(())
    })
    .unwrap();
}
