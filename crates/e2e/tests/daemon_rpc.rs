//! Every method of both daemons' XML-RPC interface, with good and bad parameters, and in every state.

use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{Daemon, Scenario, compare_daemons};

/// Values of each type that a parameter can be given.
fn odd_values() -> Vec<XmlValue> {
    let raw = |xml: &str| XmlValue::Raw(xml.to_owned());
    vec![
        "".into(),
        "a".into(),
        "no:such".into(),
        ":".into(),
        "a:".into(),
        ":a".into(),
        "a:*".into(),
        "*".into(),
        "é".into(),
        0.into(),
        (-1).into(),
        true.into(),
        raw("<double>1.5</double>"),
        raw("<base64>YQ==</base64>"),
    ]
}

/// Three programs, none of which changes by itself.
///
/// The original loses a signal that comes before the program has begun; then it waits for stopwaitsecs.
fn quiet(scenario: &Scenario) -> anyhow::Result<Daemon> {
    let daemon = scenario.daemon(
        "[program:a]\ncommand=sleep 1000\nstartsecs=0\nstopwaitsecs=1\nstdout_logfile={dir}/a.log\nstderr_logfile=NONE\n\
         [program:b]\ncommand=sleep 1000\nautostart=false\nstartsecs=0\nstopwaitsecs=1\n\
         [program:gone]\ncommand=/no/such/program\nautostart=false\nstartretries=0\n\
         [group:g]\nprograms=b,gone\n",
    )?;
    daemon.wait_state("a", "RUNNING")?;
    Ok(daemon)
}

