//! A connection to a mail server: [`SmtpSession`], from the banner to QUIT.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use ironlance_net::{DialError, NetStream, Tls, dial};
use tokio::net::TcpStream;

use super::auth::Mechanism;
use super::dialogue::{Dialogue, SmtpReply, Timeouts};
use crate::address::{addresses, bare};
use crate::channel::{DeliveryError, DeliveryProgress, OutgoingAlert, Receipt, RecipientRefusal, Retry};
use crate::receiver::{Security, SmtpServer};
use crate::render::mime::{AddressCharset, mail_for_server};
use crate::secret;

/// An open connection.
pub(super) struct SmtpSession {
    dialogue: Dialogue,
    server: String,
    /// How we greet it.
    hello: String,
    extensions: Vec<String>,
    sent: usize,
    broken: bool,
}

impl SmtpSession {
    /// Connects, greets, and sets up TLS and AUTH by the server's settings.
    pub(super) async fn open(
        server: &SmtpServer,
        timeouts: &Timeouts,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Self, DeliveryError> {
        let password = server.password.as_ref().map(secret::reveal).transpose();
        let password = password.map_err(|error| DeliveryError::unreachable(error.to_string()))?;
        let (stream, hello) = connect(server, timeouts, progress).await?;
        let mut session = Self {
            dialogue: Dialogue::new(stream, timeouts.clone()),
            server: server.to_string(),
            hello,
            extensions: Vec::new(),
            sent: 0,
            broken: false,
        };
        let banner = session.dialogue.banner().await;
        let banner = banner.map_err(|error| session.lost(&error))?;
        if !banner.is_positive() {
            return Err(session.lost(&banner));
        }
        progress.step(&format!("greeted: {banner}"));
        session.hello().await?;
        let mut session = session.start_tls(server, progress).await?;
        if let (Some(user), Some(password)) = (&server.user, &password)
            && let Err(error) = session.log_in(user, password, progress).await
        {
            session.quit().await;
            return Err(error);
        }
        Ok(session)
    }

    /// Whether this connection must not be used for another mail.
    pub(super) const fn is_spent(&self, most: usize) -> bool {
        self.broken || self.sent >= most
    }

    /// Sends QUIT, unless the connection is broken.
    pub(super) async fn quit(mut self) {
        if !self.broken {
            self.dialogue.quit().await;
        }
    }

    /// Resets the mail transaction; gives whether the connection still works.
    pub(super) async fn reset(&mut self) -> bool {
        self.ask("RSET", "at RSET").await.is_ok_and(|reply| reply.is_positive())
    }

    /// Sends one mail.
    pub(super) async fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        self.sent += 1;
        let alert = outgoing.alert;
        let charset =
            if self.offers("SMTPUTF8").is_some() { AddressCharset::Utf8 } else { AddressCharset::Ascii };
        let content = mail_for_server(alert, outgoing.late, charset);
        let from = alert.receiver.from.as_deref().unwrap_or_default();
        let to = addresses(&alert.receiver.to);
        let reply = self.ask(&self.sender(from, &to, content.len())?, "at MAIL").await?;
        if !reply.is_positive() {
            return Err(self.refused("the sender", &reply));
        }
        progress.step(&format!("sender <{}> accepted", bare(from)));
        let refused = self.recipients(&to, progress).await?;
        if refused.len() == to.len() {
            return Err(all_refused(&refused));
        }
        let reply = self.ask("DATA", "at DATA").await?;
        if reply.code != 354 {
            return Err(self.refused("the mail", &reply));
        }
        let reply = self.dialogue.content(&content).await.map_err(|error| self.lost(&error))?;
        if !reply.is_positive() {
            return Err(self.refused("the mail", &reply));
        }
        progress.step(&format!("message accepted: {reply}"));
        Ok(Receipt { refused, answer: reply.to_string() })
    }

    /// The MAIL command, with SIZE (RFC 1870) and SMTPUTF8 (RFC 6531) where they are offered and needed.
    fn sender(&self, from: &str, to: &[String], size: usize) -> Result<String, DeliveryError> {
        check_address(from).map_err(DeliveryError::rejected)?;
        let from = bare(from);
        let mut command = format!("MAIL FROM:<{from}>");
        if self.offers("SIZE").is_some() {
            command.push_str(&format!(" SIZE={size}"));
        }
        let beyond_ascii = !from.is_ascii() || to.iter().any(|to| !bare(to).is_ascii());
        if beyond_ascii && self.offers("SMTPUTF8").is_some() {
            command.push_str(" BODY=8BITMIME SMTPUTF8");
        } else if !from.is_ascii() {
            return Err(DeliveryError::rejected(self.ascii_only()));
        }
        Ok(command)
    }

