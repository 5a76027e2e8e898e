//! The web page: [`Pages`] renders what a person sees in a browser.
//!
//! Pages are rendered by the server and complete without a script. `live` updates open pages, `action` is the only way
//! to change anything, and `usage_sampler` measures programs while a page is open.

mod action;
mod action_scope;
mod assets;
mod broadcaster;
mod condition;
mod confirmation;
mod context;
mod csrf_token;
mod filter;
mod flash_message;
mod format;
mod index;
mod language;
mod live;
mod log_page;
mod not_found;
mod page_response;
mod program;
pub mod query;
mod row;
mod sections;
mod settings;
mod snapshot;
mod usage_sampler;

use std::cell::OnceCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::header::ACCEPT;
use hyper::{HeaderMap, StatusCode};
use ironlance_core::log_level::Level;
use ironlance_host::local_time::LocalClock;
use ironlance_host::state_folder::UserIdentity;
use ironlance_rpc::{Fault, FaultKind};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::DaemonLog;
use super::access::Access;
use super::outboxes::OutboxReader;
use super::owner::OwnerClient;
use super::reply::Reply;
use super::xml_response::LogReader;
use crate::request::{LogId, LogPart, LogRequest};
use crate::requester::Requester;
use crate::view::{DaemonView, ProgramView};
use action::ActionHandler;
use broadcaster::Broadcaster;
use condition::is_named;
use context::PageContext;
use csrf_token::CsrfToken;
use filter::Filter;
use flash_message::FlashMessage;
use index::IndexPage;
use language::LanguageChoice;
use live::LiveClient;
use log_page::{LogQuery, LogSource, TailPage};
use not_found::{NotFoundPage, path_to_root};
use program::ProgramPage;
use query::Fields;
use snapshot::Fingerprints;
use usage_sampler::{UsageByPid, UsageSampler};

/// How long a page waits for CPU and memory figures; without them it shows none.
const USAGE_TIMEOUT: Duration = Duration::from_millis(300);
/// Largest form in bytes.
pub(super) const MAX_FORM_BYTES: usize = 16 * 1024;

/// The pages of one server. Tasks and tokens are created with the first page.
pub(super) struct Pages {
    owner: OwnerClient,
    daemon_log: Rc<dyn DaemonLog>,
    access: Access,
    token: OnceCell<CsrfToken>,
    broadcaster: Broadcaster,
    pub(super) actions: ActionHandler,
    reader: Rc<LogReader>,
    outbox_reader: OutboxReader,
    /// Permits one sampling at a time for pages that are not live.
    turn: Arc<Semaphore>,
}

/// The owner is stopping.
struct Gone;

impl Pages {
    pub(super) fn new(
        owner: OwnerClient,
        daemon_log: Rc<dyn DaemonLog>,
        access: Access,
        reader: Rc<LogReader>,
    ) -> Self {
        let outbox_reader = OutboxReader::new(owner.clone());
        let broadcaster = Broadcaster::new(owner.clone(), outbox_reader.clone());
        let turn = Arc::new(Semaphore::new(1));
        let actions = ActionHandler::new(owner.clone(), Rc::clone(&daemon_log), access);
        Self {
            owner,
            daemon_log,
            access,
            token: OnceCell::new(),
            broadcaster,
            actions,
            reader,
            outbox_reader,
            turn,
        }
    }

    /// Carries out a form.
    pub(super) async fn act(&self, requester: &Requester, headers: &HeaderMap, form: &[u8]) -> Reply {
        // Before the first page there is no token, hence no valid form.
        self.actions.act(requester, self.token.get(), headers, form).await
    }

    /// The page at a path; `None` if there is none.
    pub(super) async fn get(&self, path: &str, query: &str, headers: &HeaderMap) -> Option<Reply> {
        let fields = Fields::parse(query);
        let choice = LanguageChoice::of(&fields, headers);
        let response = match path.trim_start_matches('/') {
            "" | "index.html" => self.index(&fields, choice).await,
            "program.html" => self.program(&fields, choice).await,
            "tail.html" => self.log(&LogQuery::of_process(&fields), choice).await,
            "mainlog.html" => self.log(&LogQuery::of_main(&fields), choice).await,
            // The router has applied the cross-site policy of streams to this path alone.
            "live" if path == "/live" => self.live(&fields, choice),
            "ok.html" => Ok(Reply::plain(StatusCode::OK, "OK")),
            other => {
                let Some(asset) = assets::find(other) else {
                    return self.unknown_path(path, headers, choice);
                };
                // With the version in its URL it never changes.
                let is_versioned = fields.get("v").is_some_and(|version| version == assets::version());
                let caching = if is_versioned { "private, max-age=31536000, immutable" } else { "no-cache" };
                Ok(Reply::asset(asset, caching))
            }
        };
        let gone = || Reply::plain(StatusCode::SERVICE_UNAVAILABLE, choice.language.messages().not_answering);
        Some(response.unwrap_or_else(|Gone| gone()))
    }

    async fn index(&self, fields: &Fields<'_>, choice: LanguageChoice) -> Result<Reply, Gone> {
        let view = self.view().await?;
        let usage = self.usage(&view).await;
        let clock = LocalClock::new();
        let token = self.token()?;
        let context = PageContext::new(choice, self.access, token, &clock, view.now, &usage);
        let seen = Fingerprints::of(&view).sum();
        let (message, filter) = (FlashMessage::of(fields, choice), Filter::of(fields));
        Ok(Reply::html(&IndexPage::new(&context, &view, &message, &filter, seen)))
    }

