//! Configurations that every supervisord starts with, and under which no alert could ever go.

use std::fs;
use std::path::Path;

use crate::{CheckResult, HostEnv, Overrides, check};

const SERVED: &str = "[unix_http_server]\nfile=/tmp/s\n[rpcinterface:supervisor]\n\
    supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
    [program:web]\ncommand=cat\n[program:db]\ncommand=cat\n[group:shop]\nprograms=db\n";

/// What `--check` says of it, without the folder.
fn said(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.conf");
    fs::write(&file, format!("[supervisord]\nenvironment=IRONLANCE_STATE=\"/tmp/s\"\n{text}")).unwrap();
    let machine = HostEnv {
        environment: Vec::new(),
        cwd: folder.path().to_owned(),
        host_node_name: String::new(),
        temp_dir: folder.path().to_owned(),
        uid: 0,
    };
    let checked = check(Path::new("s.conf"), &Overrides::default(), &machine);
    assert!(matches!(checked.result, CheckResult::Sound(_)), "{text}\n{checked:?}");
    checked.remarks
}

/// Asserts that exactly one thing is said, and that it has this in it.
fn doubts(text: &str, needle: &str) {
    let said = said(text);
    assert!(said.len() == 1 && said[0].contains(needle), "{needle:?} in {said:#?} of\n{text}");
}

fn listener(command: &str, events: &str) -> String {
    format!("[eventlistener:l]\ncommand={command}\nevents={events}\n")
}

