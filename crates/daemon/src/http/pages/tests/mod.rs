//! The pages as browsers ask for them, with a stand-in for the owner.

use std::cell::RefCell;
use std::path::Path;

use hyper::header::{ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use ironlance_config::{HttpServer, ServerAddress};
use ironlance_core::event::record::EventRecord;
use ironlance_core::event::{Event, OutputChannel, StateDetail};
use ironlance_core::listener::protocol::ListenerState;
use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_core::process::oom::{OomVerdict, TimeWindow};
use ironlance_core::{Namespec, ProcessState};
use ironlance_rpc::Value;
use ironlance_rpc::api::ListenerStatus;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

mod actions;
mod live;
mod programs;

use super::super::cross_site::{CrossSiteCheck, CrossSitePolicy, MachineNames};
use super::flash_message::MAX_CHARS;
use super::*;
use crate::http::response_body::Content;
use crate::inbox::Input;
use crate::request::{LogLocation, ProcessTarget, RpcRequest};
use crate::requester::{Requester, SignalReason};
use crate::state::exit_record::{ExitRecord, TerminationCause};
use crate::view::{ListenerView, ProgramView};

const NOW: Duration = Duration::from_secs(1_800_000_000);
const PATIENCE: Duration = Duration::from_secs(10);

struct NoLog;

impl DaemonLog for NoLog {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn log(&self, _: Level, _: &str) {}
}

fn program(name: Namespec, state: ProcessState) -> ProgramView {
    let up = state == ProcessState::Running;
    ProgramView {
        namespec: name,
        state,
        description: if up { "pid 4000000, uptime 1:00:00".into() } else { "Not started".into() },
        pid: up.then_some(4_000_000),
        started: up.then(|| NOW - Duration::from_secs(3600)),
        starts: 3,
        is_listener: false,
        has_stdout: true,
        has_stderr: false,
        end: None,
        settings: None,
    }
}

fn end() -> ExitRecord {
    ExitRecord {
        cause: TerminationCause {
            status: ExitStatus::Signal { number: 9, core: false },
            by: None,
            memory: OomVerdict::Unrelated,
            not_started: None,
            recycled: None,
        },
        pid: 7,
        expected: false,
        at: NOW - Duration::from_secs(60),
        up: Duration::from_millis(3200),
        stdout_tail: "last <words>\x1b[0m\x07".into(),
        stderr_tail: String::new(),
    }
}

/// A daemon with a group, a program of a nasty name, and a listener.
fn sample() -> DaemonView {
    let mut crashed = program(Namespec::new("shop", "api"), ProcessState::Exited);
    crashed.end = Some(Rc::new(end()));
    let mut listener = program(Namespec::new("pool", "pool"), ProcessState::Running);
    listener.is_listener = true;
    let exit = StateDetail::Exit { expected: true, pid: 7 };
    let at = NOW - Duration::from_secs(60);
    let event = Event::state(Namespec::new("shop", "api"), ProcessState::Running, ProcessState::Exited, exit);
    let happening = EventRecord { number: 7, at, event, why: Some("terminated by SIGKILL".into()) };
    DaemonView {
        identifier: "super<visor>".into(),
        state: DaemonState::Running,
        pid: 1,
        since: NOW - Duration::from_secs(7200),
        now: NOW,
        programs: vec![
            program(Namespec::new("<script>", "<script>"), ProcessState::Stopped),
            listener,
            crashed,
            program(Namespec::new("shop", "web\"x"), ProcessState::Running),
        ],
        listeners: vec![ListenerView {
            namespec: Namespec::new("pool", "pool"),
            state: Some(ListenerState::Busy),
            status: ListenerStatus {
                state: "BUSY".into(),
                event: Some(12),
                last_result: "OK</td>".into(),
                pending: 2,
                dropped: 1,
                dropped_by_type: vec![("TICK_5".into(), 1)],
                answered: 5,
                ..ListenerStatus::default()
            },
            outbox: None,
        }],
        recent: vec![Rc::new(happening)],
    }
}

/// A visitor of a server with these rights.
struct TestPages {
    pages: Pages,
    asked: Rc<RefCell<Vec<RpcRequest>>>,
    /// Logs that were asked for.
    logs: Rc<RefCell<Vec<LogId>>>,
    /// Every process has this log, and so has the daemon.
    log: tempfile::NamedTempFile,
    view: Rc<RefCell<DaemonView>>,
}

impl TestPages {
    fn new(access: Access) -> Self {
        let (owner, mut inbox) = mpsc::channel(16);
        let owner = OwnerClient::new(owner);
        let asked: Rc<RefCell<Vec<RpcRequest>>> = Rc::default();
        let view = Rc::new(RefCell::new(sample()));
        let (next_update, shown) = (Rc::clone(&asked), Rc::clone(&view));
        let logs: Rc<RefCell<Vec<LogId>>> = Rc::default();
        let log = tempfile::NamedTempFile::new().unwrap();
        let (sought, file) = (Rc::clone(&logs), log.path().to_owned());
        spawn_local(async move {
            while let Some(input) = inbox.recv().await {
                match input {
                    Input::View(reply) => drop(reply.send(shown.borrow().clone())),
                    Input::StateFolders(reply) => drop(reply.send(Vec::new())),
                    Input::JournalFolder(reply) => drop(reply.send(None)),
                    Input::Call(call) => {
                        let answer = answer(&call.request);
                        next_update.borrow_mut().push(call.request);
                        let _ = call.reply.send(answer);
                    }
                    Input::LocateLog { what, reply } => {
                        let is_silent = matches!(&what, LogId::Process { name, .. } if name == "silent");
                        sought.borrow_mut().push(what);
                        let path = Ok((!is_silent).then(|| file.clone()));
                        let _ = reply.send(LogLocation { stopping: false, path });
                    }
                    Input::Log { .. } | Input::Subscribe { .. } => {}
                }
            }
        });
        let reader = Rc::new(LogReader::new(owner.clone()));
        Self { pages: Pages::new(owner, Rc::new(NoLog), access, reader), asked, logs, log, view }
    }

    async fn get_with(&self, address: &str, headers: &HeaderMap) -> Reply {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        self.pages.get(path, query, headers).await.unwrap_or_else(|| panic!("{address} is not there"))
    }

    async fn get(&self, address: &str) -> String {
        let response = self.get_with(address, &HeaderMap::new()).await;
        assert_eq!(response.status, 200, "{address}");
        text(response)
    }

    async fn token(&self) -> String {
        let page = self.get("/").await;
        let at = page.find("name=\"token\" value=\"").expect("there is no token") + 20;
        page[at..at + 32].to_owned()
    }

    /// The response to a form.
    async fn post(&self, form: &str, headers: &HeaderMap) -> Reply {
        let policy = CrossSiteCheck::new(&open_server(), &MachineNames::default());
        if !policy.allows(CrossSitePolicy::Form, headers) {
            return self.pages.actions.cross_site_refusal(headers);
        }
        match self.pages.actions.refusal(headers) {
            Some(refusal) => refusal,
            None => self.pages.act(&Requester::Unknown, headers, form.as_bytes()).await,
        }
    }
}

fn answer(request: &RpcRequest) -> Result<Value, Fault> {
    let status =
        |name: &str, code: FaultKind| Value::record([("name", name.into()), ("status", code.code().into())]);
    match request {
        RpcRequest::Stop { target: ProcessTarget::Named(name), .. } if name == "off" => {
            Err(FaultKind::NotRunning.about(name))
        }
        RpcRequest::Start { target: ProcessTarget::Named(name), .. } if name == "nope" => {
            Err(FaultKind::BadName.about(name))
        }
        RpcRequest::Start { target: ProcessTarget::Named(name), .. } if name == "odd" => {
            Err(FaultKind::Failed.about("<odd>"))
        }
        RpcRequest::GetProcessInfo { name } if name == "nope" => Err(FaultKind::BadName.about(name)),
        RpcRequest::Stop { target: ProcessTarget::All, .. } => {
            Ok(vec![status("a", FaultKind::Success), status("b", FaultKind::Failed)].into())
        }
        _ => Ok(true.into()),
    }
}

fn open_server() -> HttpServer {
    let address = ServerAddress::Tcp { host: "127.0.0.1".into(), port: 9001 };
    let (section, allowed_hosts) = ("inet_http_server".to_owned(), Vec::new());
    HttpServer { section, address, credentials: None, allow_anonymous_changes: false, allowed_hosts }
}

fn text(response: Reply) -> String {
    let Content::Whole(bytes) = response.content else { panic!("it goes on") };
    String::from_utf8(bytes.into()).unwrap()
}

fn run<F: Future<Output = ()>>(scenario: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new()
        .block_on(&runtime, async { timeout(PATIENCE, scenario).await.expect("it takes too long") });
}

/// The row of a process in a page.
fn row<'a>(page: &'a str, key: &str) -> &'a str {
    let begin =
        page.find(&format!("<tr data-process=\"{key}\"")).unwrap_or_else(|| panic!("no row of {key}"));
    let end = page[begin..].find("</tr>").expect("rows end");
    &page[begin..begin + end]
}

