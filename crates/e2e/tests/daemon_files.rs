//! Files and sockets of the daemon where others have been at their names: devices, links, leftovers, cleaners.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, lchown, symlink};

use ironlance_e2e::daemon::BASE;
use ironlance_e2e::{Daemon, Implementation, TIMEOUT, TestDir, until};
use rustix::fs::{CWD, FileType, mknodat};
use rustix::process::Signal;

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

#[test]
fn clearing_logs_leaves_devices_and_links_to_the_daemons_own_output_alone() {
    let dir = TestDir::new().unwrap();
    symlink("/dev/stdout", dir.path("main")).unwrap();
    symlink("main", dir.path("out")).unwrap();
    let config = BASE.replace("{dir}/supervisord.log", "{dir}/main")
        + "[supervisord]\nsilent=true\n[program:off]\ncommand=cat\nautostart=false\nstdout_logfile={dir}/out\n\
           [program:on]\ncommand=sh -c 'echo said; exec cat'\nstartsecs=0\nstdout_logfile={dir}/out\n\
           stdout_logfile_maxbytes=10\n";
    let daemon = Daemon::start_on(&dir, Implementation::Ours, &config, &[]).unwrap();
    daemon.wait_state("on", "RUNNING").unwrap();
    daemon.wait_file("supervisord.out", "said").unwrap();
    daemon.call("clearLog", &[]).unwrap().unwrap();
    daemon.call("clearAllProcessLogs", &[]).unwrap().unwrap();
    // The daemon's own output has lost nothing, and both links are where they were.
    let text = daemon.wait_file("supervisord.out", "reopening log file").unwrap();
    assert!(text.contains("supervisord started with pid") && text.contains("said"), "{text}");
    for link in ["main", "out"] {
        assert!(dir.path(link).is_symlink(), "{link}");
    }
    assert!(fs::symlink_metadata("/dev/stdout").is_ok());
}

#[test]
fn a_pid_file_that_is_a_fifo_is_neither_waited_for_nor_removed() {
    let dir = TestDir::new().unwrap();
    mknodat(CWD, dir.path("supervisord.pid"), FileType::Fifo, 0o600.into(), 0).unwrap();
    let _reader = fs::File::options().read(true).write(true).open(dir.path("supervisord.pid")).unwrap();
    let mut daemon = Daemon::start(&dir, Implementation::Ours, "").unwrap();
    assert!(daemon.stop().unwrap().success());
    assert!(fs::metadata(dir.path("supervisord.pid")).unwrap().file_type().is_fifo());
}

#[test]
fn links_that_a_user_has_planted_get_nothing_of_roots() {
    if !is_root() {
        return;
    }
    let dir = TestDir::new().unwrap();
    let secret = dir.write("secret", "of root\n").unwrap();
    fs::create_dir(dir.path("open")).unwrap();
    fs::set_permissions(dir.path("open"), PermissionsExt::from_mode(0o1777)).unwrap();
    for name in ["pid", "out", "tail"] {
        let link = dir.path("open").join(name);
        symlink(&secret, &link).unwrap();
        lchown(&link, Some(12_345), None).unwrap();
    }
    let config = BASE.replace("{dir}/supervisord.pid", "{dir}/open/pid")
        + "[program:a]\ncommand=echo written\nstartsecs=0\nautorestart=false\nstartretries=0\n\
           stdout_logfile={dir}/open/out\n[program:b]\ncommand=cat\nautostart=false\nstdout_logfile={dir}/open/tail\n";
    let mut daemon = Daemon::start_on(&dir, Implementation::Ours, &config, &[]).unwrap();
    daemon.wait_log("could not write pidfile").unwrap();
    daemon.wait_log("is a symbolic link that user 12345 has made").unwrap();
    daemon.wait_state("a", "FATAL").unwrap();
    let spawnerr = daemon.info("a", "spawnerr").unwrap().to_string();
    assert!(spawnerr.contains("is a symbolic link that user 12345 has made"), "{spawnerr}");
    daemon.call("readProcessStdoutLog", &["b".into(), 0.into(), 0.into()]).unwrap().unwrap_err();
    daemon.call("clearAllProcessLogs", &[]).unwrap().unwrap();
    assert!(daemon.stop().unwrap().success());
    assert_eq!(fs::read_to_string(&secret).unwrap(), "of root\n");
}

