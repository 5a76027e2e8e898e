//! Whole configurations: what they come to, and what is said of those that come to nothing.

use std::fs;

use ironlance_core::event::kind::EventKind;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::Autorestart;
use tempfile::TempDir;

use super::*;
use crate::group::{GroupKind, SocketAddress, SocketOwner};
use crate::program::{LogTarget, OutputConfig};
use crate::section::SECTION_KINDS;
use crate::server::{Credentials, Password, ServerAddress};
use crate::settings::{MainLogTarget, UserRef};

/// A folder with files in it; the first is the configuration.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    fn machine(&self) -> HostEnv {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        HostEnv {
            environment: vec![variable("HOME", "/root"), variable("FOO", "foo"), variable("PCT", "50%")],
            cwd: self.folder.path().to_owned(),
            host_node_name: "box".to_owned(),
            temp_dir: "/tmp".into(),
            uid: 0,
        }
    }

    fn load(&self) -> Result<Config, ConfigFaults> {
        load(Path::new("main.conf"), &Overrides::default(), &self.machine())
    }
}

fn config(text: &str) -> Config {
    Place::new(&[("main.conf", &format!("[supervisord]\n{text}"))])
        .load()
        .unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(text: &str) -> ConfigFaults {
    Place::new(&[("main.conf", &format!("[supervisord]\n{text}"))]).load().unwrap_err()
}

fn only_program(text: &str) -> Program {
    let mut config = config(text);
    config.groups.remove(0).programs.remove(0)
}

#[test]
fn what_is_not_said_has_the_originals_default() {
    let place = Place::new(&[("main.conf", "[supervisord]\n[program:web]\ncommand=/bin/cat\n")]);
    let config = place.load().unwrap();
    let folder = place.folder.path();
    let settings = Settings {
        minfds: 1024,
        minprocs: 200,
        directory: None,
        user: None,
        umask: 0o022,
        logfile: MainLogTarget::File(folder.join("supervisord.log")),
        logfile_maxbytes: 50 << 20,
        logfile_backups: 10,
        loglevel: Level::Info,
        pidfile: folder.join("supervisord.pid"),
        identifier: "supervisor".to_owned(),
        nodaemon: false,
        silent: false,
        childlogdir: "/tmp".into(),
        nocleanup: false,
        strip_ansi: false,
        environment: BTreeMap::new(),
    };
    assert_eq!(config.settings, settings);
    let output = OutputConfig {
        logfile: LogTarget::Auto,
        maxbytes: 50 << 20,
        backups: 10,
        capture_maxbytes: 0,
        events_enabled: false,
        syslog: false,
    };
    let program = Program {
        name: ironlance_core::ProcessName("web".to_owned()),
        command: "/bin/cat".to_owned(),
        directory: None,
        umask: None,
        priority: 999,
        autostart: true,
        autorestart: Autorestart::Unexpected,
        startsecs: 1,
        startretries: 3,
        uid: None,
        stdout: output.clone(),
        stderr: output,
        stopsignal: 15,
        stopwaitsecs: 10,
        stopasgroup: false,
        killasgroup: false,
        exitcodes: vec![0],
        redirect_stderr: false,
        environment: BTreeMap::new(),
        serverurl: None,
    };
    assert_eq!(config.groups[0].programs, [program]);
    assert_eq!((config.groups[0].priority, &config.groups[0].kind), (999, &GroupKind::Programs));
    assert_eq!((config.servers.len(), config.interfaces.len(), config.server_url()), (0, 0, None));
}

#[test]
fn the_command_line_goes_before_the_file() {
    let place =
        Place::new(&[("main.conf", "[supervisord]\nloglevel=warn\nuser=nosuch\nlogfile=x.log\numask=077\n")]);
    let overrides = Overrides {
        user: Some("root".to_owned()),
        logfile: Some("syslog".to_owned()),
        loglevel: Some(Level::Debug),
        ..Overrides::default()
    };
    let settings = load(Path::new("main.conf"), &overrides, &place.machine()).unwrap().settings;
    assert_eq!(settings.user, Some(UserRef { uid: 0, name: Some("root".to_owned()) }));
    assert_eq!(
        (settings.logfile, settings.loglevel, settings.umask),
        (MainLogTarget::Syslog, Level::Debug, 0o077)
    );
    let nobody = Overrides { user: Some("nosuch2".to_owned()), ..Overrides::default() };
    let faults = load(Path::new("main.conf"), &nobody, &place.machine()).unwrap_err();
    assert_eq!(faults.to_string(), "-u: cannot find the user: nosuch2");
}

#[test]
fn the_folder_of_auto_logs_is_meant_from_where_the_daemon_was_started() {
    let text = "[supervisord]\nchildlogdir=./logs/../logs/\nlogfile=x.log\n";
    let place = Place::new(&[("main.conf", text), ("logs/x", ""), ("other/x", "")]);
    let load = |overrides: &Overrides| load(Path::new("main.conf"), overrides, &place.machine()).unwrap();
    assert_eq!(load(&Overrides::default()).settings.childlogdir, place.folder.path().join("logs"));
    let overrides =
        Overrides { childlogdir: Some("other".into()), logfile: Some(String::new()), ..Overrides::default() };
    let settings = load(&overrides).settings;
    assert_eq!(settings.childlogdir, place.folder.path().join("other"));
    assert_eq!(
        settings.logfile,
        MainLogTarget::File(place.folder.path().join("x.log")),
        "an empty option is none"
    );
}

#[test]
fn a_factory_that_no_python_could_find_is_refused() {
    for (text, words) in [
        (
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main\n",
            "supervisor.rpcinterface:make_main cannot be resolved within [rpcinterface:supervisor]",
        ),
        (
            "[eventlistener:l]\ncommand=x\nevents=TICK_5\nresult_handler=\n",
            " cannot be resolved within [eventlistener:l]",
        ),
    ] {
        let faults = faults(text);
        assert_eq!((faults.original(), faults.0.len()), (words, 1), "{faults}");
    }
}

#[test]
fn every_fault_is_told_at_once_with_its_line_in_the_originals_order() {
    let main = "\
[include]
files = more/*.conf
[supervisord]
minfds=many
loglevel = loud   ; and a comment
[program:a]
command=x
autostart=
  maybe
[eventlistener:l]
command=x
buffer_size=0
";
    let more = "[program:b]\nstartsecs=soon\n[group:g]\nprograms=b,c\n";
    let place = Place::new(&[("main.conf", main), ("more/b.conf", more)]);
    let faults = place.load().unwrap_err();
    let folder = place.folder.path().display().to_string();
    assert_eq!(
        faults.to_string().replace(&folder, "DIR"),
        "main.conf:4: [supervisord] minfds: cannot read as a whole number: many\n\
         main.conf:5: [supervisord] loglevel: cannot find the log level: loud\n\
         DIR/more/b.conf:2: [program:b] startsecs: cannot read as a whole number: soon\n\
         DIR/more/b.conf:1: [program:b] command: cannot run a program without a command\n\
         DIR/more/b.conf:4: [group:g] programs: cannot find the program: c\n\
         main.conf:8: [program:a] autostart: cannot read as true or false: \\nmaybe\n\
         main.conf:12: [eventlistener:l] buffer_size: cannot keep fewer than one event: 0\n\
         main.conf:10: [eventlistener:l] events: cannot listen to no events"
    );
    assert_eq!(faults.original(), "invalid literal for int() with base 10: 'many'");
    let words: Vec<String> = faults.0.iter().map(|fault| fault.original.replace(&folder, "DIR")).collect();
    assert_eq!(
        words[2],
        "invalid literal for int() with base 10: 'soon' in section 'program:b' (file: 'DIR/more/b.conf')"
    );
    // The original's message names the section that it looked at last.
    assert_eq!(words[4], "[program:b] names unknown program or fcgi-program c");
    assert_eq!(words[6], "[eventlistener:l] section sets invalid buffer_size (0)");
}

#[test]
fn faults_of_form_do_not_hide_the_others() {
    let faults = faults("nonsense\n[program:a]\n");
    assert_eq!(
        faults.to_string(),
        "main.conf:2: cannot read as [section] or key=value: nonsense\n\
         main.conf:3: [program:a] command: cannot run a program without a command"
    );
    assert_eq!(faults.original(), "Source contains parsing errors: 'main.conf'\n\t[line  2]: 'nonsense\\n'");
    let place = Place::new(&[("main.conf", "[program:a]\nstartsecs=x\ncommand=x\n")]);
    assert_eq!(
        place.load().unwrap_err().to_string(),
        "main.conf: cannot do without a section: [supervisord]\n\
         main.conf:2: [program:a] startsecs: cannot read as a whole number: x"
    );
}

#[test]
fn what_two_keys_say_against_each_other_is_refused() {
    for (text, words) in [
        ("stopasgroup=true\nkillasgroup=false", "Cannot set stopasgroup=true and killasgroup=false"),
        ("numprocs=2", "%(process_num) must be present within process_name when numprocs > 1"),
        ("process_name=a b", "Invalid name: 'a b' because of character: ' '"),
    ] {
        let faults = faults(&format!("[program:a]\ncommand=x\n{text}\n"));
        assert_eq!(faults.original(), format!("{words} in section 'program:a' (file: 'main.conf')"));
        assert_eq!(faults.0.len(), 1, "{faults}");
    }
    let both = faults("[unix_http_server]\nfile=/tmp/x\nusername=u\n");
    assert!(both.original().starts_with("Section [unix_http_server] contains incomplete authentication"));
    let redirect = faults("[eventlistener:l]\ncommand=x\nevents=TICK_5,NOPE\nredirect_stderr=true\n");
    assert_eq!(redirect.original(), "Unknown event type NOPE in [eventlistener:l] events");
    assert!(redirect.0[1].original.contains("sets redirect_stderr=true but this is not allowed"));
}

#[test]
fn too_many_processes_are_refused_and_none_are_none() {
    let many = "[program:a]\ncommand=x\nprocess_name=%(process_num)d\nnumprocs=1000000\n";
    assert!(faults(many).to_string().contains("cannot run that many processes of a section: 1000000"));
    let far = "[program:a]\ncommand=x\nnumprocs_start=99999999999999999999\n";
    assert!(faults(far).to_string().contains("cannot number processes from: 9223372036854775807"));
    assert!(config("[program:a]\ncommand=x\nnumprocs=0\n").groups[0].programs.is_empty());
}

#[test]
fn numbered_processes_have_names_and_values_of_their_own() {
    let config = config(
        "environment=S=\"s\"\n[program:a]\ncommand=x %(process_num)d of %(numprocs)d\nnumprocs=11\n\
         numprocs_start=1\nprocess_name=%(program_name)s_%(process_num)d\n\
         environment=N=\"%(process_num)02d\",P=\"%(ENV_PCT)s\"\nstdout_logfile=/tmp/%(ENV_N)s.log\n",
    );
    let programs = &config.groups[0].programs;
    let names: Vec<&str> = programs.iter().map(|program| program.name.0.as_str()).collect();
    assert_eq!(names[..3], ["a_1", "a_10", "a_11"]);
    assert_eq!(programs[1].command, "x 10 of 11");
    assert_eq!(programs[1].stdout.logfile, LogTarget::File("/tmp/10.log".into()));
    let environment: Vec<(&str, &str)> =
        programs[1].environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(environment, [("N", "10"), ("P", "50%"), ("S", "s")]);
}

#[test]
fn a_group_takes_its_programs_out_of_the_list() {
    let config = config(
        "[program:a]\ncommand=x %(group_name)s\npriority=2\n[program:b]\ncommand=x\n[group:g]\nprograms=b, a\npriority=5\n\
         [eventlistener:l]\ncommand=x\nevents=tick_5,TICK,TICK_5\n[fcgi-program:f]\ncommand=x\nsocket=tcp://Host:9000\n",
    );
    let names: Vec<&str> = config.groups.iter().map(|group| group.name.0.as_str()).collect();
    assert_eq!(names, ["l", "g", "f"]);
    let members: Vec<&str> =
        config.groups[1].programs.iter().map(|program| program.name.0.as_str()).collect();
    assert_eq!(members, ["b", "a"]);
    assert_eq!(config.groups[1].programs[1].command, "x g");
    let GroupKind::Listeners { events, buffer_size, .. } = &config.groups[0].kind else { panic!("no pool") };
    assert_eq!((events.as_slice(), *buffer_size), (&[EventKind::Tick5, EventKind::Tick][..], None));
    let GroupKind::FastCgi(socket) = &config.groups[2].kind else { panic!("no socket") };
    assert_eq!(socket.url, "tcp://host:9000");
}

#[test]
fn of_groups_and_processes_of_one_name_one_is_used_and_that_is_said() {
    let config = config(
        "[program:a]\ncommand=1\nprocess_name=p\n[program:b]\ncommand=2\nprocess_name=p\n[group:g]\nprograms=a,b\n\
         [eventlistener:g]\ncommand=x\nevents=TICK_5\n",
    );
    assert_eq!(config.groups.len(), 1);
    assert_eq!(config.groups[0].priority, -1);
    assert_eq!(config.notes.warnings.len(), 1, "{:?}", config.notes.warnings);
    let config = super::tests::config(
        "[program:a]\ncommand=1\nprocess_name=p\n[program:b]\ncommand=2\nprocess_name=p\n[group:g]\nprograms=a,b\n",
    );
    assert_eq!(config.groups[0].programs.len(), 1);
    assert_eq!(config.groups[0].programs[0].command, "2");
    assert_eq!(config.notes.warnings, ["There is more than one process g:p, the last one is used"]);
}

#[test]
fn servers_are_read_with_owner_mode_and_password() {
    let config = config(
        "[unix_http_server]\nfile= %(here)s/../s.sock\nchmod=0770\nchown=root:root\nusername=u\npassword={sha}%%1\n\
         [inet_http_server]\nport=*:9001\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
    );
    assert_eq!(config.servers[0].address, ServerAddress::Tcp { host: String::new(), port: 9001 });
    let ServerAddress::Unix { path, mode, owner } = &config.servers[1].address else { panic!("no socket") };
    assert!(path.is_absolute() && !path.to_string_lossy().contains(".."), "{}", path.display());
    assert_eq!((*mode, *owner), (0o770, Some(SocketOwner { uid: Some(0), gid: Some(0) })));
    let credentials =
        Credentials { username: "u".to_owned(), password: Password::Plain("{sha}%1".to_owned()) };
    assert_eq!(config.servers[1].credentials, Some(credentials));
    assert!(!format!("{:?}", config.servers[1]).contains("SHA"));
    assert_eq!(config.server_url(), Some(format!("unix://{}", path.display())));
    assert_eq!(config.interfaces, ["supervisor"]);
}

#[test]
fn children_are_told_an_address_that_is_a_url() {
    for (port, url) in [
        ("9001", "http://localhost:9001"),
        ("127.0.0.1:9001", "http://127.0.0.1:9001"),
        ("[::1]:9001", "http://[::1]:9001"),
        ("::1:9001", "http://[::1]:9001"),
    ] {
        let config = config(&format!("[inet_http_server]\nport={port}\n"));
        assert_eq!(config.server_url().as_deref(), Some(url));
    }
}

#[test]
fn fastcgi_sockets_are_checked() {
    let fcgi = |text: &str| format!("[fcgi-program:f]\ncommand=x\n{text}\n");
    for (text, words) in [
        ("", "[fcgi-program:f] section requires a \"socket\" line"),
        (
            "socket=unix://x",
            "('Unix socket path %s is not an absolute path', 'x') in [fcgi-program:f] socket",
        ),
        ("socket=http://x", "('Bad socket format %s', 'http://x') in [fcgi-program:f] socket"),
        ("socket=tcp://h:0", "0 is below lower bound (1) in [fcgi-program:f] socket"),
        (
            "socket=tcp://h:1\nsocket_mode=700",
            "socket_owner and socket_mode params should only be used with a Unix domain socket in [fcgi-program:f] \
             socket",
        ),
        ("socket=tcp://h:1\nsocket_backlog=0", "Invalid socket_backlog value 0"),
        ("socket=unix:///x\nsocket_owner=zz:zz", "Invalid socket_owner value zz:zz"),
    ] {
        assert_eq!(faults(&fcgi(text)).original(), words);
    }
    let config = config(&fcgi("socket=unix:///tmp/%(program_name)s\nuser=nobody"));
    let GroupKind::FastCgi(socket) = &config.groups[0].kind else { panic!("no socket") };
    let SocketAddress::Unix { path, owner, mode } = &socket.address else { panic!("not unix") };
    assert_eq!((path.as_path(), *mode), (Path::new("/tmp/f"), Some(0o700)));
    assert!(owner.is_some_and(|owner| owner.uid != Some(0)));
}

#[test]
fn includes_are_told_and_missing_ones_warned_of() {
    let main =
        "[supervisord]\n[include]\nfiles=%(here)s/a/*.conf nope/* %(ENV_FOO)s.conf\n[program:x]\ncommand=1\n";
    let place = Place::new(&[
        ("main.conf", main),
        ("a/b.conf", "[program:y]\ncommand=%(here)s\n"),
        ("a/a.conf", "[program:x]\ncommand=2\n[include]\nfiles=never.conf\n"),
    ]);
    let config = place.load().unwrap();
    let folder = place.folder.path().display().to_string();
    let without =
        |lines: &[String]| lines.iter().map(|line| line.replace(&folder, "DIR")).collect::<Vec<_>>();
    assert_eq!(
        without(&config.notes.infos),
        [
            "Included extra file \"DIR/a/a.conf\" during parsing",
            "Included extra file \"DIR/a/b.conf\" during parsing"
        ]
    );
    assert_eq!(
        without(&config.notes.warnings),
        ["No file matches via include \"DIR/nope/*\"", "No file matches via include \"DIR/foo.conf\""]
    );
    assert_eq!(config.groups[0].programs[0].command, "2");
    assert_eq!(config.groups[1].programs[0].command, format!("{folder}/a"));
    assert_eq!(faults("[include]\n").original(), ".ini file has [include] section, but no files setting");
}

#[test]
fn an_include_that_matches_a_device_is_left_out_and_does_not_keep_the_daemon_waiting() {
    let config = config("[include]\nfiles=/dev/zero\n[program:x]\ncommand=1\n");
    assert_eq!(config.notes.warnings, ["/dev/zero: cannot read the included file: it is no regular file"]);
    assert_eq!(config.groups.len(), 1);
}

#[test]
fn python_plugins_and_slips_of_the_pen_are_warned_of() {
    let config = config(
        "[rpcinterface:mine]\nsupervisor.rpcinterface_factory=my.module:make\n[eventlistener:l]\ncommand=x\nevents=TICK\n\
         result_handler=my:handler\nevent=TICK\n[program:a]\ncommand=date +%s\nautorestrat=true\nx-comand=y\n\
         [progam:b]\ncommand=x\n[something]\ncommand=x\n",
    );
    assert!(config.interfaces.is_empty());
    assert_eq!(
        config.notes.warnings,
        [
            "main.conf:3: [rpcinterface:mine] supervisor.rpcinterface_factory names Python code, which cannot be \
             loaded: my.module:make; its methods are missing",
            "main.conf:10: [program:a] command has a % without a (name), which is left as it is; write %%",
            "main.conf:7: [eventlistener:l] result_handler names Python code, which cannot be loaded: my:handler; \
             every RESULT counts as acceptance",
            "main.conf:8: [eventlistener:l] event is unknown and ignored: did you mean events?",
            "main.conf:11: [program:a] autorestrat is unknown and ignored: did you mean autorestart?",
            "main.conf:13: [progam:b] is no section of ours and is ignored: did you mean [program:b]?",
        ]
    );
    assert_eq!(only_program("[program:a]\ncommand=date +%s\n").command, "date +%s");
}

#[test]
fn logs_of_programs_are_warned_of_as_in_the_original() {
    let config = config(
        "[program:a]\ncommand=x\nstdout_logfile=syslog\nstderr_logfile_maxbytes=0\n\
         [program:b]\ncommand=x\nredirect_stderr=true\nstderr_logfile=/tmp/x\n",
    );
    assert_eq!(
        config.notes.warnings,
        [
            "For [program:a], stdout_logfile=syslog but this is deprecated and will be removed.  Use \
             stdout_syslog=true to enable syslog instead.",
            "For [program:a], AUTO logging used for stderr_logfile without rollover, set maxbytes > 0 to avoid \
             filling up filesystem unintentionally",
            "For [program:b], redirect_stderr=true but stderr_logfile has also been set to a filename, the filename \
             has been ignored",
        ]
    );
    let stdout = &config.groups[0].programs[0].stdout;
    assert_eq!((&stdout.logfile, stdout.syslog), (&LogTarget::None, true));
    assert_eq!(config.groups[1].programs[0].stderr.logfile, LogTarget::None);
}

#[test]
fn the_control_program_has_a_section_of_its_own() {
    let text = "[supervisorctl]\nserverurl=unix://%(here)s/../s\nprompt=mine\nhistory_file=~/.h\n[ctlplugin:x]\n\
                supervisor.ctl_factory=x:y\n";
    let place = Place::new(&[("main.conf", text)]);
    let control = load_ctl_settings(Path::new("main.conf"), &place.machine()).unwrap();
    assert!(
        control.serverurl.starts_with("unix:///") && !control.serverurl.contains(".."),
        "{}",
        control.serverurl
    );
    assert_eq!((control.prompt.as_str(), control.username), ("mine", None));
    assert_eq!(control.history_file.as_deref(), Some(Path::new("/root/.h")));
    assert_eq!(control.notes.warnings.len(), 1);
    let place = Place::new(&[("main.conf", "[supervisord]\n")]);
    let faults = load_ctl_settings(Path::new("main.conf"), &place.machine()).unwrap_err();
    assert_eq!(faults.original(), ".ini file does not include supervisorctl section");
}

#[test]
fn a_digest_that_is_none_is_a_fault_that_does_not_show_it() {
    for section in ["[inet_http_server]\nport=9001\n", "[unix_http_server]\nfile=/tmp/s\n"] {
        let ConfigFaults(found) = faults(&format!("{section}username=u\npassword={{SHA}}geheim\n"));
        let told = format!("{} {}", found[0], found[0].original);
        assert!(
            told.contains("] password: cannot read what follows {SHA}") && !told.contains("geheim"),
            "{told}"
        );
    }
}

#[test]
fn where_the_second_expansion_fails_the_text_is_taken_as_it_is_with_a_hint() {
    let config = config(
        "environment=A=\"100%%\",B=\"%%(asctime)s %%s\",C=\"%(ENV_PCT)s\"\n\
         [program:a]\ncommand=a\nstdout_logfile=/tmp/100%%.log\nstderr_logfile=/tmp/%%(program_name)s%%%%.log\n",
    );
    let value = |name: &str| config.settings.environment[name].as_str();
    assert_eq!((value("A"), value("B"), value("C")), ("100%", "%(asctime)s %s", "50%"));
    let program = &config.groups[0].programs[0];
    assert_eq!(program.stdout.logfile, LogTarget::File("/tmp/100%.log".into()));
    assert_eq!(program.stderr.logfile, LogTarget::File("/tmp/a%.log".into()));
    assert_eq!(config.notes.warnings, Vec::<String>::new());
    let hints = &config.notes.hints;
    assert!(
        hints.len() == 2 && hints[0].contains("main.conf:2: [supervisord] environment has a percent"),
        "{hints:?}"
    );
}

#[test]
fn every_key_that_is_known_stands_in_the_document() {
    let document = include_str!("../../../../docs/configuration.md");
    let mut rest = document;
    for sort in &SECTION_KINDS {
        let title = if sort.prefix.ends_with(':') {
            format!("[{}x]", sort.prefix)
        } else {
            format!("[{}]", sort.prefix)
        };
        let heading = format!("\n## {title}");
        let at = document.find(&heading).unwrap_or_else(|| panic!("no chapter {title}"));
        rest = &document[at + 1..];
        let chapter = &rest[..rest.find("\n## ").unwrap_or(rest.len())];
        for key in sort.keys {
            assert!(chapter.contains(&format!("| `{key}` |")), "{title} {key}");
        }
    }
    assert!(!rest.is_empty());
}

#[test]
fn more_than_can_be_held_is_refused_at_once() {
    let long = "x".repeat(16 << 10);
    let many = format!("[program:a]\nnumprocs=100000\nprocess_name=%(process_num)d\ncommand={long}\n");
    let patterns = format!("[include]\nfiles={}\n", "a* ".repeat(1001));
    let lent = format!("[include]\nfiles=none\n[DEFAULT]\nk=%(here)s{}\n", "x".repeat(1 << 20));
    let lent: String = (0..100).fold(lent, |text, n| text + &format!("[x{n}]\n"));
    for (text, needle) in [
        (many.as_str(), "cannot hold so many programs"),
        (&patterns, "cannot include more than 1000 patterns"),
        (&lent, "cannot give every section what [DEFAULT] has"),
    ] {
        let ConfigFaults(found) = faults(text);
        assert!(found[0].what.contains(needle), "{}", found[0]);
    }
}

#[test]
fn of_very_many_faults_the_first_are_told_and_none_is_as_long_as_its_value() {
    let ConfigFaults(found) = faults(&"no key\n".repeat(20_000));
    assert_eq!(found.len(), 1000);
    let size: usize = found.iter().map(|fault| fault.original.len() + fault.what.len()).sum();
    assert!(size < 1 << 20, "{size}");
    let ConfigFaults(found) = faults(&format!("[program:a]\ncommand={}%(zzz)s\n", "y".repeat(1 << 20)));
    assert!(found[0].what.len() < 1000, "{}", found[0].what.len());
}

#[test]
fn very_many_variables_and_unknown_keys_take_no_longer_each_than_a_few() {
    let variables: String = (0..50_000).map(|n| format!(" A{n}=b,\n")).collect();
    let keys: String = (0..50_000).map(|n| format!("stdout_k{n}=1\n")).collect();
    let begin = std::time::Instant::now();
    let program = only_program(&format!("[program:a]\ncommand=a\n{keys}environment=\n{variables}"));
    assert_eq!(program.environment.len(), 50_000);
    // A busy machine takes one of these seconds; looking at all for each took more than twenty.
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
}

#[test]
fn a_fault_names_the_value_without_the_secrets_in_it() {
    let text = "environment=TOKEN=\"hunter1%(nope)s\"\n[unix_http_server]\nfile=/tmp/s\nusername=u\npassword=hunter2%(nope)s\n\
        [program:a]\ncommand=sendemail -xp hunter3 %(nope)s\n\
        [program:b]\ncommand=cat\nenvironment=DB_PASSWORD=hunter4,X\n\
        [program:c]\ncommand=cat\nserverurl=http://joe:hunter5@%(nope)s/\n";
    let faults = faults(text);
    assert_eq!(faults.0.len(), 5, "{faults}");
    for fault in &faults.0 {
        assert!(!format!("{fault} {}", fault.original).contains("hunter"), "{fault} {}", fault.original);
        assert!(fault.what.contains("***") && fault.original.contains("***"), "{fault} {}", fault.original);
    }
    // A name alone is no secret, and says what is missing.
    let faults = self::faults("[unix_http_server]\nfile=/tmp/s\nusername=u\npassword=%(ENV_NO_SUCH)s\n");
    assert!(faults.0[0].what.contains("%(ENV_NO_SUCH)s"), "{faults}");
}
