//! Broken and odd configurations under both daemons: the same exit status, the original's words, the same warnings.

use std::thread;

use anyhow::{Context, ensure};
use ironlance_e2e::daemon::{run, write_config};
use ironlance_e2e::redaction::redact;
use ironlance_e2e::{Daemon, Implementation, TestDir, compare_daemons};

/// What a faulty file is made of, on top of a section that is well.
const GOOD: &str = "[supervisord]\nnodaemon=true\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\nchildlogdir={dir}\n";

/// Lines to append to [`GOOD`], each a file that neither daemon starts with.
const FAULTS: &[&str] = &[
    // [supervisord]
    "minfds=many",
    "minprocs=",
    "umask=09",
    "loglevel=loud",
    "logfile=/no/such/folder/x.log",
    "logfile_maxbytes=lots",
    "logfile_maxbytes=5TB",
    "logfile_backups=x",
    "pidfile=/no/such/folder/x.pid",
    "childlogdir=/no/such/folder",
    "childlogdir={dir}/supervisord.conf",
    "directory=/no/such/folder",
    "nodaemon=perhaps",
    "silent=2",
    "nocleanup=",
    "strip_ansi=oui",
    "environment=A",
    "environment=A=1,B",
    "environment=A=\"unclosed",
    "environment=A=%(ENV_NO_SUCH_THING)s",
    "environment=A=%(nothing)s",
    "environment=A=100%",
    "identifier=%(",
    "user=no-such-user",
    "user=123456789",
    "logfile=%(here)x",
    // The file itself.
    "no equals sign",
    "[unclosed",
    "[include]",
    "[include]\nfiles=%(no_such)s",
    // Programs.
    "[program:a]",
    "[program:a b]\ncommand=x",
    "[program:a:b]\ncommand=x",
    "[program:a/b]\ncommand=x",
    "[program:a]\ncommand=x\nprocess_name=a b",
    "[program:a]\ncommand=x\nprocess_name=x:%(process_num)d",
    "[program:a]\ncommand=x\npriority=high",
    "[program:a]\ncommand=x\nautostart=maybe",
    "[program:a]\ncommand=x\nautorestart=sometimes",
    "[program:a]\ncommand=x\nstartsecs=1.5",
    "[program:a]\ncommand=x\nstartretries=-",
    "[program:a]\ncommand=x\nexitcodes=0,x",
    "[program:a]\ncommand=x\nexitcodes=300",
    "[program:a]\ncommand=x\nstopsignal=NONE",
    "[program:a]\ncommand=x\nstopsignal=99",
    "[program:a]\ncommand=x\nstopwaitsecs=soon",
    "[program:a]\ncommand=x\nstopasgroup=yess",
    "[program:a]\ncommand=x\nstopasgroup=true\nkillasgroup=false",
    "[program:a]\ncommand=x\nuser=no-such-user",
    "[program:a]\ncommand=x\numask=8",
    "[program:a]\ncommand=x\nredirect_stderr=true\nstderr_syslog=perhaps",
    "[program:a]\ncommand=x\nstdout_logfile=/no/such/folder/a.log",
    "[program:a]\ncommand=x\nstdout_logfile_maxbytes=1XB",
    "[program:a]\ncommand=x\nstderr_logfile_backups=few",
    "[program:a]\ncommand=x\nstdout_capture_maxbytes=much",
    "[program:a]\ncommand=x\nstdout_events_enabled=5",
    "[program:a]\ncommand=x\nnumprocs=2",
    "[program:a]\ncommand=x\nnumprocs=two",
    "[program:a]\ncommand=x\nnumprocs=2\nprocess_name=same%(no)d",
    "[program:a]\ncommand=x\nnumprocs=2\nprocess_name=%(process_num)q",
    "[program:a]\ncommand=x\nnumprocs_start=one",
    "[program:a]\ncommand=x %(nothing)s",
    "[program:a]\ncommand=x 100%",
    "[program:a]\ncommand=x %(ENV_NO_SUCH_THING)s",
    "[program:a]\ncommand=x\nenvironment=A",
    "[program:a]\ncommand=x\nenvironment=A=\"1;2\",B=\"3 ; 4\"",
    "[program:a]\ncommand=x\nenvironment=A=\"%(x)s\"",
    "[program:a]\ncommand=x\ndirectory=%(x)s",
    // Groups.
    "[group:g]\nprograms=nobody",
    "[group:g h]\nprograms=a\n[program:a]\ncommand=x",
    "[group:g]\nprograms=a\npriority=x\n[program:a]\ncommand=x",
    "[group:g]\nprograms=a\n[program:a]\ncommand=x\n[fcgi-program:a]\ncommand=x\nsocket=tcp://localhost:9",
    // Listeners.
    "[eventlistener:l]\ncommand=x",
    "[eventlistener:l]\ncommand=x\nevents=",
    "[eventlistener:l]\ncommand=x\nevents=NO_SUCH_EVENT",
    "[eventlistener:l]\ncommand=x\nevents=EVENT\nbuffer_size=0",
    "[eventlistener:l]\ncommand=x\nevents=EVENT\nbuffer_size=x",
    "[eventlistener:l]\ncommand=x\nevents=EVENT\nredirect_stderr=true",
    "[eventlistener:l]\nevents=EVENT",
    // FastCGI.
    "[fcgi-program:f]\ncommand=x",
    "[fcgi-program:f]\ncommand=x\nsocket=localhost:9",
    "[fcgi-program:f]\ncommand=x\nsocket=tcp://localhost",
    "[fcgi-program:f]\ncommand=x\nsocket=tcp://localhost:x",
    "[fcgi-program:f]\ncommand=x\nsocket=unix://relative/path",
    "[fcgi-program:f]\ncommand=x\nsocket=tcp://localhost:9\nsocket_mode=0700",
    "[fcgi-program:f]\ncommand=x\nsocket=unix:///tmp/x\nsocket_mode=9",
    "[fcgi-program:f]\ncommand=x\nsocket=unix:///tmp/x\nsocket_owner=no-such-user",
    "[fcgi-program:f]\ncommand=x\nsocket=unix:///tmp/x\nsocket_owner=root:no-such-group",
    "[fcgi-program:f]\ncommand=x\nsocket=unix:///tmp/x\nsocket_backlog=x",
    // Servers.
    "[inet_http_server]",
    "[inet_http_server]\nport=",
    "[inet_http_server]\nport=x",
    "[inet_http_server]\nport=localhost:x",
    "[inet_http_server]\nport=127.0.0.1:9\nusername=a",
    "[inet_http_server]\nport=127.0.0.1:9\npassword=a",
    "[unix_http_server]",
    "[unix_http_server]\nfile={dir}/x\nchmod=99",
    "[unix_http_server]\nfile={dir}/x\nchown=no-such-user",
    "[unix_http_server]\nfile={dir}/x\nchown=root:no-such-group",
    "[unix_http_server]\nfile={dir}/x\nusername=a",
    "[rpcinterface:x]",
];

