//! Renders the text of the configuration. Called by `init` with all answers; does no I/O.

use std::fmt::Write;

use ironlance_core::text::shlex;

use super::answers::{EXAMPLE, MailSettings, MailTransport, ProgramAnswer};
use super::escape;
use super::paths::{ConfigPaths, ConfigRole};

/// How the listeners are called: `crashmail` if the `PATH` leads to this binary, else `/path/to/ironlance crashmail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CommandPrefix {
    /// By their own names.
    ByName,
    /// As an argument of our binary, which is here.
    ByBinary(String),
}

/// The words of a listener's command line.
pub(super) fn listener_command(prefix: &CommandPrefix, name: &str, mail: &MailSettings) -> Vec<String> {
    let mut words = match prefix {
        CommandPrefix::ByName => vec![name.to_owned()],
        CommandPrefix::ByBinary(binary) => vec![binary.clone(), name.to_owned()],
    };
    words.extend(mail_options(name, mail));
    if name == "fatalmailbatch" {
        words.extend(["-e", "TICK_60"].map(str::to_owned));
    }
    words
}

fn mail_options(name: &str, mail: &MailSettings) -> Vec<String> {
    let is_batch = name.ends_with("batch");
    let mut options = vec![if is_batch { "-t" } else { "-m" }, &mail.to];
    let append: String;
    match &mail.transport {
        MailTransport::Sendmail(command) => {
            // The mailer sets the sender; only a batch mailer needs one to start.
            if is_batch {
                options.extend(["-f", &mail.from]);
            }
            options.extend(["--sendmail_program", command]);
        }
        MailTransport::File(path) => {
            if is_batch {
                options.extend(["-f", &mail.from]);
            }
            // `G` appends an empty line to each alert.
            append = format!("sed \\$G >>{}", escape::for_shell(&path.display().to_string()));
            options.extend(["--sendmail_program", &append, "--body-only"]);
        }
        MailTransport::Server(server) => {
            options.extend([if is_batch { "-f" } else { "--from" }, &mail.from]);
            options.extend([if is_batch { "-H" } else { "--smtp" }, &server.url]);
            if server.user.is_some() && !server.is_local {
                options.push("--tls");
            }
            if let Some(file) = mail.password_file.as_deref().and_then(std::path::Path::to_str) {
                options.extend(["--password-file", file]);
            }
        }
    }
    options.into_iter().map(str::to_owned).collect()
}

/// The whole file.
pub(super) fn configuration(
    paths: &ConfigPaths,
    prefix: &CommandPrefix,
    mail: &MailSettings,
    programs: &[ProgramAnswer],
) -> String {
    let mut text = head(paths);
    for program in programs {
        text += &section(paths, program);
    }
    if programs.is_empty() {
        text += NO_PROGRAM;
    }
    let command = |name: &str| escape::command(&listener_command(prefix, name, mail));
    let _ = write!(
        text,
        "{WATCH}\
         ; A mail for each crash, as it happens.\n\
         [eventlistener:crashmail]\ncommand={}\nevents=PROCESS_STATE_EXITED\n\n\
         ; One mail a minute about programs that could not be started at all.\n\
         [eventlistener:fatalmailbatch]\ncommand={}\nevents=PROCESS_STATE,TICK_60\n\n",
        command("crashmail"),
        command("fatalmailbatch")
    );
    let example = |name: &str, options: &str| {
        let line = escape::command(&listener_command(prefix, name, mail));
        let (start, rest) = line.split_at(line.find(&format!("{name} ")).map_or(0, |at| at + name.len()));
        format!("{start} {options}{rest}")
    };
    let _ = write!(
        text,
        "; Restart a program whose page does not answer well, and mail. Take the semicolons away to use it.\n\
         ;[eventlistener:httpok]\n;command={}\n;events=TICK_60\n\n\
         ; Restart a program that outgrows its memory, and mail.\n\
         ;[eventlistener:memmon]\n;command={}\n;events=TICK_60\n",
        // The page comes last, behind the options.
        example("httpok", "-p web -t 10 --retries 2") + " http://127.0.0.1:8080/",
        example("memmon", "-p web=500MB"),
    );
    match paths.role {
        ConfigRole::Standalone { .. } => text + TAIL,
        ConfigRole::Included { .. } => text,
    }
}

fn head(paths: &ConfigPaths) -> String {
    let logs = &paths.logs;
    let (socket, pidfile) = match &paths.role {
        ConfigRole::Standalone { socket, pidfile } => (socket, pidfile),
        ConfigRole::Included { of } => {
            return format!(
                "; Written by `ironlance init`; yours to change. What begins with a semicolon is a comment.\n\
                 ; It is a part of {of}: `supervisorctl update` takes changes over.\n\n\
                 ; ---- Programs\n\n",
                of = of.display()
            );
        }
    };
    let user = if paths.is_root_owned { ROOT } else { "" };
    format!(
        "; Written by `ironlance init`; yours to change. What begins with a semicolon is a comment.\n\
         ; `supervisord --check -c FILE` names every fault. %(here)s is the folder of this file.\n\n\
         [unix_http_server]\n\
         file={socket}\n\
         ; Only its owner and root may talk to it.\n\
         chmod=0700\n\n\
         [supervisord]\n\
         logfile={logs}/supervisord.log\n\
         pidfile={pidfile}\n\
         ; Output of listeners, and of programs that name no file of their own.\n\
         childlogdir={logs}\n\
         {user}\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\n\
         [supervisorctl]\n\
         serverurl=unix://{socket}\n\n\
         ; The web page, at http://127.0.0.1:9001/ and for whoever knows the password. Without one every user of this\n\
         ; machine could stop programs.\n\
         ;[inet_http_server]\n\
         ;port=127.0.0.1:9001\n\
         ;username=admin\n\
         ;password=choose one\n\n\
         ; ---- Programs\n\n"
    )
}

