//! The journal of our daemon and `supervisorctl history`: what is recorded, that it outlives the daemon and any kill, and what
//! a full or damaged disk costs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use ironlance_e2e::daemon::BASE;
use ironlance_e2e::differential::SECTION;
use ironlance_e2e::{CtlFixture, Daemon, Implementation, Recorder, TIMEOUT, TestDir, until};
use rustix::process::Signal;
use serde_json::Value as Json;

const WATCH: &str = "[watch]\n";
const WEB: &str = "[program:web]\ncommand=sh -c \"echo no space left >&2; read line; exit 3\"\nstartsecs=0\nautorestart=false\n\
                   stderr_logfile={dir}/web.err\n";

/// All records, by supervisorctl.
fn records(fixture: &mut CtlFixture, names: &str) -> Vec<Json> {
    let (status, records) = fixture.objects(&format!("history -100000 --json {names}")).unwrap();
    assert_eq!(status, 0);
    records
}

fn text<'r>(record: &'r Json, key: &str) -> &'r str {
    record[key].as_str().unwrap_or_default()
}

/// The type of each record, and what it is about.
fn types(records: &[Json]) -> Vec<&str> {
    records.iter().map(|record| text(record, "event")).collect()
}

fn numbers(records: &[Json]) -> Vec<u64> {
    records.iter().map(|record| record["number"].as_u64().unwrap()).collect()
}

/// The only segment.
fn segment(dir: &TestDir) -> PathBuf {
    let only = |folder: &Path| fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    only(&dir.path("state/supervisors")).join("journal/00000000000000000001.log")
}

/// Kills a supervisord. A child that was just forked holds its socket until the exec, and the next supervisord would find
/// it in use.
fn kill(daemon: &mut Daemon, dir: &TestDir) {
    daemon.signal(Signal::KILL).unwrap();
    daemon.wait_end().unwrap();
    let socket = dir.path("s.sock");
    let is_free = || Ok(UnixStream::connect(&socket).is_err().then_some(()));
    until("the socket of the one that was killed", TIMEOUT, is_free).unwrap();
}

fn restart(fixture: &mut CtlFixture, sections: &str) {
    let config = format!("{BASE}{SECTION}{sections}");
    fixture.daemon = Daemon::start_on(&fixture.dir, Implementation::Ours, &config, &[]).unwrap();
}

#[test]
fn an_end_is_told_with_its_cause_and_a_restart_of_supervisord_forgets_nothing() {
    let sections = format!("{WEB}{WATCH}");
    let mut fixture = CtlFixture::new(Implementation::Ours, &sections).unwrap();
    fixture.daemon.wait_state("web", "RUNNING").unwrap();
    fixture.daemon.write_stdin("web", "\n").unwrap();
    fixture.daemon.wait_state("web", "EXITED").unwrap();
    let (status, lines) = fixture.lines("history web").unwrap();
    assert_eq!(status, 0);
    let told: Vec<&str> = lines.iter().map(|line| line.splitn(3, ' ').nth(2).unwrap()).collect();
    assert!(told[0] == "web:* PROCESS_GROUP_ADDED" && told[1] == "web STARTING", "{told:?}");
    assert!(told[2].starts_with("web RUNNING: pid "), "{told:?}");
    assert!(told[3].starts_with("web EXITED: exit status 3, after "), "{told:?}");
    assert_eq!(fixture.lines("history -1 web").unwrap().1, lines[3..]);

    fixture.daemon.stop().unwrap();
    restart(&mut fixture, &sections);
    let all = records(&mut fixture, "");
    let end = all.iter().find(|record| text(record, "event") == "PROCESS_STATE_EXITED").unwrap();
    assert_eq!((text(end, "stderr_tail"), &end["status"]), ("no space left", &3.into()));
    let stop = types(&all).iter().position(|event| *event == "STOP").unwrap();
    assert_eq!((text(&all[stop], "why"), text(&all[stop + 1], "event")), ("shutdown", "START"));
    assert_eq!(text(&all[stop + 1], "kind"), "clean");
    assert_ne!(all[stop]["boot"], all[stop + 1]["boot"]);
    assert_eq!(numbers(&all), (1..=all.len() as u64).collect::<Vec<_>>());

    // A restart within the process ends a run and begins the next.
    fixture.run("reload").unwrap();
    let begun = until("the next run", TIMEOUT, || {
        let (_, all) = fixture.objects("history --json").unwrap_or_default();
        Ok(all
            .iter()
            .filter(|record| text(record, "event") == "START")
            .nth(2)
            .map(|start| text(start, "kind").to_owned()))
    });
    assert_eq!(begun.unwrap(), "clean");
}

#[test]
fn a_supervisord_without_a_journal_says_so_and_keeps_nothing() {
    let mut ours = CtlFixture::new(Implementation::Ours, WEB).unwrap();
    ours.daemon.wait_state("web", "RUNNING").unwrap();
    let (status, lines) = ours.lines("history").unwrap();
    assert_eq!(
        (status, lines.join("\n").as_str()),
        (1, "This supervisord keeps no history: its configuration has no [alert:x] and no [watch] section")
    );
    assert!(!ours.dir.path("state").exists());
    let mut original = CtlFixture::new(Implementation::Original, &format!("{WEB}{WATCH}")).unwrap();
    let (status, lines) = original.lines("history").unwrap();
    assert_eq!(
        (status, lines.join("\n").as_str()),
        (3, "This supervisord has no history; ironlance's has. See: why")
    );
}