#[test]
fn a_link_to_stdout_that_chown_has_given_away_with_its_folder_is_followed() {
    if !is_root() {
        return;
    }
    // ln -sf /dev/stdout x.log; chown -R www-data .; chmod 777 .
    for (owner, mode) in [(12_345, 0o755), (0, 0o777), (0, 0o1777)] {
        let dir = TestDir::new().unwrap();
        let logs = dir.path("logs");
        fs::create_dir(&logs).unwrap();
        for (name, target) in [("main", "/dev/stdout"), ("out", "/dev/stdout"), ("null", "/dev/null")] {
            symlink(target, logs.join(name)).unwrap();
            lchown(logs.join(name), Some(12_345), None).unwrap();
        }
        lchown(&logs, Some(owner), None).unwrap();
        fs::set_permissions(&logs, PermissionsExt::from_mode(mode)).unwrap();
        let config = BASE.replace("{dir}/supervisord.log", "{dir}/logs/main")
            + "[program:a]\ncommand=sh -c 'echo said; exec cat'\nstdout_logfile={dir}/logs/out\n\
               stderr_logfile={dir}/logs/null\n";
        let daemon = Daemon::start_on(&dir, Implementation::Ours, &config, &[]).unwrap();
        daemon.wait_state("a", "RUNNING").unwrap();
        daemon.wait_file("supervisord.out", "said").unwrap();
    }
}

#[test]
fn whatever_else_stands_at_the_sockets_path_makes_room_and_nothing_is_lost() {
    let dir = TestDir::new().unwrap();
    let path = dir.path("s.sock");
    for what in ["an empty file", "a file with text", "a FIFO", "a dangling link"] {
        match what {
            "an empty file" => fs::write(&path, "").unwrap(),
            "a file with text" => fs::write(&path, "precious").unwrap(),
            "a FIFO" => mknodat(CWD, &path, FileType::Fifo, 0o600.into(), 0).unwrap(),
            _ => symlink("nowhere", &path).unwrap(),
        }
        // It answers on the socket.
        let mut daemon = Daemon::start(&dir, Implementation::Ours, "").unwrap();
        assert!(daemon.log().contains("the socket takes its place"), "{what}: {}", daemon.log());
        assert!(daemon.stop().unwrap().success());
        assert!(!path.exists());
    }
    assert_eq!(fs::read_to_string(dir.path("s.sock.kept-1")).unwrap(), "precious");
}

#[test]
fn sockets_and_the_pid_file_that_a_cleaner_removed_come_back() {
    let dir = TestDir::new().unwrap();
    let mut daemon = Daemon::start(&dir, Implementation::Ours, "").unwrap();
    for round in 1..=2 {
        for name in ["s.sock", "supervisord.pid"] {
            fs::remove_file(dir.path(name)).unwrap();
        }
        until("both to be there again", TIMEOUT, || {
            let pid = fs::read_to_string(dir.path("supervisord.pid")).unwrap_or_default();
            Ok((pid == format!("{}\n", daemon.pid()) && daemon.connect().is_ok()).then_some(()))
        })
        .unwrap();
        daemon.call("getState", &[]).unwrap().unwrap();
        until("two lines", TIMEOUT, || {
            Ok((daemon.log().matches("it is made again").count() == 2 * round).then_some(()))
        })
        .unwrap();
    }
    // What it made again is its own: it takes it along, and hands it on when it begins anew.
    daemon.call("restart", &[]).unwrap().unwrap();
    until("the restart", TIMEOUT, || {
        Ok((daemon.log().matches("supervisord started with pid").count() == 2).then_some(()))
    })
    .unwrap();
    until("an answer", TIMEOUT, || Ok(daemon.ask("supervisor.getState", &[]).ok().map(drop))).unwrap();
    assert!(daemon.stop().unwrap().success());
    assert!(!dir.path("s.sock").exists() && !dir.path("supervisord.pid").exists());
}

#[test]
fn what_somebody_else_has_put_at_the_sockets_name_is_theirs() {
    let dir = TestDir::new().unwrap();
    let daemon =
        Daemon::start(&dir, Implementation::Ours, "[program:a]\ncommand=cat\nautostart=false\n").unwrap();
    fs::rename(dir.path("s.sock"), dir.path("old.sock")).unwrap();
    dir.write("s.sock", "theirs").unwrap();
    daemon.signal(Signal::USR2).unwrap();
    daemon.wait_log("supervisord logreopen").unwrap();
    fs::remove_file(dir.path("supervisord.pid")).unwrap();
    daemon.wait_file("supervisord.pid", "\n").unwrap();
    assert_eq!(fs::read_to_string(dir.path("s.sock")).unwrap(), "theirs");
}

#[test]
fn a_fastcgi_socket_that_was_removed_comes_back_with_the_next_start() {
    let dir = TestDir::new().unwrap();
    let config = "[fcgi-program:f]\nsocket=unix://{dir}/f.sock\ncommand=sleep 1000\nstartsecs=0\n";
    let daemon = Daemon::start(&dir, Implementation::Ours, config).unwrap();
    daemon.wait_state("f", "RUNNING").unwrap();
    fs::remove_file(dir.path("f.sock")).unwrap();
    daemon.wait_log("supervisorctl restart 'f:*'").unwrap();
    daemon.call("stopProcess", &["f".into()]).unwrap().unwrap();
    daemon.call("startProcess", &["f".into()]).unwrap().unwrap();
    std::os::unix::net::UnixStream::connect(dir.path("f.sock")).unwrap();
}
