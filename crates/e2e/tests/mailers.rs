//! Mailers that are commands: what they are given, and that nobody is shown their passwords.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use ironlance_e2e::daemon::Daemon;
use ironlance_e2e::mail_server::FakeMailServerOptions;
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::xmlrpc::{self, XmlValue, request};
use ironlance_e2e::{FakeMailServer, Implementation, Listener, TIMEOUT, TestDir, WireEvent, until};

/// A program of a test directory, as crashmail with a supervisord that does not answer.
fn crashmail(dir: &TestDir, args: &[&str]) -> Command {
    let mut command = dir.ours("crashmail").unwrap();
    command.args(["-m", "ops@example.com", "--brief"]).args(args);
    command.env("SUPERVISOR_SERVER_URL", "unix:///nowhere");
    command
}

/// What `ironlance outbox` says on stdout and stderr.
fn outbox(dir: &TestDir, args: &[&str]) -> String {
    let mut command = dir.ours("ironlance").unwrap();
    let output = command.arg("outbox").args(args).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn the_password_of_a_mailer_is_shown_nowhere_and_its_last_line_is_the_reason() {
    let dir = TestDir::new().unwrap();
    let line = "sendemail() { echo \"login joe $6 refused\"; echo \"ERROR => no server at $2\" >&2; return 1; }; \
                sendemail -s 127.0.0.1:1 -xu joe -xp hunter2";
    let mut listener = Listener::start(crashmail(&dir, &["-s", line]), dir.path("stderr")).unwrap();
    listener.handle(&WireEvent::crashed("cat", 7)).unwrap();
    listener.wait_stderr("ERROR => no server at 127.0.0.1:1; 1 alert(s) waiting").unwrap();
    let list = until("a try of it", TIMEOUT, || {
        let list = outbox(&dir, &["list"]);
        Ok(list.contains("1 failure ").then_some(list))
    })
    .unwrap();
    let id = list.split_whitespace().nth(1).unwrap();
    let show = outbox(&dir, &["show", id]);
    let retry = outbox(&dir, &["retry", id]);
    let trial = crashmail(&dir, &["-s", line, "--test-alert"]).output().unwrap();
    let trial = String::from_utf8_lossy(&[trial.stdout, trial.stderr].concat()).into_owned();
    let stderr = listener.stderr().unwrap();
    for printed in [&list, &show, &retry, &trial, &stderr] {
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    for printed in [&list, &show, &trial] {
        assert!(printed.contains("command sendemail() …"), "{printed}");
    }
    for printed in [&list, &show, &trial, &stderr] {
        assert!(
            printed.contains("the mailer ended with status 1 (sendemail() …): ERROR => no server"),
            "{printed}"
        );
    }
    assert!(stderr.contains("login joe *** refused"), "{stderr}");
}

#[test]
fn a_mailer_that_takes_the_body_gets_two_lines_and_readable_text_and_others_a_mail() {
    let mail = |name: &str, args: &[&str]| {
        let dir = TestDir::new().unwrap();
        let file = dir.path("given").display().to_string();
        let line = format!("{name}() {{ cat >{file}.part && mv {file}.part {file}; }}; {name} ops");
        let args = [&["-s", line.as_str(), "-o", "Größe"], args].concat();
        let mut listener = Listener::start(crashmail(&dir, &args), dir.path("stderr")).unwrap();
        listener.handle(&WireEvent::crashed("cat", 7)).unwrap();
        until("the mail", TIMEOUT, || Ok(fs::read_to_string(&file).ok())).unwrap()
    };
    for body in [mail("mail", &[]), mail("sendemail", &[]), mail("keep", &["--body-only"])] {
        let lines: Vec<&str> = body.lines().collect();
        assert_eq!(lines.len(), 4, "{body}");
        assert_eq!(lines[0], "To: ops@example.com");
        assert!(lines[1].starts_with("Subject: Größe: cat crashed at "), "{body}");
        assert_eq!(lines[2], "");
        assert_eq!(lines[3], "Process cat in group cat exited unexpectedly (pid 7) from state RUNNING");
    }
    let whole = mail("keep", &[]);
    assert!(whole.contains("\nMIME-Version: 1.0\n") && whole.contains("\nSubject: =?utf-8?"), "{whole}");
}

#[test]
fn who_may_only_look_is_told_of_commands_without_their_secrets() {
    let dir = TestDir::new().unwrap();
    let port = closed_port().unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "[inet_http_server]\nport=*:{port}\n\
             [program:a]\ncommand=sleep 1000 --password=hunter2 -xp hunter2\nautostart=false\n\
             serverurl=http://joe:hunter2@127.0.0.1:{port}\n"
        ),
    )
    .unwrap();
    let ask = |method: &str, params: &[XmlValue]| {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        xmlrpc::ask(stream, "", &request(method, params)).unwrap().unwrap()
    };
    let method = "supervisor.getAllConfigInfo";
    let call = XmlValue::Struct(vec![
        ("methodName".into(), method.into()),
        ("params".into(), XmlValue::Array(Vec::new())),
    ]);
    let alone = format!("{:?}", ask(method, &[]));
    let of_many = format!("{:?}", ask("system.multicall", &[XmlValue::Array(vec![call])]));
    for details in [alone, of_many] {
        assert!(!details.contains("hunter2"), "{details}");
        assert!(details.contains("sleep 1000 --password=*** -xp ***"), "{details}");
        assert!(details.contains("http://joe:***@127.0.0.1"), "{details}");
    }
    // Who may do everything is told what the original tells.
    let whole = format!("{:?}", daemon.call("getAllConfigInfo", &[]).unwrap().unwrap());
    assert!(whole.contains("--password=hunter2 -xp hunter2"), "{whole}");
}

/// Makes the certificate that everybody makes by hand, as the test directory's server certificate.
fn self_signed(dir: &TestDir, name: &str) -> String {
    fs::create_dir_all(dir.path("tls")).unwrap();
    let make = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls/server.key -out tls/server.pem \
         -subj /CN={name} -addext subjectAltName=DNS:{name} -days 2"
    );
    let made = dir.command("sh", Implementation::Ours).unwrap().args(["-c", &make]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    dir.path("tls/server.pem").display().to_string()
}

#[test]
fn a_self_signed_certificate_is_believed_where_ca_file_names_it_and_nowhere_else() {
    let (dir, other) = (TestDir::new().unwrap(), TestDir::new().unwrap());
    let certificate = self_signed(&dir, "localhost");
    let stranger = self_signed(&other, "localhost");
    let server = FakeMailServer::start(&dir, &FakeMailServerOptions::default().implicit_tls()).unwrap();
    let url = |host: &str| format!("smtps://{host}:{}", server.port());
    let trial = |url: &str, args: &[&str]| {
        let output = crashmail(&dir, &["--smtp", url, "--test-alert"]).args(args).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, printed) = trial(&url("localhost"), &["--ca-file", &certificate]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("certificate verified"), "{printed}");
    for args in [&[][..], &["--ca-file", stranger.as_str()]] {
        let (code, printed) = trial(&url("localhost"), args);
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains("it is self-signed, and not trusted here (--ca-file"), "{printed}");
    }
    // What is trusted is this server by its name, not whoever shows the file.
    let (code, printed) = trial(&url("127.0.0.1"), &["--ca-file", &certificate]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("its certificate is for another name"), "{printed}");
    assert_eq!(server.mails().unwrap().len(), 1);
}
