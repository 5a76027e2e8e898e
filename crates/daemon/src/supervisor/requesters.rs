//! Identifies clients: a process of this supervisord, a listener, or a command; and logs what they request.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;

use ironlance_core::Namespec;
use ironlance_core::log_level::Level;
use ironlance_core::text::escape::escape_controls;

use super::Supervisor;
use crate::request::RpcRequest;
use crate::requester::{ClientPeer, RequestSource, Requester, SignalReason};
use crate::state::exit_record::SentSignal;
use crate::state::ids::ProcessId;

impl Supervisor {
    /// A requester with what the owner knows of it: one of its own processes, or the name of a command.
    pub(super) fn identify(&self, requester: Requester) -> Rc<Requester> {
        if let Requester::Client(RequestSource { peer: ClientPeer::Remote(address), .. }) = &requester {
            return Rc::new(self.listener_with_socket(*address).map_or(requester, Requester::Process));
        }
        let Requester::Client(RequestSource { peer: ClientPeer::Local { pid: Some(pid), uid, .. }, user }) =
            requester
        else {
            return Rc::new(requester);
        };
        if let Some(process) = self.state.table.pids.get(&pid).and_then(|id| self.state.table.process(*id)) {
            return Rc::new(Requester::Process(process.namespec().clone()));
        }
        // A listener may be started by a shell.
        let parent = parent(pid).and_then(|parent| self.state.table.pids.get(&parent));
        let listener =
            parent.and_then(|id| self.state.table.process(*id)).filter(|process| process.is_listener());
        if let Some(listener) = listener {
            return Rc::new(Requester::Process(listener.namespec().clone()));
        }
        let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok();
        let command = command.map(|command| command.trim_end().into());
        Rc::new(Requester::Client(RequestSource {
            peer: ClientPeer::Local { pid: Some(pid), uid, command },
            user,
        }))
    }

    /// The listener that has the other end of a loopback connection: found by its descriptors in /proc, as there are no
    /// peer credentials over TCP.
    fn listener_with_socket(&self, address: SocketAddr) -> Option<Namespec> {
        if !address.ip().to_canonical().is_loopback() {
            return None;
        }
        let pids =
            self.state.table.pids.iter().filter_map(|(pid, id)| Some((*pid, self.state.table.process(*id)?)));
        let listeners: Vec<_> =
            pids.filter(|(_, process)| process.is_listener()).take(MOST_LISTENERS).collect();
        if listeners.is_empty() {
            return None;
        }
        let socket = socket_at(address)?;
        let holds = |pid: u32| {
            let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            entries
                .take(MOST_DESCRIPTORS)
                .any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link == socket))
        };
        let found = listeners.into_iter().find(|(pid, _)| holds(*pid));
        found.map(|(_, process)| process.namespec().clone())
    }

    /// Logs who requests a start, a stop or a signal.
    pub(super) fn log_requester(&mut self, request: &RpcRequest) {
        if let Some(action) = request.action() {
            let line =
                format!("{} asked for by {}", escape_controls(&action), self.state.current_requester());
            self.io.log.log(Level::Info, &line);
        }
    }

    /// Notes that a signal is sent to a process on request.
    pub(super) fn record_signal(&mut self, id: ProcessId, number: i32) {
        let (by, at) = (SignalReason::Signal(self.state.current_requester()), self.io.clock.mono());
        if let Some(process) = self.state.table.process_mut(id) {
            process.sent_signal = Some(SentSignal { number, at, by });
        }
    }
}

/// Limits of the search: listeners, descriptors of each, and bytes of the list of sockets.
const MOST_LISTENERS: usize = 64;
const MOST_DESCRIPTORS: usize = 256;
const MOST_SOCKETS: u64 = 1 << 20;

/// The socket with this local address, as a link in /proc names it: `socket:[4711]` (proc_pid_net(5), /proc/net/tcp).
fn socket_at(address: SocketAddr) -> Option<PathBuf> {
    let (list, wanted) = proc_net_entry(address);
    let mut text = String::new();
    fs::File::open(list).ok()?.take(MOST_SOCKETS).read_to_string(&mut text).ok()?;
    let inode = text.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        (fields.nth(1)? == wanted).then(|| fields.nth(7))?
    })?;
    Some(format!("socket:[{inode}]").into())
}

/// The list that an address is in, and its form there: each four bytes as a number in native order, then the port.
fn proc_net_entry(address: SocketAddr) -> (&'static str, String) {
    let words = |bytes: &[u8]| -> String {
        let words = bytes.chunks_exact(4).filter_map(|four| four.try_into().ok()).map(u32::from_ne_bytes);
        words.map(|word| format!("{word:08X}")).collect()
    };
    let (list, host) = match address.ip().to_canonical() {
        IpAddr::V4(host) => ("/proc/net/tcp", words(&host.octets())),
        IpAddr::V6(host) => ("/proc/net/tcp6", words(&host.octets())),
    };
    (list, format!("{host}:{:04X}", address.port()))
}

/// The parent of a process (proc_pid_stat(5), field 4; the name before it may have blanks and brackets).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_connection_of_this_machine_is_found_by_its_address() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may be without IPv6.
            let Ok(server) = TcpListener::bind(host) else { continue };
            let client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
            let link = fs::read_link(format!("/proc/self/fd/{}", client.as_raw_fd())).unwrap();
            assert_eq!(socket_at(client.local_addr().unwrap()), Some(link), "{host}");
            drop(client);
        }
        assert_eq!(socket_at(([127, 0, 0, 1], 0).into()), None);
        let mapped: SocketAddr = "[::ffff:127.0.0.1]:9001".parse().unwrap();
        assert_eq!(proc_net_entry(mapped), proc_net_entry(([127, 0, 0, 1], 9001).into()));
    }

    #[test]
    fn the_parent_of_a_process_is_found_whatever_its_name_is() {
        assert_eq!(parent(std::process::id()), Some(std::os::unix::process::parent_id()));
        assert_eq!(parent(u32::MAX), None);
    }
}
