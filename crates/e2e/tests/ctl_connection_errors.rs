//! What supervisorctl says when there is no supervisord, when it may not come in, or when something else answers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use ironlance_e2e::daemon::BASE;
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{Daemon, Scenario, TIMEOUT, compare_ctl, compare_ctl_matrix};

/// Each verb that asks supervisord, once.
const VERBS: &[&str] = &[
    "status",
    "status a",
    "pid",
    "pid a",
    "start a",
    "start",
    "stop a",
    "restart a",
    "tail a",
    "tail",
    "maintail",
    "clear a",
    "signal HUP a",
    "fg a",
    "version",
    "reread",
    "update",
    "add a",
    "remove a",
    "avail",
    "reload",
    "shutdown",
    "help version",
    "tail -f a",
    "maintail -f",
    "start all",
    "stop all",
];

/// Runs the verb with these options, on a configuration that says nothing.
fn ask(scenario: &mut Scenario, options: &[&str], line: &str, secret: &str) -> anyhow::Result<()> {
    let verb: Vec<&str> = line.split(' ').collect();
    scenario.dir.write("ctl.conf", "[supervisorctl]\n")?;
    let mut output = scenario.run_raw(&[&["-c", "{dir}/ctl.conf"], options, &verb].concat(), b"", &[])?;
    output.stdout = output.text().replace(secret, "SECRET").into_bytes();
    output.stderr = output.stderr_text().replace(secret, "SECRET").into_bytes();
    scenario.note_output(line, &output);
    Ok(())
}

