//! What only shows when both daemons are held side by side: the order of starts, last words, ways to write a call.

use std::time::Duration;

use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{Recorder, compare_daemons};

/// Long enough for an answer; the original closes when it has given one.
const ANSWER: Duration = Duration::from_secs(2);

#[test]
fn programs_without_startsecs_run_when_all_of_them_have_been_started() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "all", "")?;
        let program = |name: &str| format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\n");
        let daemon = scenario.daemon(&format!(
            "{}{}{}{}",
            program("a"),
            program("b"),
            program("c"),
            recorder.section("recorder", "PROCESS_STATE")
        ))?;
        let of_programs = |body_token: Option<&str>| body_token.is_some_and(|name| name != "recorder");
        let running = |event: &&ironlance_e2e::RecordedEvent| {
            event.name() == "PROCESS_STATE_RUNNING" && of_programs(event.body_token("processname"))
        };
        let events =
            recorder.wait_all("of three programs", |events| events.iter().filter(running).count() == 3)?;
        let states = events.iter().filter(|event| of_programs(event.body_token("processname")));
        scenario.note_all(
            "events",
            states.map(|event| {
                format!("{} {}", event.name(), event.body_token("processname").unwrap_or_default())
            }),
        );
        let is_compared = |line: &&String| {
            ["a", "b", "c"].iter().any(|name| {
                line.contains(&format!("spawned: '{name}'")) || line.contains(&format!("success: {name} "))
            })
        };
        scenario.note_all("log", daemon.log_lines().iter().filter(is_compared));
        // Who asks is told that it runs already.
        scenario.note_call(&daemon, "stopProcess", &["b".into()])?;
        scenario.note_call(&daemon, "startProcess", &["b".into(), false.into()])?;
        scenario.note(daemon.state("b")?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_comes_after_a_shutdown_in_a_multicall_is_answered() {
    compare_daemons(|scenario| {
        let call = |method: &str| XmlValue::Struct(vec![("methodName".to_owned(), method.into())]);
        for last in ["supervisor.shutdown", "supervisor.restart"] {
            // With no program to wait for it ends before the second call is looked at.
            let daemon = scenario.daemon("")?;
            let calls =
                [last, "supervisor.getState", "system.noSuch", "supervisor.getPID", "supervisor.shutdown"];
            let calls = XmlValue::Array(calls.into_iter().map(call).collect());
            scenario.note_call_any(&daemon, "system.multicall", &[calls])?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn calls_that_are_written_in_other_ways_mean_the_same() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.out\n")?;
        daemon.wait_state("cat", "RUNNING")?;
        for (heading, params) in [
            ("no param", "<value>x</value><param><value>y</value></param>"),
            ("no param, one value", "<value><string>no:such</string></value>"),
            ("line ends", "<param><value><string>a\r\nb\rc&#13;d</string></value></param>"),
            ("line ends, bare", "<param><value>a\r\n\r\nb</value></param>"),
            ("line ends, CDATA", "<param><value><string><![CDATA[a\r\nb]]></string></value></param>"),
            ("neither", "<param></param>"),
        ] {
            let body = format!(
                "<methodCall>\r\n<methodName>supervisor.getProcessInfo</methodName>\r\n<params>{params}</params>\r\n</methodCall>"
            );
            let request = format!("POST /RPC2 HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let answer = daemon.http(request.as_bytes(), ANSWER)?.text();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
            let status = head.lines().next().unwrap_or_default();
            scenario.note(format!("{heading}: {status}"));
            if status.contains("200") {
                scenario.note(format!("    {}", body.escape_debug()));
            }
        }
        let text = XmlValue::Raw("<string>one\r\ntwo\rthree&#13;&#10;</string>".to_owned());
        scenario.note_call(&daemon, "sendProcessStdin", &["cat".into(), text])?;
        scenario.note(daemon.wait_file("cat.out", "three")?.escape_debug());
        Ok(())
    })
    .unwrap();
}

#[test]
fn requests_that_cannot_be_read_are_logged_in_the_same_words() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("")?;
        for body in ["garbage", "<methodCall/>", "<methodCall><methodName>x</methodName>", "it's \"<\u{e9}"] {
            let request = format!("POST /RPC2 HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            daemon.http(request.as_bytes(), ANSWER)?;
        }
        daemon.wait_log("it\\'s")?;
        let complaints = daemon.log_lines();
        scenario.note_all("log", complaints.iter().filter(|line| line.contains("XML-RPC request data")));
        Ok(())
    })
    .unwrap();
}
