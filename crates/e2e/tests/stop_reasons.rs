//! Who stopped a program, and whether the kernel did: in `why`, the log, XML-RPC, the events and on the page.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::time::Duration;

use ironlance_e2e::daemon::{BASE, Daemon, write_config};
use ironlance_e2e::wait::pause;
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{CtlFixture, Implementation, TIMEOUT, TestDir, until};
use rustix::process::Signal;

const VICTIM: &str = "[program:victim]\ncommand=sleep 1000\nstartsecs=0\nautorestart=false\n";

fn victim(more: &str) -> CtlFixture {
    let fixture = CtlFixture::new(Implementation::Ours, &format!("{VICTIM}{more}")).unwrap();
    fixture.daemon.wait_state("victim", "RUNNING").unwrap();
    fixture
}

/// What `ironlance.getProcessEnd` says of the victim under this key, as soon as it has ended.
fn end(daemon: &Daemon, key: &str) -> XmlValue {
    until("the end of the victim", TIMEOUT, || {
        let end = daemon.ask("ironlance.getProcessEnd", &["victim".into()])?.unwrap();
        Ok(end.get(key).cloned())
    })
    .unwrap()
}

fn text(daemon: &Daemon, key: &str) -> String {
    end(daemon, key).as_str().unwrap().to_owned()
}

#[test]
fn who_stopped_a_program_by_xml_rpc_is_told_everywhere() {
    let mut fixture = victim("");
    fixture.lines("stop victim").unwrap();
    let by = text(&fixture.daemon, "by");
    assert!(by.starts_with("supervisorctl (pid ") || by.starts_with("a client (pid "), "{by}");
    let (_, lines) = fixture.lines("why victim").unwrap();
    assert!(lines[0].starts_with(&format!("victim: stopped by {by}, with SIGTERM, after ")), "{lines:?}");
    fixture.daemon.wait_log(&format!("INFO stop of victim asked for by {by}")).unwrap();
    let page = fixture.daemon.http(b"GET / HTTP/1.0\r\n\r\n", Duration::from_secs(10)).unwrap();
    let page = String::from_utf8_lossy(&page.bytes).into_owned();
    assert!(page.contains(&format!("stopped by {by}")), "{page}");
    // In the words of the original nothing changes.
    assert_eq!(text(&fixture.daemon, "description"), "terminated by SIGTERM");
}

#[test]
fn a_signal_that_somebody_had_sent_is_not_one_that_came_from_nowhere() {
    let mut fixture = victim("");
    fixture.lines("signal KILL victim").unwrap();
    let by = text(&fixture.daemon, "by");
    assert!(by.contains("(pid "), "{by}");
    let (_, lines) = fixture.lines("why victim").unwrap();
    let shown = lines.join("\n");
    assert!(shown.contains(&format!("killed by SIGKILL, which {by} sent, after ")), "{shown}");
    assert!(!shown.contains("did not send"), "{shown}");
    fixture.lines("start victim").unwrap();
    fixture.daemon.wait_state("victim", "RUNNING").unwrap();
    fixture.daemon.hit("victim", Signal::KILL).unwrap();
    fixture.daemon.wait_state("victim", "EXITED").unwrap();
    assert_eq!(text(&fixture.daemon, "by"), "");
}

#[test]
fn memmon_is_known_by_its_name() {
    let fixture = victim(
        "[eventlistener:guard]\ncommand=memmon -p victim=1KB\nevents=TICK_5\nstderr_logfile={dir}/guard.err\n",
    );
    assert_eq!(text(&fixture.daemon, "by"), "guard, a process of this supervisord");
    fixture
        .daemon
        .wait_log("stop of victim:victim asked for by guard, a process of this supervisord")
        .unwrap();
}

#[test]
fn memmon_is_known_over_tcp_too_where_the_kernel_tells_nothing_of_who_connects() {
    let port = closed_port().unwrap();
    let fixture = victim(&format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\n[eventlistener:guard]\ncommand=memmon -p victim=1KB\n\
         events=TICK_5\nserverurl=http://127.0.0.1:{port}\n",
    ));
    assert_eq!(text(&fixture.daemon, "by"), "guard, a process of this supervisord");
}

#[test]
fn who_ended_supervisord_is_told_to_those_who_watch() {
    let mut fixture = victim("");
    let watcher = fixture.in_background("events").unwrap();
    until("the watcher to hear", TIMEOUT, || {
        fixture.daemon.send_remote_event("hail", "")?;
        Ok(watcher.text().contains("hail").then_some(()))
    })
    .unwrap();
    fixture.daemon.stop().unwrap();
    let line = watcher.wait("the end", |line| line.contains("PROCESS_STATE_STOPPED victim")).unwrap();
    let cause = "; terminated by SIGTERM, as told by the shutdown, asked for by SIGTERM to supervisord";
    assert!(line.ends_with(cause), "{line}");
}

#[test]
fn a_kill_for_want_of_memory_is_pinned_only_on_who_died_of_it() {
    let dir = TestDir::new().unwrap();
    let count = |kills: u32| {
        // In its place: a rename would make another file of it.
        fs::write(dir.path("memory.events"), format!("low 0\noom 9\noom_kill {kills}\n")).unwrap();
    };
    count(4);
    let config = write_config(&dir, &format!("{BASE}{VICTIM}")).unwrap();
    // The kernel's count is a file of ours, in a mount name space of the daemon's own.
    let script = format!(
        "g=$(sed -n s/^0:://p /proc/self/cgroup); mount -t tmpfs none /sys/fs/cgroup && mkdir -p /sys/fs/cgroup$g && \
         f=/sys/fs/cgroup$g/memory.events && touch $f && mount --bind {} $f && exec supervisord -c {}",
        dir.path("memory.events").display(),
        config.display()
    );
    let mut command = dir.command("unshare", Implementation::Ours).unwrap();
    command.args(["--map-root-user", "--user", "--mount", "sh", "-c", &script]);
    let daemon = Daemon::spawn(&dir, command).unwrap();
    until("supervisord to answer", TIMEOUT, || Ok(daemon.ask("supervisor.getState", &[]).ok().map(drop)))
        .map_err(|error| error.context(daemon.stderr()))
        .unwrap();
    daemon.wait_state("victim", "RUNNING").unwrap();
    // A grandchild's, and it is said at once.
    count(5);
    daemon
        .wait_log("out of memory: a process of this control group was killed for want of memory at ")
        .unwrap();
    // Whoever dies right after it may be the one, or its parent. So long is that, and a little more.
    pause(Duration::from_millis(3500));
    daemon.hit("victim", Signal::KILL).unwrap();
    assert_eq!(
        (end(&daemon, "oom_kill"), end(&daemon, "oom_near_to")),
        (XmlValue::Bool(false), XmlValue::Int(0))
    );
    daemon.call("startProcess", &["victim".into()]).unwrap().unwrap();
    daemon.wait_state("victim", "RUNNING").unwrap();
    count(6);
    daemon.hit("victim", Signal::KILL).unwrap();
    daemon.wait_state("victim", "EXITED").unwrap();
    assert_eq!(end(&daemon, "oom_kill"), XmlValue::Bool(true));
}