fn section(paths: &ConfigPaths, program: &ProgramAnswer) -> String {
    let ProgramAnswer { name, command } = program;
    let command = match escape::has_comment(command) {
        true => escape::command(&shlex::split(command).unwrap_or_default()),
        false => escape::value(command),
    };
    let logs = &paths.logs;
    let stand_in =
        if EXAMPLE.strip_prefix(name.as_str()) == Some(&format!("={command}")) { STAND_IN } else { "" };
    format!(
        "{stand_in}[program:{name}]\n\
         command={command}\n\
         ; Up for a second, it counts as started. It is started again whenever it ends, also with status 0, which is no crash\n\
         ; and sends no mail.\n\
         startsecs=1\n\
         autorestart=true\n\
         stdout_logfile={logs}/%(program_name)s.log\n\
         stderr_logfile={logs}/%(program_name)s.err\n\n"
    )
}

const ROOT: &str =
    "; It stays root, as it was started by root. A program has a user= of its own.\nuser=root\n";

/// The comment above [`EXAMPLE`].
const STAND_IN: &str =
    "; A stand-in to try a crash on. Take it away once there is something real to watch.\n";

const NO_PROGRAM: &str = "\
; None yet. One looks like this:
;[program:web]
;command=/usr/local/bin/web --port 8080
;user=www-data

";

const WATCH: &str = "; ---- Who watches, and mails\n\n";

const TAIL: &str = "
; More programs, a file each:
;[include]
;files=conf.d/*.conf
";

#[cfg(test)]
mod tests {
    use super::super::answers::{program, server};
    use super::*;
    use std::path::Path;

    fn mail(transport: MailTransport) -> MailSettings {
        let (to, from) = ("ops@x".to_owned(), "me@y".to_owned());
        MailSettings { to, from, transport, password_file: Some("/etc/pw".into()) }
    }

    fn by(url: &str) -> MailSettings {
        mail(MailTransport::Server(server(url).unwrap()))
    }

    #[test]
    fn a_password_goes_to_another_machine_only_over_tls() {
        let line = |url: &str| listener_command(&CommandPrefix::ByName, "crashmail", &by(url)).join(" ");
        let login = "crashmail -m ops@x --from me@y --smtp smtp://joe@mail --tls --password-file /etc/pw";
        assert_eq!(line("joe@mail"), login);
        assert!(!line("joe@localhost").contains("--tls") && !line("mail").contains("--tls"));
    }

    #[test]
    fn a_batch_mailer_gets_the_same_by_its_own_options() {
        let prefix = CommandPrefix::ByBinary("/opt/iron lance".to_owned());
        let words =
            listener_command(&prefix, "fatalmailbatch", &mail(MailTransport::Sendmail("/x -t".to_owned())));
        let expected = "/opt/iron lance|fatalmailbatch|-t|ops@x|-f|me@y|--sendmail_program|/x -t|-e|TICK_60";
        assert_eq!(words.join("|"), expected);
    }

    #[test]
    fn without_a_mailer_alerts_are_appended_to_a_file_as_plain_text() {
        let words = listener_command(
            &CommandPrefix::ByName,
            "crashmail",
            &mail(MailTransport::File("/my logs/alerts.txt".into())),
        );
        assert_eq!(
            words.join("|"),
            "crashmail|-m|ops@x|--sendmail_program|sed \\$G >>'/my logs/alerts.txt'|--body-only"
        );
    }

    #[test]
    fn what_is_to_be_kept_running_is_started_again_whenever_it_ends_and_root_is_named() {
        let programs = [program(EXAMPLE).unwrap().unwrap()];
        for (uid, has_user) in [(0, true), (1000, false)] {
            let paths = ConfigPaths::of(Path::new("s.conf"), Path::new("/x"), Path::new("/"), uid).unwrap();
            let text = configuration(&paths, &CommandPrefix::ByName, &by("mail"), &programs);
            assert!(text.contains("\nautorestart=true\n") && text.contains(STAND_IN), "{text}");
            assert_eq!(text.contains("\nuser=root\n"), has_user, "{text}");
        }
    }

    #[test]
    fn examples_are_commented_out_and_whole() {
        let paths = ConfigPaths::of(Path::new("s.conf"), Path::new("/x"), Path::new("/"), 1).unwrap();
        let programs = [program("web=date +%s ;x").unwrap().unwrap()];
        let text = configuration(&paths, &CommandPrefix::ByName, &by("mail"), &programs);
        for line in [
            "command=date +%%s ';x'",
            ";command=httpok -p web -t 10 --retries 2 -m ops@x --from me@y --smtp smtp://mail --password-file /etc/pw \
             http://127.0.0.1:8080/",
            ";command=memmon -p web=500MB -m ops@x --from me@y --smtp smtp://mail --password-file /etc/pw",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
