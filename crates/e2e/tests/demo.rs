//! `ironlance demo`, as the README lets a newcomer run it, where there is neither Python nor Supervisor.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use ironlance_e2e::daemon::send;
use ironlance_e2e::implementation::{LISTENERS, binary};
use ironlance_e2e::{TIMEOUT, TestDir, until};
use rustix::process::Signal;
use tempfile::TempDir;

/// The demo's time, its patience with late mails, and the orderly end of supervisord.
const LIMIT: Duration = Duration::from_secs(90);

#[test]
fn the_demo_shows_a_mail_of_each_listener_and_leaves_nothing_behind() {
    let dir = TestDir::new().unwrap();
    let tools = tools(&dir).unwrap();
    let mut demo = Demo::start(&dir, &tools, "25", "story");
    let (status, story) = demo.end();
    assert!(status.success(), "{story}");
    for name in LISTENERS {
        assert!(story.contains(&format!("mail    {name}: ")), "no mail of {name}: {story}");
    }
    for event in [
        "mail    refused (421): it waits on disk",
        "flaky   crashed (exit status 3): supervisord starts it again",
        "flaky   is running again",
        "broken  does not start: supervisord has given up",
        "shop    hangs, its page does not answer: httpok restarts it",
        "leaky   has outgrown its 40 MB: memmon restarts it",
    ] {
        assert!(story.contains(event), "{event} is missing: {story}");
    }
    assert!(story.contains("  web page    http://127.0.0.1:"), "{story}");
    assert!(story.lines().all(|line| line.chars().count() < 80 || line.contains("/bin/")), "{story}");
    assert!(story.contains("none came twice: yes"), "{story}");
    assert!(!story.contains('\x1b'), "colours are for terminals: {story}");
    drop(tools);
    let left: Vec<_> = fs::read_dir(dir.folder()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["story"]);
    assert!(dir.processes().is_empty(), "processes of the demo are left");
}

#[test]
fn two_demos_at_a_time_do_not_meet_and_can_be_looked_into() {
    let dir = TestDir::new().unwrap();
    let tools = tools(&dir).unwrap();
    let mut demos = ["one", "two"].map(|name| Demo::start(&dir, &tools, "0", name));
    for demo in &demos {
        let control = demo.wait_for("in a shell  ");
        let command = control.trim_end_matches(" status");
        let running = until("supervisorctl to tell", TIMEOUT, || {
            let output = Command::new(command).arg("status").output()?;
            let output = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(Some(output).filter(|output| output.contains("steady") && output.contains("pid")))
        });
        let running = running.with_context(|| demo.output()).unwrap();
        assert!(running.contains("httpok"), "{running}");
        let page = demo.wait_for("web page    ");
        let address = page.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("data-process=\"flaky:flaky\""), "{answer}");
    }
    for demo in &mut demos {
        demo.interrupt();
        let (status, story) = demo.end();
        // It was stopped before every mail could come, and says so.
        assert_eq!(status.code(), Some(1), "{story}");
        assert!(story.contains("It was stopped early"), "{story}");
        assert!(!story.contains("!!") && !story.contains("none was lost"), "{story}");
    }
    assert!(dir.processes().is_empty(), "processes of the demos are left");
}

#[test]
fn a_time_too_short_for_the_story_is_refused_in_a_line() {
    for seconds in ["1", "24", "-1", "x"] {
        let output =
            Command::new(binary().unwrap()).args(["demo", &format!("--seconds={seconds}")]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(output.stdout.is_empty() && stderr.contains("--seconds"), "{stderr}");
        if seconds == "24" {
            assert!(stderr.contains("the whole story takes 25 seconds"), "{stderr}");
        }
    }
}

/// A demo that runs, and what it has told.
struct Demo {
    child: Child,
    story: PathBuf,
}

impl Demo {
    fn start(dir: &TestDir, tools: &TempDir, seconds: &str, name: &str) -> Self {
        let story = dir.path(name);
        let child = Command::new(binary().unwrap())
            .args(["demo", "--seconds", seconds])
            .current_dir(dir.folder())
            .env_remove("IRONLANCE_ORIGINALS")
            .env("PATH", tools.path())
            .env("TMPDIR", dir.folder())
            .env("IRONLANCE_E2E", dir.folder())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&story).unwrap())
            .spawn()
            .unwrap();
        Self { child, story }
    }

    fn output(&self) -> String {
        fs::read_to_string(&self.story).unwrap()
    }

    /// The rest of the line that begins so.
    fn wait_for(&self, begin: &str) -> String {
        until(begin, TIMEOUT, || {
            let output = self.output();
            let mut lines = output.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            Ok(lines.find_map(|line| line.trim_start().strip_prefix(begin)).map(str::to_owned))
        })
        .unwrap()
    }

    fn interrupt(&self) {
        send(self.child.id().into(), Signal::INT).unwrap();
    }

    fn end(&mut self) -> (ExitStatus, String) {
        let child = &mut self.child;
        let ended = until("the demo to end", LIMIT, || Ok(child.try_wait()?));
        (ended.unwrap(), self.output())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with all that the demo may need of the system: a shell and two commands for its scripts.
fn tools(dir: &TestDir) -> std::io::Result<TempDir> {
    let folder = tempfile::tempdir_in(dir.folder())?;
    for name in ["sh", "cat", "sleep"] {
        symlink(found(name), folder.path().join(name))?;
    }
    Ok(folder)
}

fn found(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| Path::new("/bin").join(name))
}
