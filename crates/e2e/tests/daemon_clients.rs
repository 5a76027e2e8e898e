//! Existing clients and listeners under both daemons: the original supervisorctl, Python's xmlrpc.client, superlance, ours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Stdio;
use std::time::Duration;

use ironlance_e2e::daemon::{BASE, run_command};
use ironlance_e2e::implementation::LISTENERS;
use ironlance_e2e::mail_server::FakeMailServerOptions;
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{
    Daemon, FakeMailServer, Implementation, Mailer, Scenario, ServerBehaviour, Supervisord, TIMEOUT,
    WebServer, compare_daemons, until,
};

const CTL: &str = "[supervisorctl]\nserverurl=unix://{dir}/s.sock\n";

/// Runs the original's supervisorctl in the test directory, and notes status and output.
fn ctl(scenario: &mut Scenario, args: &[&str]) -> anyhow::Result<()> {
    let mut command =
        scenario.dir.command(Implementation::Original.path("supervisorctl")?, Implementation::Original)?;
    command
        .args(["-c", &scenario.dir.path("supervisord.conf").display().to_string()])
        .args(args)
        .stdin(Stdio::null());
    let output = run_command(command)?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let mut lines: Vec<&str> = text.lines().collect();
    let mut status = output.status.code();
    // Several are told of in the order in which they are done, and the last fault gives the status.
    if args.contains(&"all") {
        lines.sort_unstable();
        status = status.map(|code| code.min(1));
    }
    scenario.note(format!("$ supervisorctl {}: {status:?}", args.join(" ")));
    scenario.note_all("output", lines);
    Ok(())
}

