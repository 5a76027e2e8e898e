//! A supervisord of one implementation on a configuration as a scenario wants it, and what can be seen of it from outside.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::implementation::Implementation;
use crate::raw_http::{self, RawResponse};
use crate::redaction::redact;
use crate::test_dir::TestDir;
use crate::wait::{TIMEOUT, until};
use crate::xmlrpc::{self, XmlValue};

/// A running supervisord; ended at once, with all its children, when it is dropped.
pub struct Daemon {
    child: Child,
    folder: PathBuf,
}

/// The sections that nearly every scenario begins with; `{dir}` is the test directory.
pub const BASE: &str = "[unix_http_server]\nfile={dir}/s.sock\n\
    [supervisord]\nnodaemon=true\nloglevel=debug\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\n\
    childlogdir={dir}\n\
    [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n";

/// The command of the implementation's supervisord in the test directory, with nothing on its stdin.
pub fn supervisord(dir: &TestDir, implementation: Implementation, args: &[&str]) -> anyhow::Result<Command> {
    let mut command = dir.command(implementation.path("supervisord")?, implementation)?;
    command.args(args).stdin(Stdio::null());
    Ok(command)
}

/// Runs a supervisord that ends by itself, or is ended when it has not done so in time.
pub fn run(dir: &TestDir, implementation: Implementation, args: &[&str]) -> anyhow::Result<Output> {
    run_command(supervisord(dir, implementation, args)?)
}