#[test]
fn the_methods_their_signatures_and_their_number_of_parameters_are_the_originals() {
    compare_daemons(|scenario| {
        let daemon = quiet(scenario)?;
        let methods = daemon.ask("system.listMethods", &[])?.unwrap();
        let theirs = methods
            .items()
            .iter()
            .filter_map(XmlValue::as_str)
            .filter(|name| !name.starts_with("ironlance."))
            .map(str::to_owned)
            .collect::<Vec<_>>();
        scenario.note_all("methods", &theirs);
        for name in &theirs {
            scenario.note_call_any(&daemon, "system.methodSignature", &[name.as_str().into()])?;
            // The words of the help are our own.
            let help = daemon.ask("system.methodHelp", &[name.as_str().into()])?;
            scenario.note(format!(
                "help of {name}: {}",
                help.is_ok_and(|help| help.as_str().is_some_and(|help| !help.is_empty()))
            ));
            // Six are too many for each of them.
            let many = vec![XmlValue::from("a"); 6];
            scenario.note_call_any(&daemon, name, &many)?;
        }
        for name in [
            "",
            "no.such",
            "supervisor.noSuch",
            "supervisor",
            "a.b.c",
            "supervisor._update",
            "supervisor.getState.__class__",
            "supervisor.supervisord",
            "system._listMethods",
            ".",
            "supervisor.",
            " supervisor.getState",
            "Supervisor.getState",
        ] {
            scenario.note_call_any(&daemon, "system.methodSignature", &[name.into()])?;
            scenario.note_call_any(&daemon, "system.methodHelp", &[name.into()])?;
            if !name.is_empty() {
                scenario.note_call_any(&daemon, name, &[])?;
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn every_method_without_parameters() {
    compare_daemons(|scenario| {
        let daemon = quiet(scenario)?;
        for method in [
            "getAPIVersion",
            "getVersion",
            "getSupervisorVersion",
            "getIdentification",
            "getState",
            "startProcess",
            "startProcessGroup",
            "stopProcess",
            "stopProcessGroup",
            "signalProcess",
            "signalProcessGroup",
            "signalAllProcesses",
            "getAllConfigInfo",
            "getProcessInfo",
            "getAllProcessInfo",
            "readLog",
            "readMainLog",
            "readProcessLog",
            "readProcessStdoutLog",
            "readProcessStderrLog",
            "tailProcessLog",
            "tailProcessStdoutLog",
            "tailProcessStderrLog",
            "clearProcessLog",
            "clearProcessLogs",
            "sendProcessStdin",
            "sendRemoteCommEvent",
            "addProcessGroup",
            "removeProcessGroup",
            "reloadConfig",
            "clearAllProcessLogs",
        ] {
            scenario.note_call(&daemon, method, &[])?;
        }
        let pid = daemon.call("getPID", &[])?.unwrap();
        scenario.note(format!("own pid: {}", pid.as_int() == Some(i64::from(daemon.pid()))));
        Ok(())
    })
    .unwrap();
}

#[test]
fn names_of_every_kind() {
    compare_daemons(|scenario| {
        let daemon = quiet(scenario)?;
        for name in odd_values() {
            for method in [
                "getProcessInfo",
                "startProcess",
                "startProcessGroup",
                "stopProcessGroup",
                "stopProcess",
                "removeProcessGroup",
                "addProcessGroup",
                "clearProcessLogs",
                "clearProcessLog",
                "system.methodHelp",
                "system.methodSignature",
            ] {
                let full =
                    if method.contains('.') { method.to_owned() } else { format!("supervisor.{method}") };
                scenario.note_call_any(&daemon, &full, std::slice::from_ref(&name))?;
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn starting_and_stopping_by_name_group_and_star() {
    compare_daemons(|scenario| {
        let daemon = quiet(scenario)?;
        for (method, params) in [
            ("startProcess", vec!["a".into()]),
            ("startProcess", vec!["a:a".into()]),
            ("startProcess", vec!["b".into()]),
            ("startProcess", vec!["g:b".into(), false.into()]),
            ("startProcess", vec!["g:b".into()]),
            ("getProcessInfo", vec!["g:b".into()]),
            ("startProcess", vec!["g:gone".into()]),
            ("startProcess", vec!["g:gone".into(), false.into()]),
            ("startProcess", vec!["g:none".into()]),
            ("startProcessGroup", vec!["g".into()]),
            ("startProcessGroup", vec!["g:*".into()]),
            ("startAllProcesses", vec![]),
            ("startAllProcesses", vec![false.into()]),
            ("getProcessInfo", vec!["g:gone".into()]),
            ("removeProcessGroup", vec!["g".into()]),
            ("stopProcess", vec!["g:*".into()]),
            ("stopProcess", vec!["g:b".into()]),
            ("stopProcessGroup", vec!["g".into()]),
            ("stopProcess", vec!["a".into(), false.into()]),
        ] {
            scenario.note_call(&daemon, method, &params)?;
        }
        daemon.wait_state("a", "STOPPED")?;
        for (method, params) in [
            ("startProcess", vec!["a".into(), "".into()]),
            ("stopProcess", vec!["a".into(), 1.into()]),
            ("startProcess", vec!["a".into(), 0.into()]),
            ("stopProcess", vec!["a".into(), XmlValue::Array(vec![])]),
        ] {
            scenario.note_call(&daemon, method, &params)?;
        }
        daemon.wait_state("a", "STOPPED")?;
        for (method, params) in [
            ("stopAllProcesses", vec![]),
            ("removeProcessGroup", vec!["a".into()]),
            ("removeProcessGroup", vec!["a".into()]),
            ("getProcessInfo", vec!["a".into()]),
            ("addProcessGroup", vec!["a".into()]),
            ("addProcessGroup", vec!["a".into()]),
            ("addProcessGroup", vec!["none".into()]),
        ] {
            scenario.note_call(&daemon, method, &params)?;
        }
        daemon.wait_state("a", "RUNNING")?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_start_waits_until_it_is_known_how_it_went() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon(
            "[program:good]\ncommand=sleep 1000\nautostart=false\n\
             [program:quick]\ncommand=false\nautostart=false\nstartretries=0\n\
             [program:late]\ncommand=sh -c 'sleep 0.3; exit 3'\nautostart=false\nstartretries=0\n\
             [program:once]\ncommand=true\nautostart=false\nstartsecs=0\nautorestart=false\n\
             [program:short]\ncommand=sleep 0.3\nautostart=false\nautorestart=false\nstartsecs=0\n",
        )?;
        scenario.note_call(&daemon, "startProcess", &["good".into()])?;
        scenario.note(daemon.state("good")?);
        for name in ["quick", "late"] {
            scenario.note_call(&daemon, "startProcess", &[name.into()])?;
            daemon.wait_state(name, "FATAL")?;
            scenario.note_info(&daemon, name)?;
        }
        scenario.note_call(&daemon, "startProcess", &["short".into()])?;
        daemon.wait_state("short", "EXITED")?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_multicall_answers_part_by_part() {
    compare_daemons(|scenario| {
        let daemon = quiet(scenario)?;
        let call = |method: &str, params: Vec<XmlValue>| {
            XmlValue::Struct(vec![
                ("methodName".to_owned(), method.into()),
                ("params".to_owned(), XmlValue::Array(params)),
            ])
        };
        let calls = XmlValue::Array(vec![
            call("supervisor.getState", vec![]),
            call("supervisor.startProcess", vec!["g:b".into()]),
            call("supervisor.getProcessInfo", vec!["g:b".into()]),
            call("supervisor.startProcess", vec!["g:b".into()]),
            call("supervisor.stopProcess", vec!["g:b".into()]),
            call("supervisor.getProcessInfo", vec!["none".into()]),
            call("system.multicall", vec![XmlValue::Array(vec![])]),
            call("system.listMethods", vec![XmlValue::Int(1)]),
            call("no.such", vec![]),
            call("supervisor.getIdentification", vec!["superfluous".into()]),
            XmlValue::Struct(vec![("methodName".to_owned(), "supervisor.getIdentification".into())]),
            XmlValue::Struct(vec![("params".to_owned(), XmlValue::Array(vec![]))]),
            XmlValue::Struct(vec![]),
            call("supervisor.stopAllProcesses", vec![]),
            call("supervisor.startAllProcesses", vec![false.into()]),
            call("supervisor.clearAllProcessLogs", vec![]),
        ]);
        scenario.note_call_any(&daemon, "system.multicall", &[calls])?;
        scenario.note_call_any(&daemon, "system.multicall", &[XmlValue::Array(vec![])])?;
        scenario.note_call_any(&daemon, "system.multicall", &[])?;
        for bad in
            [XmlValue::from("x"), 1.into(), XmlValue::Struct(vec![]), XmlValue::Array(vec!["x".into()])]
        {
            scenario.note_call_any(&daemon, "system.multicall", std::slice::from_ref(&bad))?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn logs_are_read_at_and_beyond_their_ends() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon(
            "[program:a]\ncommand=sh -c 'printf 0123456789; printf \"Malm\\303\\266\" >&2; exec sleep 1000'\nstartsecs=0\nstdout_logfile={dir}/a.out\nstderr_logfile={dir}/a.err\n\
             [program:silent]\ncommand=sleep 1000\nstdout_logfile=NONE\nstderr_logfile={dir}/silent.err\nautostart=false\n\
             [program:raw]\ncommand=sh -c 'printf \"a\\210b\"; exec sleep 1000'\nstartsecs=0\nstdout_logfile={dir}/raw.out\n",
        )?;
        daemon.wait_file("a.out", "0123456789")?;
        daemon.wait_file("a.err", "Malm\u{f6}")?;
        daemon.wait_file("raw.out", "b")?;
        let numbers = [(0_i64, 0_i64), (0, 5), (5, 0), (5, 5), (9, 1), (10, 0), (10, 1), (11, 1), (100, 5), (-1, 0), (-3, 0), (-3, 2), (-10, 0), (-100, 0), (0, -1), (5, -5), (-5, -5), (0, 100), (3, 100)];
        for (offset, length) in numbers {
            for method in ["readProcessStdoutLog", "tailProcessStdoutLog"] {
                scenario.note_call(&daemon, method, &["a".into(), offset.into(), length.into()])?;
            }
        }
        for (offset, length) in [(0_i64, 0_i64), (0, 5), (5, 5), (-2, 0), (0, 100)] {
            for method in ["readProcessStderrLog", "tailProcessStderrLog"] {
                scenario.note_call(&daemon, method, &["a".into(), offset.into(), length.into()])?;
            }
        }
        for name in ["silent", "none", "a:*"] {
            for method in ["readProcessStdoutLog", "tailProcessStdoutLog", "readProcessStderrLog", "tailProcessStderrLog", "readProcessLog", "tailProcessLog"] {
                scenario.note_call(&daemon, method, &[name.into(), 0.into(), 10.into()])?;
            }
        }
        for (offset, length) in [(XmlValue::from("5"), XmlValue::from("2")), ("x".into(), 1.into()), (true.into(), 3.into()), (XmlValue::Raw("<double>2.9</double>".to_owned()), 3.into())] {
            for method in ["readProcessStdoutLog", "tailProcessStdoutLog", "readLog"] {
                scenario.note_call(&daemon, method, &["a".into(), offset.clone(), length.clone()])?;
            }
        }
        scenario.note_call(&daemon, "readLog", &[0.into(), 4.into()])?;
        scenario.note_call(&daemon, "readLog", &[1_000_000.into(), 4.into()])?;
        scenario.note_call(&daemon, "readLog", &[0.into(), (-4).into()])?;
        scenario.note_call(&daemon, "clearProcessLogs", &["a".into()])?;
        scenario.note_call(&daemon, "readProcessStdoutLog", &["a".into(), 0.into(), 0.into()])?;
        scenario.note_call(&daemon, "tailProcessStdoutLog", &["a".into(), 0.into(), 10.into()])?;
        scenario.note_call(&daemon, "clearProcessLogs", &["silent".into()])?;
        scenario.note_call(&daemon, "clearProcessLogs", &["none".into()])?;
        scenario.note_call(&daemon, "clearAllProcessLogs", &[])?;
        scenario.note_call(&daemon, "clearLog", &[])?;
        scenario.note_all("log", daemon.log_lines());
        Ok(())
    })
    .unwrap();
}

#[test]
fn config_info_tells_every_field() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon(
            "[program:a]\ncommand=sleep 1000\nautostart=false\n\
             [program:full]\ncommand=sleep   \"1 0\"\ndirectory=/tmp\numask=022\npriority=5\nautostart=false\nautorestart=true\nstartsecs=7\nstartretries=8\nexitcodes=1,2\nstopsignal=HUP\n\
             stopwaitsecs=9\nstopasgroup=true\nuser=nobody\nredirect_stderr=true\nstdout_logfile={dir}/full.log\nstdout_logfile_maxbytes=2KB\nstdout_logfile_backups=3\nstdout_capture_maxbytes=4KB\n\
             stdout_events_enabled=true\nstdout_syslog=false\nstderr_logfile=NONE\nstderr_logfile_maxbytes=1GB\nenvironment=A=1,B=2\nserverurl=http://x\n\
             [program:n]\ncommand=x %(process_num)d\nnumprocs=2\nprocess_name=n%(process_num)s\nautostart=false\n\
             [eventlistener:l]\ncommand=cat\nevents=TICK_60\nautostart=false\n\
             [fcgi-program:f]\ncommand=cat\nsocket=unix://{dir}/f.sock\nautostart=false\n\
             [group:g]\nprograms=a\npriority=3\n",
        )?;
        scenario.note_call(&daemon, "getAllConfigInfo", &[])?;
        scenario.note_call(&daemon, "getAllProcessInfo", &[])?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn while_it_ends_every_call_is_a_fault() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon("[program:deaf]\ncommand=sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=3\nstdout_logfile={dir}/deaf\n")?;
        daemon.wait_file("deaf", "up")?;
        scenario.note_call(&daemon, "shutdown", &[])?;
        for (method, params) in [("getState", vec![]), ("getAllProcessInfo", vec![]), ("getPID", vec![]), ("shutdown", vec![]), ("restart", vec![]), ("startProcess", vec!["deaf".into()]),
            ("stopProcess", vec![]), ("sendRemoteCommEvent", vec!["a".into(), "b".into()]), ("signalAllProcesses", vec!["HUP".into()]), ("signalProcessGroup", vec!["x".into(), "HUP".into()]),
            ("readLog", vec![0.into(), 1.into()]), ("sendProcessStdin", vec!["deaf".into(), "b".into()])]
        {
            scenario.note_call(&daemon, method, &params)?;
        }
        scenario.note_call_any(&daemon, "system.methodSignature", &["supervisor.getState".into()])?;
        Ok(())
    })
    .unwrap();
}
