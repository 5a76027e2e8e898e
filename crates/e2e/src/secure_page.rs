//! A good page behind TLS: python/secure_page.py with the test directory's certificate, which no system trusts.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::Context;

use crate::implementation::Implementation;
use crate::mail_server::Certificate;
use crate::test_dir::TestDir;

/// The server; it ends with the value.
#[derive(Debug)]
pub struct SecurePage {
    child: Child,
    port: u16,
}

impl SecurePage {
    /// Starts one in the test directory, with its certificate for `localhost` and `127.0.0.1`.
    pub fn start(dir: &TestDir) -> anyhow::Result<Self> {
        let Certificate { certificate, key, .. } = Certificate::of(dir)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/secure_page.py");
        let mut command = dir.command(Implementation::Original.path("python")?, Implementation::Original)?;
        command.arg(script).arg(certificate).arg(key);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the secure page")?;
        let stdout = child.stdout.take();
        let mut this = Self { child, port: 0 };
        let mut line = String::new();
        BufReader::new(stdout.context("cannot read its port")?)
            .read_line(&mut line)
            .context("cannot read its port")?;
        let port = line.trim_end().strip_prefix("port ").and_then(|port| port.parse().ok());
        this.port = port.with_context(|| format!("cannot start the secure page: it said {line:?}"))?;
        Ok(this)
    }

    /// Its address under a name of this host, for example `https://localhost:4711/`.
    pub fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.port)
    }
}

impl Drop for SecurePage {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