#[test]
fn the_table_has_a_row_for_each_program_and_a_head_for_each_group() {
    run(async {
        let page = TestPages::new(Access::Full).get("/").await;
        assert_eq!(page.matches("<tr data-process=").count(), 4);
        assert_eq!(page.matches("<tr data-group=").count(), 1);
        assert!(page.contains("<tr data-group=\"shop\"") && page.contains("1 of 2 running"));
        let api = row(&page, "shop:api");
        for part in
            ["data-state=\"EXITED\"", "terminated by SIGKILL", "after 3.2 s", ">Start</button>", ">2</td>"]
        {
            assert!(api.contains(part), "{part} is not in {api}");
        }
        assert!(!api.contains(">Stop</button>"), "{api}");
        let listener = row(&page, "pool:pool");
        for part in
            ["value=\"stop\"", "1:00:00", "<td class=\"pid\" data-label=\"PID\">4000000</td>", ">listener<"]
        {
            assert!(listener.contains(part), "{part} is not in {listener}");
        }
        assert!(
            page.contains("<tr data-listener=\"pool:pool\">")
                && page.contains("data-label=\"Waiting\">2</td>")
        );
        assert!(page.contains("<ol id=\"events\">\n<li>"));
    });
}

#[test]
fn names_and_output_are_text_and_nothing_else() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let hostile = [
            "/",
            "/program.html?processname=%3Cscript%3E",
            "/program.html?processname=shop:api",
            "/tail.html?processname=%3Cscript%3Ealert(1)%22%27",
            "/?message=%3Cscript%3Ealert(1)%3C/script%3E%22",
            "/?lang=%3Cscript%3E&message=%22%3E%3Cscript%3E",
        ];
        for address in hostile {
            let page = pages.get(address).await;
            assert_eq!(page.matches("<script").count(), 1, "{address} has a script that is not ours");
            assert!(page.contains("<script src=\"assets/page.js"), "{address}");
            for raw in ["<b>", "<words>", "OK</td>", "\x1b", "\x07", "web\"x", "<visor>"] {
                assert!(!page.contains(raw), "{address} has {raw:?}");
            }
        }
        assert!(pages.get("/").await.contains("program.html?processname=%3Cscript%3E%3A%3Cscript%3E"));
        assert!(pages.get("/?message=a%22b").await.contains("class=\"good\" id=\"message\">a&#34;b</p>"));
        let long = pages.get(&format!("/?message={}", "x".repeat(5000))).await;
        assert!(!long.contains(&"x".repeat(MAX_CHARS + 1)));
    });
}