    async fn program(&self, fields: &Fields<'_>, choice: LanguageChoice) -> Result<Reply, Gone> {
        let messages = choice.language.messages();
        let Some(name) = fields.get_nonempty("processname") else {
            return self.not_found(messages.no_name, String::new(), choice);
        };
        let view = self.view().await?;
        let found = view.programs.iter().find(|program| is_named(program, name));
        let Some(program) = found else {
            return self.not_found(&(messages.no_such_process)(name), String::new(), choice);
        };
        let usage = self.usage(&view).await;
        let user = user_of(program).await;
        let clock = LocalClock::new();
        let token = self.token()?;
        let context = PageContext::new(choice, self.access, token, &clock, view.now, &usage);
        let seen = Fingerprints::of(&view).sum();
        let message = FlashMessage::of(fields, choice);
        Ok(Reply::html(&ProgramPage::new(&context, &view, program, user.as_deref(), &message, seen)))
    }

    async fn log(&self, query: &LogQuery<'_>, choice: LanguageChoice) -> Result<Reply, Gone> {
        let messages = choice.language.messages();
        let limit = query.limit;
        // One byte more shows whether there is more.
        let part = LogPart::Read { offset: -limit - 1, length: 0 };
        let log = match query.source {
            LogSource::Unnamed => None,
            LogSource::Main => Some((LogId::Main, messages.supervisor)),
            LogSource::Process(name, channel) => {
                Some((LogId::Process { name: name.to_owned(), channel }, name))
            }
        };
        let text = match log {
            None => Err(messages.no_name.to_owned()),
            Some((log, name)) => {
                let text = self
                    .reader
                    .read_with(LogRequest { log, part }, move |bytes| log_page::tail_text(bytes, limit))
                    .await;
                text.map_err(|fault| self.read_fault(&fault, name, choice))
            }
        };
        let (clock, usage) = (LocalClock::new(), UsageByPid::new());
        let context = PageContext::new(choice, self.access, self.token()?, &clock, now(), &usage);
        Ok(Reply::html(&TailPage::new(&context, query, text)))
    }

    /// An unknown path: a page for browsers, `None` for programs.
    fn unknown_path(&self, path: &str, headers: &HeaderMap, choice: LanguageChoice) -> Option<Reply> {
        let reads = headers.get(ACCEPT).and_then(|kinds| kinds.to_str().ok());
        if !reads.is_some_and(|kinds| kinds.contains("text/html")) {
            return None;
        }
        self.not_found(choice.language.messages().no_such_page, path_to_root(path), choice).ok()
    }

    /// A page with status 404 and a reason.
    fn not_found(&self, words: &str, root: String, choice: LanguageChoice) -> Result<Reply, Gone> {
        let (clock, usage) = (LocalClock::new(), UsageByPid::new());
        let mut context = PageContext::new(choice, self.access, self.token()?, &clock, now(), &usage);
        context.root = root;
        Ok(Reply { status: StatusCode::NOT_FOUND, ..Reply::html(&NotFoundPage::new(&context, words)) })
    }

    fn read_fault(&self, fault: &Fault, name: &str, choice: LanguageChoice) -> String {
        let messages = choice.language.messages();
        if fault.code == FaultKind::NoFile.code() {
            return (messages.no_file)(name);
        }
        action::fault_text(fault, name, messages)
    }

    fn live(&self, fields: &Fields<'_>, choice: LanguageChoice) -> Result<Reply, Gone> {
        let Some(snapshots) = self.broadcaster.subscribe() else {
            return Ok(Reply::plain(StatusCode::SERVICE_UNAVAILABLE, "too many live pages"));
        };
        let only = fields.get_nonempty("processname").map(str::to_owned);
        let seen = fields.get_nonempty("seen").map(str::to_owned);
        let client = LiveClient::new(snapshots, choice, self.access, self.token()?.clone(), only, seen);
        Ok(Reply::live(Box::new(client)))
    }

    fn token(&self) -> Result<&CsrfToken, Gone> {
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let token = CsrfToken::new().map_err(|error: io::Error| {
            let line = format!("cannot make a token for the web page: {error}");
            self.daemon_log.log(Level::Error, &line);
            Gone
        })?;
        Ok(self.token.get_or_init(|| token))
    }

    async fn view(&self) -> Result<DaemonView, Gone> {
        let mut view = self.owner.view().await.ok_or(Gone)?;
        if !view.listeners.is_empty() {
            let outboxes = self.outbox_reader.read(USAGE_TIMEOUT).await.unwrap_or_default();
            view.add_outboxes(&outboxes.into_iter().map(Rc::new).collect::<Vec<_>>());
        }
        Ok(view)
    }

    /// CPU and memory of all programs, from the live pages or by sampling now.
    async fn usage(&self, view: &DaemonView) -> UsageByPid {
        if let Some(usage) = self.broadcaster.usage() {
            return usage;
        }
        let roots: Vec<u32> = view.programs.iter().filter_map(|program| program.pid).collect();
        if roots.is_empty() {
            return UsageByPid::new();
        }
        // One sampling at a time: many clients must not start a thread each.
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else { return UsageByPid::new() };
        let look = spawn_blocking(move || {
            let _turn = turn;
            UsageSampler::default().sample(&roots)
        });
        timeout(USAGE_TIMEOUT, look).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

/// The name of the user that a program runs as, if it is configured and the user database answers in time.
async fn user_of(program: &ProgramView) -> Option<String> {
    let uid = program.settings.as_ref()?.program().uid?;
    let look = spawn_blocking(move || UserIdentity::from_uid(uid).name);
    timeout(USAGE_TIMEOUT, look).await.ok()?.ok()
}

/// The time since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests;
