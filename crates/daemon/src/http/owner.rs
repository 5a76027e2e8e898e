//! Asks the owner of all state: [`OwnerClient`], used by calls, pages, log readers and event streams.

use std::path::PathBuf;

use ironlance_core::event::kind::EventKind;
use ironlance_rpc::{Fault, FaultKind, Value};
use tokio::sync::{mpsc, oneshot};

use crate::inbox::Input;
use crate::request::{LogId, LogLocation, MethodCall, RpcRequest};
use crate::requester::Requester;
use crate::view::DaemonView;
use crate::view::outboxes::StateFolderView;
use crate::view::stream::EventStream;

/// Sends requests to the owner and waits for its answers. An owner that is gone, or drops a request, is stopping.
#[derive(Clone)]
pub(super) struct OwnerClient(mpsc::Sender<Input>);

impl OwnerClient {
    pub(super) fn new(inbox: mpsc::Sender<Input>) -> Self {
        Self(inbox)
    }

    /// Has the owner carry out a method.
    ///
    /// # Errors
    /// The method's own faults; `SHUTDOWN_STATE` if the owner is stopping.
    pub(super) async fn call(&self, requester: &Requester, request: RpcRequest) -> Result<Value, Fault> {
        let call = |reply| Input::Call(MethodCall { request, requester: requester.clone(), reply });
        self.ask(call).await.unwrap_or_else(|| Err(FaultKind::ShutdownState.bare()))
    }

    /// The state of the whole daemon, for a page.
    pub(super) async fn view(&self) -> Option<DaemonView> {
        self.ask(Input::View).await
    }

    /// Events of these kinds from now on.
    pub(super) async fn subscribe(&self, kinds: Vec<EventKind>) -> Option<EventStream> {
        self.ask(|reply| Input::Subscribe { kinds, reply }).await
    }

    /// The state folders of event listeners.
    pub(super) async fn state_folders(&self) -> Option<Vec<StateFolderView>> {
        self.ask(Input::StateFolders).await
    }

    /// Where the journal is, if there is one.
    pub(super) async fn journal_folder(&self) -> Option<Option<PathBuf>> {
        self.ask(Input::JournalFolder).await
    }

    /// The file of a log.
    pub(super) async fn locate_log(&self, what: LogId) -> Option<LogLocation> {
        self.ask(|reply| Input::LocateLog { what, reply }).await
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(input(reply)).await.ok()?;
        answer.await.ok()
    }
}
