//! Configuration files that are no files or no text, names of Python code that nobody has, and paths that are relative:
//! both daemons refuse the same and mean the same.

use std::fs;
use std::path::Path;

use ironlance_e2e::daemon::{BASE, run, send, write_config};
use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{TIMEOUT, compare_daemons, until};
use rustix::process::Signal;

const MAIN: &str = "[supervisord]\nnodaemon=true\n";

/// What stands in the file, and which file is asked for.
fn odd_files() -> Vec<(Vec<u8>, &'static str)> {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let behind_a_chunk = |bytes: &[u8]| [MAIN.as_bytes(), &[b'#'; 8192], b"\nx=", bytes].concat();
    vec![
        (MAIN.into(), "file.conf/"),
        (MAIN.into(), "file.conf/below"),
        (MAIN.into(), "none/file.conf"),
        (MAIN.into(), "."),
        ([&b"\xff\xfe"[..], &wide(MAIN)].concat(), "file.conf"),
        ((0..=255).collect(), "file.conf"),
        (b"[supervisord]\n; caf\xe9\n".to_vec(), "file.conf"),
        (b"[supervisord]\nidentifier=\xe2\x82".to_vec(), "file.conf"),
        (behind_a_chunk(b"\xff\n"), "file.conf"),
        (behind_a_chunk(b"\xc3"), "file.conf"),
    ]
}

/// Names of Python code that no Python finds.
const FACTORIES: &[&str] = &[
    "[rpcinterface:x]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_interface",
    "[rpcinterface:x]\nsupervisor.rpcinterface_factory=supervisor.rpcinterfaces:make_main_rpcinterface",
    "[rpcinterface:x]\nsupervisor.rpcinterface_factory=",
    "[rpcinterface:x]\nsupervisor.rpcinterface_factory=a b:c\nother=%(nothing)s",
    "[eventlistener:l]\ncommand=x\nevents=NOPE\nresult_handler=supervisor.dispatchers:default",
    "[eventlistener:l]\ncommand=x\nevents=TICK_5\nresult_handler=a:b:c",
    "[eventlistener:l]\ncommand=x\nevents=TICK_5\nresult_handler=",
];

#[test]
fn odd_files_and_names_that_stand_for_nothing_are_refused_in_the_same_words() {
    compare_daemons(|scenario| {
        let folder = scenario.dir.folder().display().to_string();
        let factories = FACTORIES.iter().map(|lines| (format!("{MAIN}{lines}\n").into_bytes(), "file.conf"));
        for (bytes, name) in odd_files().into_iter().chain(factories) {
            fs::write(scenario.dir.path("file.conf"), &bytes)?;
            let output = run(&scenario.dir, scenario.implementation, &["-c", &format!("{folder}/{name}")])?;
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            let error = stderr.lines().find(|line| line.starts_with("Error: "));
            scenario.note(format!("{name}: {} {}", output.status, error.unwrap_or("nothing said")));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_stock_interface_may_be_written_with_space_around_the_colon() {
    compare_daemons(|scenario| {
        let daemon = scenario.daemon(
            "[rpcinterface:second]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface : make_main_rpcinterface\n",
        )?;
        scenario.note_call_any(&daemon, "second.getState", &[])
    })
    .unwrap();
}

#[test]
fn relative_folders_are_meant_from_where_the_daemon_was_started() {
    compare_daemons(|scenario| {
        for name in ["logs", "elsewhere"] {
            fs::create_dir(scenario.dir.path(name))?;
        }
        let config = BASE
            .replace("nodaemon=true\n", "directory={dir}/elsewhere\n")
            .replace("childlogdir={dir}\n", "childlogdir=elsewhere/../logs\n");
        let config =
            write_config(&scenario.dir, &format!("{config}[program:a]\ncommand=sleep 1000\nstartsecs=0\n"))?;
        let output = run(&scenario.dir, scenario.implementation, &["-c", &config.display().to_string()])?;
        scenario.note(output.status);
        let pid: i64 = until("the pid file", TIMEOUT, || {
            let text = fs::read_to_string(scenario.dir.path("supervisord.pid")).unwrap_or_default();
            Ok(text.strip_suffix("\n").and_then(|pid| pid.parse().ok()))
        })?;
        let logs = until("the program's logs", TIMEOUT, || {
            let logs = fs::read_dir(scenario.dir.path("logs"))?.flatten().count();
            Ok((logs == 2).then_some(logs))
        });
        send(pid, Signal::TERM)?;
        until("its end", TIMEOUT, || Ok((!Path::new(&format!("/proc/{pid}")).exists()).then_some(())))?;
        scenario.note(format!("{} logs", logs?));
        Ok(())
    })
    .unwrap();
}

#[test]
fn auto_logs_are_told_by_a_path_without_dots() {
    compare_daemons(|scenario| {
        fs::create_dir(scenario.dir.path("sub"))?;
        let daemon = scenario.daemon(
            "[supervisord]\nchildlogdir={dir}/sub/..\n[program:a]\ncommand=sleep 1000\nautostart=false\n",
        )?;
        let Ok(XmlValue::Array(programs)) = daemon.call("getAllConfigInfo", &[])? else {
            anyhow::bail!("no list of programs")
        };
        for channel in ["stdout_logfile", "stderr_logfile"] {
            let file = programs[0].get(channel).and_then(XmlValue::as_str).unwrap_or_default();
            scenario.note(
                Path::new(file).parent().map(|folder| folder.display().to_string()).unwrap_or_default(),
            );
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_path_that_is_written_in_another_way_is_a_change() {
    compare_daemons(|scenario| {
        let program = |path: &str| {
            format!("{BASE}[program:a]\ncommand=sleep 1000\nautostart=false\ndirectory={path}\n")
        };
        write_config(&scenario.dir, &program("/tmp"))?;
        let daemon = scenario.daemon("[program:a]\ncommand=sleep 1000\nautostart=false\ndirectory=/tmp\n")?;
        for path in ["/tmp", "/tmp/", "/./tmp"] {
            write_config(&scenario.dir, &program(path))?;
            scenario.note_call(&daemon, "reloadConfig", &[])?;
        }
        Ok(())
    })
    .unwrap();
}
