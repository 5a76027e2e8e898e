//! Where both daemons are reached, and what of it their programs are told; and extensions that are not for us.

use std::net::TcpStream;

use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::xmlrpc::{self, request};
use ironlance_e2e::{Daemon, Implementation, TIMEOUT, TestDir, compare_daemons, until};

/// The main section alone: no server.
const BARE: &str = "[supervisord]\nnodaemon=true\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\nchildlogdir={dir}\n\
     [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
     [program:a]\ncommand=sh -c 'echo \"url=$SUPERVISOR_SERVER_URL\" >{dir}/url; exec sleep 1000'\nstartsecs=0\n";

#[test]
fn programs_are_told_where_the_daemon_is_reached() {
    compare_daemons(|scenario| {
        for form in ["", "PORT", ":PORT", "*:PORT", "127.0.0.1:PORT", "localhost:PORT"] {
            let port = closed_port()?.to_string();
            let server = if form.is_empty() {
                String::new()
            } else {
                format!("[inet_http_server]\nport={}\n", form.replace("PORT", &port))
            };
            let mut daemon =
                Daemon::launch(&scenario.dir, scenario.implementation, &format!("{BARE}{server}"), &[])?;
            let url = daemon.wait_file("url", "\n")?.replace(&port, "PORT");
            scenario.note(format!("{form:?}: {url}"));
            if !form.is_empty() {
                let stream = TcpStream::connect(("127.0.0.1", port.parse::<u16>()?))?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                let state = xmlrpc::ask(stream, "", &request("supervisor.getState", &[]))?;
                scenario.note(ironlance_e2e::daemon::describe(&state));
            }
            daemon.stop()?;
            std::fs::remove_file(scenario.dir.path("url"))?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn several_servers_serve_side_by_side() {
    compare_daemons(|scenario| {
        let port = closed_port()?;
        let daemon = scenario.daemon(&format!("[inet_http_server]\nport=127.0.0.1:{port}\n[program:a]\ncommand=sh -c 'echo \"$SUPERVISOR_SERVER_URL\" >{{dir}}/url; exec sleep 1000'\nstartsecs=0\n"))?;
        let url = daemon.wait_file("url", "\n")?;
        scenario.note(url);
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        scenario.note(ironlance_e2e::daemon::describe(&xmlrpc::ask(stream, "", &request("supervisor.getState", &[]))?));
        Ok(())
    })
    .unwrap();
}

#[test]
fn without_the_interface_there_are_only_the_methods_of_system() {
    compare_daemons(|scenario| {
        let config = "[unix_http_server]\nfile={dir}/s.sock\n[supervisord]\nnodaemon=true\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\nchildlogdir={dir}\n";
        let daemon = Daemon::launch(&scenario.dir, scenario.implementation, config, &[])?;
        until("an answer", TIMEOUT, || Ok(daemon.ask("system.listMethods", &[]).ok().map(drop)))?;
        scenario.note_call_any(&daemon, "system.listMethods", &[])?;
        scenario.note_call(&daemon, "getState", &[])?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_extension_in_python_is_named_and_the_rest_runs() {
    let dir = TestDir::new().unwrap();
    let config = "[rpcinterface:twiddler]\nsupervisor.rpcinterface_factory = supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface\n\
                  [ctlplugin:x]\nsupervisor.ctl_factory = some.module:make\n[program:a]\ncommand=sleep 1000\nstartsecs=0\n";
    let daemon = Daemon::start(&dir, Implementation::Ours, config).unwrap();
    daemon.wait_state("a", "RUNNING").unwrap();
    let warnings: Vec<_> = daemon.log_lines().into_iter().filter(|line| line.contains("twiddler")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
}
