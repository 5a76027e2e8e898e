//! The web page: everything a person sees in a browser, and changes by its buttons.
//!
//! Pages are made by the server and complete without a script. `live` keeps those up to date that have one, `action` is
//! the only way to change anything, and `gauge` measures what programs take while somebody looks.

mod action;
mod alerts;
mod assets;
mod figures;
mod filter;
mod frame;
mod gauge;
mod head;
mod health;
mod hub;
mod index;
mod language;
mod live;
mod lost;
mod message;
mod owner;
mod parts;
mod program;
pub mod query;
mod question;
mod row;
mod settings;
mod sheet;
mod snapshot;
mod tail;
mod token;

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
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::DaemonLog;
use super::cross_site::CrossSiteCheck;
use super::outboxes::OutboxReader;
use super::xml_response::LogReader;
use crate::inbox::Input;
use crate::request::{LogId, LogPart, LogRequest};
use crate::requester::Requester;
use crate::view::{DaemonView, ProgramView};
use action::Actions;
use filter::Filter;
use frame::Frame;
use gauge::{Gauge, Readings};
use hub::Hub;
use index::Index;
use language::Choice;
use live::Viewer;
use lost::{Lost, way_up};
use message::Message;
use program::Program;
use query::Fields;
use row::is_called;
use tail::{Log, Wanted, Whose};
use token::Token;

pub(super) use frame::May;
pub(super) use sheet::{Body, Sheet};

/// A page waits so long for its gauges; without them it shows none.
const GAUGE_TIME: Duration = Duration::from_millis(300);
/// A page from a form of ours is smaller than this, in bytes.
pub(super) const FORM: usize = 16 * 1024;

/// The pages of one server. Nothing is made before somebody opens one.
pub(super) struct Pages {
    owner: mpsc::Sender<Input>,
    daemon_log: Rc<dyn DaemonLog>,
    may: May,
    token: OnceCell<Token>,
    hub: Hub,
    actions: Actions,
    reader: Rc<LogReader>,
    outbox_reader: OutboxReader,
    /// To look at the gauges for a page that is not live.
    turn: Arc<Semaphore>,
}

/// Why there is no answer from the owner: it stops.
struct Gone;

impl Pages {
    pub(super) fn new(
        owner: mpsc::Sender<Input>,
        daemon_log: Rc<dyn DaemonLog>,
        may: May,
        reader: Rc<LogReader>,
    ) -> Self {
        let outbox_reader = OutboxReader::new(owner.clone());
        let hub = Hub::new(owner.clone(), outbox_reader.clone());
        let turn = Arc::new(Semaphore::new(1));
        let actions = Actions::new(owner.clone(), Rc::clone(&daemon_log), may);
        Self { owner, daemon_log, may, token: OnceCell::new(), hub, actions, reader, outbox_reader, turn }
    }

    /// Whether a form may be looked at, judged by its head; else the refusal.
    pub(super) fn refusal(&self, headers: &HeaderMap, policy: &CrossSiteCheck) -> Option<Sheet> {
        self.actions.refusal(headers, policy)
    }

    /// What comes of a form.
    pub(super) async fn act(&self, asker: &Requester, headers: &HeaderMap, form: &[u8]) -> Sheet {
        // Before the first page there is no token, and so no form that has one.
        self.actions.act(asker, self.token.get(), headers, form).await
    }

    /// The page at a path; nothing where there is none.
    pub(super) async fn get(&self, path: &str, query: &str, headers: &HeaderMap) -> Option<Sheet> {
        let fields = Fields::parse(query);
        let choice = Choice::of(&fields, headers);
        let sheet = match path.trim_start_matches('/') {
            "" | "index.html" => self.index(&fields, choice).await,
            "program.html" => self.program(&fields, choice).await,
            "tail.html" => self.log(&Wanted::of_process(&fields), choice).await,
            "mainlog.html" => self.log(&Wanted::of_main(&fields), choice).await,
            "live" => self.live(&fields, choice),
            "ok.html" => Ok(Sheet::plain(StatusCode::OK, "OK")),
            other => {
                let Some(asset) = assets::find(other) else {
                    return self.nowhere(path, headers, choice);
                };
                let headers = match fields.get("v") {
                    Some(edition) if edition == assets::EDITION.to_string() => head::of_asset(),
                    _ => head::of_old_asset(),
                };
                Ok(Sheet::asset(asset, headers))
            }
        };
        let gone = || Sheet::plain(StatusCode::SERVICE_UNAVAILABLE, choice.language.words().gone);
        Some(sheet.unwrap_or_else(|Gone| gone()))
    }

    async fn index(&self, fields: &Fields<'_>, choice: Choice) -> Result<Sheet, Gone> {
        let view = self.view().await?;
        let readings = self.readings(&view).await;
        let clock = LocalClock::new();
        let token = self.token()?;
        let frame = Frame::new(choice, self.may, token, &clock, view.now, &readings);
        let seen = snapshot::seen(&view);
        let (message, filter) = (Message::of(fields, choice), Filter::of(fields));
        Ok(Sheet::html(&Index::new(&frame, &view, &message, &filter, seen)))
    }

