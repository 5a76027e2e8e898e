//! How and to whom an alert goes.

use std::fmt;
use std::path::PathBuf;

use ironlance_core::redact::program_only;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// How an alert travels, from whom, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// The way it goes.
    pub transport: Transport,
    /// The From header and the envelope sender; a sendmail command may do without.
    pub from: Option<String>,
    /// The recipients, as they were given; never empty.
    pub to: Vec<String>,
}

/// What carries an alert to its recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A command line for `/bin/sh -c` that takes a mail on its standard input, or a body where its name says so
    /// ([`crate::channel::sendmail::intake`]).
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
    /// Who we are to the server; with no password, no AUTH takes place.
    pub user: Option<String>,
    /// What proves it.
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

impl fmt::Display for Transport {
    /// For people: names the server, or the program of the command, whose options may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sendmail { command } | Self::BodyOnly { command } => {
                write!(f, "command {}", program_only(command))
            }
            Self::Smtp(server) => server.fmt(f),
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
        if self.host.contains(':') {
            write!(f, "{scheme}://{user}[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{user}{}:{}", self.host, self.port)
        }
    }
}
