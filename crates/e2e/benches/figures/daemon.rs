//! A supervisord of one contender, on a configuration of its own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use ironlance_e2e::wait::pause;
use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{Implementation, TestDir, until};
use rustix::process::{Pid, Signal, kill_process};

use crate::contender::Contender;
use crate::proc_usage::{self, Usage};
use crate::rpc_client::{self, Client};

/// The original takes half a minute to start thousands of programs.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// Keeps no output.
pub(crate) const NO_LOGS: &str = "stdout_logfile=NONE\nstderr_logfile=NONE\n";

/// What it is started with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan<'a> {
    /// The sections of programs and listeners.
    pub(crate) sections: &'a str,
    /// More lines of [supervisord].
    pub(crate) settings: &'a str,
    /// A soft limit of descriptors, when it shall not be ours.
    pub(crate) descriptors: Option<u32>,
}

/// A running daemon; killed when it is dropped. What it leaves behind is ended by its test directory.
pub(crate) struct Daemon {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    stderr: PathBuf,
}

impl Daemon {
    /// Starts it, and gives the moment just before; it does not answer yet.
    pub(crate) fn exec(
        dir: &TestDir,
        contender: &Contender,
        plan: &Plan<'_>,
    ) -> anyhow::Result<(Self, Instant)> {
        let folder = dir.folder().display();
        let Plan { sections, settings, descriptors } = plan;
        let text = format!(
            "[unix_http_server]\nfile={folder}/s.sock\n\n[supervisord]\nnodaemon=true\nlogfile={folder}/s.log\n\
             logfile_maxbytes=0\nloglevel=info\npidfile={folder}/s.pid\nchildlogdir={folder}\n{settings}\n\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\n{sections}"
        );
        let config = dir.write("s.conf", &text)?;
        let stderr = dir.path("s.err");
        let line = contender.command_line("supervisord")?;
        let line = match descriptors {
            Some(limit) => format!("prlimit --nofile={limit}: {line}"),
            None => line,
        };
        let mut words = line.split(' ');
        let mut command = dir.command(words.next().unwrap_or_default(), Implementation::Original)?;
        command
            .args(words)
            .arg("-n")
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&stderr).context("cannot keep stderr")?);
        let began = Instant::now();
        let child = command.spawn().context("cannot start the daemon")?;
        Ok((Self { child, socket: dir.path("s.sock"), log: dir.path("s.log"), stderr }, began))
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(dir: &TestDir, contender: &Contender, plan: &Plan<'_>) -> anyhow::Result<Self> {
        let (mut this, _) = Self::exec(dir, contender, plan)?;
        this.answers()?;
        Ok(this)
    }

    /// Waits until it says that it is RUNNING; gives the moment.
    pub(crate) fn answers(&mut self) -> anyhow::Result<Instant> {
        let end = Instant::now() + LONG;
        loop {
            if self.socket.exists() && self.ask("getState", &[]).is_ok_and(|body| body.contains("RUNNING")) {
                return Ok(Instant::now());
            }
            if let Some(status) = self.child.try_wait()? {
                let stderr = fs::read_to_string(&self.stderr).unwrap_or_default();
                bail!("the daemon ended with {status}: {stderr}");
            }
            ensure!(Instant::now() < end, "waited {LONG:?} in vain for the daemon to answer");
            // Short beside what is measured.
            pause(Duration::from_micros(200));
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has used up to now.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid())
    }

    /// Its memory, in MB.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        proc_usage::resident(self.pid())
    }

    /// Asks once for `supervisor.METHOD`.
    pub(crate) fn ask(&self, method: &str, params: &[XmlValue]) -> anyhow::Result<String> {
        rpc_client::ask(&self.socket, method, params, LONG)
    }

    /// A question to be asked often.
    pub(crate) fn client(&self, method: &str) -> Client {
        Client::new(&self.socket, method, &[], LONG)
    }

    /// Starts a program, without waiting for it to be RUNNING.
    pub(crate) fn begin(&self, program: &str) -> anyhow::Result<()> {
        self.ask("startProcess", &[program.into(), XmlValue::Bool(false)]).map(drop)
    }

    /// Starts all programs and waits until it says that they run; `count` of them must.
    pub(crate) fn start_all(&self, count: usize) -> anyhow::Result<()> {
        let answer = self.ask("startAllProcesses", &[XmlValue::Bool(true)])?;
        let started = answer.matches("<string>OK</string>").count();
        ensure!(started == count, "{started} of {count} programs were started");
        Ok(())
    }

    /// Stops all programs and waits until they have ended.
    pub(crate) fn stop_all(&self) -> anyhow::Result<()> {
        self.ask("stopAllProcesses", &[XmlValue::Bool(true)]).map(drop)
    }

    /// How many processes are in this state.
    pub(crate) fn count(&self, state: &str) -> anyhow::Result<usize> {
        let answer = self.ask("getAllProcessInfo", &[])?;
        Ok(answer.matches(&format!("<string>{state}</string>")).count())
    }

    /// Waits until this number of processes is in this state; polls seldom.
    pub(crate) fn wait_count(&self, count: usize, state: &str) -> anyhow::Result<()> {
        until(&format!("{count} programs to be {state}"), LONG, || {
            let there = self.count(state)? >= count;
            if !there {
                pause(Duration::from_millis(200));
            }
            Ok(there.then_some(()))
        })
    }

    /// Waits until this number of programs has entered RUNNING by its own log: a call would wake it.
    pub(crate) fn wait_log(&self, count: usize) -> anyhow::Result<()> {
        let end = Instant::now() + LONG;
        loop {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            if log.matches("entered RUNNING state").count() >= count {
                return Ok(());
            }
            ensure!(Instant::now() < end, "waited {LONG:?} in vain for {count} programs");
            pause(Duration::from_millis(2));
        }
    }

    /// Sends SIGTERM; gives the time until it is gone, which must be a good end.
    pub(crate) fn terminate(mut self) -> anyhow::Result<Duration> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("cannot have that pid")?;
        let began = Instant::now();
        kill_process(pid, Signal::TERM).context("cannot end the daemon")?;
        // Only this thread waits for it, and it always ends: a hang is seen by who runs the figures.
        let status = self.child.wait().context("cannot wait for the daemon")?;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(began.elapsed())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This number of programs that sleep, named with the letter; `more` goes into each section.
pub(crate) fn sleepers(letter: char, count: usize, more: &str) -> String {
    let program = |number| {
        format!("[program:{letter}{number:04}]\ncommand=/bin/sleep 100000\nstartsecs=0\n{NO_LOGS}{more}\n")
    };
    (0..count).map(program).collect()
}
