//! Our listeners under the Python supervisord, on real programs that are really killed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ironlance_e2e::mail_server::{Certificate, FakeMailServerOptions};
use ironlance_e2e::supervisord::Interface;
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{
    FakeMailServer, Implementation, MailText, Mailer, ServerBehaviour, Supervisord, TestDir, WebServer,
};

const VICTIM: &str =
    "[program:victim]\ncommand=sh -c \"echo 'last words' >&2; exec sleep 1000\"\nstartsecs=0\n";

fn start(dir: &TestDir, sections: &str) -> Supervisord {
    Supervisord::start(dir, Implementation::Original, Implementation::Ours, sections).unwrap()
}

#[test]
fn a_killed_program_brings_one_mail_through_sendmail_that_says_why() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let mut supervisord = start(
        &dir,
        &format!(
            "{VICTIM}\n[eventlistener:crashmail]\ncommand=crashmail -o web1 -m ops@example.com -s \"{}\"\n\
             events=PROCESS_STATE_EXITED\n",
            mailer.command()
        ),
    );
    supervisord.wait_state("crashmail", "RUNNING").unwrap();
    let pid = supervisord.kill("victim").unwrap();
    let mails = mailer.wait(1).unwrap();
    let mail = MailText::parse(&mails[0]);
    assert_eq!(mail.header("To"), Some("ops@example.com"));
    assert!(mail.header("Subject").unwrap().starts_with("web1: victim crashed at "));
    let text = format!("Process victim in group victim exited unexpectedly (pid {pid}) from state RUNNING");
    let (above, details) = mail.text.split_once("\n\nDetails:\n").unwrap();
    assert_eq!(above, text);
    for needle in
        ["host:", "SIGKILL", "last words", "supervisor:  supervisor", &format!("pid:         {pid}")]
    {
        assert!(details.contains(needle), "{needle} in\n{details}");
    }
    supervisord.stop().unwrap();
    assert_eq!(mailer.mails().unwrap().len(), 1);
}

#[test]
fn a_killed_program_brings_a_mail_through_smtp_with_authentication_and_tls() {
    for (setup, url) in [
        (FakeMailServerOptions::default().auth("ops:secret").require_starttls(), "smtp://ops@localhost"),
        (FakeMailServerOptions::default().auth("ops:secret").implicit_tls(), "smtps://ops@localhost"),
    ] {
        let dir = TestDir::new().unwrap();
        let server = FakeMailServer::start(&dir, &setup).unwrap();
        let authority = Certificate::of(&dir).unwrap().authority;
        dir.write("password", "secret\n").unwrap();
        let supervisord = start(
            &dir,
            &format!(
                "{VICTIM}\n[eventlistener:crashmail]\ncommand=crashmail -m ops@example.com --smtp {url}:{} --tls \
                 --from sup@example.com --ca-file {} --password-file {}\nevents=PROCESS_STATE_EXITED\n",
                server.port(),
                authority.display(),
                dir.path("password").display()
            ),
        );
        supervisord.wait_state("crashmail", "RUNNING").unwrap();
        supervisord.kill("victim").unwrap();
        let mail = server.wait(1).unwrap().remove(0);
        assert_eq!((mail.from.as_str(), mail.to.as_str()), ("sup@example.com", "ops@example.com"));
        assert!(mail.auth.ends_with(" ops"), "{}", mail.auth);
        assert_eq!(mail.tls, "yes");
        assert!(
            mail.content.contains("Process victim in group victim exited unexpectedly"),
            "{}",
            mail.content
        );
    }
}