/// Runs a command that ends by itself; it is killed, and that is a failure, when it does not in time.
pub fn run_command(mut command: Command) -> anyhow::Result<Output> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {shown}"))?;
    let reading = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let stdout = reading(child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let stderr = reading(child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let ended = until(&format!("{shown} to end"), TIMEOUT, || Ok(child.try_wait()?));
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let bytes = |thread: std::thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    let (status, stdout, stderr) = (ended, bytes(stdout), bytes(stderr));
    let status = status.with_context(|| {
        format!("stdout: {}\nstderr: {}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr))
    })?;
    Ok(Output { status, stdout, stderr })
}

/// A result or a fault, in one line.
pub fn describe(answer: &Result<XmlValue, XmlValue>) -> String {
    match answer {
        Ok(value) => value.to_string(),
        Err(fault) => format!(
            "fault {} {}",
            fault.get("faultCode").and_then(XmlValue::as_int).unwrap_or_default(),
            fault.get("faultString").and_then(XmlValue::as_str).unwrap_or_default()
        ),
    }
}

impl Daemon {
    /// Starts it with [`BASE`] and these sections, and waits until it answers.
    pub fn start(dir: &TestDir, implementation: Implementation, sections: &str) -> anyhow::Result<Self> {
        Self::start_on(dir, implementation, &format!("{BASE}{sections}"), &[])
    }

    /// Starts it with this configuration and these options more, and waits until it answers on `{dir}/s.sock`.
    pub fn start_on(
        dir: &TestDir,
        implementation: Implementation,
        config: &str,
        args: &[&str],
    ) -> anyhow::Result<Self> {
        let mut this = Self::launch(dir, implementation, config, args)?;
        until("supervisord to answer", TIMEOUT, || {
            if let Some(status) = this.child.try_wait()? {
                bail!("supervisord ended with {status}: {}{}", this.stdout(), this.stderr());
            }
            // Not through [`Self::call`]: the failure may be that it does not listen yet.
            Ok(this.ask("supervisor.getState", &[]).ok().map(drop))
        })?;
        Ok(this)
    }

    /// Starts it, and does not wait.
    pub fn launch(
        dir: &TestDir,
        implementation: Implementation,
        config: &str,
        args: &[&str],
    ) -> anyhow::Result<Self> {
        write_config(dir, config)?;
        let config = dir.path("supervisord.conf").display().to_string();
        let options = [&["-c", config.as_str()], args].concat();
        Self::spawn(dir, supervisord(dir, implementation, &options)?)
    }

    /// Starts this command as the test directory's daemon.
    pub fn spawn(dir: &TestDir, mut command: Command) -> anyhow::Result<Self> {
        let keep = |name: &str| File::create(dir.path(name)).with_context(|| format!("cannot keep {name}"));
        command.stdout(keep("supervisord.out")?).stderr(keep("supervisord.err")?);
        let child = command.spawn().context("cannot start supervisord")?;
        Ok(Self { child, folder: dir.folder().to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection to its unix socket, with a time limit for reading.
    pub fn connect(&self) -> anyhow::Result<UnixStream> {
        connect(&self.folder.join("s.sock"))
    }

    /// Calls any method, by its full name; `Err` inside is a fault.
    pub fn ask(&self, method: &str, params: &[XmlValue]) -> anyhow::Result<Result<XmlValue, XmlValue>> {
        xmlrpc::ask(self.connect()?, "", &xmlrpc::request(method, params)).with_context(|| method.to_owned())
    }

    /// Calls a method of `supervisor.*`; `Err` inside is a fault.
    pub fn call(&self, method: &str, params: &[XmlValue]) -> anyhow::Result<Result<XmlValue, XmlValue>> {
        self.ask(&format!("supervisor.{method}"), params)
    }

    /// Writes to the stdin of a process.
    pub fn write_stdin(&self, namespec: &str, text: &str) -> anyhow::Result<()> {
        let answer = self.call("sendProcessStdin", &[namespec.into(), text.into()])?;
        answer.map(drop).map_err(|fault| anyhow!("{namespec}: {fault}"))
    }

    /// Has it send a REMOTE_COMMUNICATION event.
    pub fn send_remote_event(&self, kind: &str, data: &str) -> anyhow::Result<()> {
        let answer = self.call("sendRemoteCommEvent", &[kind.into(), data.into()])?;
        answer.map(drop).map_err(|fault| anyhow!("{kind}: {fault}"))
    }

    /// The struct of a listener process in `ironlance.getListeners`.
    pub fn listener(&self, process: &str) -> anyhow::Result<XmlValue> {
        let all = self.ask("ironlance.getListeners", &[])?.map_err(|fault| anyhow!("{fault:?}"))?;
        let found =
            all.items().iter().find(|info| info.get("process").and_then(XmlValue::as_str) == Some(process));
        found.cloned().with_context(|| format!("getListeners has no {process}"))
    }

    /// Sends these bytes over a connection of its own, and reads until it is closed or, the head being there, silent
    /// for `limit`.
    pub fn http(&self, request: &[u8], limit: Duration) -> anyhow::Result<RawResponse> {
        let mut stream = self.connect()?;
        stream.write_all(request).context("cannot ask")?;
        let mut answer = raw_http::head(&mut stream)?;
        stream.set_read_timeout(Some(limit)).context("cannot set a time limit")?;
        let rest = raw_http::exchange(stream)?;
        answer.bytes.extend(rest.bytes);
        Ok(RawResponse { closed: rest.closed, ..answer })
    }

    /// A field of `getProcessInfo`.
    pub fn info(&self, namespec: &str, field: &str) -> anyhow::Result<XmlValue> {
        let answer = self.call("getProcessInfo", &[namespec.into()])?;
        let info = answer.map_err(|fault| anyhow::anyhow!("{namespec}: {fault}"))?;
        info.get(field).cloned().with_context(|| format!("cannot find {field} in {info}"))
    }

    /// The name of the process's state.
    pub fn state(&self, namespec: &str) -> anyhow::Result<String> {
        Ok(self.info(namespec, "statename")?.as_str().unwrap_or_default().to_owned())
    }

    /// Its pid, 0 for none.
    pub fn pid_of(&self, namespec: &str) -> anyhow::Result<i64> {
        Ok(self.info(namespec, "pid")?.as_int().unwrap_or_default())
    }

    /// Waits until the process is in this state; gives its pid, 0 when it has none.
    ///
    /// One that is RUNNING has also begun its program: a signal that comes earlier is lost by the original, whose
    /// child still has the handlers of its parent.
    pub fn wait_state(&self, namespec: &str, state: &str) -> anyhow::Result<i64> {
        until(&format!("{namespec} to be {state}"), TIMEOUT, || {
            Ok((self.state(namespec)? == state).then_some(()))
        })
        .with_context(|| self.log())?;
        let pid = self.pid_of(namespec)?;
        if state == "RUNNING" {
            let command = |pid: i64| fs::read(format!("/proc/{pid}/cmdline")).ok();
            let mine = command(i64::from(self.pid()));
            until(&format!("{namespec} to begin"), TIMEOUT, || Ok((command(pid) != mine).then_some(())))?;
        }
        Ok(pid)
    }

    /// Sends a signal to a running process of supervisord; gives its pid.
    pub fn hit(&self, namespec: &str, signal: Signal) -> anyhow::Result<i64> {
        let pid = self.pid_of(namespec)?;
        send(pid, signal).with_context(|| format!("cannot signal {namespec}"))?;
        Ok(pid)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        send(i64::from(self.pid()), signal)
    }

    /// Waits until it has ended.
    pub fn wait_end(&mut self) -> anyhow::Result<ExitStatus> {
        until("supervisord to end", TIMEOUT, || Ok(self.child.try_wait()?)).with_context(|| self.log())
    }

    /// Asks it to end by SIGTERM, and waits for that.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait_end()
    }

    /// A file of its folder, or nothing.
    pub fn file(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join(name)).unwrap_or_default()).into_owned()
    }

    /// The names of the files of its folder, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Waits until a file of its folder contains this; gives the file.
    pub fn wait_file(&self, name: &str, needle: &str) -> anyhow::Result<String> {
        until(&format!("{needle:?} in {name}"), TIMEOUT, || {
            Ok(Some(self.file(name)).filter(|text| text.contains(needle)))
        })
        .with_context(|| format!("{name}: {}\nlog: {}", self.file(name), self.log()))
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.file("supervisord.log")
    }

    /// Waits until this stands in its log.
    pub fn wait_log(&self, needle: &str) -> anyhow::Result<()> {
        self.wait_file("supervisord.log", needle).map(drop)
    }

    /// What it wrote to its stdout.
    pub fn stdout(&self) -> String {
        self.file("supervisord.out")
    }

    /// What it wrote to its stderr.
    pub fn stderr(&self) -> String {
        self.file("supervisord.err")
    }

    /// The lines of its log from INFO up which name this, without times and pids.
    ///
    /// Lines about different programs may come in any order; about one of them they may not.
    pub fn log_about(&self, name: &str) -> Vec<String> {
        self.log_lines().into_iter().filter(|line| names(line, name)).collect()
    }

    /// The lines of its log from INFO up, without times and pids, and without those of ours that say who asked for
    /// something, and who we are.
    pub fn log_lines(&self) -> Vec<String> {
        let log = redact(&self.log(), &self.folder);
        let lines = log.lines().filter_map(|line| line.strip_prefix("TIME "));
        lines
            .filter(|line| !line.starts_with("DEBG ") && !line.starts_with("TRAC "))
            .filter(|line| {
                !line.contains(" asked for by ") && !line.contains(", in the place of Supervisor ")
            })
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // What it leaves behind is ended by the test directory.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes `supervisord.conf`; `{dir}` in it becomes the test directory.
pub fn write_config(dir: &TestDir, config: &str) -> anyhow::Result<PathBuf> {
    dir.write("supervisord.conf", &config.replace("{dir}", &dir.folder().display().to_string()))
}

/// A connection to a unix socket, with a time limit for reading.
pub fn connect(socket: &Path) -> anyhow::Result<UnixStream> {
    let stream = UnixStream::connect(socket).context("cannot reach supervisord")?;
    stream.set_read_timeout(Some(TIMEOUT)).context("cannot set a time limit")?;
    Ok(stream)
}

/// Sends a signal to a process.
pub fn send(pid: i64, signal: Signal) -> anyhow::Result<()> {
    let pid =
        i32::try_from(pid).ok().and_then(Pid::from_raw).with_context(|| format!("cannot signal {pid}"))?;
    kill_process(pid, signal).with_context(|| format!("cannot signal {pid:?}"))
}

/// Whether the name stands in the line as a word.
fn names(line: &str, name: &str) -> bool {
    let part = |char: char| char.is_alphanumeric() || "_-".contains(char);
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + name.len()..].chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}
