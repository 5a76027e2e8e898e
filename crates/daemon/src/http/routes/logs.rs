//! `GET /logtail/NAME[/CHANNEL]` and `GET /mainlogtail`: logs, followed as they grow.

use ironlance_core::event::OutputChannel;

use crate::http::error_response::ErrorResponse;
use crate::http::log_tail::LogTail;
use crate::http::reply::Reply;
use crate::http::service::Service;
use crate::request::LogId;

impl Service {
    /// The log that a path such as `/logtail/NAME/stderr` names.
    pub(in crate::http) async fn follow_process_log(&self, path: &str) -> Reply {
        let wanted = path.strip_prefix("/logtail").and_then(|rest| rest.split_once('/'));
        let Some((_, wanted)) = wanted else { return Reply::error(&ErrorResponse::NoLog) };
        let (name, channel) = wanted.split_once('/').unwrap_or((wanted, OutputChannel::Stdout.name()));
        let channels = [OutputChannel::Stdout, OutputChannel::Stderr];
        let Some(channel) = channels.into_iter().find(|known| known.name() == channel) else {
            return Reply::error(&ErrorResponse::NoLog);
        };
        self.follow_log(LogId::Process { name: name.to_owned(), channel }).await
    }

    pub(in crate::http) async fn follow_log(&self, log: LogId) -> Reply {
        let Some(location) = self.owner.locate_log(log).await else {
            return Reply::error(&ErrorResponse::Stopping);
        };
        let Ok(Some(path)) = location.path else { return Reply::error(&ErrorResponse::NoLog) };
        LogTail::open(&path).map_or_else(|_| Reply::error(&ErrorResponse::UnreadableLog), Reply::log_tail)
    }
}
