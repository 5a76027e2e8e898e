//! A whole supervisord on a configuration of its own.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::implementation::Implementation;
use crate::test_dir::TestDir;
use crate::wait::{TIMEOUT, until};
use crate::xmlrpc::{self, XmlValue};

/// A running supervisord; ended, with all its children, when it is dropped.
pub struct Supervisord {
    child: Child,
    interface: Interface,
    socket: PathBuf,
    log: PathBuf,
}

/// Where its XML-RPC interface is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interface {
    /// On a unix socket, for all who may open the file.
    Unix,
    /// On a unix socket, for this `USER:PASSWORD`.
    UnixFor(String),
    /// On this port of 127.0.0.1, for this `USER:PASSWORD`.
    TcpFor(u16, String),
}

impl Interface {
    fn login(&self) -> &str {
        match self {
            Self::Unix => "",
            Self::UnixFor(login) | Self::TcpFor(_, login) => login,
        }
    }

    fn section(&self, socket: &Path) -> String {
        let credentials = self.login().split_once(':').map(|(user, password)| {
            // A percent sign begins an expansion in the file.
            format!("username={user}\npassword={}\n", password.replace('%', "%%"))
        });
        let place = match self {
            Self::Unix | Self::UnixFor(_) => format!("[unix_http_server]\nfile={}\n", socket.display()),
            Self::TcpFor(port, _) => format!("[inet_http_server]\nport=127.0.0.1:{port}\n"),
        };
        place + &credentials.unwrap_or_default()
    }
}

impl Supervisord {
    /// Starts the daemon of the implementation with these sections; `PATH` leads its listeners to `listeners`.
    ///
    /// Returns when it answers.
    pub fn start(
        dir: &TestDir,
        daemon: Implementation,
        listeners: Implementation,
        sections: &str,
    ) -> anyhow::Result<Self> {
        Self::start_on(Interface::Unix, dir, daemon, listeners, sections)
    }

    /// The same with another interface.
    pub fn start_on(
        interface: Interface,
        dir: &TestDir,
        daemon: Implementation,
        listeners: Implementation,
        sections: &str,
    ) -> anyhow::Result<Self> {
        let folder = dir.folder().display();
        let socket = dir.path("supervisor.sock");
        let server = interface.section(&socket);
        let config = dir.write(
            "supervisord.conf",
            &format!(
                "{server}\n[supervisord]\nnodaemon=true\nloglevel=debug\nlogfile={folder}/supervisord.log\n\
                 pidfile={folder}/supervisord.pid\nchildlogdir={folder}\n\n\
                 [rpcinterface:supervisor]\n\
                 supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\n{sections}"
            ),
        )?;
        let stderr = File::create(dir.path("supervisord.err")).context("cannot keep stderr")?;
        let child = dir
            .command(daemon.path("supervisord")?, listeners)?
            .arg("-n")
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .context("cannot start supervisord")?;
        let mut this = Self { child, interface, socket, log: dir.path("supervisord.log") };
        until("supervisord to answer", TIMEOUT, || {
            if let Some(status) = this.child.try_wait()? {
                let stderr = fs::read_to_string(dir.path("supervisord.err")).unwrap_or_default();
                bail!("supervisord ended with {status}: {stderr}");
            }
            Ok(this.call("getState", &[]).ok())
        })?;
        Ok(this)
    }

    /// Calls a method of `supervisor.*`.
    pub fn call(&self, method: &str, params: &[XmlValue]) -> anyhow::Result<XmlValue> {
        let method = format!("supervisor.{method}");
        let login = self.interface.login();
        if let Interface::TcpFor(port, _) = self.interface {
            let stream = TcpStream::connect(("127.0.0.1", port)).context("cannot reach supervisord")?;
            stream.set_read_timeout(Some(TIMEOUT)).context("cannot set a time limit")?;
            return xmlrpc::call(stream, login, &method, params);
        }
        let stream = UnixStream::connect(&self.socket).context("cannot reach supervisord")?;
        stream.set_read_timeout(Some(TIMEOUT)).context("cannot set a time limit")?;
        xmlrpc::call(stream, login, &method, params)
    }

    /// Waits until the process is in this state, for example `RUNNING`; gives its pid, 0 when it has none.
    pub fn wait_state(&self, namespec: &str, state: &str) -> anyhow::Result<i64> {
        until(&format!("{namespec} to be {state}"), TIMEOUT, || {
            let info = self.call("getProcessInfo", &[namespec.into()])?;
            let there = info.get("statename").and_then(XmlValue::as_str) == Some(state);
            Ok(info.get("pid").and_then(XmlValue::as_int).filter(|_| there))
        })
        .with_context(|| self.log())
    }

    /// Sends SIGKILL to a running process of supervisord; gives its pid.
    pub fn kill(&self, namespec: &str) -> anyhow::Result<i64> {
        let pid = self.wait_state(namespec, "RUNNING")?;
        let victim = i32::try_from(pid).ok().and_then(Pid::from_raw).context("cannot kill: it has no pid")?;
        kill_process(victim, Signal::KILL).with_context(|| format!("cannot kill {namespec}"))?;
        Ok(pid)
    }

    /// What a process has written to stderr.
    pub fn stderr_of(&self, namespec: &str) -> anyhow::Result<String> {
        let text = self.call("tailProcessStderrLog", &[namespec.into(), 0.into(), 1_000_000.into()])?;
        Ok(text.items().first().and_then(XmlValue::as_str).unwrap_or_default().to_owned())
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until this stands in its log.
    pub fn wait_log(&self, needle: &str) -> anyhow::Result<()> {
        until(&format!("{needle:?} in supervisord's log"), TIMEOUT, || {
            Ok(self.log().contains(needle).then_some(()))
        })
        .with_context(|| self.log())
    }

    /// Ends it in order, and waits for that.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.terminate(Duration::from_secs(10))
    }

    fn terminate(&mut self, limit: Duration) -> anyhow::Result<()> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("cannot have that pid")?;
        if self.child.try_wait()?.is_none() {
            kill_process(pid, Signal::TERM).context("cannot end supervisord")?;
        }
        until("supervisord to end", limit, || Ok(self.child.try_wait()?)).map(drop)
    }
}

impl Drop for Supervisord {
    fn drop(&mut self) {
        // Whatever it leaves behind is ended by the test directory.
        if self.terminate(Duration::from_secs(3)).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