#[test]
fn a_log_is_shown_from_its_end_by_the_originals_address() {
    run(async {
        let pages = TestPages::new(Access::Full);
        std::fs::write(pages.log.path(), format!("{}\n<b>INFO\x1b[31m\x07", "old\n".repeat(600))).unwrap();
        let page = pages.get("/tail.html?processname=web&limit=2000").await;
        assert!(page.contains("old\n\n&#60;b&#62;INFO␇</pre>"), "{page}");
        assert!((490..500).contains(&page.matches("old\n").count()), "only the end is shown, in whole lines");
        assert!(page.contains("data-source=\"logtail/web/stdout\""));
        let asked = pages.logs.borrow().last().cloned();
        let (name, channel) = ("web".to_owned(), OutputChannel::Stdout);
        assert_eq!(asked, Some(LogId::Process { name, channel }));
        assert_eq!(*pages.asked.borrow(), [], "the owner reads no log");
        let nobody = pages.get("/tail.html").await;
        assert!(nobody.contains("No process name found") && !nobody.contains("data-source"));
        assert!(!nobody.contains("The log is empty") && !nobody.contains("id=\"search\""), "{nobody}");
        let silent = pages.get("/tail.html?processname=silent").await;
        assert!(silent.contains("No log file for silent") && !silent.contains("data-source"));
        assert!(pages.get("/mainlog.html").await.contains("&#62;INFO"));
    });
}

#[test]
fn the_language_is_the_browsers_or_the_one_in_the_address() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let mut chinese = HeaderMap::new();
        chinese.insert(ACCEPT_LANGUAGE, "zh-CN,zh;q=0.9".parse().unwrap());
        for address in ["/", "/program.html?processname=shop:api", "/tail.html?processname=web"] {
            let page = text(pages.get_with(address, &chinese).await);
            assert!(page.contains("<html lang=\"zh\">") && page.contains("刷新"), "{address}");
            assert!(!page.contains("lang=zh"), "the browser says it each time");
            let join = if address.contains('?') { '&' } else { '?' };
            let page = text(pages.get_with(&format!("{address}{join}lang=en"), &chinese).await);
            assert!(page.contains("<html lang=\"en\">") && page.contains("lang=en"), "{address}");
            assert!(!page.contains("刷新"), "{address}");
        }
        let page = pages.get("/?lang=zh").await;
        assert!(
            page.contains("&amp;limit=65536&lang=zh") || page.contains("&amp;limit=65536&#38;lang=zh"),
            "{page}"
        );
        assert!(page.contains("<input type=\"hidden\" name=\"lang\" value=\"zh\">"));
        assert!(page.contains("终止信号 SIGKILL"));
    });
}

