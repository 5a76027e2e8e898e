//! The pages as browsers ask for them, with a stand-in for the owner.

use std::cell::RefCell;
use std::path::Path;

use hyper::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION, ORIGIN,
};
use ironlance_config::{HttpServer, ServerAddress};
use ironlance_core::event::counts::EventCounts;
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::record::EventRecord;
use ironlance_core::event::{Event, OutputChannel, StateDetail};
use ironlance_core::process::oom::TimeWindow;
use ironlance_core::{Namespec, ProcessState};
use ironlance_rpc::Value;
use tokio::task::{LocalSet, spawn_local};

use super::super::cross_site::MachineNames;
use super::flash_message::MESSAGE;
use super::*;
use crate::request::{LogLocation, RpcRequest, WaitMode};
use crate::requester::Requester;
use crate::view::{EndView, ListenerView, ProgramView};

const NOW: Duration = Duration::from_secs(1_800_000_000);
const PATIENCE: Duration = Duration::from_secs(10);

struct Quiet;

impl DaemonLog for Quiet {
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

fn end() -> EndView {
    EndView {
        words: "terminated by SIGKILL".into(),
        expected: false,
        told: false,
        by: None,
        out_of_memory: false,
        near_memory: None,
        at: NOW - Duration::from_secs(60),
        up: Duration::from_millis(3200),
        stdout_tail: "last <words>\x1b[0m\x07".into(),
        stderr_tail: String::new(),
    }
}

/// A daemon with a group, a program of a nasty name, and a listener.
fn sample() -> DaemonView {
    let mut crashed = program(Namespec::new("shop", "api"), ProcessState::Exited);
    crashed.end = Some(end());
    let mut listener = program(Namespec::new("pool", "pool"), ProcessState::Running);
    listener.is_listener = true;
    let exit = StateDetail::Exit { expected: true, pid: 7 };
    let at = NOW - Duration::from_secs(60);
    let event = Event::state(Namespec::new("shop", "api"), ProcessState::Running, ProcessState::Exited, exit);
    let happening = EventRecord { number: 7, at, event, why: Some("terminated by SIGKILL".into()) };
    DaemonView {
        identifier: "super<visor>".into(),
        mood: "RUNNING",
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
            state: "BUSY",
            event: Some(12),
            last_result: Some("OK</td>".into()),
            offences: 0,
            pending: 2,
            capacity: None,
            pending_bytes: 96,
            capacity_bytes: 80 << 20,
            is_full: false,
            dropped: [EventKind::Tick5].into_iter().collect(),
            merged: 0,
            answered: 5,
            outbox: None,
            dead: EventCounts::default(),
            babbles: 0,
            babble: String::new(),
            doubts: Vec::new(),
        }],
        recent: vec![Rc::new(happening)],
    }
}

/// A visitor of a server with these rights.
struct Visit {
    pages: Pages,
    asked: Rc<RefCell<Vec<RpcRequest>>>,
    /// Logs that were asked for.
    logs: Rc<RefCell<Vec<LogId>>>,
    /// Every process has this log, and so has the daemon.
    log: tempfile::NamedTempFile,
    view: Rc<RefCell<DaemonView>>,
}

