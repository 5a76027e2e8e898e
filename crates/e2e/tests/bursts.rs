//! Very many programs that die at the same moment: every one of them is named.

use std::collections::BTreeSet;
use std::time::Duration;

use ironlance_e2e::mail_server::FakeMailServerOptions;
use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{Daemon, FakeMailServer, Implementation, TestDir, until};

/// So many programs.
const PROGRAMS: usize = 1500;
/// Far longer than it takes on two slow cores.
const LIMIT: Duration = Duration::from_secs(180);

/// The names that stand in mails.
fn named(mails: &[String]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for mail in mails {
        for word in mail.split(|letter: char| !letter.is_ascii_alphanumeric()) {
            if word.len() == 5 && word.starts_with('p') && word[1..].bytes().all(|byte| byte.is_ascii_digit())
            {
                all.insert(word.to_owned());
            }
        }
    }
    all
}

#[test]
fn fifteen_hundred_programs_killed_at_once_are_all_named_by_crashmail_and_by_a_batch_of_every_state() {
    let dir = TestDir::new().unwrap();
    let surroundings = TestDir::new().unwrap();
    let server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
    let url = format!("smtp://127.0.0.1:{}", server.port());
    // The batch listener hears of every start, too, and each program is started again.
    let sections = format!(
        "[supervisord]\nloglevel=info\n\
         [program:p]\ncommand=sleep 100000\nnumprocs={PROGRAMS}\nprocess_name=p%(process_num)04d\nstartsecs=0\n\
         autorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
         [eventlistener:crashmail]\ncommand=crashmail -m each@example.com --brief --smtp {url}\n\
         events=PROCESS_STATE_EXITED\n\
         [eventlistener:batch]\ncommand=crashmailbatch --toEmail=batch@example.com --fromEmail=s@example.com \
         --smtpHost=127.0.0.1:{} --interval=0.05 --tickEvent=TICK_5\nevents=PROCESS_STATE,TICK_5\n",
        server.port()
    );
    let daemon = Daemon::start(&dir, Implementation::Ours, &sections).unwrap();
    let pids = || {
        let all = daemon.call("getAllProcessInfo", &[]).unwrap().unwrap();
        let programs =
            all.items().iter().filter(|one| one.get("group").and_then(XmlValue::as_str) == Some("p"));
        programs
            .filter_map(|one| one.get("pid").and_then(XmlValue::as_int))
            .filter(|pid| *pid > 0)
            .collect::<Vec<_>>()
    };
    let all =
        until("all programs", LIMIT, || Ok(Some(pids()).filter(|pids| pids.len() == PROGRAMS))).unwrap();
    daemon.wait_state("crashmail", "RUNNING").unwrap();
    daemon.wait_state("batch", "RUNNING").unwrap();
    for pid in all {
        ironlance_e2e::daemon::send(pid, rustix::process::Signal::KILL).unwrap();
    }
    let mails = |to: &str| {
        let mails = server.mails().unwrap();
        mails.into_iter().filter(|mail| mail.to.contains(to)).map(|mail| mail.content).collect::<Vec<_>>()
    };
    for to in ["each@example.com", "batch@example.com"] {
        until(&format!("all names to {to}"), LIMIT, || {
            Ok((named(&mails(to)).len() == PROGRAMS).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error:#}: {} of them", named(&mails(to)).len()));
    }
    let listeners = daemon.ask("ironlance.getListeners", &[]).unwrap().unwrap();
    for listener in listeners.items() {
        assert_eq!(listener.get("dropped").and_then(XmlValue::as_int), Some(0), "{listener}");
    }
}