#[test]
fn the_counts_lead_to_their_programs_and_the_address_filters() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let page = pages.get("/").await;
        assert!(page.contains("<a class=\"count FATAL\" href=\"./?filter=exited+unexpected\""), "{page}");
        assert!(page.contains("1 EXITED unexpectedly</a>") && page.contains("2 RUNNING</a>"), "{page}");
        assert!(page.contains("href=\"#health\">Listeners: 1 of 1 not well</a>"), "{page}");
        assert!(!page.contains("data-filtered") && !page.contains("<tbody hidden>"), "{page}");
        let page = pages.get("/?filter=exited+unexpected&lang=en").await;
        assert!(
            page.contains(" data-filtered=\"\"") && page.contains("value=\"exited unexpected\""),
            "{page}"
        );
        assert!(page.contains("filter=exited%20unexpected"), "other languages and Refresh keep it");
        let shown = |key: &str| !row(&page, key).split('>').next().unwrap().contains("hidden");
        assert!(shown("shop:api") && !shown("shop:web&#34;x") && !shown("pool:pool"), "{page}");
        assert_eq!(page.matches("<tbody hidden>").count(), 2);
        let page = pages.get("/?filter=%3Cscript%3Enobody").await;
        assert!(page.contains("<p id=\"no-match\" class=\"empty\">"), "{page}");
    });
}

#[test]
fn who_is_lost_in_a_browser_finds_back() {
    run(async {
        let pages = TestPages::new(Access::ReadOnly);
        let mut browser = HeaderMap::new();
        browser.insert(ACCEPT, "text/html,*/*;q=0.8".parse().unwrap());
        for (address, back) in [
            ("/nope", "href=\"./\""),
            ("/a/b/c?lang=zh", "href=\"../../?lang=zh\""),
            ("/program.html?processname=nope", "href=\"./\""),
        ] {
            let response = pages.get_with(address, &browser).await;
            assert_eq!(response.status, 404, "{address}");
            let page = text(response);
            assert!(page.contains(back) && page.contains("assets/page.css"), "{address}: {page}");
        }
        let deep = text(pages.get_with("/a/b", &browser).await);
        assert!(
            deep.contains("href=\"../assets/page.css") && deep.contains("src=\"../assets/page.js"),
            "{deep}"
        );
    });
}

#[test]
fn browsers_are_told_to_trust_nothing_but_us_and_to_keep_what_stays() {
    run(async {
        let pages = TestPages::new(Access::Full);
        for address in ["/", "/tail.html?processname=web", "/program.html?processname=nope"] {
            let response = pages.get_with(address, &HeaderMap::new()).await;
            let head = |name: &str| response.headers.get(name).map_or("", |value| value.to_str().unwrap());
            assert!(head("content-security-policy").starts_with("default-src 'none'; style-src 'self';"));
            assert_eq!(head("x-content-type-options"), "nosniff");
            assert_eq!((head("referrer-policy"), head("cache-control")), ("same-origin", "no-store"));
        }
        let page = pages.get("/").await;
        for inline in ["style=", "onclick", "<style", "javascript:"] {
            assert!(!page.contains(inline), "the policy forbids {inline}");
        }
        let at = page.find("assets/page.css?v=").unwrap();
        let response = pages.get_with(&format!("/{}", &page[at..at + 34]), &HeaderMap::new()).await;
        assert!(
            response.headers[CACHE_CONTROL].to_str().unwrap().contains("immutable"),
            "{}",
            &page[at..at + 34]
        );
        assert!(!response.headers.contains_key(CONTENT_SECURITY_POLICY));
        let old = pages.get_with("/stylesheets/supervisor.css", &HeaderMap::new()).await;
        assert_eq!(old.headers[CACHE_CONTROL], "no-cache");
        assert_eq!(pages.get("/ok.html").await, "OK\n");
        for nowhere in ["/nope", "/images/icon.png", "/assets/", "/../etc/passwd", "/action"] {
            assert!(pages.pages.get(nowhere, "", &HeaderMap::new()).await.is_none(), "{nowhere}");
        }
    });
}

#[test]
fn a_thousand_programs_are_a_page() {
    run(async {
        let pages = TestPages::new(Access::Full);
        pages.view.borrow_mut().programs = (0..1000)
            .map(|number| program(Namespec::new("many", format!("many_{number:04}")), ProcessState::Running))
            .collect();
        let page = pages.get("/").await;
        assert_eq!(page.matches("<tr data-process").count(), 1000);
        assert!(page.len() < 2_000_000, "{} bytes", page.len());
    });
}

#[test]
fn templates_are_ours_alone() {
    // What a page loads must come from the binary: no address of another host stands in any template.
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap().replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{}", path.display());
    }
}
