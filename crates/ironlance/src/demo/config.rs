//! The demo's programs ([`PROGRAMS`]) and its supervisord.conf, with the six listeners that watch them.

use std::net::{Ipv4Addr, TcpListener};
use std::{fs, io, path::Path};

/// The listeners: names of sections and of commands.
pub(super) const LISTENERS: [&str; 6] =
    ["crashmail", "crashmailbatch", "fatalmailbatch", "crashsms", "httpok", "memmon"];

/// A program of the demo.
pub(super) struct DemoProgram {
    pub(super) name: &'static str,
    /// What is wrong with it, for the user.
    pub(super) about: &'static str,
    /// The listeners that mail about it.
    pub(super) watched_by: &'static str,
}

/// All programs. Each prints something, for the last lines that a mail shows.
pub(super) const PROGRAMS: [DemoProgram; 5] = [
    DemoProgram {
        name: "flaky",
        about: "crashes every few seconds",
        watched_by: "crashmail, crashmailbatch, crashsms",
    },
    DemoProgram { name: "shop", about: "a web page that soon hangs", watched_by: "httpok" },
    DemoProgram { name: "leaky", about: "leaks 6 MB of memory a second", watched_by: "memmon" },
    DemoProgram { name: "broken", about: "cannot even start", watched_by: "fatalmailbatch" },
    DemoProgram { name: "steady", about: "behaves", watched_by: "all of them, in silence" },
];

const FLAKY: &str = r#"echo "flaky: open for business"
lives=$(cat flaky.lives 2>/dev/null || echo 0)
echo $((lives + 1)) >flaky.lives
sleep 5
echo "flaky: the database went away" >&2
[ $((lives % 2)) -eq 1 ] || exit 3
kill -KILL $$
"#;

const BROKEN: &str = r#"echo "broken: cannot read /etc/broken.conf: no such file" >&2
exit 1
"#;

const STEADY: &str = r#"while :; do
    echo "steady: all is well"
    sleep 2
done
"#;

/// Ports of 127.0.0.1 that the configuration names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    /// The mail server.
    pub(super) mail: u16,
    /// The shop's page.
    pub(super) shop: u16,
    /// The web page of supervisord.
    pub(super) page: u16,
}

/// Two ports that are free now, and not one twice. Another process can take them before they are used.
pub(super) fn free_ports() -> io::Result<[u16; 2]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, two) = (bind()?, bind()?);
    Ok([one.local_addr()?.port(), two.local_addr()?.port()])
}

/// Writes the programs and supervisord.conf into the folder. Errors are those of the file system.
pub(super) fn write(folder: &Path, ports: Ports) -> io::Result<()> {
    for (name, script) in [("flaky", FLAKY), ("broken", BROKEN), ("steady", STEADY)] {
        fs::write(folder.join(name), script)?;
    }
    fs::write(folder.join("supervisord.conf"), text(ports))
}

fn text(ports: Ports) -> String {
    let Ports { mail, shop, page } = ports;
    let marks = [("{mail_port}", mail), ("{shop_port}", shop), ("{page_port}", page)];
    marks.iter().fold(CONFIG.to_owned(), |text, (mark, port)| text.replace(mark, &port.to_string()))
}

/// Paths are relative: supervisord is started in the folder, with the commands in its PATH.
const CONFIG: &str = "\
[unix_http_server]
file=%(here)s/supervisor.sock

[inet_http_server]
port=127.0.0.1:{page_port}

[supervisord]
nodaemon=true
logfile=%(here)s/supervisord.log
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://%(here)s/supervisor.sock

[program:flaky]
command=sh flaky
stopasgroup=true

[program:shop]
command=ironlance demo --play shop {shop_port}
stopasgroup=true

[program:leaky]
command=ironlance demo --play leaky
stopasgroup=true

[program:broken]
command=sh broken
stopasgroup=true
startretries=1

[program:steady]
command=sh steady
stopasgroup=true

[eventlistener:crashmail]
command=crashmail -p flaky -m ops@demo.example --smtp smtp://127.0.0.1:{mail_port} --from crashmail@demo.example
events=PROCESS_STATE_EXITED

[eventlistener:crashmailbatch]
command=crashmailbatch -i 0.25 -t ops@demo.example -f crashmailbatch@demo.example -H 127.0.0.1:{mail_port} -e TICK_5
events=PROCESS_STATE,TICK_5

[eventlistener:fatalmailbatch]
command=fatalmailbatch -i 0.1 -t ops@demo.example -f fatalmailbatch@demo.example -H 127.0.0.1:{mail_port} -e TICK_5
events=PROCESS_STATE,TICK_5

[eventlistener:crashsms]
command=crashsms -i 0.1 --max-length -t 5550100@sms.demo.example -f crashsms@demo.example -H 127.0.0.1:{mail_port}
  -e TICK_5
events=PROCESS_STATE,TICK_5

[eventlistener:httpok]
command=httpok -p shop -t 2 -m ops@demo.example --smtp smtp://127.0.0.1:{mail_port} --from httpok@demo.example
  http://127.0.0.1:{shop_port}/
events=TICK_5

[eventlistener:memmon]
command=memmon -p leaky=40MB -m ops@demo.example --smtp smtp://127.0.0.1:{mail_port} --from memmon@demo.example
events=TICK_5
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_and_every_listener_has_a_section() {
        let text = text(Ports { mail: 2525, shop: 8080, page: 9001 });
        for name in LISTENERS {
            assert!(text.contains(&format!("[eventlistener:{name}]\ncommand={name} ")), "{text}");
        }
        for program in &PROGRAMS {
            assert!(text.contains(&format!("[program:{}]\ncommand=", program.name)), "{text}");
        }
        assert!(
            text.contains("\ncommand=ironlance demo --play shop 8080\n")
                && text.contains(" http://127.0.0.1:8080/\n"),
            "{text}"
        );
        assert_eq!(text.matches("127.0.0.1:2525").count(), LISTENERS.len(), "{text}");
        assert!(!text.contains('{') && text.contains("\nport=127.0.0.1:9001\n"), "{text}");
    }
}
