//! What pages show of the daemon: [`DaemonView`], plain data that the owner makes in one turn.

pub mod outboxes;
pub mod settings;
pub mod stream;

use std::rc::Rc;
use std::time::Duration;

use ironlance_core::event::record::EventRecord;
use ironlance_core::listener::protocol::ListenerState;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_core::{Namespec, ProcessState};

use crate::state::exit_record::ExitRecord;
use ironlance_rpc::api::ListenerStatus;
use outboxes::OutboxView;
use settings::ProgramSettings;

/// The whole daemon at one moment. Times are since 1970 unless they say otherwise.
#[derive(Clone, Debug)]
pub struct DaemonView {
    /// The `identifier` of the configuration.
    pub identifier: String,
    /// Whether it runs, restarts or shuts down.
    pub state: DaemonState,
    /// The daemon's own process.
    pub pid: u32,
    /// When this generation of the daemon started.
    pub since: Duration,
    /// When this view was made.
    pub now: Duration,
    /// In the order of `getAllProcessInfo`.
    pub programs: Vec<ProgramView>,
    /// Each process of each pool of event listeners.
    pub listeners: Vec<ListenerView>,
    /// Recent events, the newest first.
    pub recent: Vec<Rc<EventRecord>>,
}

impl DaemonView {
    /// Adds to each listener its outbox.
    pub fn add_outboxes(&mut self, outboxes: &[Rc<OutboxView>]) {
        for listener in &mut self.listeners {
            let is_its = |outbox: &&Rc<OutboxView>| outbox.folder.listeners.contains(&listener.namespec);
            listener.outbox = outboxes.iter().find(is_its).cloned();
        }
    }
}

/// One process.
#[derive(Clone, Debug)]
pub struct ProgramView {
    /// Group and name.
    pub namespec: Namespec,
    /// Its state.
    pub state: ProcessState,
    /// The `description` of `getProcessInfo`.
    pub description: String,
    /// The running child.
    pub pid: Option<u32>,
    /// When that child was started.
    pub started: Option<Duration>,
    /// How often it was started in this daemon's life.
    pub starts: u64,
    /// It is an event listener.
    pub is_listener: bool,
    /// Its standard output goes to a file that can be read.
    pub has_stdout: bool,
    /// Its standard error goes to a file that can be read.
    pub has_stderr: bool,
    /// How it last ended.
    pub(crate) end: Option<Rc<ExitRecord>>,
    /// How it is configured.
    pub settings: Option<ProgramSettings>,
}

/// One process of a pool of event listeners.
#[derive(Clone, Debug)]
pub struct ListenerView {
    /// Its name; its group is the pool.
    pub namespec: Namespec,
    /// Its state; `None` if its process does not run.
    pub state: Option<ListenerState>,
    /// All that clients are told of it.
    pub status: ListenerStatus,
    /// Its outbox, if it has been read.
    pub outbox: Option<Rc<OutboxView>>,
}
