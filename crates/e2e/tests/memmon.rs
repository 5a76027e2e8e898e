//! memmon: every option of the original, held against it, on processes whose memory stays what it is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Child, Command, Stdio};

use ironlance_e2e::{FakeAnswer, FakeSupervisor, ListenerScenario, TestDir, Transcript, WireEvent};

const MAIL: &str = "-m ops@example.com -s {mailer}";

/// Three processes asleep; one has a child, so its tree is bigger than itself.
struct Sleepers(Vec<Child>);

impl Sleepers {
    fn new() -> Self {
        let start = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        };
        let mut parent = start("sh", &["-c", "sleep 1000 & echo up; wait"]);
        let mut line = [0; 3];
        std::io::Read::read_exact(parent.stdout.as_mut().unwrap(), &mut line).unwrap();
        // `cat` reads from a pipe that nobody writes to.
        Self(vec![start("cat", &[]), parent, start("cat", &[])])
    }

    fn pid(&self, index: usize) -> u32 {
        self.0[index].id()
    }

    fn enter(&self, supervisor: &FakeSupervisor) {
        supervisor.running("cat", self.pid(0));
        supervisor.running("shop:tree", self.pid(1));
        supervisor.process("shop:web", self.pid(2), 20, 86_400);
        supervisor.stopped("idle");
        // Of a process that has just gone there is nothing to read.
        supervisor.running("gone", 4_194_300);
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // The child of the shell goes too: `ps` knows it as the shell's.
            let children = format!("/proc/{0}/task/{0}/children", child.id());
            for pid in std::fs::read_to_string(children).unwrap_or_default().split_whitespace() {
                let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
                let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn agree(sleepers: &Sleepers, args: &str, events: &[WireEvent]) -> Transcript {
    ListenerScenario::new("memmon", args, events)
        .with(|supervisor| sleepers.enter(supervisor))
        .compare()
        .unwrap()
}

#[test]
fn below_every_limit_all_are_looked_at_and_none_touched() {
    let sleepers = Sleepers::new();
    for args in [
        "-a 1GB",
        "--any=1GB",
        "-p cat=100MB",
        "-p tree=1GB -p nobody=1KB",
        "-p cat=1gb -g shop=1000000KB -a 2Gb",
        "-g shop=1000000000",
        "--group=shop=1GB --program cat=1GB --cumulative",
        "-c -a 1GB",
        "-a 1GB -n name -u 5m -m ops@example.com",
        "-m ops@example.com",
    ] {
        let transcript =
            agree(&sleepers, &format!("-s {{mailer}} {args}"), &[WireEvent::tick(60), WireEvent::tick(5)]);
        assert_eq!((transcript.actions.len(), transcript.mails.len()), (0, 0), "{args}");
    }
}

#[test]
fn over_a_limit_the_process_is_restarted_and_mailed_about() {
    let sleepers = Sleepers::new();
    // With the original, -p and -g overwrite a name given before them: it comes last here. See below.
    for (args, restarts) in [
        ("-p cat=1KB -n x", 1),
        ("-p tree=0 -n Project␣1", 1),
        ("-a 1", 3),
        ("-a 1 --name=x", 3),
        ("-g shop=4KB -n x", 2),
        ("-c -g shop=4KB -n x", 2),
        ("-p cat=1KB -g shop=1KB -n x", 3),
        ("-p cat=1KB --uptime=1h --name=x", 1),
        ("-u 600 -p cat=1KB -n x", 1),
        ("-p nobody=5 -a 1 -n x", 3),
    ] {
        let transcript = agree(&sleepers, &format!("{MAIL} {args}"), &[WireEvent::tick(60)]);
        let starts = transcript.actions.iter().filter(|action| action.contains("startProcess")).count();
        assert_eq!((starts, transcript.mails.len()), (restarts, restarts), "{args}");
    }
}

#[test]
fn a_process_up_for_longer_than_the_uptime_is_restarted_without_a_mail() {
    let sleepers = Sleepers::new();
    for (args, mails) in [("-u 1h", 1), ("-u 23h", 1), ("-u 1d", 2), ("--uptime 10m", 1), ("-u 599", 0)] {
        // cat and tree have been up for ten minutes, web for a day.
        let args = format!("{MAIL} -p cat=1KB -p web=1KB {args} -n x");
        let transcript = agree(&sleepers, &args, &[WireEvent::tick(60)]);
        assert_eq!((transcript.actions.len(), transcript.mails.len()), (4, mails), "{args}");
    }
}

#[test]
fn the_tree_counts_with_c_only() {
    let sleepers = Sleepers::new();
    let resident = |pid: u32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    // Half as much again as the shell alone; its child has about as much as itself.
    let limit = resident(sleepers.pid(1)) * 3 / 2;
    let plain = agree(&sleepers, &format!("{MAIL} -p tree={limit}KB -n x"), &[WireEvent::tick(60)]);
    assert_eq!(plain.actions.len(), 0);
    let tree = agree(&sleepers, &format!("{MAIL} -c -p tree={limit}KB -n x"), &[WireEvent::tick(60)]);
    assert_eq!(tree.actions.len(), 2);
}

#[test]
fn what_the_original_cannot_do_works() {
    let sleepers = Sleepers::new();
    let ours = |args: &str, mails: usize| {
        let args = format!("{MAIL} {args}");
        let listener_scenario = ListenerScenario::new("memmon", &args, &[WireEvent::tick(60)])
            .with(|supervisor| sleepers.enter(supervisor));
        assert!(listener_scenario.original().is_err() || !args.contains("shop:tree="), "{args}");
        listener_scenario.ours(mails).unwrap()
    };
    let transcript = ours("-p shop:tree=1KB", 1);
    assert_eq!(
        transcript.actions,
        ["supervisor.stopProcess(shop:tree)", "supervisor.startProcess(shop:tree)"]
    );
    let transcript = ours("-n name -p cat=1KB", 1);
    assert!(
        transcript.mails[0].contains("Subject: memmon [name]: process cat:cat restarted"),
        "{transcript:?}"
    );
    let transcript = ours("-p cat=1KB -g cat=2KB -a 3KB", 3);
    let restarts = transcript.actions.iter().filter(|action| action.contains("startProcess(cat")).count();
    assert_eq!(restarts, 1, "one restart for three limits: {transcript:?}");
}

#[test]
fn a_process_that_cannot_be_stopped_is_told_about_and_the_listener_lives_on() {
    let sleepers = Sleepers::new();
    let args = format!("{MAIL} -p cat=1KB");
    let listener_scenario =
        ListenerScenario::new("memmon", &args, &[WireEvent::tick(60), WireEvent::tick(60)]).with(
            |supervisor| {
                sleepers.enter(supervisor);
                supervisor.answer_next("supervisor.stopProcess", FakeAnswer::Fault(70, "NOT_RUNNING"));
            },
        );
    assert!(listener_scenario.original().is_err(), "the original exits");
    let ours = listener_scenario.ours(2).unwrap();
    assert!(ours.mails[0].contains("failed to stop process cat:cat"), "{}", ours.mails[0]);
}

#[test]
fn a_process_that_cannot_be_started_again_is_tried_until_it_is_up() {
    let sleepers = Sleepers::new();
    let args = format!("{MAIL} -p cat=1KB");
    for answer in [FakeAnswer::Fault(50, "SPAWN_ERROR: cat"), FakeAnswer::Hangup] {
        let listener_scenario =
            ListenerScenario::new("memmon", &args, &[WireEvent::tick(60), WireEvent::tick(60)]).with(
                |supervisor| {
                    sleepers.enter(supervisor);
                    supervisor.answer_next("supervisor.startProcess", answer.clone());
                },
            );
        assert!(listener_scenario.original().is_err(), "the original exits, and the process stays down");
        let ours = listener_scenario.ours(1).unwrap();
        let starts = ours.actions.iter().filter(|action| action.contains("startProcess")).count();
        assert!(starts >= 2, "{ours:?}");
    }
}

#[test]
fn five_hundred_processes_are_read_without_a_fork() {
    let sleepers = Sleepers::new();
    let dir = TestDir::new().unwrap();
    let supervisor = FakeSupervisor::start(&dir).unwrap();
    for number in 0..500 {
        supervisor.running(&format!("p{number}"), sleepers.pid(0));
    }
    let memmon = ironlance_e2e::Implementation::Ours.path("memmon").unwrap();
    let mut command = dir.command("strace", ironlance_e2e::Implementation::Ours).unwrap();
    command.args(["-f", "-qq", "-e", "trace=clone,clone3,fork,vfork,execve", "-o", "calls"]);
    command.arg(memmon).args(["-c", "-a", "1GB"]).env("SUPERVISOR_SERVER_URL", supervisor.url());
    let mut listener = ironlance_e2e::Listener::start(command, dir.path("stderr")).unwrap();
    listener.handle(&WireEvent::tick(60)).unwrap();
    listener.ready().unwrap();
    listener.close().unwrap();
    let calls = std::fs::read_to_string(dir.path("calls")).unwrap();
    let forks = calls
        .lines()
        .filter(|line| line.contains("fork(") || line.contains("clone"))
        .filter(|line| !line.contains("CLONE_THREAD"))
        .count();
    let programs = calls.lines().filter(|line| line.contains("execve(") && line.ends_with("= 0")).count();
    assert_eq!((forks, programs), (0, 1), "{calls}");
    assert_eq!(listener.stderr().unwrap().matches("RSS of").count(), 500);
}
