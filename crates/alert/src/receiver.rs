//! The receiver of an alert: [`Receiver`], a channel with its settings, the addresses, and the format that they read.

use std::fmt;
use std::path::PathBuf;

use ironlance_core::alerting::channel::Channel;
use ironlance_core::redact::program_only;
use serde::{Deserialize, Serialize};

use crate::secret::{Secret, SecretError, reveal};

/// A channel, the addresses that it serves, and the format that they read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// Which of the program's receivers this is; empty where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The channel and its settings.
    pub transport: Transport,
    /// The sender: From header and envelope; a sendmail command may do without.
    pub from: Option<String>,
    /// The addresses as they were given; never empty.
    pub to: Vec<String>,
    /// What the addresses read. Stored beside the receiver (`outbox/record`).
    #[serde(skip)]
    pub format: Format,
}

/// How the entries of an alert become the text that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A mail: the texts, then the details.
    #[default]
    Mail,
    /// A mail about several things: a line for each, with its time; then the details.
    Digest,
    /// The lines only, cut to a short message of this length where there is one.
    Sms {
        /// In characters of the GSM 7-bit alphabet; of UCS-2, 70 for each 160 of these.
        max_length: Option<usize>,
    },
    /// A card of `watch`, in the dialect of the channel.
    Card,
}

/// A channel and its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A command line for `/bin/sh -c` that takes a mail on its standard input, or a body where its name says so
    /// ([`crate::channel::sendmail::input_format`]).
    Sendmail {
        /// The command line.
        command: String,
    },
    /// A command line for `/bin/sh -c` that takes To, Subject and the text, as superlance writes them.
    BodyOnly {
        /// The command line.
        command: String,
    },
    /// A mail server.
    Smtp(SmtpServer),
    /// A channel of `[alert:x]` that takes cards.
    Channel {
        /// The channel.
        channel: Channel,
        /// `proxy=`: the URL of the proxy that leads to it; where there is none, the environment may name one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proxy: Option<Secret>,
    },
}

impl Transport {
    /// Puts in the secrets of this process's environment, before an alert is stored: the deliverer may have another one.
    pub fn embed_environment(&mut self) -> Result<(), SecretError> {
        let secrets = match self {
            Self::Sendmail { .. } | Self::BodyOnly { .. } => Vec::new(),
            Self::Smtp(server) => server.password.iter_mut().collect(),
            Self::Channel { channel, proxy } => channel.secrets_mut().into_iter().chain(proxy).collect(),
        };
        for secret in secrets.into_iter().filter(|secret| matches!(secret, Secret::Env(_))) {
            *secret = Secret::Literal(reveal(secret)?);
        }
        Ok(())
    }

    /// What is sent by it, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sendmail { .. } | Self::BodyOnly { .. } | Self::Smtp(_) => "email",
            Self::Channel { channel, .. } => channel.name(),
        }
    }
}

/// A mail server and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpServer {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How the connection is secured.
    pub security: Security,
    /// The account; without a password there is no AUTH.
    pub user: Option<String>,
    /// The password of the account.
    pub password: Option<Secret>,
    /// PEM file of certificate authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to a mail server is secured. Certificates are always verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// In the clear, as the originals do without `--tls`.
    Plain,
    /// STARTTLS (RFC 3207) where the server offers it.
    Offered,
    /// STARTTLS, or no mail.
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Implicit,
}

impl fmt::Display for Receiver {
    /// For people: the addresses and the channel.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.to.join(", "), self.transport)
    }
}

impl fmt::Display for Transport {
    /// For people: names the server, or the program of the command, whose options may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sendmail { command } | Self::BodyOnly { command } => {
                write!(f, "command {}", program_only(command))
            }
            Self::Smtp(server) => server.fmt(f),
            Self::Channel { channel, .. } => f.write_str(channel.name()),
        }
    }
}

impl fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.security {
            Security::Implicit => "smtps",
            Security::Plain | Security::Offered | Security::StartTls => "smtp",
        };
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{user}{host}:{}", self.port)
    }
}