/// Programs that crash at once, five times in a row and then once a second, and a listener that notes every event.
fn burst(recorder: &Recorder) -> String {
    let listener = recorder.section("recorder", "PROCESS_STATE,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE");
    format!(
        "[program:crash]\ncommand=false\nprocess_name=%(program_name)s_%(process_num)s\nnumprocs=25\nstartsecs=0\n\
         autorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n{listener}{WATCH}"
    )
}

#[test]
fn a_kill_of_supervisord_at_any_moment_of_a_burst_loses_no_record() {
    // How many events the listener has when supervisord is killed.
    const MOMENTS: [usize; 14] = [1, 2, 5, 11, 23, 40, 57, 83, 120, 161, 207, 251, 303, 340];
    let dir = TestDir::new().unwrap();
    let recorders: Vec<Recorder> = (0..=MOMENTS.len())
        .map(|round| Recorder::new(&dir, &format!("round{round}"), "OK").unwrap())
        .collect();
    let config = |round: usize| format!("{BASE}{SECTION}{}", burst(&recorders[round]));
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let mut daemon = Daemon::launch(&dir, Implementation::Ours, &config(round), &[]).unwrap();
        recorders[round].wait_all("that is awaited", |events| events.len() >= moment).unwrap();
        kill(&mut daemon, &dir);
    }
    let mut fixture =
        CtlFixture::within(dir, Implementation::Ours, &burst(&recorders[MOMENTS.len()])).unwrap();
    let all = records(&mut fixture, "");
    assert_eq!(numbers(&all), (1..=all.len() as u64).collect::<Vec<_>>());
    let starts: Vec<&Json> = all.iter().filter(|record| text(record, "event") == "START").collect();
    let kinds: Vec<&str> = starts.iter().map(|start| text(start, "kind")).collect();
    assert_eq!(kinds[0], "none");
    assert_eq!(kinds[1..], ["killed"; MOMENTS.len()]);
    for (start, recorder) in starts.iter().zip(&recorders[..MOMENTS.len()]) {
        let of_run = all.iter().filter(|record| record["boot"] == start["boot"] && record["serial"].is_u64());
        let of_run: HashMap<u64, &Json> =
            of_run.map(|record| (record["serial"].as_u64().unwrap(), record)).collect();
        for event in recorder.events().unwrap() {
            let serial = event.token("serial").unwrap().parse().unwrap();
            let record = of_run.get(&serial).unwrap_or_else(|| panic!("the journal has no {event:?}"));
            assert_eq!(text(record, "event"), event.name());
            assert_eq!(record["process"].as_str(), event.body_token("processname"));
        }
    }
}

/// Unmounts when dropped.
struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_logged_once_stops_nothing_and_leaves_a_hole_of_its_size() {
    let dir = TestDir::new().unwrap();
    let state = dir.path("state");
    fs::create_dir(&state).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "none"]).arg(&state).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("cannot mount a small disk here: a full disk is not tested");
        return;
    }
    let _mount = Mount(state.clone());
    let mut fixture = CtlFixture::within(dir, Implementation::Ours, WATCH).unwrap();
    let say =
        |fixture: &CtlFixture| fixture.daemon.send_remote_event("ironlance.test", &"x".repeat(900)).unwrap();
    say(&fixture);
    let fill = state.join("fill");
    // It takes what is left.
    let _ = fs::write(&fill, vec![0; 256 * 1024]);
    let lines_with = |fixture: &CtlFixture, words: &str| {
        let lines = fixture.daemon.log_lines();
        lines.into_iter().filter(|line| line.contains(words)).collect::<Vec<_>>()
    };
    until("a word of the full disk", TIMEOUT, || {
        say(&fixture);
        Ok((!lines_with(&fixture, "events are not recorded").is_empty()).then_some(()))
    })
    .unwrap();
    fs::remove_file(fill).unwrap();
    let again = until("a word that it works again", TIMEOUT, || {
        say(&fixture);
        Ok(lines_with(&fixture, "the journal is written again").pop())
    })
    .unwrap();
    assert_eq!(lines_with(&fixture, "events are not recorded").len(), 1);
    let all = records(&mut fixture, "");
    let missing = numbers(&all).windows(2).map(|pair| pair[1] - pair[0] - 1).sum::<u64>();
    assert!(missing > 0 && again.contains(&format!("; {missing} record")), "{missing}: {again}");
}

#[test]
fn a_damaged_record_costs_itself_alone() {
    let sections = format!("{WEB}{WATCH}");
    let mut fixture = CtlFixture::new(Implementation::Ours, &sections).unwrap();
    for _ in 0..5 {
        fixture.daemon.send_remote_event("ironlance.test", "{}").unwrap();
    }
    kill(&mut fixture.daemon, &fixture.dir);
    let path = segment(&fixture.dir);
    let mut bytes = fs::read(&path).unwrap();
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    let third = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2).unwrap().0;
    bytes[third - 4] ^= 1;
    // And the last one is cut.
    bytes.truncate(bytes.len() - 7);
    fs::write(&path, bytes).unwrap();
    restart(&mut fixture, &sections);
    let read = numbers(&records(&mut fixture, ""));
    let kept = (1..lines as u64).filter(|number| *number != 3).collect::<Vec<_>>();
    assert_eq!(read[..kept.len()], kept);
    assert_eq!(read[kept.len()], lines as u64, "the number of the cut record is taken by the next");
}
