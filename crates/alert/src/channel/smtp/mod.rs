//! A mail server (RFC 5321): [`Smtp`] sends one mail after the other over a connection that is kept.
//!
//! ```text
//!           connect, banner, EHLO, STARTTLS?, AUTH?          MAIL, RCPT…, DATA
//! closed ────────────────────────────────────────▶ ready ─────────────────────▶ ready
//!    ▲                                               │ lost, 421, 100 mails
//!    └───────────────────────────────────────────────┘
//! ```

mod auth;
mod dialogue;
mod session;

use std::io;

use tokio::runtime::{Builder, Runtime};

use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::receiver::SmtpServer;
use dialogue::Timeouts;
use session::SmtpSession;

/// The mails that are sent over one connection; servers limit them.
const MAILS_PER_CONNECTION: usize = 100;

/// A mail server.
pub struct Smtp {
    server: SmtpServer,
    timeouts: Timeouts,
    /// Declared before the runtime, so that it is dropped first.
    session: Option<SmtpSession>,
    runtime: io::Result<Runtime>,
}

impl Smtp {
    /// A server; connected to when there is something to send.
    pub fn new(server: &SmtpServer) -> Self {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
        Self { server: server.clone(), timeouts: Timeouts::default(), session: None, runtime }
    }
}

impl DeliveryChannel for Smtp {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let Self { server, timeouts, session: kept, runtime } = self;
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return Err(DeliveryError::unreachable(format!("cannot start a runtime: {error}"))),
        };
        runtime.block_on(async {
            let mut alive = None;
            if let Some(mut session) = kept.take() {
                alive = session.reset().await.then_some(session);
            }
            let mut session = match alive {
                Some(session) => session,
                None => SmtpSession::open(server, timeouts, progress).await?,
            };
            let outcome = session.send(outgoing, progress).await;
            if session.is_spent(MAILS_PER_CONNECTION) {
                session.quit().await;
            } else {
                *kept = Some(session);
            }
            outcome
        })
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let Ok(runtime) = &self.runtime else { return };
        if let Some(session) = self.session.take() {
            runtime.block_on(session.quit());
        }
        let own = std::mem::replace(&mut self.runtime, Err(io::ErrorKind::NotConnected.into()));
        // A name lookup that hangs must not block the end.
        if let Ok(runtime) = own {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
