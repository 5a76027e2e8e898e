//! `POST /action`: carries out the forms of the pages, the only way in which a page changes anything:
//! [`ActionHandler`].

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{HeaderMap, StatusCode};
use ironlance_core::log_level::Level;
use ironlance_core::text::url_encoding::encode;
use ironlance_host::local_time::LocalClock;
use ironlance_rpc::{Fault, FaultKind, Value};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;

use super::action_scope::{ActionScope, FormAction};
use super::confirmation::ConfirmationPage;
use super::context::PageContext;
use super::csrf_token::CsrfToken;
use super::flash_message::FlashMessage;
use super::language::{LanguageChoice, Messages};
use super::query::Fields;
use super::usage_sampler::UsageByPid;
use crate::http::DaemonLog;
use crate::http::access::Access;
use crate::http::owner::OwnerClient;
use crate::http::reply::Reply;
use crate::request::{ProcessTarget, ReplyTiming, RpcRequest};
use crate::requester::Requester;

/// How many restarts may be in progress: each waits for its process to stop.
const MAX_RESTARTS: usize = 256;
/// How many names of failed processes a message shows.
const MAX_NAMES: usize = 5;

/// At most this many characters of a name from the form are shown in a message, which is part of a URL.
const MAX_NAME_CHARS: usize = 200;

/// What an action is applied to. `None` if the form names no target: "all" must be explicit.
fn target_of(fields: &Fields<'_>) -> Option<ProcessTarget> {
    let text = |name| fields.get_nonempty(name).map(str::to_owned);
    match (text("process"), text("group"), fields.get("all")) {
        (Some(process), _, _) => Some(ProcessTarget::Named(process)),
        (None, Some(group), _) => Some(ProcessTarget::Group(group)),
        (None, None, Some("1")) => Some(ProcessTarget::All),
        (None, None, _) => None,
    }
}

/// The name of a target as the page shows it.
fn shown_target(target: &ProcessTarget) -> &str {
    match target {
        ProcessTarget::Named(name) | ProcessTarget::Group(name) => display_name(name),
        ProcessTarget::All => "",
    }
}

fn start(target: &ProcessTarget) -> RpcRequest {
    RpcRequest::Start { target: target.clone(), wait: ReplyTiming::AtOnce }
}

fn stop(target: &ProcessTarget, wait: ReplyTiming) -> RpcRequest {
    RpcRequest::Stop { target: target.clone(), wait }
}

/// `web` for `web:web`, `shop:web` as it is.
fn display_name(name: &str) -> &str {
    let name = name.char_indices().nth(MAX_NAME_CHARS).map_or(name, |(at, _)| &name[..at]);
    name.split_once(':').filter(|(group, process)| group == process).map_or(name, |(group, _)| group)
}

/// Carries out actions.
pub(in crate::http) struct ActionHandler {
    owner: OwnerClient,
    daemon_log: Rc<dyn DaemonLog>,
    access: Access,
    /// One permit per restart in progress.
    restarts: Arc<Semaphore>,
}

impl ActionHandler {
    pub(super) fn new(owner: OwnerClient, daemon_log: Rc<dyn DaemonLog>, access: Access) -> Self {
        Self { owner, daemon_log, access, restarts: Arc::new(Semaphore::new(MAX_RESTARTS)) }
    }

    /// Why the headers of a form are refused, if they are.
    pub(in crate::http) fn refusal(&self, headers: &HeaderMap) -> Option<Reply> {
        let messages = LanguageChoice::of(&Fields::default(), headers).language.messages();
        if self.access == Access::ReadOnly {
            return Some(Reply::plain(StatusCode::FORBIDDEN, messages.read_only));
        }
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        (!media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
            .then(|| Reply::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, messages.not_understood))
    }

    /// The refusal of a form that a page of another site has sent.
    pub(in crate::http) fn cross_site_refusal(&self, headers: &HeaderMap) -> Reply {
        let messages = LanguageChoice::of(&Fields::default(), headers).language.messages();
        let reason = match self.access {
            Access::ReadOnly => messages.read_only,
            Access::Full => messages.cross_site,
        };
        Reply::plain(StatusCode::FORBIDDEN, reason)
    }

