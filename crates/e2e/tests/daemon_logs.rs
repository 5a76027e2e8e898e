//! The logs of both daemons: which files there are, how they are rotated, cleared, reopened, and what stands in them.

use std::fs;
use std::time::Duration;

use ironlance_e2e::daemon::{BASE, write_config};
use ironlance_e2e::wait::pause;
use ironlance_e2e::{Daemon, TIMEOUT, compare_daemons, until};
use rustix::process::Signal;

/// Names and sizes of the files whose names begin so.
fn sizes(daemon: &Daemon, prefix: &str) -> Vec<String> {
    let names = daemon.files().into_iter().filter(|name| name.starts_with(prefix));
    names.map(|name| format!("{name} {}", daemon.file(&name).len())).collect()
}

#[test]
fn rotation_keeps_as_many_files_of_that_size() {
    compare_daemons(|scenario| {
        // One line of 100 bytes each time, so that every read ends at the same place.
        let writer = |name: &str, keys: &str| {
            format!(
                "[program:{name}]\ncommand=sh -c 'for i in $(seq 10 69); do printf \"%%099d\\n\" $i; sleep 0.01; done; exec sleep 1000'\nstartsecs=0\nstdout_logfile={{dir}}/{name}.log\n{keys}\n"
            )
        };
        let daemon = scenario.daemon(&format!(
            "{}{}{}{}{}{}",
            writer("usual", "stdout_logfile_maxbytes=1000\nstdout_logfile_backups=3"),
            writer("bare", "stdout_logfile_maxbytes=1000\nstdout_logfile_backups=0"),
            writer("endless", "stdout_logfile_maxbytes=0\nstdout_logfile_backups=3"),
            writer("roomy", "stdout_logfile_maxbytes=1MB"),
            writer("tiny", "stdout_logfile_maxbytes=1\nstdout_logfile_backups=2"),
            writer("none", "stderr_logfile=NONE").replace("{dir}/none.log", "NONE"),
        ))?;
        for name in ["endless.log", "roomy.log"] {
            daemon.wait_file(name, "69\n")?;
        }
        until("the other writers", Duration::from_secs(10), || {
            let last = |name: &str| sizes(&daemon, name).iter().any(|file| daemon.file(file.split(' ').next().unwrap()).contains("0069\n"));
            Ok(["usual", "tiny"].iter().all(|name| last(name)).then_some(()))
        })?;
        // One read may bring two lines at once, and a file is renamed only after a write: so the sizes are a matter of time.
        for name in ["endless", "roomy", "none"] {
            scenario.note_all(name, sizes(&daemon, name));
        }
        for (name, most) in [("usual", 4), ("bare", 1), ("tiny", 3)] {
            let logs = sizes(&daemon, &format!("{name}.log"));
            scenario.note(format!("{name}: no more than {most}: {}", logs.len() <= most));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn rotation_goes_by_the_write_that_crosses_the_limit() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.log\nstdout_logfile_maxbytes=100\nstdout_logfile_backups=2\n")?;
        daemon.wait_state("cat", "RUNNING")?;
        for (step, length) in [50, 49, 1, 250, 10, 99, 1, 1, 300].into_iter().enumerate() {
            let mark = format!("{step}\n");
            let text = if length == 1 { "\n".to_owned() } else { "x".repeat(length - mark.len()) + &mark };
            let before = sizes(&daemon, "cat.log");
            daemon.write_stdin("cat", &text)?;
            // A rotation is several steps: it is over when nothing changes any more.
            until("the write", Duration::from_secs(10), || {
                let seen = sizes(&daemon, "cat.log");
                pause(Duration::from_millis(30));
                Ok((seen != before && seen == sizes(&daemon, "cat.log")).then_some(()))
            })?;
            scenario.note_all(&format!("after {length}"), sizes(&daemon, "cat.log"));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn automatic_logs_have_random_names_and_are_cleared_at_the_next_start() {
    compare_daemons(|scenario| {
        scenario.dir.write("stale-stdout---supervisor-abcd1234.log", "old")?;
        scenario.dir.write("other-stdout---someone-abcd1234.log", "old")?;
        scenario.dir.write("stale-stdout---supervisor-abcd1234.log.1", "old")?;
        scenario.dir.write("notes---supervisor-x.txt", "old")?;
        let config = "[program:a]\ncommand=sh -c 'echo out; echo err >&2; exec sleep 1000'\nstartsecs=0\n[program:b]\ncommand=sleep 1000\nstdout_logfile=AUTO\nstderr_logfile=none\nstartsecs=0\n";
        let mut daemon = scenario.daemon(config)?;
        daemon.wait_state("a", "RUNNING")?;
        let logs = |daemon: &Daemon| daemon.files().into_iter().filter(|name| name.contains("---")).collect::<Vec<_>>();
        scenario.note_all("first", logs(&daemon));
        use std::os::unix::fs::PermissionsExt;
        for name in logs(&daemon).iter().filter(|name| name.starts_with("a-")) {
            scenario.note(format!("{name} {:o}", fs::metadata(scenario.dir.path(name))?.permissions().mode()));
        }
        scenario.note(daemon.stop()?);
        scenario.note_all("after the end", logs(&daemon));
        let mut daemon = scenario.daemon(config)?;
        scenario.note_all("second", logs(&daemon));
        daemon.stop()?;
        let daemon = scenario.daemon(&format!("{config}[supervisord]\nnocleanup=true\n"))?;
        scenario.note_all("third, without cleaning", logs(&daemon));
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_cannot_seek_is_written_all_the_same() {
    compare_daemons(|scenario| {
        let config = format!(
            "{BASE}[program:one]\ncommand=sh -c 'echo to stdout; echo to stderr >&2; exec sleep 1000'\nstartsecs=0\nstdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nstderr_logfile=/dev/stderr\nstderr_logfile_maxbytes=0\n\
             [program:two]\ncommand=sh -c 'echo to fd; exec sleep 1000'\nstartsecs=0\nstdout_logfile=/dev/fd/1\nstdout_logfile_maxbytes=0\n"
        )
        .replace("logfile={dir}/supervisord.log", "logfile=/dev/null\nlogfile_maxbytes=0\nsilent=true")
        .replace("loglevel=debug", "loglevel=info");
        write_config(&scenario.dir, &config)?;
        // Two pipes, and a cat at the end of each.
        let program = scenario.implementation.path("supervisord")?.display().to_string();
        let mut shell = scenario.dir.command("sh", scenario.implementation)?;
        shell.args(["-c", "{ \"$0\" -c supervisord.conf 2>&3 | cat >out; } 3>&1 | cat >err", &program]);
        let mut daemon = Daemon::spawn(&scenario.dir, shell)?;
        for (file, words) in [("out", "to stdout\n"), ("out", "to fd\n"), ("err", "to stderr\n")] {
            daemon.wait_file(file, words)?;
        }
        scenario.note_call(&daemon, "shutdown", &[])?;
        daemon.wait_end()?;
        let out = daemon.file("out");
        let mut lines: Vec<&str> = out.lines().collect();
        lines.sort_unstable();
        scenario.note_all("stdout", lines);
        scenario.note(daemon.file("err"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_main_log_goes_to_stdout_too_unless_it_is_silent() {
    compare_daemons(|scenario| {
        let mut daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nstartsecs=0\n")?;
        daemon.wait_state("a", "RUNNING")?;
        daemon.stop()?;
        scenario.note(format!("{} {}", daemon.stdout() == daemon.log(), daemon.stderr()));
        let lines: Vec<String> = daemon.log().lines().map(str::to_owned).collect();
        let shape = lines.iter().all(|line| {
            line.split(' ').nth(2).is_some_and(|level| {
                ["CRIT", "ERRO", "WARN", "INFO", "DEBG", "TRAC", "BLAT"].contains(&level)
            })
        });
        scenario.note(format!("every line has time and level: {shape}"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn usr2_reopens_what_was_renamed() {
    compare_daemons(|scenario| {
        let daemon =
            scenario.daemon("[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.log\n")?;
        daemon.wait_state("cat", "RUNNING")?;
        let say = |words: &str| daemon.write_stdin("cat", words);
        say("one\n")?;
        daemon.wait_file("cat.log", "one\n")?;
        fs::rename(scenario.dir.path("cat.log"), scenario.dir.path("cat.old"))?;
        fs::rename(scenario.dir.path("supervisord.log"), scenario.dir.path("supervisord.old"))?;
        say("two\n")?;
        daemon.wait_file("cat.old", "two\n")?;
        daemon.signal(Signal::USR2)?;
        daemon.wait_file("supervisord.old", "supervisord logreopen")?;
        until("the child's log", Duration::from_secs(10), || {
            Ok(scenario.dir.path("cat.log").exists().then_some(()))
        })?;
        say("three\n")?;
        daemon.wait_file("cat.log", "three\n")?;
        let notes = [daemon.file("cat.old"), daemon.file("cat.log")];
        scenario.note_all("files", notes);
        scenario.note_all(
            "old log",
            daemon
                .file("supervisord.old")
                .lines()
                .filter(|line| line.contains("SIGUSR2"))
                .map(|line| line.split_once(",").unwrap().1[4..].to_owned())
                .collect::<Vec<_>>(),
        );
        scenario.note_all("new log", daemon.log_lines());
        Ok(())
    })
    .unwrap();
}

#[test]
fn colours_are_stripped_where_that_is_wanted() {
    compare_daemons(|scenario| {
        let colours = r#"printf "\033[1;31mred\033[0m plain\033[K\033[2J\033]0;title\007 end\n""#;
        let daemon = scenario.daemon(&format!("[supervisord]\nstrip_ansi=true\n[program:a]\ncommand=sh -c '{colours}; exec sleep 1000'\nstartsecs=0\nstdout_logfile={{dir}}/a.log\n"))?;
        let text = daemon.wait_file("a.log", "end")?;
        scenario.note(format!("{text:?}"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn cleared_logs_are_empty_and_go_on() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.log\nstdout_logfile_maxbytes=10\nstderr_logfile={dir}/cat.err\n[program:off]\ncommand=cat\nautostart=false\nstdout_logfile={dir}/off.log\n")?;
        daemon.wait_state("cat", "RUNNING")?;
        let say = |words: &str| daemon.write_stdin("cat", words);
        say("12345678\n")?;
        daemon.wait_file("cat.log", "12345678\n")?;
        say("abcdefg\n")?;
        daemon.wait_file("cat.log.1", "12345678\nabcdefg\n")?;
        // The new file comes a moment after the old one was moved.
        until("a new cat.log", TIMEOUT, || Ok(scenario.dir.path("cat.log").exists().then_some(())))?;
        scenario.note_all("before", sizes(&daemon, "cat"));
        scenario.note_call(&daemon, "clearProcessLogs", &["cat".into()])?;
        scenario.note_all("after", sizes(&daemon, "cat"));
        say("again\n")?;
        daemon.wait_file("cat.log", "again\n")?;
        scenario.dir.write("off.log", "old")?;
        scenario.note_call(&daemon, "clearProcessLogs", &["off".into()])?;
        // The original clears no log of a program that does not run, whatever its documents say.
        scenario.expect_difference(daemon.file("off.log"), "old", "")?;
        fs::remove_file(scenario.dir.path("cat.log"))?;
        scenario.note_call(&daemon, "clearProcessLogs", &["cat".into()])?;
        scenario.note_all("after it was gone", sizes(&daemon, "cat"));
        scenario.note_call(&daemon, "clearLog", &[])?;
        scenario.note_all("main log", daemon.log_lines());
        Ok(())
    })
    .unwrap();
}

#[test]
fn output_is_shown_in_the_main_log_at_debug() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:a]\ncommand=sh -c 'read go; printf \"one\\ntwo \\303\\266 \\210\\n\"; read go; echo plain; exec sleep 1000'\nstartsecs=0\nstdout_logfile=NONE\n")?;
        daemon.wait_state("a", "RUNNING")?;
        for wait in ["Undecodable", "plain"] {
            daemon.write_stdin("a", "go\n")?;
            daemon.wait_log(wait)?;
        }
        let log = daemon.log();
        let from = log.find("'a' stdout output").unwrap();
        let lines: Vec<&str> = log[from..].lines().filter(|line| !line.contains("SIGCHLD")).take(6).collect();
        scenario.note_all("log", lines);
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_last_words_come_before_the_end_and_that_before_the_signal_of_it() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon(
            "[program:p]\ncommand=sh -c 'read go; echo last words; exit 3'\nstartsecs=0\nautorestart=false\n",
        )?;
        daemon.wait_state("p", "RUNNING")?;
        daemon.write_stdin("p", "go\n")?;
        daemon.wait_state("p", "EXITED")?;
        daemon.wait_log("indicating a child quit")?;
        let log = daemon.log();
        let at = |words: &str| log.find(words);
        let order = [at("last words"), at("exited: p"), at("received SIGCHLD")];
        scenario.note(format!("{}", order.is_sorted() && !order.contains(&None)));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_main_log_is_rotated() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[supervisord]\nlogfile_maxbytes=2000\nlogfile_backups=2\n[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile=NONE\n")?;
        daemon.wait_state("cat", "RUNNING")?;
        for step in 0..40 {
            let words = format!("{} {step} is on the way\n", "x".repeat(150));
            daemon.write_stdin("cat", &words)?;
            until("the words", Duration::from_secs(10), || {
                let logs = ["supervisord.log", "supervisord.log.1"].map(|name| daemon.file(name)).concat();
                Ok(logs.contains(&words).then_some(()))
            })?;
        }
        let names = daemon.files().into_iter().filter(|name| name.starts_with("supervisord.log")).collect::<Vec<_>>();
        let whole = names.iter().all(|name| daemon.file(name).ends_with('\n') && daemon.file(name).len() < 2300);
        scenario.note_all("files", names);
        scenario.note(whole);
        Ok(())
    })
    .unwrap();
}
