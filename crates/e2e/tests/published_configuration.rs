//! The configuration that articles about superlance print, with Debian's sendemail, word for word.

use ironlance_e2e::mail_server::FakeMailServerOptions;
use ironlance_e2e::{FakeMailServer, Implementation, Supervisord, TestDir};

#[test]
fn the_article_s_configuration_works_word_for_word() {
    let mut seen = Vec::new();
    for listeners in Implementation::BOTH {
        let dir = TestDir::new().unwrap();
        let server =
            FakeMailServer::start(&dir, &FakeMailServerOptions::default().auth("ops:secret").clear_auth())
                .unwrap();
        let sections = format!(
            "[program:victim]\ncommand=sh -c \"echo oops >&2; exec sleep 1000\"\nstartsecs=0\nstderr_events_enabled=true\n\n\
             [eventlistener:crashmail]\n\
             command=crashmail -a -s \"sendemail -f alerts@example.com -t ops@example.com -s 127.0.0.1:{} -o tls=no \
             -u 'process crashed' -xu ops -xp secret -m >/dev/null 2>&1\" -m ops@example.com\n\
             events=PROCESS_STATE_EXITED,PROCESS_STATE_STOPPED,PROCESS_STATE_FATAL,PROCESS_LOG_STDERR\n",
            server.port()
        );
        let supervisord = Supervisord::start(&dir, Implementation::Original, listeners, &sections).unwrap();
        supervisord.wait_state("crashmail", "RUNNING").unwrap();
        // Only the crash is worth a mail; the log and the orderly stop are not.
        supervisord.kill("victim").unwrap();
        let mail = server.wait(1).unwrap().remove(0);
        supervisord.wait_state("victim", "RUNNING").unwrap();
        supervisord.call("stopProcess", &["victim".into()]).unwrap();
        supervisord.wait_state("crashmail", "RUNNING").unwrap();
        assert_eq!(
            (mail.from.as_str(), mail.to.as_str()),
            ("alerts@example.com", "ops@example.com"),
            "{listeners}"
        );
        assert!(mail.auth.ends_with(" ops"), "{listeners}: {}", mail.auth);
        assert!(mail.content.contains("Subject: process crashed"), "{listeners}: {}", mail.content);
        assert!(
            mail.content.contains("Process victim in group victim exited unexpectedly"),
            "{listeners}: {}",
            mail.content
        );
        seen.push(server.mails().unwrap().len());
    }
    assert_eq!(seen, [1, 1]);
}
