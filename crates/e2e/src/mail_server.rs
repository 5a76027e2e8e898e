//! A mail server that keeps what it gets and misbehaves on order: aiosmtpd, in python/mail_server.py.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

use crate::implementation::Implementation;
use crate::mailer::read_mails;
use crate::test_dir::TestDir;
use crate::wait::{TIMEOUT, until};

/// How it is to be set up.
#[derive(Clone, Debug, Default)]
pub struct FakeMailServerOptions {
    auth: Option<String>,
    tls: Option<Tls>,
    clear_auth: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Required,
    Implicit,
}

impl FakeMailServerOptions {
    /// Only this `USER:PASSWORD` may send; with TLS, unless `clear_auth` is called as well.
    #[must_use]
    pub fn auth(mut self, user_and_password: &str) -> Self {
        self.auth = Some(user_and_password.to_owned());
        self
    }

    /// Takes a password without TLS.
    #[must_use]
    pub fn clear_auth(mut self) -> Self {
        self.clear_auth = true;
        self
    }

    /// Takes no mail before STARTTLS. The certificate is of the test directory's authority, for `localhost` and
    /// `127.0.0.1`.
    #[must_use]
    pub fn require_starttls(mut self) -> Self {
        self.tls = Some(Tls::Required);
        self
    }

    /// TLS from the first byte.
    #[must_use]
    pub fn implicit_tls(mut self) -> Self {
        self.tls = Some(Tls::Implicit);
        self
    }
}

/// A mail that the server has taken.
#[derive(Clone, Debug)]
pub struct CapturedMail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients, joined by `, `.
    pub to: String,
    /// The mechanism and the user, empty without authentication.
    pub auth: String,
    /// Whether it came over TLS: `yes` or `no`.
    pub tls: String,
    /// Head and body with LF line ends.
    pub content: String,
}

/// The server; it ends with the value.
pub struct FakeMailServer {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
    port: u16,
}

impl FakeMailServer {
    /// Starts one in the test directory.
    pub fn start(dir: &TestDir, setup: &FakeMailServerOptions) -> anyhow::Result<Self> {
        let folder = (0..).map(|n| dir.path(&format!("server{n}.mails"))).find(|path| !path.exists());
        let folder = folder.context("cannot name a folder")?;
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/mail_server.py");
        let mut command = dir.command(Implementation::Original.path("python")?, Implementation::Original)?;
        command.arg(script).arg(&folder);
        if let Some(auth) = &setup.auth {
            command.args(["--auth", auth]);
        }
        if setup.clear_auth {
            command.arg("--clear-auth");
        }
        if let Some(tls) = setup.tls {
            let Certificate { certificate, key, .. } = Certificate::of(dir)?;
            command.arg("--certificate").arg(certificate).arg(key);
            match tls {
                Tls::Required => drop(command.arg("--require-tls")),
                Tls::Implicit => drop(command.arg("--implicit")),
            }
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the mail server")?;
        let orders = child.stdin.take().context("cannot give it orders")?;
        let answers = BufReader::new(child.stdout.take().context("cannot read its answers")?);
        let mut this = Self { child, orders, answers, folder, port: 0 };
        let greeting = this.answer()?;
        let port = greeting.strip_prefix("port ").and_then(|port| port.parse().ok());
        this.port = port.with_context(|| format!("cannot start the mail server: it said {greeting:?}"))?;
        Ok(this)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives an order (see the script), and waits until it is in force; gives what stands behind `done`.
    pub fn set_behaviour(&mut self, order: &str) -> anyhow::Result<String> {
        writeln!(self.orders, "{order}").with_context(|| format!("cannot order {order:?}"))?;
        let answer = self.answer()?;
        let rest =
            answer.strip_prefix("done").with_context(|| format!("cannot order {order:?}: {answer:?}"))?;
        Ok(rest.trim().to_owned())
    }

    fn answer(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line).context("cannot read its answer")? == 0 {
            bail!("the mail server has ended");
        }
        Ok(line.trim_end().to_owned())
    }

    /// The mails so far, in the order of their arrival.
    pub fn mails(&self) -> anyhow::Result<Vec<CapturedMail>> {
        Ok(read_mails(&self.folder)?.iter().map(|text| parse(text)).collect())
    }

    /// How many there are so far: asked of the server, which is cheap however many there are.
    pub fn count_mails(&mut self) -> anyhow::Result<usize> {
        let count = self.set_behaviour("mails")?;
        count.parse().with_context(|| format!("cannot count the mails: it said {count:?}"))
    }

    /// Waits until there is this number of mails.
    pub fn wait(&self, count: usize) -> anyhow::Result<Vec<CapturedMail>> {
        until(&format!("{count} mails at the server"), TIMEOUT, || {
            let mails = self.mails()?;
            Ok((mails.len() >= count).then_some(mails))
        })
    }
}

impl Drop for FakeMailServer {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(text: &str) -> CapturedMail {
    let (head, content) = text.split_once("\n\n").unwrap_or((text, ""));
    let field =
        |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    let content = content.replace("\r\n", "\n");
    CapturedMail {
        from: field("from: "),
        to: field("to: "),
        auth: field("auth: "),
        tls: field("tls: "),
        content,
    }
}

/// A certificate for `localhost` and `127.0.0.1`, and the authority that signed it.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The authority's certificate, for `--ca-file`.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Certificate {
    /// The test directory's; made when first asked for.
    pub fn of(dir: &TestDir) -> anyhow::Result<Self> {
        let this = Self {
            authority: dir.path("tls/authority.pem"),
            certificate: dir.path("tls/server.pem"),
            key: dir.path("tls/server.key"),
        };
        if this.certificate.exists() {
            return Ok(this);
        }
        dir.write("tls/names", "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")?;
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        let steps = format!(
            "cd tls && openssl req -x509 {key} -keyout authority.key -out authority.pem -subj '/CN=test authority' -days 2 &&
             openssl req -new {key} -keyout server.key -out server.csr -subj /CN=localhost &&
             openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial \
                -out server.pem -days 2 -extfile names"
        );
        let mut shell: Command = dir.command("sh", Implementation::Original)?;
        let output = shell.args(["-c", &steps]).output().context("cannot run openssl")?;
        if !output.status.success() {
            bail!("cannot make a certificate: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(this)
    }
}
