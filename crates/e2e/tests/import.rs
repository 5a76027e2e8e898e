//! `ironlance import`: what it says of configurations good and bad, and that it changes nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::{Output, Stdio};

use ironlance_e2e::{Implementation, TestDir};

const CLEAN: &str = "\
[unix_http_server]
file=%(here)s/s.sock
[supervisord]
logfile=%(here)s/s.log
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%(here)s/s.sock
[program:cat]
command=/bin/cat
numprocs=3
process_name=%(program_name)s_%(process_num)d
[eventlistener:mine]
command=sh listener.sh
events=PROCESS_STATE
[eventlistener:crashmail]
command=crashmail -m ops@example.com --smtp smtp://mail.example.com
events=PROCESS_STATE_EXITED
";

const TROUBLED: &str = "\
[inet_http_server]
port=*:9001
[unix_http_server]
file=%(here)s/s.sock
chmod=0777
[unix_http_server:two]
file=%(here)s/t.sock
username=joe
password=geheim1
[supervisord]
environment=DB_PASSWORD=\"geheim2\"
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[rpcinterface:twiddler]
supervisor.rpcinterface_factory = supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface
[ctlplugin:cache]
supervisor.ctl_factory = supervisor_cache.controllerplugin:make_cache_controllerplugin
[program:web]
command=no-such-web --password=geheim3
autorestrat=true
owner=me
[eventlistener:crashmail]
command=/nowhere/crashmail -p web -m ops@example.com
events=PROCESS_STATE_EXITED
buffer_size=10
[eventlistener:crashmailbatch]
command=crashmailbatch -t ops@example.com -f a@b -H mail.example.com -u joe -p geheim4 --tls
events=PROCESS_STATE
[eventlistener:fatalmailbatch]
command=python3 -m superlance.fatalmailbatch -t ops@example.com -f a@b
events=PROCESS_STATE,TICK_60
[eventlistener:crashsms]
command=crashsms -f a@b
events=PROCESS_STATE,TICK_60
[eventlistener:httpok]
command=httpok -a -b hello -m x@y https://localhost/
events=TICK_60
[eventlistener:memmon]
command=memmon -a 200MB -s 'PASS=geheim no-such-mailer -t' -m x@y
events=TICK_60
[include]
files=conf.d/*.conf
";

fn import(dir: &TestDir, args: &[&str]) -> Output {
    let mut command = dir.ours("ironlance").unwrap();
    command.arg("import").args(args).stdin(Stdio::null()).output().unwrap()
}

/// Its exit status and what it says.
fn run(dir: &TestDir, args: &[&str]) -> (Option<i32>, String) {
    let output = import(dir, args);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn has_all(printed: &str, needles: &[&str]) {
    let missing: Vec<_> = needles.iter().filter(|needle| !printed.contains(**needle)).collect();
    assert!(missing.is_empty(), "{missing:#?} are missing in\n{printed}");
}

#[test]
fn a_configuration_without_trouble_is_one_and_is_found_where_supervisord_finds_it() {
    let dir = TestDir::new().unwrap();
    dir.write("supervisord.conf", CLEAN).unwrap();
    let (status, printed) = run(&dir, &[]);
    assert_eq!(status, Some(0), "{printed}");
    has_all(
        &printed,
        &[
            "3 processes in 1 group",
            "1 listener of superlance",
            "1 listener of another kind",
            "crashmail: an alert that cannot be sent waits on disk for three days",
            "Nothing needs attention.",
        ],
    );
}

#[test]
fn the_original_s_own_sample_needs_no_attention() {
    let dir = TestDir::new().unwrap();
    let echo = Implementation::Original.path("echo_supervisord_conf").unwrap();
    let sample = dir.command(echo, Implementation::Original).unwrap().output().unwrap().stdout;
    fs::write(dir.path("sample.conf"), sample).unwrap();
    let (status, printed) = run(&dir, &["sample.conf"]);
    assert_eq!(status, Some(0), "{printed}");
}

#[test]
fn all_that_needs_attention_is_named_with_its_line_and_no_secret_is_shown() {
    let dir = TestDir::new().unwrap();
    dir.write("s.conf", TROUBLED).unwrap();
    dir.write("conf.d/more.conf", "[program:more]\ncommand=cat\nstdout_logfile=/no/such/x.log\n").unwrap();
    let before = listing(&dir);
    let (status, printed) = run(&dir, &["s.conf"]);
    assert_eq!(status, Some(1), "{printed}");
    let more =
        format!("{}/conf.d/more.conf:3: [program:more] stdout_logfile: cannot find", dir.folder().display());
    has_all(
        &printed,
        &[
            "s.conf and 1 file it includes",
            "httpok, memmon: -a never restarts the listener itself",
            "Faults: no supervisord starts with these",
            &more,
            "s.conf:2: [inet_http_server] port: *:9001 is open to other hosts without a password",
            "s.conf:5: [unix_http_server] chmod: 0777 lets every user",
            "s.conf:9: [unix_http_server:two] password: is in plain text",
            "s.conf:9: [unix_http_server:two] password: is a secret in a file that every user can read (mode 0644)",
            "s.conf:11: [supervisord] environment: is a secret in a file",
            "s.conf:15: [rpcinterface:twiddler] supervisor.rpcinterface_factory names Python code",
            "s.conf:17: [ctlplugin:cache] supervisor.ctl_factory names Python code",
            "s.conf:19: [program:web] command: has a password, which ps shows",
            "s.conf:19: [program:web] command: cannot find no-such-web in the PATH",
            "s.conf:20: [program:web] autorestrat is unknown and ignored: did you mean autorestart?",
            "s.conf:21: [program:web] owner: is unknown, here and to Supervisor 4.3.0: ignored",
            "s.conf:23: [eventlistener:crashmail] command: runs superlance's own /nowhere/crashmail",
            "s.conf:23: [eventlistener:crashmail] command: has -p, which superlance reads and does not use",
            "s.conf:25: [eventlistener:crashmail] buffer_size: keeps 10 events at most",
            "s.conf:27: [eventlistener:crashmailbatch] command: has the mail server's password",
            "s.conf:27: [eventlistener:crashmailbatch] command: has --tls",
            "s.conf:28: [eventlistener:crashmailbatch] events has no TICK event",
            "s.conf:30: [eventlistener:fatalmailbatch] command: runs superlance's own superlance.fatalmailbatch",
            "s.conf:33: [eventlistener:crashsms] command: would end at once: crashsms: cannot mail",
            "s.conf:36: [eventlistener:httpok] command: checks an https page",
            "s.conf:39: [eventlistener:memmon] command: mails by no-such-mailer, which is not here",
        ],
    );
    assert!(!printed.contains("geheim"), "{printed}");
    assert_eq!(listing(&dir), before, "something was changed");
}

#[test]
fn a_listener_that_aims_at_nothing_and_events_that_it_makes_nothing_of_are_named() {
    let dir = TestDir::new().unwrap();
    let config = "[supervisord]\n[program:worker]\ncommand=cat\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n\
        [eventlistener:crashmail]\ncommand=crashmail -p wroker_0 -m ops@example.com -s true\n\
        events=PROCESS_STATE_EXITED,PROCESS_STATE_STOPPED,PROCESS_STATE_FATAL,PROCESS_LOG_STDERR\n\
        [eventlistener:memmon]\ncommand=memmon -p worker=1GB\nevents=TICK_60\n";
    dir.write("s.conf", config).unwrap();
    let (_, printed) = run(&dir, &["s.conf"]);
    has_all(
        &printed,
        &[
            "[eventlistener:crashmail] command names a program that is not in this configuration: wroker_0; did you mean \
             worker_0?",
            "[eventlistener:crashmail] events names more than crashmail tells of",
            "[eventlistener:memmon] command names a program that is not in this configuration: worker; did you mean \
             worker:*?",
        ],
    );
}

#[test]
fn it_says_where_alerts_wait_under_which_supervisord() {
    let dir = TestDir::new().unwrap();
    dir.write("s.conf", &format!("{CLEAN}environment=IRONLANCE_STATE=\"/dev/null/state\"\n")).unwrap();
    let (_, printed) = run(&dir, &["s.conf"]);
    assert!(
        printed.contains("its alerts wait in memory only") && !printed.contains("waits on disk"),
        "{printed}"
    );
    if !rustix::process::geteuid().is_root() {
        // Nobody but root starts programs as others.
        return;
    }
    dir.write("s.conf", &format!("{CLEAN}user=nobody\n")).unwrap();
    let (_, printed) = run(&dir, &["s.conf"]);
    let folder = dir.path("state/users/nobody");
    let granted = format!("our supervisord makes {} for it; under Supervisor's own", folder.display());
    has_all(&printed, &["crashmail: an alert that cannot be sent waits on disk", &granted]);
}

fn listing(dir: &TestDir) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir.folder()).unwrap().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

#[test]
fn what_is_no_configuration_is_told_apart_from_what_cannot_be_read() {
    let dir = TestDir::new().unwrap();
    dir.write("empty.conf", "").unwrap();
    let (status, printed) = run(&dir, &["empty.conf"]);
    assert_eq!(status, Some(1), "{printed}");
    has_all(&printed, &["empty.conf: cannot do without a section: [supervisord]"]);
    fs::write(dir.path("binary.conf"), b"\x7fELF\0\xff").unwrap();
    dir.write("prose.conf", "Dear all,\n").unwrap();
    for (args, needle) in [
        (&["binary.conf"][..], "binary.conf: cannot use a NUL byte"),
        (&["prose.conf"], "prose.conf:1: cannot read what stands before the first [section]"),
        (&["none.conf"], "none.conf: cannot read the file"),
        (&["a", "b"], "unexpected argument 'b'"),
    ] {
        let (status, printed) = run(&dir, args);
        assert_eq!(status, Some(2), "{args:?}: {printed}");
        has_all(&printed, &[needle]);
    }
}

#[test]
fn what_a_file_says_to_a_terminal_is_not_passed_on() {
    let dir = TestDir::new().unwrap();
    dir.write("s.conf", "[supervisord]\n[program:a\x1b[2Jb]\ncommand=no-\x1b]0;x\x07such\nx\x1b[1my=1\n")
        .unwrap();
    dir.write("t.conf", "\x1b[2Jhello\n").unwrap();
    for file in ["s.conf", "t.conf", "\x1b[2J.conf"] {
        let (status, printed) = run(&dir, &[file]);
        assert!(status.is_some_and(|status| status > 0), "{printed}");
        assert!(!printed.contains(|c: char| c.is_control() && c != '\n'), "{printed:?}");
        assert!(printed.contains("\\x1b[") || file == "t.conf", "{printed}");
    }
}