#[test]
fn the_originals_supervisorctl_sees_no_difference() {
    compare_daemons(|scenario| {
        let daemon = Daemon::start_on(
            &scenario.dir,
            scenario.implementation,
            &format!(
                "{BASE}{CTL}[program:a]\ncommand=sh -c 'echo hello; echo oops >&2; exec sleep 1000'\nstartsecs=0\n\
                 [program:b]\ncommand=sleep 1000\nautostart=false\nstartsecs=0\n[program:fails]\ncommand=false\nautostart=false\nstartretries=0\n\
                 [program:gone]\ncommand=/no/such/program\nautostart=false\nstartretries=0\n\
                 [group:g]\nprograms=m1,m2\n[program:m1]\ncommand=sleep 1000\nstartsecs=0\n[program:m2]\ncommand=cat\nstartsecs=0\nstdout_logfile={{dir}}/m2.log\n"
            ),
            &[],
        )?;
        for name in ["a", "g:m1", "g:m2"] {
            daemon.wait_state(name, "RUNNING")?;
        }
        for line in [
            "status", "status a", "status b", "status g:*", "status none", "status a none", "avail", "start b", "start b", "start none", "start gone", "start fails", "status fails", "status gone", "start g:*",
            "stop b", "stop b", "stop none", "stop g:m1 b", "status g:*", "start g:m1", "restart a b", "signal HUP b", "signal NONE a", "signal USR1 none", "start b", "tail a", "tail a stderr", "tail -3 a stdout", "tail none",
            "maintail -20", "clear a", "tail a", "clear all", "pid", "pid a", "pid b none", "pid all", "reread", "update", "add none", "remove g", "remove b", "stop b", "remove b", "add b", "version", "help status", "nonsense", "open", "stop all", "start all", "fg", "fg none",
        ] {
            let mut args: Vec<&str> = line.split(' ').collect();
            if line.starts_with("maintail") {
                // What stands there is a matter of time.
                continue;
            }
            if line == "pid" || line.starts_with("pid ") {
                args = vec!["pid", "none"];
            }
            ctl(scenario, &args)?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn supervisorctl_rereads_updates_and_shuts_down() {
    compare_daemons(|scenario| {
        let program =
            |name: &str, keys: &str| format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\n{keys}\n");
        let mut daemon = Daemon::start_on(
            &scenario.dir,
            scenario.implementation,
            &format!("{BASE}{CTL}{}{}{}", program("same", ""), program("changed", ""), program("gone", "")),
            &[],
        )?;
        daemon.wait_state("gone", "RUNNING")?;
        ironlance_e2e::daemon::write_config(
            &scenario.dir,
            &format!(
                "{BASE}{CTL}{}{}{}",
                program("same", ""),
                program("changed", "priority=5"),
                program("new", "")
            ),
        )?;
        for line in ["reread", "update", "status new", "update", "reread", "reload"] {
            ctl(scenario, &line.split(' ').collect::<Vec<_>>())?;
        }
        until("the restart", TIMEOUT, || {
            let anew = daemon.log().matches("supervisord started").count() == 2;
            Ok((anew && daemon.call("getState", &[]).is_ok_and(|state| state.is_ok())).then_some(()))
        })?;
        ctl(scenario, &["shutdown"])?;
        scenario.note(daemon.wait_end()?);
        ctl(scenario, &["status"])?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn supervisorctl_follows_a_log() {
    compare_daemons(|scenario| {
        let daemon = Daemon::start_on(
            &scenario.dir,
            scenario.implementation,
            &format!("{BASE}{CTL}[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={{dir}}/cat.log\n"),
            &[],
        )?;
        daemon.wait_state("cat", "RUNNING")?;
        let say = |words: &str| daemon.write_stdin("cat", words);
        say("before é\n")?;
        daemon.wait_file("cat.log", "before")?;
        let mut command = scenario
            .dir
            .command(Implementation::Original.path("supervisorctl")?, Implementation::Original)?;
        let out = std::fs::File::create(scenario.dir.path("tail.out"))?;
        let mut tail = command
            .args(["-c", "supervisord.conf", "tail", "-f", "cat"])
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(out)
            .spawn()?;
        let outcome = daemon.wait_file("tail.out", "before é\n").and_then(|_| {
            say("after\n")?;
            daemon.wait_file("tail.out", "after\n")
        });
        let _ = tail.kill();
        let _ = tail.wait();
        scenario.note(outcome?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn passwords_open_and_close_the_door() {
    compare_daemons(|scenario| {
        let port = closed_port()?;
        // sha1 of "thepassword"
        let sections = format!(
            "[inet_http_server]\nport=127.0.0.1:{port}\nusername=user\npassword={{SHA}}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d\n\
             [unix_http_server]\nusername=me\npassword=plain%%text\n[program:a]\ncommand=sleep 1000\n"
        );
        let daemon = Daemon::launch(&scenario.dir, scenario.implementation, &format!("{BASE}{CTL}{sections}"), &[])?;
        until("the door", TIMEOUT, || Ok(std::net::TcpStream::connect(("127.0.0.1", port)).ok()))?;
        daemon.wait_log("supervisord started")?;
        let url = format!("http://127.0.0.1:{port}");
        let socket = format!("unix://{}", scenario.dir.path("s.sock").display());
        let password = "thepassword";
        for (user, secret) in [("user", password), ("user", "wrong"), ("other", password), ("user", ""), ("", ""), ("user", "{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d")] {
            let mut command = scenario.dir.command(Implementation::Original.path("supervisorctl")?, Implementation::Original)?;
            command.args(["-s", &url]).stdin(Stdio::null());
            if !user.is_empty() {
                command.args(["-u", user, "-p", secret]);
            }
            let output = {
command.arg("version").env("HOME", "/nonexistent");
run_command(command)?
};
            scenario.note(format!("{user}:{secret} -> {}{}[{:?}]", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr), output.status.code()).replace(&port.to_string(), "PORT"));
        }
        for (user, secret) in [("me", "plain%text"), ("me", "plain%%text"), ("user", password)] {
            let mut command = scenario.dir.command(Implementation::Original.path("supervisorctl")?, Implementation::Original)?;
            command.args(["-s", &socket, "-u", user, "-p", secret, "version"]).stdin(Stdio::null());
            let output = run_command(command)?;
            scenario.note(format!("{user}:{secret} -> {}{}[{:?}]", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr), output.status.code()));
        }
        scenario.note_all("log", daemon.log_lines().into_iter().map(|line| line.replace(&port.to_string(), "PORT")).filter(|line| !line.contains("'a'") && !line.contains(" a ")));
        Ok(())
    })
    .unwrap();
}

#[test]
fn pythons_own_client_understands_every_answer() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:a]\ncommand=sh -c 'printf \"<&>\\303\\266\\001\"; exec sleep 1000'\nstartsecs=0\nstdout_logfile={dir}/a.log\n[program:b]\ncommand=cat\nautostart=false\nstartsecs=0\n")?;
        daemon.wait_state("a", "RUNNING")?;
        daemon.wait_file("a.log", "<")?;
        let script = scenario.dir.write("client.py", include_str!("../python/client.py"))?;
        let mut command = scenario.dir.command(Implementation::Original.path("python")?, Implementation::Original)?;
        command.arg(script).arg(format!("unix://{}", scenario.dir.path("s.sock").display()));
        let output = run_command(command)?;
        scenario.note(format!("{}{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)));
        Ok(())
    })
    .unwrap();
}

/// Listeners of one kind under our daemon do what they are for.
fn listeners_bring_mails(listeners: Implementation) {
    let dir = ironlance_e2e::TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let server = FakeMailServer::start(&dir, &FakeMailServerOptions::default()).unwrap();
    let page = WebServer::start(ServerBehaviour::Answer("500 Internal Server Error", "")).unwrap();
    let batch = |name: &str| {
        format!(
            "[eventlistener:{name}]\ncommand={name} --toEmail={name}@example.com --fromEmail=sup@example.com --smtpHost=127.0.0.1:{} --tickEvent=TICK_5 --interval=0.05\nevents=PROCESS_STATE,TICK_5\n",
            server.port()
        )
    };
    // The Python listeners speak SMTP only on port 25.
    let batch = |name: &str| {
        if listeners == Implementation::Original {
            batch(name).replace(&format!("127.0.0.1:{}", server.port()), "127.0.0.1")
        } else {
            batch(name)
        }
    };
    let sections = format!(
        "[program:victim]\ncommand=sleep 1000\nstartsecs=0\n[program:web]\ncommand=sleep 1000\nstartsecs=0\n[program:fat]\ncommand=sleep 1000\nstartsecs=0\n\
         [program:hopeless]\ncommand=false\nstartretries=0\nautostart=false\n\
         [eventlistener:crashmail]\ncommand=crashmail -a -m ops@example.com -s \"{mailer}\"\nevents=PROCESS_STATE_EXITED\n\
         [eventlistener:httpok]\ncommand=httpok -p web -t 1 -m ops@example.com -s \"{mailer}\" {}/\nevents=TICK_5\n\
         [eventlistener:memmon]\ncommand=memmon -p fat=1KB -m ops@example.com -s \"{mailer}\"\nevents=TICK_5\n{}{}{}",
        page.url(),
        batch("crashmailbatch"),
        batch("fatalmailbatch"),
        batch("crashsms"),
        mailer = mailer.command(),
    );
    let supervisord = Supervisord::start(&dir, Implementation::Ours, listeners, &sections).unwrap();
    for name in LISTENERS {
        supervisord.wait_state(name, "RUNNING").unwrap();
    }
    supervisord.kill("victim").unwrap();
    let _ = supervisord.call("startProcess", &["hopeless".into()]);
    let mails = mailer.wait(3).unwrap();
    for needle in [
        "victim in group victim exited unexpectedly",
        "web restarted",
        "memmon.py restarted the process named fat",
    ] {
        assert!(mails.iter().any(|mail| mail.contains(needle)), "{needle} in {mails:#?}");
    }
    if listeners == Implementation::Ours {
        let mails = server.wait(3).unwrap();
        let of = |name: &str| mails.iter().find(|mail| mail.to.starts_with(name)).unwrap().content.clone();
        assert!(of("crashmailbatch").contains("Process victim:victim (pid "));
        assert!(of("fatalmailbatch").contains("Process hopeless:hopeless failed to start too many times"));
        assert!(of("crashsms").contains("[victim:victim]("));
        return;
    }
    for name in ["crashmailbatch", "fatalmailbatch", "crashsms"] {
        until(&format!("{name} to try"), Duration::from_secs(20), || {
            let err = supervisord.stderr_of(name).unwrap_or_default();
            Ok(err.contains("Sending notification email").then_some(()))
        })
        .unwrap();
    }
}

#[test]
fn superlance_runs_unmodified_under_our_daemon() {
    listeners_bring_mails(Implementation::Original);
}

#[test]
fn our_listeners_run_under_our_daemon() {
    listeners_bring_mails(Implementation::Ours);
}