    /// Carries out the action of a form. The response redirects to the page, or is the message alone if a script has
    /// sent the form. `token` is the current CSRF token.
    pub(super) async fn act(
        &self,
        requester: &Requester,
        token: Option<&CsrfToken>,
        headers: &HeaderMap,
        form: &[u8],
    ) -> Reply {
        let fields = Fields::parse(std::str::from_utf8(form).unwrap_or_default());
        let choice = LanguageChoice::of(&fields, headers);
        let messages = choice.language.messages();
        let shown = fields.get("token").unwrap_or_default();
        let Some(token) = token.filter(|token| token.matches(shown)) else {
            return Reply::plain(StatusCode::FORBIDDEN, messages.stale_token);
        };
        let Some(action) = fields.get("do").and_then(FormAction::from_name) else {
            return Reply::plain(StatusCode::BAD_REQUEST, messages.not_understood);
        };
        let Some(target) = target_of(&fields) else {
            return Reply::plain(StatusCode::BAD_REQUEST, messages.not_understood);
        };
        let by_script = headers.get(ACCEPT).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
        if fields.get("sure") != Some("1")
            && let Some(scope) = self.question(action, &target).await
        {
            if by_script {
                return Reply::plain(StatusCode::CONFLICT, &(messages.confirm)(action, scope));
            }
            let (clock, usage) = (LocalClock::new(), UsageByPid::new());
            let context = PageContext::new(choice, self.access, token, &clock, Duration::ZERO, &usage);
            return Reply::html(&ConfirmationPage::new(&context, scope, action));
        }
        let message = self.perform(requester, action, &target, messages).await;
        if by_script {
            let mut response = Reply::plain(StatusCode::OK, &message.words);
            message.add_tone_to(&mut response.headers);
            return response;
        }
        let message = message.fields();
        let more = choice.query_suffix();
        match (&target, fields.get("page")) {
            (ProcessTarget::Named(name), Some("program")) => {
                let name = encode(name);
                Reply::back(&format!("program.html?processname={name}&{message}{more}"))
            }
            _ => Reply::back(&format!("./?{message}{more}")),
        }
    }

    /// The scope to confirm if the action affects many processes.
    async fn question<'a>(&self, action: FormAction, target: &'a ProcessTarget) -> Option<ActionScope<'a>> {
        let group = match target {
            ProcessTarget::Group(group) => Some(&**group),
            ProcessTarget::All => None,
            ProcessTarget::Named(_) => return None,
        };
        if action == FormAction::Start {
            return None;
        }
        ActionScope::about(&self.owner.view().await?, group, action)
    }

    /// Carries out the action; returns the message about its outcome.
    async fn perform(
        &self,
        requester: &Requester,
        action: FormAction,
        target: &ProcessTarget,
        messages: &'static Messages,
    ) -> FlashMessage {
        let outcome = match action {
            FormAction::Start => self.owner.call(requester, start(target)).await,
            FormAction::Stop => self.owner.call(requester, stop(target, ReplyTiming::AtOnce)).await,
            FormAction::Clear => self.clear(requester, target).await,
            FormAction::Restart => match self.restart(requester, target).await {
                Ok(true) => Ok(Value::Bool(true)),
                Ok(false) => return FlashMessage::warning(messages.too_many),
                Err(fault) => Err(fault),
            },
        };
        match outcome {
            Ok(Value::Array(statuses)) => message_for_many(action, &statuses, messages),
            Ok(_) => FlashMessage::good(message_for_one(action, target, messages)),
            Err(fault) => FlashMessage::warning(fault_text(&fault, shown_target(target), messages)),
        }
    }

    async fn clear(&self, requester: &Requester, target: &ProcessTarget) -> Result<Value, Fault> {
        let group = match target {
            ProcessTarget::All => return self.owner.call(requester, RpcRequest::ClearAllProcessLogs).await,
            ProcessTarget::Named(name) => {
                return self.owner.call(requester, RpcRequest::ClearProcessLogs { name: name.clone() }).await;
            }
            ProcessTarget::Group(group) => group,
        };
        let view = self.owner.view().await.ok_or_else(|| FaultKind::ShutdownState.bare())?;
        let members = view.programs.iter().filter(|program| program.namespec.group.0 == *group);
        let mut statuses = Vec::new();
        for program in members {
            let name = program.namespec.qualified();
            let outcome = self.owner.call(requester, RpcRequest::ClearProcessLogs { name }).await;
            let code = outcome.map_or_else(|fault| fault.code, |_| FaultKind::Success.code());
            statuses.push(Value::record([
                ("name", program.namespec.process.0.as_str().into()),
                ("status", code.into()),
            ]));
        }
        if statuses.is_empty() { Err(FaultKind::BadName.about(group)) } else { Ok(Value::Array(statuses)) }
    }

    /// Stops the target and starts it again when it has stopped. That may take long, so it runs in a task. False if too
    /// many restarts are in progress.
    async fn restart(&self, requester: &Requester, target: &ProcessTarget) -> Result<bool, Fault> {
        self.check_exists(requester, target).await?;
        let Ok(permit) = Arc::clone(&self.restarts).try_acquire_owned() else { return Ok(false) };
        let (owner, daemon_log, target) = (self.owner.clone(), Rc::clone(&self.daemon_log), target.clone());
        let requester = requester.clone();
        spawn_local(async move {
            let _permit = permit;
            let mut outcome = owner.call(&requester, stop(&target, ReplyTiming::WhenDone)).await;
            if outcome.as_ref().map_or_else(|fault| fault.code == FaultKind::NotRunning.code(), |_| true) {
                outcome = owner.call(&requester, start(&target)).await;
            }
            if let Err(fault) = outcome {
                let line =
                    format!("cannot restart {:?} for a visitor of the page: {fault}", shown_target(&target));
                daemon_log.log(Level::Warn, &line);
            }
        });
        Ok(true)
    }

    /// Checks that the target exists.
    async fn check_exists(&self, requester: &Requester, target: &ProcessTarget) -> Result<(), Fault> {
        match target {
            ProcessTarget::Named(name) => {
                self.owner.call(requester, RpcRequest::GetProcessInfo { name: name.clone() }).await.map(drop)
            }
            ProcessTarget::Group(group) => {
                let view = self.owner.view().await.ok_or_else(|| FaultKind::ShutdownState.bare())?;
                let known = view.programs.iter().any(|program| program.namespec.group.0 == *group);
                if known { Ok(()) } else { Err(FaultKind::BadName.about(group)) }
            }
            ProcessTarget::All => Ok(()),
        }
    }
}

