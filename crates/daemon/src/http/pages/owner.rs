//! Questions to the owner of all state.

use ironlance_core::event::kind::EventKind;
use ironlance_rpc::{Fault, FaultKind, Value};
use tokio::sync::{mpsc, oneshot};

use crate::inbox::Input;
use crate::request::{MethodCall, RpcRequest};
use crate::requester::Requester;
use crate::view::DaemonView;
use crate::view::stream::EventStream;

/// Asks for something to be told or done. An owner that is gone, or drops the question, is one that stops.
pub(super) async fn ask(
    owner: &mpsc::Sender<Input>,
    asker: &Requester,
    request: RpcRequest,
) -> Result<Value, Fault> {
    let (reply, answer) = oneshot::channel();
    let gone = || FaultKind::ShutdownState.bare();
    owner.send(Input::Call(MethodCall { request, asker: asker.clone(), reply })).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

/// All that can be shown; nothing where there is no owner any more.
pub(super) async fn view(owner: &mpsc::Sender<Input>) -> Option<DaemonView> {
    let (reply, answer) = oneshot::channel();
    owner.send(Input::View(reply)).await.ok()?;
    answer.await.ok()
}

/// What happens from now on, of these kinds.
pub(super) async fn watch(owner: &mpsc::Sender<Input>, kinds: &[EventKind]) -> Option<EventStream> {
    let (reply, answer) = oneshot::channel();
    owner.send(Input::Subscribe { kinds: kinds.to_vec(), reply }).await.ok()?;
    answer.await.ok()
}
