//! What a decision asks for: [`Command`], carried out by `supervisor/effects` alone, in the order given.

use std::rc::Rc;

use ironlance_core::event::OutputChannel;
use ironlance_core::journal::JournalEntry;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::SignalTarget;
use ironlance_rpc::{Fault, Value};

use super::ids::{CallId, ProcessId};
use ironlance_core::event::record::EventRecord;

/// One thing to do outside of the state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Start a process; the outcome comes back as an input of its lifecycle.
    Spawn(ProcessId),
    /// Forget the lookup of a host that the process waits for.
    CancelLookup(ProcessId),
    /// Send a signal that shall end a process; a failure comes back as an input of its lifecycle.
    Kill { id: ProcessId, pid: u32, signal: i32, target: SignalTarget },
    /// Write an event to a listener; a closed pipe comes back as an input of its pool.
    WriteStdin { id: ProcessId, bytes: Vec<u8> },
    /// Write to the daemon's own standard output.
    WriteOwnStdout(Vec<u8>),
    /// Do not read this output: its listeners are behind.
    PauseReads(ProcessId, OutputChannel),
    /// Read it again.
    ResumeReads(ProcessId, OutputChannel),
    /// Close what is left of the pipes of a process that is taken out of service: it could not be killed.
    ClosePipes(ProcessId),
    /// Send an event to the subscribers of its type.
    Publish(Rc<EventRecord>),
    /// Answer a client.
    Reply(CallId, Result<Value, Fault>),
    /// Append a record to the journal.
    Journal(Box<JournalEntry>),
    /// A line for the main log.
    Log(Level, String),
}
