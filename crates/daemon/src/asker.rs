//! Who asked for something, and why a process was told to stop: kept with its end, for people to see.

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use ironlance_core::Namespec;
use ironlance_core::plain::plain;

/// Names and commands are shown up to so many characters.
const LONGEST: usize = 64;

/// Who asks supervisord for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client of XML-RPC.
    Client(Client),
    /// A visitor of the page.
    Page(Client),
    /// A process of this supervisord, such as the listener memmon.
    Process(Namespec),
    /// A signal to supervisord, by its name.
    Signal(&'static str),
    /// Supervisord itself, after a fault of its own.
    Itself,
    /// Nobody knows who.
    Unknown,
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The other end of the connection.
    pub peer: Peer,
    /// The user whose password it showed.
    pub user: Option<Rc<str>>,
}

/// The other end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine, by the kernel's word at the time of connecting.
    Local {
        /// Its number; nothing where it is of another pid namespace.
        pid: Option<u32>,
        /// Its user.
        uid: u32,
        /// The name of its command, where it was still there to be looked at.
        command: Option<Rc<str>>,
    },
    /// An address.
    Remote(SocketAddr),
    /// Nobody knows.
    #[default]
    Unknown,
}

/// Why a process was sent a signal by supervisord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody asked for it to stop.
    Stop(Rc<Asker>),
    /// Somebody asked for this signal to be sent to it.
    Signal(Rc<Asker>),
    /// All of supervisord ends.
    Shutdown(Rc<Asker>),
    /// All of supervisord begins anew.
    Restart(Rc<Asker>),
    /// It is a listener that broke the protocol.
    Recycled,
}

impl Reason {
    /// The process of this supervisord that asked for it, where it is one.
    pub fn process(&self) -> Option<&Namespec> {
        match self {
            Self::Stop(asker) | Self::Signal(asker) | Self::Shutdown(asker) | Self::Restart(asker) => {
                match &**asker {
                    Asker::Process(namespec) => Some(namespec),
                    Asker::Client(_) | Asker::Page(_) | Asker::Signal(_) | Asker::Itself | Asker::Unknown => {
                        None
                    }
                }
            }
            Self::Recycled => None,
        }
    }

    /// Whether the process was told to stop, by supervisord's own way of stopping.
    pub const fn is_stop(&self) -> bool {
        match self {
            Self::Stop(_) | Self::Shutdown(_) | Self::Restart(_) => true,
            // It comes back: nobody wanted it to be stopped.
            Self::Signal(_) | Self::Recycled => false,
        }
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => client.fmt(f),
            Self::Page(client) => write!(f, "{client}, on the web page"),
            Self::Process(namespec) => write!(f, "{namespec}, a process of this supervisord"),
            Self::Signal(name) => write!(f, "{name} to supervisord"),
            Self::Unknown => f.write_str("somebody"),
            Self::Itself => f.write_str("supervisord, after a fault of its own"),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().map(shown);
        match (&self.peer, user) {
            (Peer::Local { pid, uid, command }, _) => {
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
            (Peer::Remote(address), Some(user)) => write!(f, "{user} at {address}"),
            (Peer::Remote(address), None) => write!(f, "a client at {address}"),
            (Peer::Unknown, Some(user)) => f.write_str(&user),
            (Peer::Unknown, None) => f.write_str("a client"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop(asker) | Self::Signal(asker) => asker.fmt(f),
            Self::Shutdown(asker) => write!(f, "the shutdown, asked for by {asker}"),
            Self::Restart(asker) => write!(f, "the restart of supervisord, asked for by {asker}"),
            Self::Recycled => f.write_str("supervisord, as it broke the protocol of listeners"),
        }
    }
}

fn shown(text: &str) -> String {
    plain(&text.chars().take(LONGEST).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asker_is_put_into_words() {
        let local =
            |command: Option<&str>| Peer::Local { pid: Some(7), uid: 0, command: command.map(Into::into) };
        let client = |peer, user: Option<&str>| Client { peer, user: user.map(Into::into) };
        let remote = Peer::Remote(([10, 0, 0, 5], 4321).into());
        for (asker, words) in [
            (Asker::Client(client(local(Some("supervisorctl")), Some("ops"))), "supervisorctl (pid 7, root)"),
            (Asker::Client(client(local(None), None)), "a client (pid 7, root)"),
            (
                Asker::Client(client(Peer::Local { pid: None, uid: 33, command: None }, None)),
                "a client (uid 33)",
            ),
            (Asker::Client(client(remote.clone(), Some("ops"))), "ops at 10.0.0.5:4321"),
            (Asker::Page(client(remote, None)), "a client at 10.0.0.5:4321, on the web page"),
            (Asker::Process(Namespec::new("memmon", "memmon")), "memmon, a process of this supervisord"),
            (Asker::Signal("SIGTERM"), "SIGTERM to supervisord"),
            (Asker::Client(client(local(Some("a\u{1b}[2J")), None)), "a\\x1b[2J (pid 7, root)"),
        ] {
            assert_eq!(asker.to_string(), words);
        }
        let signal = Rc::new(Asker::Signal("SIGHUP"));
        assert_eq!(
            Reason::Restart(signal).to_string(),
            "the restart of supervisord, asked for by SIGHUP to supervisord"
        );
    }
}