#[test]
fn a_crashmail_without_an_address_is_doubted() {
    let with = |command: &str| format!("{SERVED}{}", listener(command, "PROCESS_STATE_EXITED"));
    doubts(&with("crashmail -a"), "has no -m ADDRESS");
    doubts(&with("crashmail --any -s cat"), "has no -m ADDRESS");
    for command in ["crashmail -am a@b", "crashmail --email=a@b", "crashmail --em a@b -a", "crashmail -ma@b"]
    {
        assert_eq!(said(&with(command)), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn what_works_is_not_doubted() {
    for (command, events) in [
        ("crashmail -m a@b", "PROCESS_STATE_EXITED"),
        ("crashmail -p web -p shop:db -p shop:* -m a@b", "PROCESS_STATE"),
        ("crashmail --program=!db -m a@b", "EVENT"),
        ("crashmail --on exited,fatal -m a@b", "PROCESS_STATE_FATAL"),
        ("crashmailbatch -t a@b -f a@b -p secret", "PROCESS_STATE,TICK_60"),
        ("fatalmailbatch -t a@b -f a@b", "PROCESS_STATE_FATAL,TICK"),
        ("httpok -pweb -m a@b http://localhost/", "TICK_5"),
        ("memmon -p web=200MB -g shop=1GB -m a@b", "TICK_3600"),
        ("/opt/mine -p nobody", "REMOTE_COMMUNICATION"),
    ] {
        assert_eq!(
            said(&format!("{SERVED}{}", listener(command, events))),
            Vec::<String>::new(),
            "{command}"
        );
    }
}

#[test]
fn a_name_that_falls_apart_in_an_event_is_a_warning() {
    for (text, needle) in [
        ("identifier=my host\n", "s.conf:3: [supervisord] identifier has a blank or a colon"),
        ("identifier=a:b\n", "no listener can read any: a:b"),
        ("identifier=a\u{a0}b\n", "no listener can read any"),
        (
            "[program:a\u{a0}b]\ncommand=cat\n[group:g]\nprograms=a\u{a0}b\n",
            "process_name gives a name with a blank",
        ),
        ("[program:a]\ncommand=cat\nprocess_name=a\tb\n", "[program:a] process_name gives a name"),
        ("[program:a]\ncommand=cat\nprocess_name=a\n  b\n", "[program:a] process_name gives a name"),
        ("[program:a]\ncommand=cat\nenvironment=X=\"a:b\"\nprocess_name=%(ENV_X)s\n", "gives a name"),
        ("[program:a]\ncommand=cat\n[group:g\u{2003}h]\nprograms=a\n", "[group:g\u{2003}h] gives a name"),
    ] {
        doubts(text, needle);
    }
    let pool = said("[eventlistener:a\u{a0}b]\ncommand=cat\nevents=EVENT\n");
    assert!(pool.iter().any(|line| line.contains("which stands in the header of its events")), "{pool:?}");
}

#[test]
fn a_listener_that_nobody_answers_is_a_warning() {
    let unserved = "[program:web]\ncommand=cat\n";
    let no_interface = "[unix_http_server]\nfile=/tmp/s\n";
    let locked = SERVED.replace("file=/tmp/s\n", "file=/tmp/s\nusername=a\npassword=b\n");
    let memmon = listener("memmon -p web=1GB", "TICK_60");
    let mailer = listener("crashmail -m a@b", "PROCESS_STATE_EXITED");
    for (text, needle) in [
        (
            format!("{unserved}{memmon}"),
            "(there is neither [unix_http_server] nor [inet_http_server]): it can neither",
        ),
        (format!("{unserved}{mailer}"), "its alerts have no details"),
        (format!("{no_interface}{mailer}"), "(there is no [rpcinterface:supervisor])"),
        (
            format!("{locked}{mailer}"),
            "([unix_http_server] has a password, and environment= does not give it",
        ),
    ] {
        doubts(&text, needle);
    }
    let told = "environment=SUPERVISOR_USERNAME=\"a\",SUPERVISOR_PASSWORD=\"b\"\n";
    assert_eq!(said(&format!("{locked}{mailer}{told}")), Vec::<String>::new());
    assert_eq!(said(&format!("{unserved}{mailer}serverurl=http://other:9001\n")), Vec::<String>::new());
}

#[test]
fn a_listener_that_hears_of_nothing_it_acts_on_is_a_warning() {
    for (command, events, needle) in [
        (
            "crashmail -m a@b",
            "PROCESS_STATE_FATAL",
            "events has no PROCESS_STATE_EXITED, which is what crashmail",
        ),
        (
            "crashmailbatch -t a@b -f a@b",
            "PROCESS_STATE",
            "events has no TICK event, which is crashmailbatch's clock",
        ),
        ("crashsms -t a@b -f a@b", "TICK_60", "no PROCESS_STATE_EXITED"),
        ("fatalmailbatch -t a@b -f a@b", "PROCESS_STATE_EXITED,TICK_60", "no PROCESS_STATE_FATAL"),
        ("python -m superlance.memmon -p web=1GB", "PROCESS_STATE", "memmon's clock"),
        (
            "crashmail -m a@b",
            "PROCESS_STATE_EXITED,PROCESS_STATE_STOPPED,PROCESS_STATE_FATAL,PROCESS_LOG_STDERR",
            "hint: s.conf:15: [eventlistener:l] events names more than crashmail tells of, as in superlance: only unexpected \
             exits; --on exited,stopped,fatal adds the others",
        ),
    ] {
        doubts(&format!("{SERVED}{}", listener(command, events)), needle);
    }
}

#[test]
fn a_digest_that_supervisorctl_would_send_is_a_hint() {
    doubts(
        "[supervisorctl]\npassword={SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d\n",
        "hint: s.conf:4: [supervisorctl] password is sent as it stands",
    );
}

#[test]
fn a_program_that_is_not_there_is_a_warning() {
    for (command, events, needle) in [
        (
            "crashmail -p wbe -m a@b",
            "PROCESS_STATE_EXITED",
            "names a program that is not in this configuration: wbe",
        ),
        ("crashmail -p shop:dbs -m a@b", "PROCESS_STATE_EXITED", "not in this configuration: shop:dbs"),
        ("httpok --program=weeb http://x/", "TICK_60", "weeb; did you mean web?"),
        ("crashmail -p shop -m a@b", "PROCESS_STATE_EXITED", "shop; did you mean shop:*?"),
        ("crashmail -g web -g sohp -m a@b", "PROCESS_STATE_EXITED", "sohp; did you mean shop?"),
        (
            "memmon -g shops=1GB",
            "TICK_60",
            "names a group that is not in this configuration: shops; did you mean shop?",
        ),
        ("crashmailbatch -t a -f b --program !nobody", "PROCESS_STATE,TICK_60", "configuration: nobody"),
    ] {
        doubts(&format!("{SERVED}{}", listener(command, events)), needle);
    }
}
