//! Children that do not do what they should, under our daemon: states stay right, memory and descriptors bounded.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::time::Duration;

use ironlance_e2e::wait::pause;
use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{Daemon, Implementation, Recorder, TestDir, until};
use rustix::process::Signal;

const LIMIT: Duration = Duration::from_secs(20);

fn descriptors(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

/// Jiffies of processor time that it has used so far.
fn jiffies(daemon: &Daemon) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn zombies(daemon: &Daemon) -> usize {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", daemon.pid())).unwrap();
    let is_zombie = |pid: &&str| {
        fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| stat.rsplit_once(") ").unwrap().1.starts_with('Z'))
    };
    children.split_whitespace().filter(is_zombie).count()
}

#[test]
fn a_child_that_closes_its_outputs_lives_on_and_costs_nothing() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        "[program:closed]\ncommand=sh -c 'exec >&- 2>&- <&-; exec sleep 1000'\nstartsecs=0\n",
    )
    .unwrap();
    let pid = daemon.wait_state("closed", "RUNNING").unwrap();
    until("sleep", LIMIT, || {
        Ok(fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().starts_with("sleep").then_some(()))
    })
    .unwrap();
    let before = jiffies(&daemon);
    pause(Duration::from_millis(700));
    assert!(jiffies(&daemon) - before <= 2, "it spins on the closed pipes");
    assert_eq!(daemon.pid_of("closed").unwrap(), pid);
    daemon.call("stopProcess", &["closed".into()]).unwrap().unwrap();
    assert_eq!(daemon.state("closed").unwrap(), "STOPPED");
}

#[test]
fn grandchildren_on_the_pipes_do_not_delay_the_end_and_leak_nothing() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(&dir, Implementation::Ours, "[program:leaves]\ncommand=sh -c '(trap \"\" HUP; exec sleep 1.5) & echo going; exit 3'\nstartsecs=0\nautorestart=false\nautostart=false\nstdout_logfile={dir}/leaves.log\n").unwrap();
    let before = descriptors(&daemon);
    for _ in 0..10 {
        daemon.call("startProcess", &["leaves".into()]).unwrap().unwrap();
        daemon.wait_state("leaves", "EXITED").unwrap();
        assert_eq!(daemon.info("leaves", "exitstatus").unwrap(), XmlValue::Int(3));
    }
    assert_eq!(daemon.file("leaves.log"), "going\n".repeat(10));
    until("the descriptors to be given back", LIMIT, || {
        Ok((descriptors(&daemon) <= before + 1).then_some(()))
    })
    .unwrap();
    assert_eq!(zombies(&daemon), 0);
}

#[test]
fn fifty_megabytes_without_a_newline_go_to_the_log_and_not_to_memory() {
    let dir = TestDir::new().unwrap();
    let megabytes = 50;
    let writes =
        format!("head -c {megabytes}M /dev/zero | tr \"\\0\" x; echo; echo done >&2; exec sleep 1000");
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "[supervisord]\nloglevel=info\n[program:plain]\ncommand=sh -c '{writes}'\nstartsecs=0\nstdout_logfile={{dir}}/plain.log\nstdout_logfile_maxbytes=0\nstderr_logfile={{dir}}/plain.err\n\
             [program:captured]\ncommand=sh -c '{writes}'\nstartsecs=0\nstdout_logfile={{dir}}/captured.log\nstdout_logfile_maxbytes=0\nstdout_capture_maxbytes=1MB\nstderr_logfile={{dir}}/captured.err\n\
             [program:rotated]\ncommand=sh -c '{writes}'\nstartsecs=0\nstdout_logfile={{dir}}/rotated.log\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=2\nstderr_logfile={{dir}}/rotated.err\n"
        ),
    )
    .unwrap();
    for name in ["plain", "captured", "rotated"] {
        daemon.wait_file(&format!("{name}.err"), "done").unwrap();
    }
    let size = |name: &str| fs::metadata(dir.path(name)).map_or(0, |it| it.len());
    let whole = (megabytes << 20) + 1;
    until("the logs to be whole", LIMIT, || {
        Ok((size("plain.log") == whole && size("captured.log") == whole).then_some(()))
    })
    .unwrap();
    assert!(size("rotated.log") + size("rotated.log.1") + size("rotated.log.2") <= 4 << 20);
    assert!(!dir.path("rotated.log.3").exists());
    let info = daemon.ask("ironlance.getDaemonInfo", &[]).unwrap().unwrap();
    assert!(info.get("resident_bytes").and_then(XmlValue::as_int).unwrap() < 40 << 20, "{info}");
}