    fn ascii_only(&self) -> String {
        format!("{} does not take addresses beyond ASCII (no SMTPUTF8)", self.server)
    }

    async fn recipients(
        &mut self,
        recipients: &[String],
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Vec<RecipientRefusal>, DeliveryError> {
        let mut refused = Vec::new();
        for to in recipients {
            let bare = bare(to);
            let refusal = match check_address(to) {
                Err(reason) => Some((reason, Retry::Never)),
                Ok(()) if bare.is_empty() => {
                    Some(("cannot send to an empty address".to_owned(), Retry::Never))
                }
                Ok(()) if !bare.is_ascii() && self.offers("SMTPUTF8").is_none() => {
                    Some((self.ascii_only(), Retry::Never))
                }
                Ok(()) => {
                    let reply = self.ask(&format!("RCPT TO:<{bare}>"), "at RCPT").await?;
                    if is_about_us(reply.code) {
                        return Err(self.refused("the recipient", &reply));
                    }
                    let retry = if reply.is_permanent() { Retry::Never } else { Retry::Later };
                    (!reply.is_positive()).then(|| (format!("{} said {reply}", self.server), retry))
                }
            };
            match refusal {
                None => progress.step(&format!("recipient <{bare}> accepted")),
                Some((reason, retry)) => {
                    progress.step(&format!("recipient <{bare}> refused: {reason}"));
                    refused.push(RecipientRefusal { recipient: to.clone(), reason, retry });
                }
            }
        }
        Ok(refused)
    }

    async fn hello(&mut self) -> Result<(), DeliveryError> {
        let mut reply = self.ask(&format!("EHLO {}", self.hello), "at EHLO").await?;
        if reply.is_permanent() {
            reply = self.ask(&format!("HELO {}", self.hello), "at HELO").await?;
            reply.lines.truncate(1);
        }
        if !reply.is_positive() {
            return Err(self.lost(&reply));
        }
        self.extensions = reply.lines.split_off(1);
        Ok(())
    }

    /// The words behind an extension's name, if the server has it; old servers write `AUTH=LOGIN` on another line.
    fn offers(&self, extension: &str) -> Option<Vec<String>> {
        let lines = self.extensions.iter().filter_map(|line| {
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            let name = words.next()?;
            name.eq_ignore_ascii_case(extension).then(|| words.map(str::to_owned).collect::<Vec<_>>())
        });
        lines.reduce(|all, more| [all, more].concat())
    }

    async fn start_tls(
        mut self,
        server: &SmtpServer,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Self, DeliveryError> {
        let offered = self.offers("STARTTLS").is_some();
        match server.security {
            Security::Plain | Security::Implicit => return Ok(self),
            Security::Offered if !offered => {
                progress.step("the server offers no STARTTLS: the mail goes in the clear");
                return Ok(self);
            }
            Security::StartTls if !offered => {
                return Err(self.lost(&"it offers no STARTTLS, and --tls asks for it"));
            }
            Security::Offered | Security::StartTls => {}
        }
        let reply = self.ask("STARTTLS", "at STARTTLS").await?;
        if !reply.is_positive() {
            return Err(self.lost(&reply));
        }
        let (stream, timeouts) = self.dialogue.into_parts();
        let NetStream::Tcp(stream) = stream else {
            return Err(cannot_send(&self.server, &"STARTTLS needs a TCP connection in the clear"));
        };
        self.dialogue = Dialogue::new(tls(stream, server, &timeouts).await?, timeouts);
        progress.step("TLS established by STARTTLS, certificate verified");
        self.hello().await?;
        Ok(self)
    }

    /// Authenticates by the first mechanism that works. After a refusal the mail waits: the configuration may be corrected.
    async fn log_in(
        &mut self,
        user: &str,
        password: &str,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<(), DeliveryError> {
        let mechanisms = Mechanism::offered(&self.offers("AUTH").unwrap_or_default());
        let mut verdict = "it offers none of AUTH CRAM-MD5, PLAIN, LOGIN".to_owned();
        for mechanism in mechanisms {
            let reply = mechanism.authenticate(&mut self.dialogue, user, password).await;
            let reply = reply.map_err(|error| self.lost(&error))?;
            // 503: already authenticated.
            if reply.is_positive() || reply.code == 503 {
                progress.step(&format!("authenticated as {user} by {}", mechanism.name()));
                return Ok(());
            }
            verdict = format!("it refused AUTH {} of {user}: {reply}", mechanism.name());
            if reply.code == 535 {
                progress.login_refused();
            }
        }
        // The connection still works.
        Err(DeliveryError::unreachable(format!("cannot log in to {}: {verdict}", self.server)))
    }

    /// Sends a command; a lost connection and a 421 make the server unreachable.
    async fn ask(&mut self, line: &str, when: &'static str) -> Result<SmtpReply, DeliveryError> {
        match self.dialogue.command(line, when).await {
            Ok(reply) if reply.code == 421 => Err(self.lost(&reply)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn lost(&mut self, error: &dyn Display) -> DeliveryError {
        self.broken = true;
        cannot_send(&self.server, error)
    }

    fn refused(&mut self, what: &str, reply: &SmtpReply) -> DeliveryError {
        let reason = format!("{} refused {what}: {reply}", self.server);
        match reply.code {
            421 => self.lost(reply),
            code if is_about_us(code) => self.lost(&format!("it refused {what}: {reply}")),
            _ if reply.is_permanent() => DeliveryError::rejected(reason),
            _ => DeliveryError::deferred(reason),
        }
    }
}

/// No TLS, no AUTH, or wrong credentials (RFC 4954, 6), at any step: the configuration may be corrected, so the mail
/// waits.
const fn is_about_us(code: u16) -> bool {
    matches!(code, 530 | 534 | 535 | 538)
}

fn all_refused(refused: &[RecipientRefusal]) -> DeliveryError {
    let reasons: Vec<String> =
        refused.iter().map(|refusal| format!("{}: {}", refusal.recipient, refusal.reason)).collect();
    let reason = format!("no recipient accepted: {}", reasons.join("; "));
    if refused.iter().all(|refusal| refusal.retry == Retry::Never) {
        DeliveryError::rejected(reason)
    } else {
        DeliveryError::deferred(reason)
    }
}

fn cannot_send(server: &dyn Display, error: &dyn Display) -> DeliveryError {
    DeliveryError::unreachable(format!("cannot send by {server}: {error}"))
}

/// The stream to a server, and the name to greet it with.
async fn connect(
    server: &SmtpServer,
    timeouts: &Timeouts,
    progress: &mut dyn DeliveryProgress,
) -> Result<(NetStream, String), DeliveryError> {
    let unreachable = |error| DeliveryError::unreachable(format!("cannot reach {server}: {error}"));
    let addresses = timed(timeouts.resolve, dial::resolve(&server.host, server.port)).await;
    let addresses = addresses.map_err(unreachable)?;
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    progress.step(&format!("resolved {}: {}", server.host, shown.join(", ")));
    let stream = timed(timeouts.connect, dial::connect(&addresses)).await.map_err(unreachable)?;
    let peer = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
    progress.step(&format!("connected to {peer}"));
    let own = stream.local_addr().map(|address| address.ip());
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let hello = match own {
        Ok(IpAddr::V4(address)) if !name.contains('.') => format!("[{address}]"),
        Ok(IpAddr::V6(address)) if !name.contains('.') => format!("[IPv6:{address}]"),
        _ => name,
    };
    if server.security != Security::Implicit {
        return Ok((NetStream::Tcp(stream), hello));
    }
    let stream = tls(stream, server, timeouts).await?;
    progress.step("TLS established, certificate verified");
    Ok((stream, hello))
}

async fn tls(
    stream: TcpStream,
    server: &SmtpServer,
    timeouts: &Timeouts,
) -> Result<NetStream, DeliveryError> {
    let tls = Tls::Verified { ca_file: server.ca_file.clone() };
    let stream = timed(timeouts.tls, dial::start_tls(stream, &server.host, &tls)).await;
    stream.map_err(|error| cannot_send(server, &error))
}

/// A step of connecting, or why it failed.
async fn timed<T>(limit: Duration, step: impl Future<Output = Result<T, DialError>>) -> Result<T, String> {
    let outcome = tokio::time::timeout(limit, step).await.map_err(|_| "timed out".to_owned())?;
    outcome.map_err(|error| error.to_string())
}

/// Refuses an address that the server could read as something else.
fn check_address(address: &str) -> Result<(), String> {
    let bad = |c: char| c.is_whitespace() || "<>".contains(c);
    if address.chars().any(char::is_control) || bare(address).chars().any(bad) {
        Err(format!("cannot use {address:?} as an address"))
    } else {
        Ok(())
    }
}
