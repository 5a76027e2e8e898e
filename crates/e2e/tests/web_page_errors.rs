//! The web page in a real browser when something is wrong: no daemon, a slip of the hand, programs that are broken.

use anyhow::{Context, ensure};
use ironlance_e2e::browser::page::{StatusPage, ask, button, on_page};
use ironlance_e2e::browser::{Key, violations, visit};
use ironlance_e2e::wait::pause;
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{Daemon, Implementation, TestDir};
use rustix::process::Signal;
use std::time::Duration;

/// Two that run, one of them with a listener beside it, and a group.
const PROGRAMS: &str = "[program:web]\ncommand=sleep 1000\nstartsecs=0\nautorestart=false\n\
    [program:pair]\ncommand=sleep 1000\nstartsecs=0\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n\
    [eventlistener:pool]\ncommand=sh -c 'echo READY; exec sleep 1000'\nevents=TICK_3600\nstartsecs=0\n";

const STOP_ALL: &str = "#all button[value='stop']";
const STOP_PAIR: &str = "#programs [data-group='pair'] button[value='stop']";

/// How many rows are seen.
const SEEN: &str = "[...document.querySelectorAll('#programs tr[data-process]')].filter((row) => row.checkVisibility()).length";

/// Long beside the time in which the page answers.
const QUIET: Duration = Duration::from_millis(800);

fn all_run(daemon: &Daemon) -> anyhow::Result<()> {
    for process in ["web", "pair:pair_0", "pair:pair_1", "pool"] {
        daemon.wait_state(process, "RUNNING")?;
    }
    Ok(())
}

#[test]
fn a_daemon_that_is_gone_is_not_shown_alive() {
    let (dir, port) = (TestDir::new().unwrap(), closed_port().unwrap());
    let sections = format!("[inet_http_server]\nport=127.0.0.1:{port}\n{PROGRAMS}");
    let start = || Daemon::start(&dir, Implementation::Ours, &sections);
    visit(|window| {
        let daemon = start()?;
        daemon.wait_state("web", "RUNNING")?;
        window.go(&format!("http://127.0.0.1:{port}/"))?;
        window.wait_attribute("html", "data-live", "on")?;
        let uptime = "tr[data-process='web:web'] time";
        let is_lost = |text: &str| text.starts_with("No connection to supervisord since ");
        let stands = || -> anyhow::Result<()> {
            window.wait_text("#lost[role='alert']", is_lost)?;
            let before = window.text(uptime)?;
            pause(Duration::from_millis(2200));
            ensure!(window.text(uptime)? == before, "the uptime goes on");
            let dim = window.value("getComputedStyle(document.querySelector('main section')).opacity < 1")?;
            ensure!(dim == true, "the tables look as ever");
            Ok(())
        };
        let back = || {
            window.wait(
                "document.querySelector('#lost').hidden && document.documentElement.dataset.live === 'on'",
            )
        };
        // One that hangs says nothing, and keeps the connection.
        daemon.signal(Signal::STOP)?;
        stands()?;
        daemon.signal(Signal::CONT)?;
        back()?;
        drop(daemon);
        stands()?;
        let _daemon = start()?;
        back()?;
        window.wait_text(uptime, |text| text.starts_with("0:00:0")).map(drop)
    })
    .unwrap();
}

#[test]
fn many_are_stopped_by_a_second_press_alone() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        all_run(daemon)?;
        page.go_live("/")?;
        // A double click is no answer.
        window.run(
            "const b = document.querySelector(arguments[0]); b.click(); b.click()",
            &[STOP_ALL.into()],
        )?;
        window.wait_text(STOP_ALL, |text| text == "Really stop 4, with 1 listener?")?;
        window.wait_text("#asked[role='status']", |text| text.contains("Press again"))?;
        window.run("document.querySelector(arguments[0]).click()", &[STOP_ALL.into()])?;
        pause(QUIET);
        ensure!(daemon.state("web")? == "RUNNING", "it was stopped without an answer");
        let found = violations(window)?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        // Another button takes the question back.
        window.click(STOP_PAIR)?;
        window.wait_text(STOP_ALL, |text| text == "Stop all")?;
        window.wait_text(STOP_PAIR, |text| text == "Really stop 2 of pair?")?;
        let ready =
            format!("document.querySelector(\"{STOP_PAIR}[data-sure]:not([aria-disabled])\") !== null");
        window.wait(&ready)?;
        // By keyboard, as it has the focus.
        window.press(Key::Enter)?;
        page.wait_state("pair:pair_0", "STOPPED")?;
        page.wait_state("pair:pair_1", "STOPPED")?;
        ensure!(daemon.state("web")? == "RUNNING", "others were stopped as well");
        page.ensure_not_reloaded()
    })
    .unwrap();
}

