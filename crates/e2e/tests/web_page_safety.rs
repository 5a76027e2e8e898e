//! The web page in a real browser: who may see it, who may do something, and what programs cannot do to it.

use anyhow::{Context, ensure};
use ironlance_e2e::Daemon;
use ironlance_e2e::browser::page::{StatusPage, ask, button, cell, on_page, on_page_at, row};
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{Implementation, TestDir};
use rustix::process::Signal;

const PROGRAM: &str = "[program:web]\ncommand=sleep 1000\nstartsecs=0\nautorestart=false\n";

/// What `POST /action` is sent with.
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// The policy that each page comes with.
const POLICY: [&str; 8] = [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
];

/// The token of the page, read as a program would.
fn token(port: u16) -> anyhow::Result<String> {
    let body = ask(port, "GET /", &[&format!("Host: 127.0.0.1:{port}")], "")?.body();
    let (_, after) = body.split_once("name=\"token\"").context("cannot find a token")?;
    let (_, value) = after.split_once("value=\"").context("cannot find the token's value")?;
    Ok(value.split('"').next().unwrap_or_default().to_owned())
}

#[test]
fn names_and_output_of_programs_are_shown_and_do_no_harm() {
    let hostile = "[program:<script>alert(1)<script>]\ncommand=sh -c 'echo \"<script>alert(2)</script><img src=x onerror=alert(3)>\"; exit 3'\n\
        startsecs=0\nautorestart=false\nstdout_logfile={dir}/a.log\n\
        [program:x\"autofocus\"onfocus=\"alert(4)]\ncommand=sleep 1000\nautostart=false\n\
        [program:'><b>&lt;i&gt;]\ncommand=/none/<u>alert(5)</u>\nstartretries=0\n";
    on_page(hostile, |page| {
        let StatusPage { daemon, window, .. } = page;
        let script = "<script>alert(1)<script>";
        daemon.wait_state(script, "EXITED")?;
        let message = "/?message=%3Cimg%20src=x%20onerror=alert(6)%3E";
        let quoted = "%3Cscript%3Ealert(1)%3Cscript%3E";
        let tail = format!("/tail.html?processname={quoted}&channel=stdout");
        let program = format!("/program.html?processname={quoted}:{quoted}");
        for path in ["/", message, &tail, &program, "/tail.html?processname=%3Cb%3Enone%3C/b%3E"] {
            page.go(path)?;
            window.ensure_no_alert()?;
            let harm = "img[src=x], [onerror], [onfocus], main script, main b > i, main u";
            ensure!(window.count(harm)? == 0, "{path}: {}", window.source()?);
        }
        page.go_live("/")?;
        let names =
            "[...document.querySelectorAll('#programs tr[data-process]')].map((row) => row.dataset.process)";
        let names = window.value(names)?.to_string();
        for name in ["<script>alert(1)<script>:", "autofocus", "'><b>&lt;i&gt;:"] {
            ensure!(names.contains(name), "{name} is not in {names}");
        }
        let table = window.text("#programs")?.context("cannot find the table")?;
        for name in [script, "x\"autofocus\"onfocus=\"alert(4)", "'><b>&lt;i&gt;"] {
            ensure!(table.contains(name), "{name} is not in {table}");
        }
        // The same when rows are made anew.
        daemon.call("startProcess", &[script.into()])?.unwrap();
        window.wait_text("#events", |text| text.contains(script))?;
        window.ensure_no_alert()?;
        page.go_live(&tail)?;
        window.wait_text("#log", |text| text.contains("<img src=x onerror=alert(3)>"))?;
        window.ensure_no_alert()
    })
    .unwrap();
}

