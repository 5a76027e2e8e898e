//! The web page in a real browser: what a visitor sees of the programs, and does to them.

use std::time::Duration;

use anyhow::{Context, ensure};
use ironlance_e2e::browser::page::{StatusPage, button, cell, on_page, row};
use ironlance_e2e::browser::{Key, violations, visit};
use ironlance_e2e::wait::pause;
use rustix::process::Signal;

/// Long beside what a page needs to show a line.
const QUIET: Duration = Duration::from_millis(400);

/// A program that runs, one that does not, a group of two, and one that says what it is told.
const PROGRAMS: &str = "[program:web]\ncommand=sleep 1000\nstartsecs=0\nautorestart=false\n\
    [program:off]\ncommand=sleep 1000\nautostart=false\nstartsecs=0\n\
    [program:pair]\ncommand=sleep 1000\nstartsecs=0\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n\
    [program:echo]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/echo.log\n";

#[test]
fn the_table_shows_every_program_as_it_is() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        for running in ["web", "pair:pair_0", "pair:pair_1", "echo"] {
            daemon.wait_state(running, "RUNNING")?;
        }
        page.go_live("/")?;
        for (process, state) in [
            ("web:web", "RUNNING"),
            ("off:off", "STOPPED"),
            ("pair:pair_0", "RUNNING"),
            ("pair:pair_1", "RUNNING"),
            ("echo:echo", "RUNNING"),
        ] {
            page.wait_state(process, state)?;
            let pid = window.text(&cell(process, "pid"))?.context("cannot find its pid")?;
            let known = daemon.pid_of(process)?;
            ensure!(pid.trim().parse().unwrap_or(0) == known, "{process}: {pid:?} is not {known}");
        }
        ensure!(window.count("#programs tr[data-process]")? == 5, "there are others");
        ensure!(window.count("#programs [data-group='pair']")? > 0, "there is no group");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_program_is_stopped_and_started_by_its_buttons() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("web", "RUNNING")?;
        page.go_live("/")?;
        window.click(&button("web:web", "stop"))?;
        page.wait_state("web:web", "STOPPED")?;
        ensure!(daemon.state("web")? == "STOPPED", "the daemon says {}", daemon.state("web")?);
        window.wait_text("#message", |text| text.contains("web"))?;
        window.click(&button("web:web", "start"))?;
        page.wait_state("web:web", "RUNNING")?;
        let pid = daemon.wait_state("web", "RUNNING")?;
        window.click(&button("web:web", "restart"))?;
        window.wait_text(&cell("web:web", "pid"), |text| {
            text.trim().parse().is_ok_and(|new: i64| new != pid)
        })?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_others_do_is_seen_without_loading_the_page_anew() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("web", "RUNNING")?;
        page.go_live("/")?;
        daemon.call("stopProcess", &["web".into()])?.unwrap();
        page.wait_state("web:web", "STOPPED")?;
        daemon.call("startProcess", &["off".into()])?.unwrap();
        page.wait_state("off:off", "RUNNING")?;
        window.wait_text("#events li:first-child", |text| {
            text.contains("off") && text.to_uppercase().contains("RUNNING")
        })?;
        page.ensure_not_reloaded()
    })
    .unwrap();
}