impl Visit {
    fn new(access: Access) -> Self {
        let (owner, mut inbox) = mpsc::channel(16);
        let asked: Rc<RefCell<Vec<RpcRequest>>> = Rc::default();
        let view = Rc::new(RefCell::new(sample()));
        let (heard, shown) = (Rc::clone(&asked), Rc::clone(&view));
        let logs: Rc<RefCell<Vec<LogId>>> = Rc::default();
        let log = tempfile::NamedTempFile::new().unwrap();
        let (sought, file) = (Rc::clone(&logs), log.path().to_owned());
        spawn_local(async move {
            while let Some(input) = inbox.recv().await {
                match input {
                    Input::View(reply) => drop(reply.send(shown.borrow().clone())),
                    Input::StateFolders(reply) => drop(reply.send(Vec::new())),
                    Input::Call(call) => {
                        let answer = answer(&call.request);
                        heard.borrow_mut().push(call.request);
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
        Self { pages: Pages::new(owner, Rc::new(Quiet), access, reader), asked, logs, log, view }
    }

    async fn get_with(&self, address: &str, headers: &HeaderMap) -> PageResponse {
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

    /// What a form comes to, as the desk would have it.
    async fn post(&self, form: &str, headers: &HeaderMap) -> PageResponse {
        let policy = CrossSiteCheck::new(&open_server(), &MachineNames::default());
        match self.pages.refusal(headers, &policy) {
            Some(refusal) => refusal,
            None => self.pages.act(&Requester::Unknown, headers, form.as_bytes()).await,
        }
    }
}

fn answer(request: &RpcRequest) -> Result<Value, Fault> {
    let status =
        |name: &str, code: FaultKind| Value::record([("name", name.into()), ("status", code.code().into())]);
    match request {
        RpcRequest::StopProcess { name, .. } if name == "off" => Err(FaultKind::NotRunning.about(name)),
        RpcRequest::StartProcess { name, .. } if name == "nope" => Err(FaultKind::BadName.about(name)),
        RpcRequest::StartProcess { name, .. } if name == "odd" => Err(FaultKind::Failed.about("<odd>")),
        RpcRequest::GetProcessInfo { name } if name == "nope" => Err(FaultKind::BadName.about(name)),
        RpcRequest::StopAllProcesses { .. } => {
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

fn text(response: PageResponse) -> String {
    match response.body {
        PageBody::Text(text) => text,
        PageBody::Fixed(text) => text.to_owned(),
        PageBody::Live(_) => panic!("it goes on"),
    }
}

fn form_head() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, "127.0.0.1:9001".parse().unwrap());
    headers.insert(ORIGIN, "http://127.0.0.1:9001".parse().unwrap());
    headers.insert(CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    headers
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
        let page = Visit::new(Access::Full).get("/").await;
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
        let visit = Visit::new(Access::Full);
        let hostile = [
            "/",
            "/program.html?processname=%3Cscript%3E",
            "/program.html?processname=shop:api",
            "/tail.html?processname=%3Cscript%3Ealert(1)%22%27",
            "/?message=%3Cscript%3Ealert(1)%3C/script%3E%22",
            "/?lang=%3Cscript%3E&message=%22%3E%3Cscript%3E",
        ];
        for address in hostile {
            let page = visit.get(address).await;
            assert_eq!(page.matches("<script").count(), 1, "{address} has a script that is not ours");
            assert!(page.contains("<script src=\"assets/page.js"), "{address}");
            for raw in ["<b>", "<words>", "OK</td>", "\x1b", "\x07", "web\"x", "<visor>"] {
                assert!(!page.contains(raw), "{address} has {raw:?}");
            }
        }
        assert!(visit.get("/").await.contains("program.html?processname=%3Cscript%3E%3A%3Cscript%3E"));
        assert!(visit.get("/?message=a%22b").await.contains("class=\"good\" id=\"message\">a&#34;b</p>"));
        let long = visit.get(&format!("/?message={}", "x".repeat(5000))).await;
        assert!(!long.contains(&"x".repeat(MESSAGE + 1)));
    });
}

#[test]
fn a_program_has_a_page_that_says_why_it_ended() {
    run(async {
        let visit = Visit::new(Access::Full);
        for name in ["shop:api", "shop%3Aapi"] {
            let page = visit.get(&format!("/program.html?processname={name}")).await;
            for part in ["terminated by SIGKILL", "unexpected", "last &#60;words&#62;␇", "value=\"program\""]
            {
                assert!(page.contains(part), "{part} is not there");
            }
        }
        let none = visit.get_with("/program.html?processname=nope", &HeaderMap::new()).await;
        assert_eq!(none.status, 404);
        assert_eq!(visit.get_with("/program.html", &HeaderMap::new()).await.status, 404);
    });
}

#[test]
fn who_stopped_a_program_and_who_was_killed_beside_it_is_told() {
    run(async {
        let visit = Visit::new(Access::Full);
        let by = Some("memmon, a process of this supervisord".to_owned());
        visit.view.borrow_mut().programs[0].end =
            Some(EndView { told: true, expected: true, by: by.clone(), ..end() });
        assert!(visit.get("/").await.contains("stopped by memmon, a process of this supervisord"));
        let page = visit.get("/program.html?processname=%3Cscript%3E").await;
        assert!(page.contains("<dt>By whom</dt><dd>memmon, a process of this supervisord</dd>"), "{page}");
        assert_eq!(page.matches("memmon, a process of").count(), 1, "it is said once");
        let window = TimeWindow { from: NOW - Duration::from_secs(90), to: NOW - Duration::from_secs(60) };
        visit.view.borrow_mut().programs[2].end = Some(EndView { by, near_memory: Some(window), ..end() });
        let page = visit.get("/").await;
        assert!(page.contains("terminated by SIGKILL, by the signal of memmon"), "{page}");
        assert!(page.contains("a process of this control group was killed for want of memory: "), "{page}");
        assert!(visit.get("/program.html?processname=shop:api&lang=zh").await.contains("因内存不足被杀"));
    });
}

#[test]
fn a_program_that_runs_again_says_why_it_did_not_and_one_that_was_told_to_stop_says_that() {
    run(async {
        let visit = Visit::new(Access::Full);
        visit.view.borrow_mut().programs[3].end = Some(end());
        let page = visit.get("/").await;
        let again = row(&page, "shop:web&#34;x");
        assert!(again.contains("<span class=\"why\">Before: terminated by SIGKILL · after 3.2 s"), "{again}");
        let told = EndView { told: true, expected: true, ..end() };
        visit.view.borrow_mut().programs[3].end = Some(told.clone());
        assert!(!row(&visit.get("/").await, "shop:web&#34;x").contains("why"));
        visit.view.borrow_mut().programs[0].end = Some(told);
        let page = visit.get("/").await;
        let stopped = row(&page, "&#60;script&#62;:&#60;script&#62;");
        assert!(stopped.contains("<span class=\"why\">stopped on request"), "{stopped}");
    });
}

#[test]
fn a_log_is_shown_from_its_end_by_the_originals_address() {
    run(async {
        let visit = Visit::new(Access::Full);
        std::fs::write(visit.log.path(), format!("{}\n<b>INFO\x1b[31m\x07", "old\n".repeat(600))).unwrap();
        let page = visit.get("/tail.html?processname=web&limit=2000").await;
        assert!(page.contains("old\n\n&#60;b&#62;INFO␇</pre>"), "{page}");
        assert!((490..500).contains(&page.matches("old\n").count()), "only the end is shown, in whole lines");
        assert!(page.contains("data-source=\"logtail/web/stdout\""));
        let asked = visit.logs.borrow().last().cloned();
        let channel = OutputChannel::Stdout;
        assert_eq!(asked, Some(LogId::Process { name: "web".into(), channel }));
        assert_eq!(*visit.asked.borrow(), [], "the owner reads no log");
        let nobody = visit.get("/tail.html").await;
        assert!(nobody.contains("No process name found") && !nobody.contains("data-source"));
        assert!(!nobody.contains("The log is empty") && !nobody.contains("id=\"search\""), "{nobody}");
        let silent = visit.get("/tail.html?processname=silent").await;
        assert!(silent.contains("No log file for silent") && !silent.contains("data-source"));
        assert!(visit.get("/mainlog.html").await.contains("&#62;INFO"));
    });
}

#[test]
fn the_language_is_the_browsers_or_the_one_in_the_address() {
    run(async {
        let visit = Visit::new(Access::Full);
        let mut chinese = HeaderMap::new();
        chinese.insert(ACCEPT_LANGUAGE, "zh-CN,zh;q=0.9".parse().unwrap());
        for address in ["/", "/program.html?processname=shop:api", "/tail.html?processname=web"] {
            let page = text(visit.get_with(address, &chinese).await);
            assert!(page.contains("<html lang=\"zh\">") && page.contains("刷新"), "{address}");
            assert!(!page.contains("lang=zh"), "the browser says it each time");
            let join = if address.contains('?') { '&' } else { '?' };
            let page = text(visit.get_with(&format!("{address}{join}lang=en"), &chinese).await);
            assert!(page.contains("<html lang=\"en\">") && page.contains("lang=en"), "{address}");
            assert!(!page.contains("刷新"), "{address}");
        }
        let page = visit.get("/?lang=zh").await;
        assert!(
            page.contains("&amp;limit=65536&lang=zh") || page.contains("&amp;limit=65536&#38;lang=zh"),
            "{page}"
        );
        assert!(page.contains("<input type=\"hidden\" name=\"lang\" value=\"zh\">"));
        assert!(page.contains("终止信号 SIGKILL"));
    });
}

#[test]
fn a_link_changes_nothing_and_says_so() {
    run(async {
        let visit = Visit::new(Access::Full);
        for address in ["/?action=stopall", "/index.html?processname=web&action=stop&message=done"] {
            let page = visit.get(address).await;
            assert!(page.contains("Nothing was changed") && !page.contains("done"), "{address}");
        }
        assert!(visit.asked.borrow().is_empty());
        assert!(!visit.get("/?action=refresh").await.contains("Nothing was changed"));
    });
}

#[test]
fn a_button_does_what_it_says() {
    run(async {
        let visit = Visit::new(Access::Full);
        let token = visit.token().await;
        let cases = [
            ("process=shop:api&do=start", "shop%3Aapi%20is%20being%20started"),
            ("process=web:web&do=stop", "web%20is%20being%20stopped"),
            ("process=off&do=stop", "off%3A%20not%20running"),
            ("process=nope&do=start", "nope%3A%20no%20such%20process"),
            ("process=nope&do=restart", "nope%3A%20no%20such%20process"),
            ("process=odd&do=start", "FAILED%3A%20%3Codd%3E"),
            ("process=web&do=clear", "logs%20of%20web%20are%20cleared"),
            ("group=shop&do=clear&sure=1", "Logs%20cleared"),
            ("group=none&do=restart", "none%3A%20no%20such%20process"),
            ("all=1&do=stop&sure=1", "1%20being%20stopped.%201%20failed%3A%20b&tone=warn"),
        ];
        for (form, message) in cases {
            let response = visit.post(&format!("token={token}&{form}"), &form_head()).await;
            assert_eq!(response.status, 303, "{form}");
            let to = response.headers.get(LOCATION).unwrap().to_str().unwrap();
            assert!(to.starts_with("./?message=") && to.contains(message), "{form} leads to {to}");
        }
        let stop = RpcRequest::StopProcess { name: "web:web".into(), wait: WaitMode::AtOnce };
        assert!(visit.asked.borrow().contains(&stop), "nobody waits for a process to stop");
        let form = format!("token={token}&process=shop%3Aapi&do=start&page=program&lang=zh");
        let response = visit.post(&form, &form_head()).await;
        let to = response.headers.get(LOCATION).unwrap().to_str().unwrap();
        assert!(
            to.starts_with("program.html?processname=shop%3Aapi&message=") && to.ends_with("&lang=zh"),
            "{to}"
        );
    });
}

#[test]
fn a_script_gets_the_message_alone() {
    run(async {
        let visit = Visit::new(Access::Full);
        let token = visit.token().await;
        let mut headers = form_head();
        headers.insert(ACCEPT, "text/plain".parse().unwrap());
        headers.insert(ACCEPT_LANGUAGE, "zh".parse().unwrap());
        let response = visit.post(&format!("token={token}&process=shop:api&do=stop"), &headers).await;
        assert_eq!((response.status.as_u16(), text(response)), (200, "正在停止 shop:api。\n".into()));
    });
}

#[test]
fn many_are_ended_only_by_who_is_sure() {
    run(async {
        let visit = Visit::new(Access::Full);
        let token = visit.token().await;
        let mut script = form_head();
        script.insert(ACCEPT, "text/plain".parse().unwrap());
        for (form, question) in [
            ("all=1&do=stop", "Really stop 2, with 1 listener?"),
            ("all=1&do=restart&sure=", "Really restart 4, with 1 listener?"),
            ("do=stop&group=shop", "Really stop 1 of shop?"),
            ("do=restart&group=shop", "Really restart 2 of shop?"),
            ("do=clear&group=shop", "Really clear the logs of 2 of shop?"),
        ] {
            let form = format!("token={token}&{form}");
            let response = visit.post(&form, &form_head()).await;
            assert_eq!(response.status, 200, "{form}");
            let page = text(response);
            assert!(page.contains(question) && page.contains("name=\"sure\" value=\"1\""), "{page}");
            assert!(
                page.contains(&token) && page.contains("name=\"group\"") == form.contains("group="),
                "{page}"
            );
            let response = visit.post(&form, &script).await;
            assert_eq!((response.status.as_u16(), text(response)), (409, format!("{question}\n")));
        }
        for nobody in ["do=clear", "do=stop&sure=1&process=", "do=stop&sure=1&proces=web", "do=start&all="] {
            let response = visit.post(&format!("token={token}&{nobody}"), &form_head()).await;
            assert_eq!(response.status, 400, "{nobody}");
        }
        assert!(visit.asked.borrow().is_empty());
        for form in [
            "all=1&do=start",
            "do=clear&group=pool",
            "do=stop&group=pool",
            "all=1&do=restart&sure=1",
            "do=stop&group=none",
        ] {
            let response = visit.post(&format!("token={token}&{form}"), &form_head()).await;
            assert_eq!(response.status, 303, "{form}");
        }
    });
}

#[test]
fn the_counts_lead_to_their_programs_and_the_address_filters() {
    run(async {
        let visit = Visit::new(Access::Full);
        let page = visit.get("/").await;
        assert!(page.contains("<a class=\"count FATAL\" href=\"./?filter=exited+unexpected\""), "{page}");
        assert!(page.contains("1 EXITED unexpectedly</a>") && page.contains("2 RUNNING</a>"), "{page}");
        assert!(page.contains("href=\"#health\">Listeners: 1 of 1 not well</a>"), "{page}");
        assert!(!page.contains("data-filtered") && !page.contains("<tbody hidden>"), "{page}");
        let page = visit.get("/?filter=exited+unexpected&lang=en").await;
        assert!(
            page.contains(" data-filtered=\"\"") && page.contains("value=\"exited unexpected\""),
            "{page}"
        );
        assert!(page.contains("filter=exited%20unexpected"), "other languages and Refresh keep it");
        let shown = |key: &str| !row(&page, key).split('>').next().unwrap().contains("hidden");
        assert!(shown("shop:api") && !shown("shop:web&#34;x") && !shown("pool:pool"), "{page}");
        assert_eq!(page.matches("<tbody hidden>").count(), 2);
        let page = visit.get("/?filter=%3Cscript%3Enobody").await;
        assert!(page.contains("<p id=\"no-match\" class=\"empty\">"), "{page}");
    });
}

#[test]
fn a_listener_says_what_is_wrong_with_it() {
    run(async {
        let visit = Visit::new(Access::Full);
        for page in ["/", "/program.html?processname=pool:pool"] {
            let page = visit.get(page).await;
            assert!(
                page.contains("<span class=\"why bad\">2 events waiting · 1 event lost (1 TICK_5)</span>")
            );
        }
        let other = visit.get("/program.html?processname=shop:api").await;
        assert!(!other.contains("data-listener=") && other.contains("-title\" hidden>"), "{other}");
        {
            let listener = &mut visit.view.borrow_mut().listeners[0];
            (listener.state, listener.is_full, listener.offences) = ("ACKNOWLEDGED", true, 3);
            listener.dead = [EventKind::Tick60].into_iter().collect();
            (listener.babbles, listener.babble) = (1, "hello\n".into());
        }
        let wrong = "has not said READY · its buffer is full · 1 event lost (1 TICK_5) · 1 event that nobody dealt with (1 TICK_60) · restarted for breaking the protocol, 3 lately · babbled: &#34;hello\\n&#34;";
        assert!(visit.get("/").await.contains(wrong));
        assert!(
            visit
                .get("/?lang=zh")
                .await
                .contains("尚未发出 READY · 事件队列已满 · 已丢弃 1 个事件（1 TICK_5）")
        );
        {
            let listener = &mut visit.view.borrow_mut().listeners[0];
            (listener.state, listener.is_full, listener.offences) = ("BUSY", false, 0);
            (listener.dropped, listener.dead) = (EventCounts::default(), EventCounts::default());
            listener.babbles = 0;
        }
        let page = visit.get("/").await;
        assert!(
            page.contains("<span class=\"why\">2 events waiting</span>") && !page.contains("not well"),
            "{page}"
        );
    });
}

#[test]
fn a_program_that_never_started_and_one_without_events_are_told_so() {
    run(async {
        let visit = Visit::new(Access::Full);
        {
            let program = &mut visit.view.borrow_mut().programs[0];
            (program.state, program.description) = (ProcessState::Fatal, "can't find command '/x'".into());
        }
        let chinese = visit.get("/program.html?processname=%3Cscript%3E&lang=zh").await;
        assert!(chinese.contains("找不到命令"), "{chinese}");
        let page = visit.get("/program.html?processname=%3Cscript%3E").await;
        for part in ["Why it does not start", "find command", "Nothing in the last event."] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("<ol"), "an empty list is a line");
        visit.view.borrow_mut().recent.clear();
        assert!(
            visit.get("/program.html?processname=%3Cscript%3E").await.contains("Nothing has happened yet.")
        );
    });
}

#[test]
fn who_is_lost_in_a_browser_finds_back() {
    run(async {
        let visit = Visit::new(Access::ReadOnly);
        let mut browser = HeaderMap::new();
        browser.insert(ACCEPT, "text/html,*/*;q=0.8".parse().unwrap());
        for (address, back) in [
            ("/nope", "href=\"./\""),
            ("/a/b/c?lang=zh", "href=\"../../?lang=zh\""),
            ("/program.html?processname=nope", "href=\"./\""),
        ] {
            let response = visit.get_with(address, &browser).await;
            assert_eq!(response.status, 404, "{address}");
            let page = text(response);
            assert!(page.contains(back) && page.contains("assets/page.css"), "{address}: {page}");
        }
        let deep = text(visit.get_with("/a/b", &browser).await);
        assert!(
            deep.contains("href=\"../assets/page.css") && deep.contains("src=\"../assets/page.js"),
            "{deep}"
        );
    });
}

#[test]
fn a_restart_stops_first_and_starts_when_that_is_done() {
    run(async {
        let visit = Visit::new(Access::Full);
        let token = visit.token().await;
        for name in ["shop:api", "off"] {
            visit.asked.borrow_mut().clear();
            let response =
                visit.post(&format!("token={token}&process={name}&do=restart"), &form_head()).await;
            assert_eq!(response.status, 303);
            while visit.asked.borrow().len() < 3 {
                tokio::task::yield_now().await;
            }
            let name = name.to_owned();
            let asked = visit.asked.borrow().clone();
            assert_eq!(
                asked[1..],
                [
                    RpcRequest::StopProcess { name: name.clone(), wait: WaitMode::WhenDone },
                    RpcRequest::StartProcess { name, wait: WaitMode::AtOnce },
                ]
            );
        }
    });
}

#[test]
fn who_does_not_know_the_token_or_comes_from_elsewhere_changes_nothing() {
    run(async {
        let visit = Visit::new(Access::Full);
        let post = async |form: String, headers: &HeaderMap| visit.post(&form, headers).await.status.as_u16();
        let early = format!("token={}&do=stop", "0".repeat(32));
        assert_eq!(post(early.clone(), &form_head()).await, 403, "there is no token yet");
        let token = visit.token().await;
        let good = format!("token={token}&all=1&do=stop&sure=1");
        assert_eq!(post("do=stop".into(), &form_head()).await, 403);
        assert_eq!(post("token=&do=stop".into(), &form_head()).await, 403);
        assert_eq!(post(early, &form_head()).await, 403);
        assert_eq!(post(format!("token={token}0&do=stop"), &form_head()).await, 403);
        let with = |name: &'static str, value: &str| {
            let mut headers = form_head();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        assert_eq!(post(good.clone(), &with("origin", "http://evil.example")).await, 403);
        assert_eq!(post(good.clone(), &with("origin", "null")).await, 403);
        assert_eq!(post(good.clone(), &with("sec-fetch-site", "cross-site")).await, 403);
        assert_eq!(post(good.clone(), &with("content-type", "text/plain")).await, 415);
        assert_eq!(post(good.clone(), &with("content-type", "multipart/form-data")).await, 415);
        assert_eq!(post(format!("token={token}&do=shutdown"), &form_head()).await, 400);
        assert!(visit.asked.borrow().is_empty());
        assert_eq!(post(good, &form_head()).await, 303);
    });
}

#[test]
fn who_may_only_look_sees_no_buttons_and_is_refused() {
    run(async {
        let visit = Visit::new(Access::ReadOnly);
        for address in ["/", "/program.html?processname=shop:api"] {
            let page = visit.get(address).await;
            assert!(
                !page.contains("post") && !page.contains("name=\"do\"") && !page.contains("token"),
                "{address}"
            );
            assert!(page.contains("Read only") && page.contains("class=\"tail\""), "{address}");
        }
        assert_eq!(visit.post("do=stop", &form_head()).await.status, 403);
        assert!(visit.asked.borrow().is_empty());
    });
}

#[test]
fn browsers_are_told_to_trust_nothing_but_us_and_to_keep_what_stays() {
    run(async {
        let visit = Visit::new(Access::Full);
        for address in ["/", "/tail.html?processname=web", "/program.html?processname=nope"] {
            let response = visit.get_with(address, &HeaderMap::new()).await;
            let head = |name: &str| response.headers.get(name).map_or("", |value| value.to_str().unwrap());
            assert!(head("content-security-policy").starts_with("default-src 'none'; style-src 'self';"));
            assert_eq!(head("x-content-type-options"), "nosniff");
            assert_eq!((head("referrer-policy"), head("cache-control")), ("same-origin", "no-store"));
        }
        let page = visit.get("/").await;
        for inline in ["style=", "onclick", "<style", "javascript:"] {
            assert!(!page.contains(inline), "the policy forbids {inline}");
        }
        let at = page.find("assets/page.css?v=").unwrap();
        let response = visit.get_with(&format!("/{}", &page[at..at + 34]), &HeaderMap::new()).await;
        assert!(
            response.headers[CACHE_CONTROL].to_str().unwrap().contains("immutable"),
            "{}",
            &page[at..at + 34]
        );
        assert!(!response.headers.contains_key(CONTENT_SECURITY_POLICY));
        let old = visit.get_with("/stylesheets/supervisor.css", &HeaderMap::new()).await;
        assert_eq!(old.headers[CACHE_CONTROL], "no-cache");
        assert_eq!(visit.get("/ok.html").await, "OK\n");
        for nowhere in ["/nope", "/images/icon.png", "/assets/", "/../etc/passwd", "/action"] {
            assert!(visit.pages.get(nowhere, "", &HeaderMap::new()).await.is_none(), "{nowhere}");
        }
    });
}

/// The next part of a live page that says more than that we are there.
async fn heard(stream: &mut dyn crate::http::response_body::StreamBody) -> String {
    loop {
        let part = std::future::poll_fn(|cx| stream.poll_next(cx)).await.expect("the stream has ended");
        let part = String::from_utf8(part.to_vec()).unwrap();
        if part.contains("event:") {
            return part;
        }
    }
}

#[test]
fn a_live_page_is_sent_what_changes_and_nothing_else() {
    run(async {
        let visit = Visit::new(Access::Full);
        let seen = snapshot::seen(&visit.view.borrow());
        let response = visit.get_with(&format!("/live?seen={seen}"), &HeaderMap::new()).await;
        assert_eq!(response.kind, "text/event-stream");
        let PageBody::Live(mut stream) = response.body else { panic!("it does not go on") };
        let first = heard(&mut *stream).await;
        assert!(first.starts_with("event: gauges\ndata: [") && !first.contains("swap"), "{first}");
        {
            let mut view = visit.view.borrow_mut();
            let program = &mut view.programs[0];
            (program.state, program.pid, program.starts) = (ProcessState::Running, Some(4_000_001), 4);
        }
        let next = heard(&mut *stream).await;
        assert!(next.contains(
            "data: <tr data-process=\"&#60;script&#62;:&#60;script&#62;\" data-state=\"RUNNING\">"
        ));
        assert!(next.contains("data: <p id=\"summary\""));
        assert_eq!(next.matches("<tr data-process").count(), 1, "{next}");
        assert!(
            !next.contains("id=\"listeners\"") && !next.contains("id=\"events\"") && !next.contains("layout")
        );
        visit.view.borrow_mut().programs.pop();
        let next = heard(&mut *stream).await;
        assert!(next.contains("event: layout\n") && !next.contains("<tr"), "{next}");
    });
}

#[test]
fn a_page_that_shows_something_old_is_told_to_look_again() {
    run(async {
        let visit = Visit::new(Access::Full);
        let response = visit.get_with("/live?seen=0", &HeaderMap::new()).await;
        let PageBody::Live(mut stream) = response.body else { panic!("it does not go on") };
        assert!(heard(&mut *stream).await.starts_with("event: layout\n"));
    });
}

#[test]
fn a_daemon_that_stops_says_so() {
    run(async {
        let (owner, inbox) = mpsc::channel(1);
        drop(inbox);
        let reader = Rc::new(LogReader::new(owner.clone()));
        let pages = Pages::new(owner, Rc::new(Quiet), Access::Full, reader);
        let response = pages.get("/", "", &HeaderMap::new()).await.unwrap();
        assert_eq!(response.status, 503);
    });
}

#[test]
fn a_thousand_programs_are_a_page() {
    run(async {
        let visit = Visit::new(Access::Full);
        visit.view.borrow_mut().programs = (0..1000)
            .map(|number| program(Namespec::new("many", format!("many_{number:04}")), ProcessState::Running))
            .collect();
        let page = visit.get("/").await;
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