#[test]
fn hostile_programs_are_stopped_by_their_buttons_as_any() {
    let hostile = "[program:a&b=c+d%41\"<i>]\ncommand=sleep 1000\nstartsecs=0\n";
    on_page(hostile, |page| {
        let name = "a&b=c+d%41\"<i>";
        page.daemon.wait_state(name, "RUNNING")?;
        page.go_live("/")?;
        page.window.click("#programs tr[data-process] button[value='stop']")?;
        page.daemon.wait_state(name, "STOPPED")?;
        page.window.click("#programs tr[data-process] a.tail")?;
        page.window.wait_text("h1", |text| text.contains(name))?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn only_our_own_scripts_run_and_nothing_complains() {
    on_page(PROGRAM, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("web", "RUNNING")?;
        for path in ["/", "/tail.html?processname=web", "/program.html?processname=web:web"] {
            let answer = page.ask(&format!("GET {path}"), &["Host: localhost"], "")?;
            ensure!(answer.status().contains(" 200 "), "{path}: {}", answer.status());
            let policy = answer.header("Content-Security-Policy").unwrap_or_default();
            for part in POLICY {
                ensure!(policy.contains(part), "{path}: {part} is not in {policy}");
            }
            let others = [
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "same-origin"),
                ("Cache-Control", "no-store"),
            ];
            for (name, value) in others {
                ensure!(answer.header(name).as_deref() == Some(value), "{path}: {}", answer.text());
            }
            page.go_live(path)?;
        }
        page.go_live("/")?;
        window.click(&button("web:web", "stop"))?;
        page.wait_state("web:web", "STOPPED")?;
        let console = window.console()?;
        ensure!(console.is_empty(), "{}", console.join("\n"));
        let inline = "const inline = document.createElement('script'); inline.textContent = 'window.harmed = 1'; \
             document.body.append(inline); return typeof window.harmed";
        ensure!(window.run(inline, &[])? == "undefined", "a script in the page ran");
        ensure!(window.console()?.join("\n").contains("Content Security Policy"), "the policy did not forbid it");
        Ok(())
    })
    .unwrap();
}

#[test]
fn without_the_password_there_is_nothing_and_with_it_everything() {
    on_page(&format!("username=me\npassword=s3cret:x\n{PROGRAM}"), |page| {
        let StatusPage { daemon, window, port } = page;
        daemon.wait_state("web", "RUNNING")?;
        for path in ["/", "/tail.html?processname=web", "/events", "/program.html?processname=web:web"] {
            let answer = page.ask(&format!("GET {path}"), &["Host: localhost"], "")?;
            ensure!(answer.status().contains(" 401 "), "{path}: {}", answer.status());
            ensure!(!answer.text().contains("web"), "{path}: {}", answer.text());
        }
        let refused = page.ask("POST /action", &["Host: localhost", FORM], "do=stop&process=web:web")?;
        ensure!(refused.status().contains(" 401 "), "{}", refused.status());
        page.go("/")?;
        ensure!(window.status()? == 401, "it came with {}", window.status()?);
        window.go(&format!("http://me:s3cret%3Ax@127.0.0.1:{port}/"))?;
        window.wait_attribute("html", "data-live", "on")?;
        window.click(&button("web:web", "stop"))?;
        page.wait_state("web:web", "STOPPED")?;
        window.click(&format!("{} a.tail", row("web:web")))?;
        window.wait_attribute("html", "data-live", "on")?;
        daemon.wait_state("web", "STOPPED").map(drop)
    })
    .unwrap();
}

#[test]
fn nothing_is_done_without_this_daemons_token_and_from_elsewhere() {
    on_page(PROGRAM, |page| {
        let StatusPage { daemon, port, .. } = page;
        daemon.wait_state("web", "RUNNING")?;
        let (dir, other) = (TestDir::new()?, closed_port()?);
        let _other = Daemon::start(
            &dir,
            Implementation::Ours,
            &format!("[inet_http_server]\nport=127.0.0.1:{other}\n{PROGRAM}"),
        )?;
        let (ours, theirs) = (token(*port)?, token(other)?);
        ensure!(ours != theirs, "both have the token {ours}");
        ensure!(ours.len() >= 22, "{ours} can be guessed");
        let host = format!("Host: 127.0.0.1:{port}");
        let post = |more: &[&str], token: &str| {
            let headers = [&[host.as_str(), FORM], more].concat();
            page.ask("POST /action", &headers, &format!("token={token}&process=web:web&do=stop"))
        };
        let cross = "Origin: http://evil.example";
        let near = format!("Origin: http://127.0.0.1:{other}");
        let cases: [(&[&str], &str); 6] = [
            (&[], &theirs),
            (&[], ""),
            (&[], &ours[1..]),
            (&[cross], &ours),
            (&["Sec-Fetch-Site: cross-site"], &ours),
            (&[&near], &ours),
        ];
        for (headers, token) in cases {
            let answer = post(headers, token)?;
            ensure!(answer.status().contains(" 403 "), "{headers:?} {token}: {}", answer.status());
        }
        let plain = page.ask(
            "POST /action",
            &[&host, "Content-Type: text/plain"],
            &format!("token={ours}&process=web:web&do=stop"),
        )?;
        ensure!(plain.status().contains(" 4"), "{}", plain.status());
        ensure!(daemon.state("web")? == "RUNNING", "it was stopped all the same");
        let answer = post(&[], &ours)?;
        ensure!(answer.status().contains(" 303 "), "{}", answer.text());
        daemon.wait_state("web", "STOPPED").map(drop)
    })
    .unwrap();
}

#[test]
fn going_to_an_address_changes_nothing() {
    on_page(PROGRAM, |page| {
        let StatusPage { daemon, window, port } = page;
        let pid = daemon.wait_state("web", "RUNNING")?;
        let token = token(*port)?;
        for path in [
            "/?action=stop&processname=web",
            "/index.html?action=stopall",
            "/?action=restart&processname=web:web",
            &format!("/action?token={token}&process=web:web&do=stop"),
        ] {
            page.go(path)?;
            ensure!(daemon.pid_of("web")? == pid, "{path} changed it");
        }
        page.go("/?action=stop&processname=web")?;
        window.wait_text("#message", |text| !text.trim().is_empty())?;
        ensure!(window.count(&row("web:web"))? == 1, "there is no table");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_name_that_was_pointed_at_us_cannot_do_anything() {
    on_page(PROGRAM, |page| {
        page.daemon.wait_state("web", "RUNNING")?;
        let token = token(page.port)?;
        let body = format!("token={token}&process=web:web&do=stop");
        let headers = ["Host: evil.example", "Origin: http://evil.example", FORM];
        let answer = page.ask("POST /action", &headers, &body)?;
        ensure!(answer.status().contains(" 403 "), "{}", answer.status());
        ensure!(page.daemon.state("web")? == "RUNNING", "it was stopped");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_server_open_to_all_without_a_password_is_there_to_look() {
    on_page_at("*", PROGRAM, |page| {
        let StatusPage { daemon, window, .. } = page;
        daemon.wait_state("web", "RUNNING")?;
        page.go_live("/")?;
        page.wait_state("web:web", "RUNNING")?;
        ensure!(window.count("form[method='post'], button[name='do']")? == 0, "there are buttons");
        window.wait_text("main .notice", |text| !text.trim().is_empty())?;
        let headers = [&*format!("Host: 127.0.0.1:{}", page.port), FORM];
        let answer = page.ask("POST /action", &headers, "process=web:web&do=stop")?;
        ensure!(answer.status().contains(" 403 "), "{}", answer.status());
        ensure!(daemon.state("web")? == "RUNNING", "it was stopped");
        daemon.call("stopProcess", &["web".into()])?.unwrap();
        page.wait_state("web:web", "STOPPED")?;
        ensure!(window.count("form[method='post'], button[name='do']")? == 0, "there are buttons now");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_page_that_was_left_open_works_again_when_the_daemon_is_back() {
    on_page(PROGRAM, |page| {
        let StatusPage { daemon, window, .. } = page;
        let pid = daemon.wait_state("web", "RUNNING")?;
        page.go_live("/")?;
        daemon.signal(Signal::HUP)?;
        window.wait_text(&cell("web:web", "pid"), |text| {
            text.trim().parse().is_ok_and(|new: i64| new != pid && new != 0)
        })?;
        window.wait_attribute("html", "data-live", "on")?;
        // The daemon's new life has a token of its own.
        page.press_surely("#all button[value='stop']")?;
        page.wait_state("web:web", "STOPPED")?;
        window.click(&button("web:web", "start"))?;
        page.wait_state("web:web", "RUNNING")?;
        page.ensure_not_reloaded()
    })
    .unwrap();
}
