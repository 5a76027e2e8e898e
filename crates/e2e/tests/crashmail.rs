//! crashmail: every option of the original, held against it; then what it cannot do.

use ironlance_e2e::{ListenerScenario, WireEvent};

/// What happens to a few programs; the original looks at one of these only.
fn a_day() -> Vec<WireEvent> {
    vec![
        WireEvent::crashed("cat", 4711),
        WireEvent::finished("cat", 4712),
        WireEvent::crashed("shop:web", 4713),
        WireEvent::state("STOPPED", "cat", "STOPPING", " pid:4714"),
        WireEvent::fatal("cat"),
        WireEvent::tick(60),
        WireEvent::new(
            "PROCESS_LOG_STDERR",
            "processname:cat groupname:cat pid:1 channel:stderr\nÆsops Fähre €\n",
        ),
        WireEvent::new("SUPERVISOR_STATE_CHANGE_STOPPING", ""),
        WireEvent::crashed("shop:web-2_x", 1),
    ]
}

#[test]
fn every_option_does_what_the_originals_does() {
    let command_lines = [
        "-m ops@example.com -s {mailer}",
        "-a -m ops@example.com -s {mailer}",
        "-m ops@example.com -s {mailer} -o web1",
        "-o [web1]␣Ünïcode -a -m ops@example.com -s {mailer}",
        "--any --email=ops@example.com --sendmail_program={mailer} --optionalheader=web1",
        "--an --em ops@example.com --send {mailer} --opt web1",
        "-aoweb1 -mops@example.com -s {mailer}",
        "-m first@example.com -m last@example.com -s {mailer} -o first -o last",
        "-m a@example.com,b@example.com -s {mailer}",
        "-a -m ops@example.com -s {mailer}␣>/dev/null␣2>&1",
        "-a -m ops@example.com -s {mailer} operands are ignored",
        "-a -m ops@example.com -s {mailer} -- -x",
    ];
    for command_line in command_lines {
        // The originals' mailer gets the last -m only, ours gets every one: see docs/differences.md.
        let events = a_day();
        let listener_scenario = ListenerScenario::new("crashmail", command_line, &events);
        if command_line.contains("first@") {
            let original = listener_scenario.original().unwrap();
            assert!(original.mails[0].starts_with("To: last@example.com\nSubject: last: cat crashed"));
            continue;
        }
        let transcript = listener_scenario.compare().unwrap();
        assert_eq!(transcript.mails.len(), 3, "{command_line}");
    }
}

#[test]
fn the_article_s_mailer_of_several_words_and_redirections_is_run_by_a_shell() {
    let line = "-a -m ops@example.com -s X=1␣{mailer}␣|␣cat␣>/dev/null;␣true";
    let transcript =
        ListenerScenario::new("crashmail", line, &[WireEvent::crashed("cat", 1)]).compare().unwrap();
    assert_eq!(transcript.mails.len(), 1);
}

#[test]
fn p_was_never_used_by_the_original_and_chooses_with_us() {
    let chosen = |args: &str| {
        let args = format!("{args} -m ops@example.com -s {{mailer}}");
        let events = [
            WireEvent::crashed("cat", 1),
            WireEvent::crashed("shop:web", 2),
            WireEvent::crashed("shop:db", 3),
        ];
        let listener_scenario = ListenerScenario::new("crashmail", &args, &events);
        let original = listener_scenario.original().unwrap();
        assert_eq!(original.mails.len(), 3, "{args}");
        original
    };
    let ours = |args: &str, count: usize| {
        let args = format!("{args} -m ops@example.com -s {{mailer}}");
        let events = [
            WireEvent::crashed("cat", 1),
            WireEvent::crashed("shop:web", 2),
            WireEvent::crashed("shop:db", 3),
        ];
        let mails = ListenerScenario::new("crashmail", &args, &events).ours(count).unwrap().mails;
        mails
            .iter()
            .map(|mail| mail.split("Subject:  ").nth(1).unwrap().split(' ').next().unwrap().to_owned())
            .collect()
    };
    chosen("-p cat");
    let table: [(&str, &[&str]); 6] = [
        ("-p cat", &["cat"]),
        ("--program shop:web -p cat", &["cat", "web"]),
        ("-p shop:*", &["db", "web"]),
        ("-p cat -a", &["cat", "db", "web"]),
        ("-p !shop:web", &["cat", "db"]),
        ("-p nobody", &[]),
    ];
    for (args, names) in table {
        let mut got: Vec<String> = ours(args, names.len());
        got.sort();
        assert_eq!(got, names, "{args}");
    }
}

#[test]
fn without_an_address_the_original_writes_to_nobody_and_we_write_none() {
    let listener_scenario =
        ListenerScenario::new("crashmail", "-a -s {mailer}", &[WireEvent::crashed("cat", 4711)]);
    let original = listener_scenario.original().unwrap();
    assert!(original.mails[0].starts_with("To: None\n"));
    let ours = listener_scenario.ours(0).unwrap();
    assert!(ours.mails.is_empty());
    assert!(ours.stderr.contains("unexpected exit"), "{}", ours.stderr);
}
