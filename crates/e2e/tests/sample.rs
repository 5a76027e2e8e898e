//! echo_supervisord_conf: what it prints is taken by both daemons, as it is and with everything switched on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

use ironlance_e2e::daemon::run_command;
use ironlance_e2e::{Daemon, Flavour, Scene};

/// Reads a file as the original's supervisord does before it starts, and says what came of it.
const READ: &str = "import sys\n\
    from supervisor.options import ServerOptions\n\
    o = ServerOptions()\n\
    o.realize(['-c', sys.argv[1]])\n\
    print(','.join(sorted(g.name for g in o.process_group_configs)), len(o.server_configs))\n";

fn sample(scene: &Scene, args: &[&str]) -> String {
    let path = Flavour::Ours.path("echo_supervisord_conf").unwrap();
    let mut command = scene.command(path, Flavour::Ours).unwrap();
    command.args(args);
    let output = run_command(command).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The sample with all that can be switched on, and a folder of the scene for `/tmp`.
fn switched_on(scene: &Scene) -> String {
    let on = |line: &str| match line.strip_prefix(';') {
        Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = sample(scene, &[]).lines().map(on).collect();
    text.join("\n").replace("/tmp", &scene.folder().display().to_string())
}

fn original_reads(scene: &Scene, text: &str) -> String {
    let file = scene.write("supervisord.conf", text).unwrap().display().to_string();
    let mut command = scene.command(Flavour::Original.path("python").unwrap(), Flavour::Original).unwrap();
    command.args(["-c", READ, &file]);
    finish(command)
}

fn finish(command: Command) -> String {
    let output = run_command(command).unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{err}");
    out + &err
}

#[test]
fn it_minds_no_options_as_the_original() {
    let scene = Scene::new().unwrap();
    let text = sample(&scene, &[]);
    assert_eq!(sample(&scene, &["--help", "-x", "y"]), text);
    assert!(text.contains("\n[supervisord]\n") && text.ends_with('\n'));
}

#[test]
fn both_daemons_run_on_it_as_it_is() {
    for flavour in Flavour::BOTH {
        let scene = Scene::new().unwrap();
        let folder = scene.folder().display().to_string();
        let text = sample(&scene, &[])
            .replace("/tmp/supervisor.sock", "/tmp/s.sock")
            .replace("/tmp", &folder)
            .replace(";nodaemon=false ", "nodaemon=true ");
        let mut daemon = Daemon::start_on(&scene, flavour, &text, &[]).unwrap();
        assert_eq!(daemon.call("getAllProcessInfo", &[]).unwrap().unwrap().to_string(), "[]", "{flavour}");
        daemon.stop().unwrap();
    }
}

#[test]
fn both_read_it_with_everything_switched_on() {
    let scene = Scene::new().unwrap();
    let text = switched_on(&scene);
    scene.write("conf.d/more.conf", "[program:more]\ncommand=/bin/true\n").unwrap();
    let read = original_reads(&scene, &text);
    let names = "crashmail,crashmailbatch,crashsms,fatalmailbatch,httpok,memmon,more,thefastcgi,thegroup,thelistener 2";
    assert_eq!(read.lines().next(), Some(names), "{read}");

    let supervisord = Flavour::Ours.path("supervisord").unwrap();
    let mut command = scene.command(supervisord, Flavour::Ours).unwrap();
    command.args(["--check", "-c", "supervisord.conf"]);
    let said = finish(command);
    assert_eq!(said, "supervisord.conf: no faults; 10 processes in 10 groups\n");
}
