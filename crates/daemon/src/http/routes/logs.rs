//! `GET /logtail/NAME[/CHANNEL]` and `GET /mainlogtail`: logs, followed as they grow.

use ironlance_core::event::OutputChannel;

use crate::http::error_response::ErrorResponse;
use crate::http::log_tail::LogTail;
use crate::http::reply::Reply;
use crate::http::service::Service;
use crate::request::LogId;

impl Service {
    /// The log that a path such as `/logtail/NAME/stderr` names.
    pub(in crate::http) async fn follow_process_log(&self, path: &str) -> Result<Reply, ErrorResponse> {
        let wanted = path.strip_prefix("/logtail").and_then(|rest| rest.split_once('/'));
        let (_, wanted) = wanted.ok_or(ErrorResponse::NO_LOG)?;
        let (name, channel) = wanted.split_once('/').unwrap_or((wanted, OutputChannel::Stdout.name()));
        let channels = [OutputChannel::Stdout, OutputChannel::Stderr];
        let channel = channels.into_iter().find(|known| known.name() == channel);
        let channel = channel.ok_or(ErrorResponse::NO_LOG)?;
        self.follow_log(LogId::Process { name: name.to_owned(), channel }).await
    }

    pub(in crate::http) async fn follow_log(&self, log: LogId) -> Result<Reply, ErrorResponse> {
        let location = self.owner.locate_log(log).await.ok_or(ErrorResponse::STOPPING)?;
        let path = location.path.ok().flatten().ok_or(ErrorResponse::NO_LOG)?;
        LogTail::open(&path).map(Reply::log_tail).map_err(|_| ErrorResponse::UNREADABLE_LOG)
    }
}