/// What the daemon says before it ends: exit status and stderr.
fn fail(implementation: Implementation, config: &str) -> anyhow::Result<(Option<i32>, String)> {
    let dir = TestDir::new()?;
    let config = write_config(&dir, config)?;
    let output = run(&dir, implementation, &["-c", &config.display().to_string()])
        .with_context(|| implementation.to_string())?;
    Ok((output.status.code(), redact(&String::from_utf8_lossy(&output.stderr), dir.folder())))
}

/// Both fail on this file with status 2, and what the original says of it stands in our message, too.
fn hold_against_each_other(config: &str) -> anyhow::Result<()> {
    let (status, original) = fail(Implementation::Original, config)?;
    let error = original.lines().find(|line| line.starts_with("Error: "));
    ensure!(status == Some(2) && error.is_some(), "the original: {status:?} {original}");
    if std::env::var("IRONLANCE_E2E_ONLY").is_ok() {
        eprintln!("{:?}\n    {}", config.trim_start_matches(GOOD), error.unwrap_or_default());
        return Ok(());
    }
    let (status, ours) = fail(Implementation::Ours, config)?;
    let error = error.unwrap_or_default();
    ensure!(status == Some(2), "ours ended with {status:?}, the original said: {error}\nours: {ours}");
    ensure!(ours.lines().any(|line| line == error), "- {error}\n+ {ours}");
    ensure!(ours.contains("For help, use "), "no word of help: {ours}");
    ensure!(ours.contains("supervisord.conf:"), "no line with the place: {ours}");
    Ok(())
}

