//! Who has requested something, and why a process was signalled: [`Requester`] and [`SignalReason`], kept with the
//! exit of a process and shown to people.

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use ironlance_core::Namespec;
use ironlance_core::text::escape::escape_controls;

/// The longest name or command that is shown, in characters.
const MAX_SHOWN: usize = 64;

/// Who requests something of supervisord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requester {
    /// A client over XML-RPC.
    Client(RequestSource),
    /// A browser on the web page.
    Page(RequestSource),
    /// A process of this supervisord, such as the listener memmon.
    Process(Namespec),
    /// A signal to supervisord, by name.
    Signal(&'static str),
    /// Supervisord itself, after a panic.
    Daemon,
    /// Not known.
    Unknown,
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSource {
    /// The other end of the connection.
    pub peer: ClientPeer,
    /// The user that has logged in.
    pub user: Option<Rc<str>>,
}

/// The other end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientPeer {
    /// A process of this machine, as the kernel has it from connect(2).
    Local {
        /// Its pid; none in another pid namespace.
        pid: Option<u32>,
        /// Its uid.
        uid: u32,
        /// The name of its command, if it was still running.
        command: Option<Rc<str>>,
    },
    /// An address.
    Remote(SocketAddr),
    /// Not known.
    #[default]
    Unknown,
}

/// Why supervisord has signalled a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalReason {
    /// A stop was requested.
    Stop(Rc<Requester>),
    /// This signal was requested.
    Signal(Rc<Requester>),
    /// Supervisord shuts down.
    Shutdown(Rc<Requester>),
    /// Supervisord restarts.
    Restart(Rc<Requester>),
    /// It is a listener that broke the protocol.
    Recycled,
}

impl SignalReason {
    /// The process of this supervisord that has requested it, if it is one.
    pub fn process(&self) -> Option<&Namespec> {
        match self {
            Self::Stop(requester)
            | Self::Signal(requester)
            | Self::Shutdown(requester)
            | Self::Restart(requester) => match &**requester {
                Requester::Process(namespec) => Some(namespec),
                _ => None,
            },
            Self::Recycled => None,
        }
    }

    /// Whether the process was stopped, by its `stopsignal`.
    pub const fn is_stop(&self) -> bool {
        // A recycled listener is started again; a signal is not a stop.
        matches!(self, Self::Stop(_) | Self::Shutdown(_) | Self::Restart(_))
    }
}

impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => client.fmt(f),
            Self::Page(client) => write!(f, "{client}, on the web page"),
            Self::Process(namespec) => write!(f, "{namespec}, a process of this supervisord"),
            Self::Signal(name) => write!(f, "{name} to supervisord"),
            Self::Unknown => f.write_str("somebody"),
            Self::Daemon => f.write_str("supervisord, after a fault of its own"),
        }
    }
}

impl fmt::Display for RequestSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().map(shown);
        match (&self.peer, user) {
            (ClientPeer::Local { pid, uid, command }, _) => {
                match command {
                    Some(command) => f.write_str(&shown(command))?,
                    None => f.write_str("a client")?,
                }
                let who = if *uid == 0 { "root".to_owned() } else { format!("uid {uid}") };
                match pid {
                    Some(pid) => write!(f, " (pid {pid}, {who})"),
                    None => write!(f, " ({who})"),
                }
            }
            (ClientPeer::Remote(address), Some(user)) => write!(f, "{user} at {address}"),
            (ClientPeer::Remote(address), None) => write!(f, "a client at {address}"),
            (ClientPeer::Unknown, Some(user)) => f.write_str(&user),
            (ClientPeer::Unknown, None) => f.write_str("a client"),
        }
    }
}

impl fmt::Display for SignalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop(requester) | Self::Signal(requester) => requester.fmt(f),
            Self::Shutdown(requester) => write!(f, "the shutdown, asked for by {requester}"),
            Self::Restart(requester) => write!(f, "the restart of supervisord, asked for by {requester}"),
            Self::Recycled => f.write_str("supervisord, as it broke the protocol of listeners"),
        }
    }
}

fn shown(text: &str) -> String {
    escape_controls(&text.chars().take(MAX_SHOWN).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asker_is_put_into_words() {
        let local = |command: Option<&str>| ClientPeer::Local {
            pid: Some(7),
            uid: 0,
            command: command.map(Into::into),
        };
        let client = |peer, user: Option<&str>| RequestSource { peer, user: user.map(Into::into) };
        let remote = ClientPeer::Remote(([10, 0, 0, 5], 4321).into());
        for (requester, words) in [
            (
                Requester::Client(client(local(Some("supervisorctl")), Some("ops"))),
                "supervisorctl (pid 7, root)",
            ),
            (Requester::Client(client(local(None), None)), "a client (pid 7, root)"),
            (
                Requester::Client(client(ClientPeer::Local { pid: None, uid: 33, command: None }, None)),
                "a client (uid 33)",
            ),
            (Requester::Client(client(remote.clone(), Some("ops"))), "ops at 10.0.0.5:4321"),
            (Requester::Page(client(remote, None)), "a client at 10.0.0.5:4321, on the web page"),
            (Requester::Process(Namespec::new("memmon", "memmon")), "memmon, a process of this supervisord"),
            (Requester::Signal("SIGTERM"), "SIGTERM to supervisord"),
            (Requester::Client(client(local(Some("a\u{1b}[2J")), None)), "a\\x1b[2J (pid 7, root)"),
        ] {
            assert_eq!(requester.to_string(), words);
        }
        let signal = Rc::new(Requester::Signal("SIGHUP"));
        assert_eq!(
            SignalReason::Restart(signal).to_string(),
            "the restart of supervisord, asked for by SIGHUP to supervisord"
        );
    }
}