#[test]
fn two_hundred_that_crash_at_once_are_all_told_of() {
    let dir = TestDir::new().unwrap();
    let recorder = Recorder::new(&dir, "fatal", "").unwrap();
    let listener = recorder.section("fatal", "PROCESS_STATE_FATAL").replace("buffer_size=1000\n", "");
    let daemon = Daemon::start(&dir, Implementation::Ours, &format!("{listener}[program:crash]\ncommand=false\nstartretries=0\nnumprocs=200\nprocess_name=c%(process_num)03d\n")).unwrap();
    let events = recorder.wait_all("of 200 ends", |events| events.len() == 200).unwrap();
    let mut names: Vec<_> =
        events.iter().map(|event| event.body_token("processname").unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 200);
    let all = daemon.call("getAllProcessInfo", &[]).unwrap().unwrap();
    let fatal = all
        .items()
        .iter()
        .filter(|info| info.get("statename").and_then(XmlValue::as_str) == Some("FATAL"))
        .count();
    assert_eq!(fatal, 200);
    assert_eq!(zombies(&daemon), 0);
}

#[test]
fn a_program_that_ends_at_once_again_and_again_is_no_fork_storm() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        "[program:spin]\ncommand=true\nstartsecs=0\nautorestart=true\n",
    )
    .unwrap();
    until("several starts", LIMIT, || {
        Ok((daemon.log().matches("spawned: 'spin'").count() >= 5).then_some(()))
    })
    .unwrap();
    let before = daemon.log().matches("spawned: 'spin'").count();
    pause(Duration::from_secs(2));
    let after = daemon.log().matches("spawned: 'spin'").count();
    assert!((1..=6).contains(&(after - before)), "{} starts in two seconds", after - before);
}

#[test]
fn a_child_that_never_reads_its_stdin_blocks_nobody() {
    let dir = TestDir::new().unwrap();
    let daemon =
        Daemon::start(&dir, Implementation::Ours, "[program:deaf]\ncommand=sleep 1000\nstartsecs=0\n")
            .unwrap();
    daemon.wait_state("deaf", "RUNNING").unwrap();
    let much = "x".repeat(256 * 1024);
    let mut refused = 0;
    for _ in 0..64 {
        refused += usize::from(
            daemon.call("sendProcessStdin", &["deaf".into(), much.as_str().into()]).unwrap().is_err(),
        );
    }
    let info = daemon.ask("ironlance.getDaemonInfo", &[]).unwrap().unwrap();
    let resident = info.get("resident_bytes").and_then(XmlValue::as_int).unwrap();
    assert!(resident < 40 << 20, "{resident} resident after {refused} refusals");
    daemon.call("stopProcess", &["deaf".into()]).unwrap().unwrap();
}

#[test]
fn stopped_and_continued_children_are_still_running() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        "[program:a]\ncommand=sleep 1000\nstartsecs=0\nstopwaitsecs=1\n",
    )
    .unwrap();
    daemon.wait_state("a", "RUNNING").unwrap();
    let pid = daemon.hit("a", Signal::STOP).unwrap();
    until("the stop", LIMIT, || {
        Ok(fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ").then_some(()))
    })
    .unwrap();
    assert_eq!(daemon.state("a").unwrap(), "RUNNING");
    daemon.call("stopProcess", &["a".into()]).unwrap().unwrap();
    assert_eq!(daemon.state("a").unwrap(), "STOPPED");
}

#[test]
fn why_a_process_ended_is_known_afterwards() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        "[program:coded]\ncommand=sh -c 'echo last words; echo and errors >&2; exit 7'\nstartsecs=0\nautorestart=false\n[program:killed]\ncommand=sh -c 'kill -9 $$'\nstartsecs=0\nautorestart=false\n\
         [program:missing]\ncommand=sleep 1\ndirectory=/no/such/folder\nstartretries=0\n",
    )
    .unwrap();
    for (name, state) in [("coded", "EXITED"), ("killed", "EXITED"), ("missing", "FATAL")] {
        daemon.wait_state(name, state).unwrap();
    }
    let end = |name: &str| daemon.ask("ironlance.getProcessEnd", &[name.into()]).unwrap().unwrap();
    let text = |value: &XmlValue, field: &str| value.get(field).map(XmlValue::to_string).unwrap_or_default();
    let coded = end("coded");
    assert_eq!(
        (text(&coded, "status"), text(&coded, "stdout_tail"), text(&coded, "stderr_tail")),
        ("7".into(), "\"last words\"".into(), "\"and errors\"".into()),
        "{coded}"
    );
    let killed = end("killed");
    assert_eq!(
        (text(&killed, "signal"), text(&killed, "signal_name"), text(&killed, "starts")),
        ("9".into(), "\"SIGKILL\"".into(), "1".into()),
        "{killed}"
    );
    let missing = end("missing");
    assert!(text(&missing, "not_started").contains("chdir"), "{missing}");
}