#[test]
fn each_fault_is_told_in_the_originals_words_and_with_its_place() {
    let faults: Vec<_> = thread::scope(|scope| {
        let halves = FAULTS.chunks(FAULTS.len().div_ceil(2)).map(|half| {
            scope.spawn(|| {
                half.iter()
                    .filter_map(|lines| {
                        hold_against_each_other(&format!("{GOOD}{lines}\n"))
                            .err()
                            .map(|fault| format!("{lines:?}: {fault:#}"))
                    })
                    .collect::<Vec<_>>()
            })
        });
        halves.collect::<Vec<_>>().into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{} of {} faults:\n{}", faults.len(), FAULTS.len(), faults.join("\n\n"));
}

#[test]
fn a_file_without_the_main_section_or_that_is_missing_is_refused() {
    for config in ["", "[program:a]\ncommand=x\n", "garbage\n"] {
        let (status, original) = fail(Implementation::Original, config).unwrap();
        if std::env::var("IRONLANCE_E2E_ONLY").is_ok() {
            eprintln!("{config:?}: {original}");
            continue;
        }
        let (our_status, ours) = fail(Implementation::Ours, config).unwrap();
        assert_eq!(status, our_status, "{config:?}");
        let error = original.lines().next().unwrap();
        assert!(ours.contains(error), "{config:?}\n- {original}\n+ {ours}");
    }
}

#[test]
fn all_faults_are_told_at_once_with_file_and_line() {
    let dir = TestDir::new().unwrap();
    dir.write("more/x.conf", "[program:c]\ncommand=x\nstopsignal=LOUD\n").unwrap();
    let lines =
        "minfds=many\n[program:a]\ncommand=x\nstartsecs=soon\n\n[program:b]\n[include]\nfiles=more/*.conf\n";
    let config = write_config(&dir, &format!("{GOOD}{lines}")).unwrap();
    let output = run(&dir, Implementation::Ours, &["-c", &config.display().to_string()]).unwrap();
    let stderr = redact(&String::from_utf8_lossy(&output.stderr), dir.folder());
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for place in [
        "DIR/supervisord.conf:6: [supervisord] minfds: cannot ",
        "DIR/supervisord.conf:9: [program:a] startsecs: cannot ",
        "DIR/supervisord.conf:11: [program:b] command: cannot ",
        "DIR/more/x.conf:3: [program:c] stopsignal: cannot ",
    ] {
        assert!(stderr.lines().any(|line| line.starts_with(place)), "{place} in\n{stderr}");
    }
}

#[test]
fn check_tells_the_same_faults_and_starts_nothing() {
    let dir = TestDir::new().unwrap();
    let bad = write_config(&dir, &format!("{GOOD}minfds=many\n[program:a]\n")).unwrap();
    let output = run(&dir, Implementation::Ours, &["--check", "-c", &bad.display().to_string()]).unwrap();
    let stderr =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("[supervisord] minfds: cannot ") && stderr.contains("[program:a] command: cannot "),
        "{stderr}"
    );
    let good = write_config(&dir, &format!("{GOOD}[program:a]\ncommand=touch {{dir}}/started\n")).unwrap();
    let output = run(&dir, Implementation::Ours, &["--check", "-c", &good.display().to_string()]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["started", "supervisord.log", "supervisord.pid"] {
        assert!(!dir.path(name).exists(), "{name}");
    }
}

#[test]
fn odd_files_are_read_alike() {
    compare_daemons(|scenario| {
        scenario.dir.write("conf.d/b.conf", "[program:second]\ncommand=sleep 1000\nautostart=false\ndirectory=%(here)s\n")?;
        scenario.dir.write("conf.d/a.conf", "[program:first]\ncommand=sleep 1000\nautostart=false\n[supervisord]\nidentifier=from-the-include\n")?;
        scenario.dir.write("conf.d/not-me.txt", "[program:never]\ncommand=x\n")?;
        let daemon = scenario.daemon(
            "; a comment\n# another\n[include]\nfiles = conf.d/*.conf  {dir}/conf.d/a.conf none/*.conf\n\
             [program:spaces]\n  \ncommand  =  sleep 1000  ; a comment\nautostart : false\nENVIRONMENT=A=\"1;2\",B=\"3;4\" ; a comment\n\
             [program:twice]\ncommand=first\ncommand=sleep 5\nautostart=false\n\
             [program:twice]\npriority=7\n\
             [program:unknown]\ncommand=sleep 5\nautostart=false\nno_such_key=5\nhealthcheck=http://x\n\
             [no_such_section]\nx=y\n\
             [program:Case]\ncommand=sleep 5\nautostart=OFF\nautorestart=UnExpected\nredirect_stderr=Yes\nstopsignal=sigquit\n\
             [program:bytes]\ncommand=sleep 5\nautostart=0\nstdout_logfile={dir}/x.log\nstdout_logfile_maxbytes=1kb\nstderr_logfile=none\n\
             [program:multi]\ncommand=sleep\n   5\n   6\nautostart=no\nexitcodes=\n\
             [program:]\ncommand=sleep 5\nautostart=no\n\
             [program:nothing]\ncommand=\nautostart=no\n\
             [group:none]\n[group:empty]\nprograms=\n\
             [eventlistener:captured]\ncommand=cat\nevents=process_state , tick_5\nstdout_capture_maxbytes=1MB\nautostart=no\n\
             [program:percent]\ncommand=sleep 5 %%s %%(x)s\nautostart=no\n",
        )?;
        scenario.note_call(&daemon, "getAllConfigInfo", &[])?;
        scenario.note_call(&daemon, "getIdentification", &[])?;
        scenario.note_call(&daemon, "startProcess", &["nothing".into()])?;
        scenario.note_all("log", daemon.log_lines().into_iter().filter(|line| line.contains("nclude")));
        Ok(())
    })
    .unwrap();
}

#[test]
fn warnings_stand_in_the_log() {
    compare_daemons(|scenario| {
        let log = |daemon: &Daemon| daemon.log_lines().into_iter().filter(|line| !line.contains("supervisord started")).collect::<Vec<_>>();
        let daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nstdout_logfile={dir}/x\nautostart=false\nredirect_stderr=true\nstderr_logfile={dir}/a.err\n[inet_http_server]\nport=127.0.0.1:{port}\n".replace("{port}", &ironlance_e2e::web_server::closed_port()?.to_string()).as_str())?;
        scenario.note_all("log", log(&daemon).into_iter().map(|line| line.split("127.0.0.1").next().unwrap().to_owned()));
        Ok(())
    })
    .unwrap();
}