#[test]
fn who_has_no_script_is_asked_on_a_page() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        all_run(daemon)?;
        window.without_scripts()?;
        page.go("/")?;
        window.click(STOP_PAIR)?;
        window.wait_text("h1", |text| text == "Really stop 2 of pair?")?;
        let found = violations(window)?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        ensure!(daemon.state("pair:pair_0")? == "RUNNING", "it was stopped without an answer");
        window.click("form.sure button")?;
        daemon.wait_state("pair:pair_1", "STOPPED")?;
        window.wait_text("#message.good", |text| text.contains("2 being stopped"))?;
        // The counts lead to what they count, and what is not seen is not stopped with it.
        window.click("a.refresh")?;
        window.click("a.count.STOPPED")?;
        window.wait(&format!("{SEEN} === 2"))?;
        for form in ["#all", ".group form"] {
            let hidden =
                format!("getComputedStyle(document.querySelector('{form}')).visibility === 'hidden'");
            ensure!(window.value(&hidden)? == true, "{form} is to be seen");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_is_broken_is_one_click_away() {
    let broken = "[program:dies]\ncommand=sh -c 'exit 3'\nstartsecs=0\nautorestart=false\n\
        [program:done]\ncommand=true\nstartsecs=0\nautorestart=false\n";
    on_page(&format!("{PROGRAMS}{broken}"), |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("dies", "EXITED")?;
        daemon.wait_state("done", "EXITED")?;
        page.go_live("/")?;
        let colour = |selector: &str| {
            window.value(&format!("getComputedStyle(document.querySelector(\"{selector}\")).color"))
        };
        let badge = |process: &str| format!("tr[data-process='{process}:{process}'] .badge");
        ensure!(colour(&badge("dies"))? != colour(&badge("done"))?, "a failure looks as harmless as an end");
        window.click("a.count.FATAL")?;
        window.wait(&format!(
            "{SEEN} === 1 && document.querySelector('tr[data-process=\"dies:dies\"]').checkVisibility()"
        ))?;
        ensure!(window.url()?.contains("filter=exited"), "the address is {}", window.url()?);
        ensure!(
            window.value("document.querySelector('#all').checkVisibility({visibilityProperty: true})")?
                == false,
            "all can be stopped"
        );
        page.ensure_not_reloaded()?;
        window.reload()?;
        window.wait(&format!("{SEEN} === 1"))?;
        // A listener that does not run raises no alarm, and that is said at the top.
        daemon.call("stopProcess", &["pool".into()])?.unwrap();
        window.wait_text("#summary", |text| text.contains("Listeners: 1 of 1 not well"))?;
        window.wait_text("tr[data-listener='pool:pool'] .why.bad", |text| text == "not running").map(drop)
    })
    .unwrap();
}

#[test]
fn the_focus_waits_where_it_is_while_a_program_stops() {
    // It stops when it is let.
    let gate = tempfile::tempdir().unwrap();
    let gate = gate.path().join("open");
    let slow = format!(
        "[program:slow]\ncommand=sh -c 'trap \"until [ -e {} ]; do sleep 0.1; done; exit 0\" TERM; while :; do sleep 0.1; done'\n\
         startsecs=0\nstopwaitsecs=60\n",
        gate.display()
    );
    on_page(&slow, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("slow", "RUNNING")?;
        page.go_live("/")?;
        window.run("document.querySelector(arguments[0]).focus()", &[button("slow:slow", "stop").into()])?;
        window.press(Key::Enter)?;
        page.wait_state("slow:slow", "STOPPING")?;
        let focus = "document.activeElement.value + ' ' + document.activeElement.disabled";
        window.wait(&format!("{focus} === 'start false'"))?;
        // It cannot be pressed yet.
        window.press(Key::Enter)?;
        std::fs::write(&gate, "")?;
        page.wait_state("slow:slow", "STOPPED")?;
        window.wait(&format!("{focus} === 'start false'"))?;
        ensure!(daemon.state("slow")? == "STOPPED", "it was started");
        window.press(Key::Enter)?;
        page.wait_state("slow:slow", "RUNNING")
    })
    .unwrap();
}

#[test]
fn a_log_that_was_cut_begins_with_a_line_and_goes_on_without_a_gap() {
    let echo = "[program:echo]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/echo.log\n";
    on_page(echo, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("echo", "RUNNING")?;
        let say = |words: &str| daemon.write_stdin("echo", words);
        // Wherever it is cut, an escape sequence is near.
        for number in 0..200 {
            say(&format!("\u{1b}[31;1m{number:03}\u{1b}[0m\u{1b}[33mx\u{1b}[0m\n"))?;
        }
        daemon.wait_file("echo.log", "199")?;
        for limit in [1024, 1025, 1031, 2000] {
            page.go_live(&format!("/tail.html?processname=echo&limit={limit}"))?;
            say("fresh\n")?;
            window.wait_text("#log", |text| text.ends_with("fresh\n"))?;
            let text = window.text("#log")?.context("cannot find the log")?;
            let numbers: Vec<&str> = text.lines().filter(|line| *line != "fresh").collect();
            let first: usize = numbers[0].trim_end_matches('x').parse().with_context(|| text.clone())?;
            let all: Vec<String> = (first..200).map(|number| format!("{number:03}x")).collect();
            ensure!(numbers == all, "{limit}: {text}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn who_is_lost_finds_the_way_back() {
    on_page(PROGRAMS, |page| {
        let window = page.window;
        for path in [
            "/nowhere",
            "/deep/down/here",
            "/program.html?processname=nosuch",
            "/tail.html?processname=nosuch",
        ] {
            page.go(path)?;
            let found = violations(window)?;
            ensure!(found.is_empty(), "{path}: {}", found.join("\n"));
            window.click(".home a")?;
            window.wait("document.querySelector('#programs') !== null").context(path)?;
        }
        let answer = ask(page.port, "GET /nowhere", &["Host: localhost"], "")?;
        ensure!(answer.status().contains(" 404 ") && !answer.text().contains("<html"), "{}", answer.text());
        Ok(())
    })
    .unwrap();
}
