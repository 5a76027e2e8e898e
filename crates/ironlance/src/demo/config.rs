//! The demo's programs ([`PROGRAMS`]) and its supervisord.conf, with the six listeners that watch them.

use std::net::{Ipv4Addr, TcpListener};
use std::{fs, io, path::Path};

use super::builtin_program;

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
    source: ProgramSource,
    /// More lines for its section.
    settings: &'static str,
}

/// How a program is implemented.
enum ProgramSource {
    /// A script for `sh`, written to a file with the program's name.
    Script(&'static str),
    /// This binary, as the program of that name; see [`builtin_program`].
    Builtin(&'static str),
}

/// All programs. Each prints something, for the last lines that a mail shows.
pub(super) const PROGRAMS: [DemoProgram; 5] = [
    DemoProgram {
        name: "flaky",
        about: "crashes every few seconds",
        watched_by: "crashmail, crashmailbatch, crashsms",
        source: ProgramSource::Script(FLAKY),
        settings: "",
    },
    DemoProgram {
        name: "shop",
        about: "a web page that soon hangs",
        watched_by: "httpok",
        source: ProgramSource::Builtin("shop {shop_port}"),
        settings: "",
    },
    DemoProgram {
        name: "leaky",
        about: "leaks 6 MB of memory a second",
        watched_by: "memmon",
        source: ProgramSource::Builtin("leaky"),
        settings: "",
    },
    DemoProgram {
        name: "broken",
        about: "cannot even start",
        watched_by: "fatalmailbatch",
        source: ProgramSource::Script(BROKEN),
        settings: "startretries=1\n",
    },
    DemoProgram {
        name: "steady",
        about: "behaves",
        watched_by: "all of them, in silence",
        source: ProgramSource::Script(STEADY),
        settings: "",
    },
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
    for program in &PROGRAMS {
        if let ProgramSource::Script(source) = program.source {
            fs::write(folder.join(program.name), source)?;
        }
    }
    fs::write(folder.join("supervisord.conf"), text(ports))
}

/// The configuration. Paths are relative: supervisord is started in the folder, with the commands in its PATH.
fn text(ports: Ports) -> String {
    let mail = ports.mail;
    let mut text = HEAD.replace("{page_port}", &ports.page.to_string());
    for DemoProgram { name, source: runs, settings, .. } in &PROGRAMS {
        let command = match runs {
            ProgramSource::Script(_) => format!("sh {name}"),
            ProgramSource::Builtin(part) => {
                format!(
                    "ironlance demo {} {}",
                    builtin_program::FLAG,
                    part.replace("{shop_port}", &ports.shop.to_string())
                )
            }
        };
        text += &format!("[program:{name}]\ncommand={command}\nstopasgroup=true\n{settings}\n");
    }
    let smtp =
        |name: &str| format!("-m ops@demo.example --smtp smtp://127.0.0.1:{mail} --from {name}@demo.example");
    let batch =
        |name: &str, to: &str| format!("-t {to} -f {name}@demo.example -H 127.0.0.1:{mail} -e TICK_5");
    let rows = [
        ("crashmail", format!("-p flaky {}", smtp("crashmail")), "PROCESS_STATE_EXITED"),
        (
            "crashmailbatch",
            format!("-i 0.25 {}", batch("crashmailbatch", "ops@demo.example")),
            "PROCESS_STATE,TICK_5",
        ),
        (
            "fatalmailbatch",
            format!("-i 0.1 {}", batch("fatalmailbatch", "ops@demo.example")),
            "PROCESS_STATE,TICK_5",
        ),
        (
            "crashsms",
            format!("-i 0.1 --max-length {}", batch("crashsms", "5550100@sms.demo.example")),
            "PROCESS_STATE,TICK_5",
        ),
        ("httpok", format!("-p shop -t 2 {} http://127.0.0.1:{}/", smtp("httpok"), ports.shop), "TICK_5"),
        ("memmon", format!("-p leaky=40MB {}", smtp("memmon")), "TICK_5"),
    ];
    for (name, options, events) in rows {
        text += &format!("[eventlistener:{name}]\ncommand={name} {options}\nevents={events}\n\n");
    }
    text
}

const HEAD: &str = "\
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