    async fn program(&self, fields: &Fields<'_>, choice: Choice) -> Result<Sheet, Gone> {
        let words = choice.language.words();
        let Some(name) = fields.filled("processname") else {
            return self.lost(words.no_name, String::new(), choice);
        };
        let view = self.view().await?;
        let found = view.programs.iter().find(|program| is_called(program, name));
        let Some(program) = found else {
            return self.lost(&(words.unknown)(name), String::new(), choice);
        };
        let readings = self.readings(&view).await;
        let user = user_of(program).await;
        let clock = LocalClock::new();
        let token = self.token()?;
        let frame = Frame::new(choice, self.may, token, &clock, view.now, &readings);
        let seen = snapshot::seen(&view);
        let message = Message::of(fields, choice);
        Ok(Sheet::html(&Program::new(&frame, &view, program, user.as_deref(), &message, seen)))
    }

    async fn log(&self, wanted: &Wanted<'_>, choice: Choice) -> Result<Sheet, Gone> {
        let words = choice.language.words();
        let limit = wanted.limit;
        // One byte more says whether there is more.
        let part = LogPart::Read { offset: -limit - 1, length: 0 };
        let log = match wanted.whose {
            Whose::Nobody => None,
            Whose::Main => Some((LogId::Main, words.supervisor)),
            Whose::Process(name, channel) => Some((LogId::Process { name: name.to_owned(), channel }, name)),
        };
        let text = match log {
            None => Err(words.no_name.to_owned()),
            Some((whose, name)) => {
                let text = self
                    .reader
                    .read_with(LogRequest { log: whose, part }, move |bytes| tail::shown(bytes, limit))
                    .await;
                text.map_err(|fault| self.read_fault(&fault, name, choice))
            }
        };
        let (clock, readings) = (LocalClock::new(), Readings::new());
        let frame = Frame::new(choice, self.may, self.token()?, &clock, now(), &readings);
        Ok(Sheet::html(&Log::new(&frame, wanted, text)))
    }

    /// What stands at an address that is none of ours: a page for who reads pages, nothing for programs.
    fn nowhere(&self, path: &str, headers: &HeaderMap, choice: Choice) -> Option<Sheet> {
        let reads = headers.get(ACCEPT).and_then(|kinds| kinds.to_str().ok());
        if !reads.is_some_and(|kinds| kinds.contains("text/html")) {
            return None;
        }
        self.lost(choice.language.words().nowhere, way_up(path), choice).ok()
    }

    /// A page that says why there is none.
    fn lost(&self, words: &str, root: String, choice: Choice) -> Result<Sheet, Gone> {
        let (clock, readings) = (LocalClock::new(), Readings::new());
        let mut frame = Frame::new(choice, self.may, self.token()?, &clock, now(), &readings);
        frame.root = root;
        Ok(Sheet::html_with(StatusCode::NOT_FOUND, &Lost::new(&frame, words)))
    }

    fn read_fault(&self, fault: &Fault, name: &str, choice: Choice) -> String {
        let words = choice.language.words();
        if fault.code == FaultKind::NoFile.code() {
            return (words.no_file)(name);
        }
        action::worded(fault, name, words)
    }

    fn live(&self, fields: &Fields<'_>, choice: Choice) -> Result<Sheet, Gone> {
        let Some(board) = self.hub.join() else {
            return Ok(Sheet::plain(StatusCode::SERVICE_UNAVAILABLE, "too many live pages"));
        };
        let only = fields.filled("processname").map(str::to_owned);
        let seen = fields.filled("seen").map(str::to_owned);
        let viewer = Viewer::new(board, choice, self.may, self.token()?.clone(), only, seen);
        Ok(Sheet::events(Box::new(viewer.stream())))
    }

    fn token(&self) -> Result<&Token, Gone> {
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let token = Token::new().map_err(|error: io::Error| {
            let line = format!("cannot make a token for the web page: {error}");
            self.daemon_log.log(Level::Error, &line);
            Gone
        })?;
        Ok(self.token.get_or_init(|| token))
    }

    async fn view(&self) -> Result<DaemonView, Gone> {
        let mut view = owner::view(&self.owner).await.ok_or(Gone)?;
        if !view.listeners.is_empty() {
            let outboxes = self.outbox_reader.look(GAUGE_TIME).await.unwrap_or_default();
            view.add_outboxes(&outboxes.into_iter().map(Rc::new).collect::<Vec<_>>());
        }
        Ok(view)
    }

    /// What programs take, as the live pages know it, or by a look of our own.
    async fn readings(&self, view: &DaemonView) -> Readings {
        if let Some(readings) = self.hub.readings() {
            return readings;
        }
        let roots: Vec<u32> = view.programs.iter().filter_map(|program| program.pid).collect();
        if roots.is_empty() {
            return Readings::new();
        }
        // One look at a time: many who open pages at once must not make a thread each.
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else { return Readings::new() };
        let look = spawn_blocking(move || {
            let _turn = turn;
            Gauge::default().look(&roots)
        });
        timeout(GAUGE_TIME, look).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

/// The name of the user that a program runs as, where it has one of its own and the user database answers soon.
async fn user_of(program: &ProgramView) -> Option<String> {
    let uid = program.settings.as_ref()?.program().uid?;
    let look = spawn_blocking(move || UserIdentity::from_uid(uid).name);
    timeout(GAUGE_TIME, look).await.ok()?.ok()
}

/// Since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests;