/// The message about an action on one target.
fn message_for_one(action: FormAction, target: &ProcessTarget, messages: &Messages) -> String {
    let about = match action {
        FormAction::Start => messages.starting,
        FormAction::Stop => messages.stopping,
        FormAction::Restart => messages.restarting,
        FormAction::Clear => messages.cleared,
    };
    match target {
        ProcessTarget::All => messages.restarting_many.to_owned(),
        ProcessTarget::Named(_) | ProcessTarget::Group(_) => about(shown_target(target)),
    }
}

/// The message about an action on several processes.
fn message_for_many(action: FormAction, statuses: &[Value], messages: &Messages) -> FlashMessage {
    let success = Value::Int(FaultKind::Success.code());
    let is_well = |status: &Value| status.member("status") == Some(&success);
    let well = statuses.iter().filter(|status| is_well(status)).count();
    let failed: Vec<&str> = statuses
        .iter()
        .filter(|status| !is_well(status))
        .filter_map(|status| status.member("name").and_then(Value::as_str))
        .collect();
    let about = match action {
        FormAction::Start => messages.starting_many,
        FormAction::Stop => messages.stopping_many,
        FormAction::Restart | FormAction::Clear => messages.cleared_many,
    };
    let message = about(well);
    if failed.is_empty() {
        return FlashMessage::good(message);
    }
    let mut names = failed.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    if failed.len() > MAX_NAMES {
        names.push_str(", …");
    }
    FlashMessage::warning(format!("{message} {}", (messages.failed_many)(failed.len(), &names)))
}

/// The text of a fault in the language of the page.
pub(super) fn fault_text(fault: &Fault, name: &str, messages: &Messages) -> String {
    let is = |kind: FaultKind| fault.code == kind.code();
    if is(FaultKind::AlreadyStarted) {
        return (messages.already_started)(name);
    }
    if is(FaultKind::NotRunning) {
        return (messages.not_running)(name);
    }
    if is(FaultKind::BadName) {
        return (messages.no_such_process)(name);
    }
    let known = [
        (FaultKind::NoFile, messages.no_such_file),
        (FaultKind::NotExecutable, messages.not_executable),
        (FaultKind::SpawnError, messages.spawn_error),
        (FaultKind::AbnormalTermination, messages.spawn_error),
        (FaultKind::ShutdownState, messages.shutting_down),
    ];
    let why = known.into_iter().find(|(kind, _)| is(*kind)).map_or(&*fault.string, |(_, why)| why);
    (messages.cannot)(name, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_called_as_the_page_shows_it() {
        assert_eq!(
            [display_name("web:web"), display_name("shop:web"), display_name("web"), display_name("a:")],
            ["web", "shop:web", "web", "a:"]
        );
    }
}