#[test]
fn nobody_is_there() {
    compare_ctl(|scenario| {
        let socket = scenario.dir.path("missing.sock").display().to_string();
        let stale = scenario.dir.path("stale.sock").display().to_string();
        drop(UnixListener::bind(&stale)?);
        let file = scenario.dir.write("file.sock", "no socket")?.display().to_string();
        let port = closed_port()?.to_string();
        for verb in VERBS {
            for socket in [&socket, &stale] {
                ask(scenario, &["-s", &format!("unix://{socket}")], verb, "\0")?;
            }
            ask(scenario, &["-s", &format!("http://127.0.0.1:{port}")], verb, &port)?;
        }
        let long = format!("unix:///{}", "x".repeat(200));
        for url in [
            format!("unix://{file}"),
            long,
            format!("unix://{file}/below"),
            "unix://".to_owned(),
            "http://".to_owned(),
            "http://127.0.0.1:x".to_owned(),
            "http://127.0.0.1:99999".to_owned(),
            "http://no.such.host.invalid:9001".to_owned(),
            format!("unix://{}", scenario.dir.folder().display()),
        ] {
            for verb in ["status", "version", "start a", "shutdown"] {
                ask(scenario, &["-s", &url], verb, &port)?;
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn passwords() {
    compare_ctl_matrix(|scenario| {
        let port = closed_port()?.to_string();
        let sections = format!(
            "[inet_http_server]\nport=127.0.0.1:{port}\nusername=user\npassword=the:pass word%%é\n\
             [unix_http_server]\nusername=me\npassword={{SHA}}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d\n\
             [program:a]\ncommand=sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\nstdout_logfile={{dir}}/a.log\n"
        );
        let daemon = Daemon::launch(&scenario.dir, scenario.daemon, &format!("{BASE}{sections}"), &[])?;
        daemon.wait_log("spawned: 'a'")?;
        daemon.wait_file("a.log", "hello")?;
        let web = format!("http://127.0.0.1:{port}");
        let unix = format!("unix://{}/s.sock", scenario.dir.folder().display());
        let doors: [(&str, &[&str]); 9] = [
            (&web, &["-u", "user", "-p", "the:pass word%é"]), (&web, &["-u", "user", "-p", "wrong"]), (&web, &["-u", "user"]), (&web, &["-p", "the:pass word%é"]), (&web, &[]),
            (&unix, &["-u", "me", "-p", "thepassword"]), (&unix, &["-u", "me", "-p", ""]), (&unix, &["-u", "", "-p", ""]), (&unix, &[]),
        ];
        for (url, options) in doors {
            scenario.note(format!("{options:?}"));
            for verb in ["version", "tail a", "status none", "avail"] {
                ask(scenario, &[&["-s", url], options].concat(), verb, &port)?;
            }
        }
        for verb in VERBS.iter().filter(|verb| !verb.contains("-f")) {
            ask(scenario, &["-s", &unix, "-u", "me", "-p", "wrong"], verb, &port)?;
        }
        // With a name and password in the configuration, and with those of the command line before them.
        let config = |more: &str| format!("{BASE}{sections}[supervisorctl]\nserverurl={web}\n{more}");
        for (more, options) in [
            ("username=user\npassword=the:pass word%%é\n", vec![]),
            ("username=user\npassword=the:pass word%é\n", vec![]),
            ("username=user\npassword=wrong\n", vec!["-p", "the:pass word%é"]),
            ("username=other\npassword=%(ENV_SECRET)s\n", vec!["-u", "user"]),
            ("username=other\npassword=x\n", vec!["-s", unix.as_str(), "-u", "me", "-p", "thepassword"]),
        ] {
            ironlance_e2e::daemon::write_config(&scenario.dir, &config(more))?;
            let args = [&["-c", "{dir}/supervisord.conf"], options.as_slice(), &["version"]].concat();
            let mut output = scenario.run_raw(&args, b"", &[("SECRET", "the:pass word%é")])?;
            output.stdout = output.text().replace(&port, "PORT").into_bytes();
            // Ours quotes no password, also where it is badly formatted (docs/differences.md).
            output.stderr = String::from_utf8_lossy(&output.stderr).replace("'the:pass word%é'", "'***'").into_bytes();
            scenario.note_output(&format!("{more:?} {}", options.len()), &output);
        }
        Ok(())
    })
    .unwrap();
}

/// Answers every request on the socket with these bytes, and closes.
fn answering(listener: UnixListener, answer: Vec<u8>) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let _ = answer_one(stream, &answer);
        }
    });
}

fn answer_one(mut stream: UnixStream, answer: &[u8]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    while !is_whole(&got) {
        match stream.read(&mut chunk)? {
            0 => break,
            count => got.extend_from_slice(&chunk[..count]),
        }
    }
    stream.write_all(answer)
}

/// Whether head and body of a request are there.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

fn value(inner: &str) -> Vec<u8> {
    http(
        "200 OK",
        &format!(
            "<?xml version='1.0'?><methodResponse><params><param><value>{inner}</value></param></params></methodResponse>"
        ),
    )
}

fn fault(code: i32, text: &str) -> Vec<u8> {
    http(
        "200 OK",
        &format!(
            "<?xml version='1.0'?><methodResponse><fault><value><struct><member><name>faultCode</name><value><int>{code}</int></value></member><member><name>faultString</name><value><string>{text}</string></value></member></struct></value></fault></methodResponse>"
        ),
    )
}

#[test]
fn something_else_answers() {
    let answers: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", b"\x00\xff garbage \r\n\r\n".to_vec()),
        ("nothing", Vec::new()),
        ("half a head", b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()),
        ("half a body", b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<?xml version='1.0'?><methodResp".to_vec()),
        ("no XML", http("200 OK", "hello")),
        ("another document", http("200 OK", "<html><body/></html>")),
        ("404", http("404 Not Found", "")),
        ("500", http("500 Internal Server Error", "oh")),
        ("400", http("400 Bad Request", "")),
        ("302", http("302 Found", "")),
        ("another version", value("<string>2.0</string>")),
        ("a newer version", value("<string>4.0</string>")),
        ("a number for a version", value("<int>3</int>")),
        ("nil", value("<nil/>")),
        ("the version for everything", value("<string>3.0</string>")),
        ("no namespace", fault(1, "UNKNOWN_METHOD")),
        ("BAD_NAME", fault(10, "BAD_NAME")),
        ("SHUTDOWN_STATE", fault(6, "SHUTDOWN_STATE")),
        ("a fault nobody knows", fault(4711, "a &lt;fault&gt; nobody knows")),
    ];
    compare_ctl(|scenario| {
        for (index, (what, answer)) in answers.iter().enumerate() {
            let path = scenario.dir.path(&format!("{index}.sock"));
            answering(UnixListener::bind(&path)?, answer.clone());
            scenario.note(format!("--- {what}"));
            for verb in [
                "status", "start a", "stop a", "tail a", "fg a", "version", "reread", "update a", "add a",
                "avail", "shutdown", "maintail",
            ] {
                ask(scenario, &["-s", &format!("unix://{}", path.display())], verb, "\0")?;
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_who_accepts_and_says_nothing_else_over_tcp() {
    compare_ctl(|scenario| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port().to_string();
        thread::spawn(move || {
            // The connection is closed as soon as it is there.
            listener.incoming().for_each(drop);
        });
        for verb in ["status", "version", "start a", "pid", "shutdown", "reread", "avail"] {
            ask(scenario, &["-s", &format!("http://127.0.0.1:{port}")], verb, &port)?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn over_tcp_all_is_the_same() {
    compare_ctl_matrix(|scenario| {
        let port = closed_port()?.to_string();
        let daemon = scenario.start(&format!(
            "[inet_http_server]\nport=127.0.0.1:{port}\n[program:a]\ncommand=sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\nstdout_logfile={{dir}}/a.log\n[program:b]\ncommand=sleep 1000\nstartsecs=0\n"
        ))?;
        daemon.wait_state("a", "RUNNING")?;
        daemon.wait_file("a.log", "hello")?;
        for url in [format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}/"), format!("HTTP://127.0.0.1:{port}"), format!("http://user:password@127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/RPC2"), format!("127.0.0.1:{port}"), format!("http:127.0.0.1:{port}"), format!("https://127.0.0.1:{port}"), format!("http://[::1]:{port}")] {
            scenario.note(url.replace(&port, "PORT"));
            for verb in ["version", "status none", "tail a", "avail"] {
                ask(scenario, &["-s", &url], verb, &port)?;
            }
        }
        for verb in ["status", "stop a", "start a b", "restart b", "signal CONT a", "clear a", "tail a", "reread", "update"] {
            ask(scenario, &["-s", &format!("http://127.0.0.1:{port}")], verb, &port)?;
        }
        Ok(())
    })
    .unwrap();
}