#[test]
fn a_group_and_all_programs_have_buttons_of_their_own() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        for running in ["web", "pair:pair_0", "pair:pair_1"] {
            daemon.wait_state(running, "RUNNING")?;
        }
        page.go_live("/")?;
        page.press_surely("#programs [data-group='pair'] button[value='stop']")?;
        for process in ["pair:pair_0", "pair:pair_1"] {
            page.wait_state(process, "STOPPED")?;
        }
        ensure!(daemon.state("web")? == "RUNNING", "others were stopped as well");
        page.press_surely("#all button[value='stop']")?;
        page.wait_state("web:web", "STOPPED")?;
        daemon.wait_state("echo", "STOPPED")?;
        window.click("#all button[value='start']")?;
        for process in ["web:web", "off:off", "pair:pair_0", "pair:pair_1", "echo:echo"] {
            page.wait_state(process, "RUNNING")?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_killed_program_says_why_it_ended() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("web", "RUNNING")?;
        page.go_live("/")?;
        daemon.hit("web", Signal::KILL)?;
        window.wait_text(&format!("{} .why", row("web:web")), |text| text.contains("SIGKILL"))?;
        page.wait_state("web:web", "EXITED")?;
        window.wait_text("#events", |text| text.contains("SIGKILL"))?;
        page.ensure_not_reloaded()?;
        page.go("/program.html?processname=web:web")?;
        window.wait_text("main", |text| text.contains("SIGKILL"))?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_log_line_shows_up_while_one_looks_and_can_be_searched() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("echo", "RUNNING")?;
        let say = |words: &str| {
            daemon.write_stdin("echo", words)
        };
        say("an old line\n")?;
        daemon.wait_file("echo.log", "old")?;
        page.go_live("/tail.html?processname=echo&channel=stdout&limit=1024")?;
        window.wait_text("#log", |text| text.contains("an old line"))?;
        say("a fresh line\nanother <b>matter</b>\n")?;
        window.wait_text("#log", |text| text.contains("a fresh line") && text.contains("<b>matter</b>"))?;
        page.ensure_not_reloaded()?;
        window.write("#search", "FRESH")?;
        window.wait_text("#log", |text| text.contains("a fresh line") && !text.contains("matter"))?;
        window.wait_text("#log mark", |text| text == "fresh")?;
        say("not wanted\nnew and fresh as well\n")?;
        window.wait_text("#log", |text| text.contains("as well") && !text.contains("not wanted"))?;
        window.run("const s = document.querySelector('#search'); s.value = ''; s.dispatchEvent(new Event('input', {bubbles: true}))", &[])?;
        window.wait_text("#log", |text| text.contains("matter") && text.contains("not wanted"))?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_log_is_cleared_by_its_button() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("echo", "RUNNING")?;
        daemon.write_stdin("echo", "yesterday\n")?;
        daemon.wait_file("echo.log", "yesterday")?;
        page.go_live("/")?;
        window.click(&button("echo:echo", "clear"))?;
        window.wait_text("#message", |text| text.contains("echo"))?;
        ensure!(daemon.file("echo.log").is_empty(), "there is {:?}", daemon.file("echo.log"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_a_program_takes_is_told_and_drawn() {
    // It takes 30 MB, then sleeps.
    let eater = "[program:eater]\ncommand=python3 -c \"import time; a = bytearray(30000000); time.sleep(1000)\"\nstartsecs=0\n";
    on_page(eater, |page| {
        page.daemon.wait_state("eater", "RUNNING")?;
        page.go_live("/")?;
        page.window.wait_text(&cell("eater:eater", "memory"), |text| {
            let mib = text.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
            mib.is_some_and(|mib| mib > 30.0 && mib < 100.0) && text.contains("MiB")
        })?;
        page.window.wait_text(&cell("eater:eater", "cpu"), |text| text.contains('%'))?;
        for class in ["memory", "cpu"] {
            let graph = format!("{} svg", cell("eater:eater", class));
            page.window.wait(&format!("document.querySelector(\"{graph}\") !== null"))?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn listeners_are_shown_with_their_health() {
    let listener = "[eventlistener:pool]\ncommand=sh -c 'echo READY; exec sleep 1000'\nevents=PROCESS_STATE\nstartsecs=0\n\
        [program:web]\ncommand=sleep 1000\nautostart=false\nstartsecs=0\n";
    on_page(listener, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("pool", "RUNNING")?;
        page.go_live("/")?;
        let shown = "#listeners tr[data-listener='pool:pool']";
        // It takes the first event that comes, and never answers.
        daemon.call("startProcess", &["web".into()])?.unwrap();
        window.wait_text(shown, |text| text.contains("BUSY"))?;
        // The table is made anew together with a row of the other one.
        for (change, state) in [("stopProcess", "STOPPED"), ("startProcess", "RUNNING")] {
            daemon.call(change, &["web".into()])?.unwrap();
            page.wait_state("web:web", state)?;
            window.wait_text("#events li:first-child", |text| text.contains(state))?;
            window.wait_text(shown, |text| text.contains("BUSY"))?;
            ensure!(window.count("#listeners thead th[scope='col']")? > 3, "the head of the table is gone");
        }
        page.ensure_not_reloaded()
    })
    .unwrap();
}

#[test]
fn the_page_works_without_scripts() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("web", "RUNNING")?;
        daemon.wait_state("echo", "RUNNING")?;
        window.without_scripts()?;
        page.go("/")?;
        ensure!(
            window.attribute("html", "data-live")?.as_deref() != Some("on"),
            "there are scripts after all"
        );
        window.click(&button("web:web", "stop"))?;
        daemon.wait_state("web", "STOPPED")?;
        window.wait_text("#message[role='status']", |text| text.contains("web"))?;
        ensure!(window.url()?.contains("message="), "the address is {}", window.url()?);
        daemon.write_stdin("echo", "good morning\n")?;
        daemon.wait_file("echo.log", "morning")?;
        window.click(&format!("{} td.actions a.tail", row("echo:echo")))?;
        window.wait_text("#log", |text| text.contains("good morning"))?;
        daemon.write_stdin("echo", "good evening\n")?;
        daemon.wait_file("echo.log", "evening")?;
        window.click("a.refresh")?;
        window.wait_text("#log", |text| text.contains("good evening"))?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn who_reads_chinese_gets_it_in_chinese() {
    on_page(PROGRAMS, |page| {
        let window = page.window;
        let chinese = |text: &str| text.chars().any(|char| ('\u{4e00}'..='\u{9fff}').contains(&char));
        page.go("/")?;
        ensure!(window.attribute("html", "lang")?.as_deref() == Some("en"), "it is not in English");
        window.read_language("zh-CN,zh")?;
        for path in
            ["/", "/mainlog.html", "/tail.html?processname=echo", "/program.html?processname=echo:echo"]
        {
            page.go(path)?;
            window.wait_attribute("html", "lang", "zh")?;
            window.wait_text("main", chinese).with_context(|| path)?;
        }
        page.go("/?lang=en")?;
        window.wait_attribute("html", "lang", "en")?;
        ensure!(!chinese(&window.text("#programs")?.unwrap()), "the table is still in Chinese");
        Ok(())
    })
    .unwrap();
}

#[test]
fn nobody_is_shut_out_by_eyes_or_hands() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("web", "RUNNING")?;
        daemon.hit("web", Signal::KILL)?;
        daemon.wait_state("web", "EXITED")?;
        let mut found = Vec::new();
        for scheme in ["light", "dark"] {
            window.prefer_colours(scheme)?;
            for path in [
                "/",
                "/?lang=zh",
                "/mainlog.html",
                "/tail.html?processname=echo",
                "/program.html?processname=web:web",
            ] {
                page.go(path)?;
                found.extend(violations(window)?.into_iter().map(|one| format!("{path} ({scheme}): {one}")));
            }
        }
        ensure!(found.is_empty(), "{}", found.join("\n"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_page_that_shuts_people_out_is_found() {
    visit(|window| {
        window.go(
            "data:text/html,<h1>one</h1><h1>two</h1><button></button><input><p style='color:silver'>pale",
        )?;
        let found = violations(window)?.join("\n");
        for part in ["language", "no title", "2 h1", "<button></button> has no name", "no label", "pale"] {
            ensure!(found.contains(part), "{part} is not in:\n{found}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_night_is_dark_and_the_phone_is_narrow() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("echo", "RUNNING")?;
        let long = format!("{}\n", "0123456789".repeat(60));
        daemon.write_stdin("echo", &long)?;
        daemon.wait_file("echo.log", "\n")?;
        // How light the paper is, from 0 to 255.
        let paper = "(() => { const colour = (element) => getComputedStyle(element).backgroundColor; \
             const body = colour(document.body); \
             const canvas = new OffscreenCanvas(1, 1).getContext('2d'); \
             canvas.fillStyle = body === 'rgba(0, 0, 0, 0)' ? colour(document.documentElement) : body; \
             canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data[1]; })()";
        window.be_phone(360, 740)?;
        for (scheme, light) in [("light", true), ("dark", false)] {
            window.prefer_colours(scheme)?;
            for path in [
                "/",
                "/?lang=zh",
                "/mainlog.html",
                "/tail.html?processname=echo",
                "/program.html?processname=echo:echo",
            ] {
                page.go(path)?;
                let paper = window.value(paper)?.as_u64().unwrap();
                ensure!((paper > 128) == light, "{path} is {paper} light in the {scheme}");
                let widths = window.value("[document.scrollingElement.scrollWidth, innerWidth]")?;
                ensure!(widths[0].as_u64() <= Some(360), "{path} is {widths} wide");
                ensure!(widths[1].as_u64() == Some(360), "{path} is {widths} wide");
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_keyboard_is_enough_and_the_focus_stays() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("web", "RUNNING")?;
        page.go_live("/")?;
        let focus =
            "document.activeElement.closest('tr')?.dataset.process + ' ' + document.activeElement.value";
        let mut walked = 0;
        while window.value(focus)? != "web:web stop" {
            window.press(Key::Tab)?;
            walked += 1;
            ensure!(walked < 60, "Tab does not come to the button; it is at {}", window.value(focus)?);
        }
        // The row is made anew while the button has the focus.
        let pid = daemon.pid_of("web")?;
        daemon.call("stopProcess", &["off".into()])?.unwrap_err();
        daemon.call("startProcess", &["off".into()])?.unwrap();
        page.wait_state("off:off", "RUNNING")?;
        ensure!(window.value(focus)? == "web:web stop", "the focus went to {}", window.value(focus)?);
        ensure!(daemon.pid_of("web")? == pid, "it was stopped already");
        window.press(Key::Enter)?;
        daemon.wait_state("web", "STOPPED")?;
        page.wait_state("web:web", "STOPPED")?;
        // Its button is gone; the one that took its place has the focus.
        window.wait(&format!("{focus} === 'web:web start'"))
    })
    .unwrap();
}

#[test]
fn a_log_stands_still_while_it_is_paused() {
    on_page(PROGRAMS, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("echo", "RUNNING")?;
        let say = |words: &str| {
            daemon.write_stdin("echo", words)?;
            daemon.wait_file("echo.log", words)
        };
        say("one\n")?;
        page.go_live("/tail.html?processname=echo&channel=stdout&limit=1024")?;
        window.wait_text("#log", |text| text.contains("one"))?;
        window.click("#pause")?;
        say("two\n")?;
        pause(QUIET);
        ensure!(!window.text("#log")?.unwrap().contains("two"), "it went on");
        window.click("#pause")?;
        window.wait_text("#log", |text| text.contains("two")).map(drop)
    })
    .unwrap();
}

#[test]
fn many_programs_are_filtered_by_name_and_state() {
    let many = "[program:many]\ncommand=sleep 1000\nstartsecs=0\nnumprocs=100\nprocess_name=many_%(process_num)03d\n\
        [program:off]\ncommand=sleep 1000\nautostart=false\n";
    on_page(many, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("many:many_099", "RUNNING")?;
        page.go_live("/")?;
        let seen = "[...document.querySelectorAll('#programs tr[data-process]')].filter((row) => row.checkVisibility()).length";
        ensure!(window.value(seen)? == 101, "there are {}", window.value(seen)?);
        window.write("#filter", "MANY_04")?;
        window.wait(&format!("{seen} === 10"))?;
        // What changes stays hidden, or shown.
        daemon.call("stopProcess", &["many:many_050".into()])?.unwrap();
        page.wait_state("many:many_050", "STOPPED")?;
        window.wait(&format!("{seen} === 10"))?;
        page.ensure_not_reloaded()
    })
    .unwrap();
}