#[test]
fn the_batch_mailers_collect_from_a_real_supervisord() {
    let dir = TestDir::new().unwrap();
    let server = FakeMailServer::start(&dir, &FakeMailServerOptions::default()).unwrap();
    let listener = |name: &str| {
        format!(
            "[eventlistener:{name}]\ncommand={name} -t {name}@example.com -f sup@example.com -H 127.0.0.1:{} -e TICK_5 -i 0.05\n\
             events=PROCESS_STATE,TICK_5\n",
            server.port()
        )
    };
    let names = ["crashmailbatch", "fatalmailbatch", "crashsms"];
    let listeners: String = names.iter().map(|name| listener(name)).collect();
    let hopeless = "[program:hopeless]\ncommand=false\nstartretries=0\nautostart=false\n";
    let supervisord = start(&dir, &format!("{VICTIM}{hopeless}{listeners}"));
    for name in names {
        supervisord.wait_state(name, "RUNNING").unwrap();
    }
    supervisord.kill("victim").unwrap();
    // It fails: that is what it is for.
    let _ = supervisord.call("startProcess", &["hopeless".into()]);
    let mails = server.wait(3).unwrap();
    let of = |name: &str| mails.iter().find(|mail| mail.to.starts_with(name)).unwrap().content.as_str();
    assert!(of("crashmailbatch").contains("Process victim:victim (pid "));
    assert!(of("fatalmailbatch").contains("Process hopeless:hopeless failed to start too many times"));
    assert!(of("crashsms").contains("[victim:victim]("));
}

#[test]
fn a_bad_page_brings_restart_and_mail() {
    for behaviour in [
        ServerBehaviour::Answer("500 Internal Server Error", ""),
        ServerBehaviour::Hang,
        ServerBehaviour::Drip,
    ] {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let page = WebServer::start(behaviour.clone()).unwrap();
        let supervisord = start(
            &dir,
            &format!(
                "{VICTIM}\n[eventlistener:httpok]\ncommand=httpok -p victim -t 1 -m ops@example.com -s \"{}\" {}/\nevents=TICK_5\n",
                mailer.command(),
                page.url()
            ),
        );
        let first = supervisord.wait_state("victim", "RUNNING").unwrap();
        let mails = mailer.wait(1).unwrap();
        assert!(mails[0].contains("victim restarted"), "{behaviour:?}: {}", mails[0]);
        let second = supervisord.wait_state("victim", "RUNNING").unwrap();
        assert_ne!(first, second, "{behaviour:?}");
    }
}

#[test]
fn a_program_over_its_memory_is_restarted_and_mailed_about() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let supervisord = start(
        &dir,
        &format!(
            "{VICTIM}\n[eventlistener:memmon]\ncommand=memmon -p victim=10KB -m ops@example.com -s \"{}\"\nevents=TICK_5\n",
            mailer.command()
        ),
    );
    let first = supervisord.wait_state("victim", "RUNNING").unwrap();
    let mails = mailer.wait(1).unwrap();
    assert!(mails[0].contains("memmon.py restarted the process named victim:victim"), "{}", mails[0]);
    assert_ne!(supervisord.wait_state("victim", "RUNNING").unwrap(), first);
}

#[test]
fn supervisord_is_asked_over_tcp_and_with_a_password() {
    let port = closed_port().unwrap();
    let login = "user:pass%word".to_owned();
    for interface in [Interface::UnixFor(login.clone()), Interface::TcpFor(port, login)] {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let sections = format!(
            "{VICTIM}\n[eventlistener:crashmail]\ncommand=crashmail -m ops@example.com -s \"{}\"\nevents=PROCESS_STATE\n\
             environment=SUPERVISOR_USERNAME=\"user\",SUPERVISOR_PASSWORD=\"pass%%word\"\n",
            mailer.command()
        );
        let (daemon, listeners) = (Implementation::Original, Implementation::Ours);
        let supervisord =
            Supervisord::start_on(interface.clone(), &dir, daemon, listeners, &sections).unwrap();
        supervisord.wait_state("crashmail", "RUNNING").unwrap();
        supervisord.kill("victim").unwrap();
        let mails = mailer.wait(1).unwrap();
        // Known by asking only.
        assert!(mails[0].contains("last words"), "{interface:?}: {}", mails[0]);
    }
}
