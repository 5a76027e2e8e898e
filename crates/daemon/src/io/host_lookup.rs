//! Looks up names of hosts on threads of their own, [`HostLookups`]: a resolver may block for ten seconds. The process
//! that needs the address is STARTING meanwhile, without a pid.
//!
//! ```text
//!   spawn ──▶ ask ──▶ known: at once
//!              │
//!              └────▶ waits ──▶ thread ──▶ found ──▶ spawn with the address
//! ```

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::state::ids::ProcessId;

/// A host and a port.
type HostPort = (String, u16);
/// Its address, or why there is none.
pub(crate) type Address = Result<SocketAddr, String>;
type Resolve = fn(&str, u16) -> Address;

/// The stack of a resolver's thread (bytes); the C library's resolver has large buffers.
const STACK: usize = 512 * 1024;

/// The outcome of a lookup.
pub(crate) struct LookupResult {
    place: HostPort,
    pub(crate) address: Address,
}

/// Lookups under way.
pub(crate) struct HostLookups {
    resolve: Resolve,
    /// The processes that wait, and what for.
    waiting: Vec<(ProcessId, HostPort)>,
    sender: UnboundedSender<LookupResult>,
    inbox: UnboundedReceiver<LookupResult>,
}

impl Default for HostLookups {
    fn default() -> Self {
        Self::with(address_of)
    }
}

impl HostLookups {
    fn with(resolve: Resolve) -> Self {
        let (sender, inbox) = unbounded_channel();
        Self { resolve, waiting: Vec::new(), sender, inbox }
    }

    /// The address that a process needs; nothing where it has to wait for it.
    pub(crate) fn address_for(&mut self, who: ProcessId, host: &str, port: u16) -> Option<Address> {
        if let Ok(ip) = host.parse::<Ipv4Addr>() {
            return Some(Ok((ip, port).into()));
        }
        let place = (host.to_owned(), port);
        let is_under_way = self.waiting.iter().any(|(_, wanted)| *wanted == place);
        if !is_under_way && let Err(known) = self.start_lookup(&place) {
            return Some(known);
        }
        if !self.waiting.iter().any(|(waiting, _)| *waiting == who) {
            self.waiting.push((who, place));
        }
        None
    }

    /// Looks a host up on a thread, or at once where the system has no thread for us.
    fn start_lookup(&self, place: &HostPort) -> Result<(), Address> {
        let (sender, resolve, wanted) = (self.sender.clone(), self.resolve, place.clone());
        let thread = thread::Builder::new().name("resolver".into()).stack_size(STACK);
        let look = move || {
            let address = resolve(&wanted.0, wanted.1);
            // The send fails only when the owner is gone.
            let _ = sender.send(LookupResult { place: wanted, address });
        };
        thread.spawn(look).map(drop).map_err(|_| (self.resolve)(&place.0, place.1))
    }

    /// A process no longer waits.
    pub(crate) fn cancel(&mut self, who: ProcessId) {
        self.waiting.retain(|(waiting, _)| *waiting != who);
    }

    /// Waits until a lookup is done.
    pub(crate) async fn next(&mut self) -> LookupResult {
        match self.inbox.recv().await {
            Some(found) => found,
            // Not reached: `self` has a sender.
            None => std::future::pending().await,
        }
    }

    /// The processes that waited for this lookup. A later start looks the host up anew.
    pub(crate) fn complete(&mut self, found: &LookupResult) -> Vec<ProcessId> {
        let waited = |(_, place): &mut (ProcessId, HostPort)| *place == found.place;
        self.waiting.extract_if(.., waited).map(|(who, _)| who).collect()
    }
}

/// The first IPv4 address of a host, as in the original.
fn address_of(host: &str, port: u16) -> Address {
    let mut found = (host, port).to_socket_addrs().map_err(|error: io::Error| error.to_string())?;
    found.find(SocketAddr::is_ipv4).ok_or_else(|| "no IPv4 address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Condvar, Mutex, PoisonError};

    /// A resolver that answers when it is told to.
    static DOOR: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    fn when_the_door_opens(_: &str, port: u16) -> Address {
        let mut open = DOOR.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = DOOR.1.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(SocketAddr::new([127, 0, 0, 9].into(), port))
    }

    #[tokio::test]
    async fn a_resolver_that_takes_its_time_keeps_nobody_waiting_but_who_needs_the_name() {
        let mut lookups = HostLookups::with(when_the_door_opens);
        let [one, two, three] = [1, 2, 3].map(ProcessId);
        assert_eq!(lookups.address_for(one, "host.example", 9), None);
        assert_eq!(lookups.address_for(two, "host.example", 9), None);
        assert_eq!(lookups.address_for(three, "host.example", 9), None);
        // An address needs no resolver.
        assert_eq!(lookups.address_for(one, "127.0.0.1", 9), Some(Ok(([127, 0, 0, 1], 9).into())));
        // It was stopped meanwhile.
        lookups.cancel(two);
        *DOOR.0.lock().unwrap() = true;
        DOOR.1.notify_all();
        let found = lookups.next().await;
        assert_eq!(lookups.complete(&found), [one, three]);
        assert_eq!(found.address, Ok(([127, 0, 0, 9], 9).into()));
        assert_eq!(
            lookups.address_for(one, "host.example", 9),
            None,
            "names move: it is looked up each time"
        );
    }

    #[test]
    fn a_host_without_an_address_of_its_own_kind_is_told_as_such() {
        assert_eq!(address_of("::1", 1), Err("no IPv4 address".to_owned()));
        assert_eq!(address_of("127.0.0.1", 1), Ok(([127, 0, 0, 1], 1).into()));
    }
}
