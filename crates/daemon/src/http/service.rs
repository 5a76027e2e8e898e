//! What all connections of one server share: [`Service`]. The router and the routes work on it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::{Body as _, Bytes, Incoming};
use ironlance_config::HttpServer;
use ironlance_core::log_level::Level;
use tokio::time::timeout;

use super::DaemonLog;
use super::access::Access;
use super::auth::Authenticator;
use super::connection::state::{ConnectionState, Phase};
use super::cross_site::{CrossSiteCheck, MachineNames};
use super::error_response::ErrorResponse;
use super::history::HistoryReader;
use super::limits::HttpLimits;
use super::methods::Interfaces;
use super::outboxes::OutboxReader;
use super::owner::OwnerClient;
use super::pages::Pages;
use super::response_body::ResponseBudget;
use super::xml_response::LogReader;
use crate::requester::{ClientPeer, RequestSource};

/// What all connections of one server share.
pub(super) struct Service {
    pub(super) section: String,
    pub(super) access: Access,
    pub(super) interfaces: Interfaces,
    pub(super) owner: OwnerClient,
    pub(super) daemon_log: Rc<dyn DaemonLog>,
    pub(super) limits: HttpLimits,
    pub(super) log_reader: Rc<LogReader>,
    pub(super) outbox_reader: OutboxReader,
    pub(super) history_reader: HistoryReader,
    /// Without credentials every client is accepted.
    pub(super) authenticator: Option<Authenticator>,
    pub(super) cross_site: CrossSiteCheck,
    pub(super) response_budget: ResponseBudget,
    pub(super) pages: Pages,
    /// The user name of the server's credentials.
    user: Option<Rc<str>>,
    /// Whether a request for an unknown host name has been logged.
    logged_unknown_host: Cell<bool>,
}

/// A request with what is known of its connection.
pub(super) struct IncomingRequest<'a> {
    pub(super) request: Request<Incoming>,
    /// Its path, percent-decoded.
    pub(super) path: String,
    pub(super) peer: PeerInfo,
    pub(super) state: &'a ConnectionState,
    /// Whether some of its body has not been read.
    pub(super) body_unread: &'a mut bool,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PeerInfo {
    pub(super) address: Option<SocketAddr>,
    /// On a unix socket, `SO_PEERCRED`: the process id, if it is visible in our namespace, and the user id.
    pub(super) credentials: Option<(Option<u32>, u32)>,
}

impl Service {
    /// The service of a server whose clients have this access.
    pub(super) fn new(
        server: &HttpServer,
        access: Access,
        interfaces: Interfaces,
        owner: OwnerClient,
        daemon_log: Rc<dyn DaemonLog>,
        limits: HttpLimits,
    ) -> Self {
        let log_reader = Rc::new(LogReader::new(owner.clone()));
        let outbox_reader = OutboxReader::new(owner.clone());
        let history_reader = HistoryReader::new(owner.clone());
        Self {
            section: server.section.clone(),
            access,
            interfaces,
            pages: Pages::new(owner.clone(), Rc::clone(&daemon_log), access, Rc::clone(&log_reader)),
            owner,
            daemon_log,
            limits,
            log_reader,
            outbox_reader,
            history_reader,
            authenticator: server.credentials.as_ref().map(Authenticator::new),
            cross_site: CrossSiteCheck::new(server, &MachineNames::detect()),
            response_budget: ResponseBudget::default(),
            user: server.credentials.as_ref().map(|known| known.username.as_str().into()),
            logged_unknown_host: Cell::new(false),
        }
    }

    /// The client as the owner records it.
    pub(super) fn client(&self, peer: PeerInfo) -> RequestSource {
        let peer = match (peer.address, peer.credentials) {
            (Some(address), _) => ClientPeer::Remote(address),
            (None, Some((pid, uid))) => ClientPeer::Local { pid, uid, command: None },
            (None, None) => ClientPeer::Unknown,
        };
        RequestSource { peer, user: self.user.clone() }
    }

    /// The refusal of a request for a host name that an attacker may have pointed at us. The first one is logged.
    pub(super) fn refuse_unknown_host(&self, name: &str) -> ErrorResponse {
        let section = &self.section;
        if !self.logged_unknown_host.replace(true) {
            let line = format!(
                "[{section}] refused a client that called it {name:?} (further ones are not told): it has no password \
                 and is not known by that name; if it is, add the name to allowed_hosts in [{section}]"
            );
            self.daemon_log.log(Level::Warn, &line);
        }
        ErrorResponse::unknown_host(name, section)
    }

    /// Reads a body of at most `most` bytes.
    pub(super) async fn read_body(
        &self,
        body: Incoming,
        most: usize,
        state: &ConnectionState,
    ) -> Result<Bytes, ErrorResponse> {
        if body.size_hint().lower() > most as u64 {
            return Err(ErrorResponse::body_too_long(most));
        }
        state.enter(Phase::Body);
        let body = timeout(self.limits.body_time, Limited::new(body, most).collect()).await;
        state.enter(Phase::Responding);
        match body {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ErrorResponse::body_too_long(most)),
            Ok(Err(_)) => Err(ErrorResponse::BODY_INCOMPLETE),
            Err(_) => Err(ErrorResponse::body_timeout(self.limits.body_time)),
        }
    }
}
