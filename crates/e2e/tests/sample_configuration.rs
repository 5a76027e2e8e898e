//! echo_supervisord_conf: what it prints is taken by both daemons, as it is, with everything switched on, and edited as
//! Dockerfiles edit the original's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

use ironlance_e2e::daemon::run_command;
use ironlance_e2e::{Daemon, Implementation, TestDir};

/// Reads a file as the original's supervisord does before it starts, and says what came of it.
const READ: &str = "import sys\n\
    from supervisor.options import ServerOptions\n\
    o = ServerOptions()\n\
    o.realize(['-c', sys.argv[1]])\n\
    print(','.join(sorted(g.name for g in o.process_group_configs)), len(o.server_configs))\n";

fn sample(dir: &TestDir, args: &[&str]) -> String {
    let path = Implementation::Ours.path("echo_supervisord_conf").unwrap();
    let mut command = dir.command(path, Implementation::Ours).unwrap();
    command.args(args);
    let output = run_command(command).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The sample with all that can be switched on, and a folder of the test directory for `/tmp`.
fn switched_on(dir: &TestDir) -> String {
    let on = |line: &str| match line.strip_prefix(';') {
        Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = sample(dir, &[]).lines().map(on).collect();
    let text = text.join("\n").replace("/tmp", &dir.folder().display().to_string());
    // Examples that exist on no machine.
    text.replace("user=chrism ", "user=nobody ")
        .replace("user=supervisord ", "user=nobody ")
        .replace("=/a/path ", &format!("={}/path ", dir.folder().display()))
        .replace("programs=progname1,progname2 ", "programs=theprogramname ")
}

fn original_reads(dir: &TestDir, text: &str) -> String {
    let file = dir.write("supervisord.conf", text).unwrap().display().to_string();
    let mut command =
        dir.command(Implementation::Original.path("python").unwrap(), Implementation::Original).unwrap();
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
    let dir = TestDir::new().unwrap();
    let text = sample(&dir, &[]);
    assert_eq!(sample(&dir, &["--help", "-x", "y"]), text);
    assert!(text.contains("\n[supervisord]\n") && text.ends_with('\n'));
}

#[test]
fn both_daemons_run_on_it_as_it_is() {
    for implementation in Implementation::BOTH {
        let dir = TestDir::new().unwrap();
        let folder = dir.folder().display().to_string();
        let text = sample(&dir, &[])
            .replace("/tmp/supervisor.sock", "/tmp/s.sock")
            .replace("/tmp", &folder)
            .replace("nodaemon=false ", "nodaemon=true ");
        let mut daemon = Daemon::start_on(&dir, implementation, &text, &[]).unwrap();
        assert_eq!(
            daemon.call("getAllProcessInfo", &[]).unwrap().unwrap().to_string(),
            "[]",
            "{implementation}"
        );
        daemon.stop().unwrap();
    }
}

#[test]
fn both_read_it_with_everything_switched_on() {
    let dir = TestDir::new().unwrap();
    let text = switched_on(&dir);
    dir.write("relative/directory/more.ini", "[program:more]\ncommand=/bin/true\n").unwrap();
    let read = original_reads(&dir, &text);
    let names = "crashmail,crashmailbatch,crashsms,fatalmailbatch,httpok,memmon,more,theeventlistenername,thefastcgi,\
                 thegroupname 2";
    assert_eq!(read.lines().next(), Some(names), "{read}");

    let supervisord = Implementation::Ours.path("supervisord").unwrap();
    let mut command = dir.command(supervisord, Implementation::Ours).unwrap();
    command.args(["--check", "-c", "supervisord.conf"]);
    let printed = finish(command);
    let sound = printed.lines().find(|line| line.starts_with("supervisord.conf: no faults, ")).unwrap();
    assert!(sound.ends_with(" warnings; 10 processes in 10 groups"), "{printed}");
}

/// All settings that the original takes from a file, for its daemon and for its control program.
const SETTINGS: &str = r#"
import sys
from supervisor.options import ServerOptions, ClientOptions

def told(thing):
    skip = ('options', 'parse_warnings', 'parse_infos', 'parse_criticals')
    fields = sorted(item for item in vars(thing).items() if item[0] not in skip)
    return ' '.join('%s=%s' % (name, listed(value)) for name, value in fields)

def listed(value):
    if isinstance(value, list):
        return '[' + ', '.join(listed(item) for item in value) + ']'
    if isinstance(value, dict):
        return '{' + ', '.join('%s: %s' % (key, listed(value[key])) for key in sorted(value)) + '}'
    if type(value).__module__.startswith('supervisor') and hasattr(value, '__dict__') and not callable(value):
        return '(' + told(value) + ')'
    return repr(value) if not callable(value) else getattr(value, '__name__', '?')

server = ServerOptions()
server.realize(['-c', sys.argv[1]])
names = ['directory', 'user', 'umask', 'logfile', 'logfile_maxbytes', 'logfile_backups', 'loglevel', 'pidfile',
         'identifier', 'childlogdir', 'minfds', 'minprocs', 'nocleanup', 'strip_ansi', 'environment', 'nodaemon',
         'silent', 'server_configs', 'process_group_configs']
for name in names:
    print(name, listed(getattr(server, name, None) or getattr(server.configroot.supervisord, name)))
client = ClientOptions()
client.realize(['-c', sys.argv[1], 'status'])
for name in ['serverurl', 'username', 'password', 'prompt', 'history_file']:
    print(name, listed(getattr(client, name)))
"#;

/// What Dockerfiles, playbooks and install scripts do to the sample in the file `$f`.
#[rustfmt::skip]
const EDITS: &[&str] = &[
    "sed -i 's/^nodaemon=false/nodaemon=true/' $f",
    "sed -i 's/nodaemon=false/nodaemon=true/g; s/^loglevel=info/loglevel=debug/' $f",
    "sed -i 's/^\\(nodaemon\\)=false /\\1=true  /' $f",
    "sed -i -e 's/;\\[include\\]/[include]/' -e 's|;files = relative/directory/\\*.ini|files = /etc/supervisor.d/*.conf|' $f",
    "sed -i 's|;files = .*|files = conf.d/*.ini|; s|^;\\[include\\]$|[include]|' $f",
    "sed -i '/^;\\[include\\]/,$ s/^;//' $f",
    "sed -i 's/^;*\\[include\\]/[include]/; s#^;*files *=.*#files = /etc/supervisord.d/*.ini#' $f",
    "printf '[include]\\nfiles = /etc/supervisor/conf.d/*.conf\\n' >> $f",
    "cat >> $f <<EOF\n[program:app]\ncommand=/bin/cat\nautorestart=true\nEOF",
    "sed -i 's/^;\\[inet_http_server\\]/[inet_http_server]/; s/^;port=127.0.0.1:9001/port=127.0.0.1:9001/' $f",
    "sed -i 's/;\\[inet_http_server\\]/[inet_http_server]/;s/;port=127.0.0.1:9001/port=*:9001/;s/;username=user/username=admin/;s/;password=123/password=admin/' $f",
    "sed -i '/^;\\[inet_http_server\\]/,/^;password/ s/^;//' $f",
    "sed -i 's|^;port=127.0.0.1:9001 .*$|port=0.0.0.0:9001|; s|^;\\[inet_http_server\\].*|[inet_http_server]|' $f",
    "sed -i '/unix_http_server/,/^$/ s/^;\\(username\\|password\\)/\\1/' $f",
    "sed -i 's/^;username=user/username=root/; s/^;password=123/password={SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d/; s/^;username=chris/username=root/' $f",
    "sed -i 's#/tmp/supervisor.sock#/run/supervisor.sock#g; s#/tmp/supervisord#/run/supervisord#g' $f",
    "sed -i 's|^file=/tmp/supervisor.sock .*|file=/var/run/supervisor.sock|; s|^;chmod=0700|chmod=0777|' $f",
    "sed -i 's|^serverurl=unix:///tmp/supervisor.sock|serverurl=http://127.0.0.1:9001|' $f",
    "sed -i 's|^serverurl=unix|;serverurl=unix|; s|^;serverurl=http|serverurl=http|' $f",
    "sed -i 's/^minfds=1024/minfds=65535/; s/^minprocs=200 /minprocs=4096 /' $f",
    "sed -i 's/^logfile_maxbytes=50MB/logfile_maxbytes=0/; s/^logfile_backups=10/logfile_backups=0/' $f",
    "sed -i 's|^logfile=/tmp/supervisord.log|logfile=/dev/null|; s|^pidfile=.*|pidfile=/run/supervisord.pid|' $f",
    "sed -i 's/^;user=supervisord .*/user=root/; s/^;umask=022/umask=002/' $f",
    "sed -i '/\\[supervisord\\]/a umask=027' $f; sed -i 's/^;\\[program:theprogramname\\]/[program:web]/; s|^;command=/bin/cat |command=/bin/cat |' $f",
    "sed -i 's/\\[supervisord\\]/[supervisord]\\nuser=root\\nenvironment=A=\"b\"/' $f",
    "sed -i 's/^silent=false/silent=true/; s|^;childlogdir=/tmp|childlogdir=/var/log|; s/^;nocleanup=true/nocleanup=true/' $f",
    "sed -i 's/^;environment=KEY=\"value\"/environment=STAGE=\"production\"/; s/^;strip_ansi=false/strip_ansi=true/' $f",
    "sed -i 's/^;\\[program:theprogramname\\]/[program:web]/; s|^;command=/bin/cat |command=/bin/sleep 1000 |' $f",
    "sed -i '/^;\\[program:theprogramname\\]/,/^;numprocs=/ s/^;//' $f",
    "sed -i '/^;/d; /^$/d' $f",
    "grep -v '^;' $f | sed 's/ *;.*//' > $f.new && mv $f.new $f",
    "sed -i '/^\\[unix_http_server\\]/,/^$/ s/^/;/' $f",
    "perl -0pi -e 's/;\\[inet_http_server\\].*?\\n;port=\\S+/[inet_http_server]\\nport=127.0.0.1:9001/' $f || true",
    "awk '{sub(/^nodaemon=false/, \"nodaemon=true\"); print}' $f > $f.new && mv $f.new $f",
];

/// What `crudini --set` and ansible's `ini_file` and `lineinfile` do to it.
#[rustfmt::skip]
const TOOLS: &[&str] = &[
    "import configparser\nc = configparser.RawConfigParser()\nc.read(f)\nc.set('supervisord', 'nodaemon', 'true')\nc.add_section('include')\nc.set('include', 'files', '/etc/supervisord.d/*.ini')\nc.write(open(f, 'w'))",
    "def line(pattern, text):\n    import re\n    lines = open(f).read().splitlines()\n    at = [n for n, l in enumerate(lines) if re.search(pattern, l)]\n    lines[at[-1] if at else len(lines):(at[-1] + 1) if at else len(lines)] = [text]\n    open(f, 'w').write('\\n'.join(lines) + '\\n')\nline(r'^;?nodaemon=', 'nodaemon=true')\nline(r'^;?\\[include\\]', '[include]')\nline(r'^;?files ?=', 'files = /etc/supervisord.d/*.ini')\nline(r'^;?loglevel', 'loglevel=warn')",
];

#[test]
fn what_scripts_do_to_the_originals_sample_does_the_same_to_ours() {
    let (theirs_at, ours_at) = (TestDir::new().unwrap(), TestDir::new().unwrap());
    let path = Implementation::Original.path("echo_supervisord_conf").unwrap();
    let original = finish(theirs_at.command(path, Implementation::Original).unwrap());
    let ours = sample(&ours_at, &[]);
    assert!(
        original.starts_with("; Sample supervisor config file.\n")
            && ours.starts_with("; Sample supervisor config file.\n")
    );
    let edit = |dir: &TestDir, text: &str, edit: &str, shell: bool| {
        let file = dir.write("supervisord.conf", text).unwrap().display().to_string();
        let mut command = if shell {
            let mut command = Command::new("sh");
            command.args(["-e", "-c", edit]);
            command
        } else {
            let mut command = Command::new(Implementation::Original.path("python").unwrap());
            command.args(["-c", &format!("import os\nf = os.environ['f']\n{edit}")]);
            command
        };
        command.env("f", &file);
        finish(command);
        let mut read =
            dir.command(Implementation::Original.path("python").unwrap(), Implementation::Original).unwrap();
        read.args(["-c", SETTINGS, &file]);
        let plain = |text: String| text.replace(&dir.folder().display().to_string(), "DIR");
        let settings = plain(finish(read));
        let supervisord = Implementation::Ours.path("supervisord").unwrap();
        let mut check = dir.command(supervisord, Implementation::Ours).unwrap();
        check.args(["--check", "-c", "supervisord.conf"]);
        // Lines have other numbers.
        (settings, plain(finish(check)).replace(|c: char| c.is_ascii_digit(), ""))
    };
    let unedited = edit(&theirs_at, &original, "true", true).0;
    let all = EDITS.iter().map(|text| (text, true)).chain(TOOLS.iter().map(|text| (text, false)));
    let mut without_effect = Vec::new();
    for (text, shell) in all {
        let theirs = edit(&theirs_at, &original, text, shell);
        assert_eq!(edit(&ours_at, &ours, text, shell), theirs, "{text}");
        if theirs.0 == unedited {
            without_effect.push(text);
        }
    }
    // Those that take comments away, or name files that are not there to be included.
    assert!(without_effect.len() < all_that_may_have_no_effect(), "{without_effect:#?}");
}

fn all_that_may_have_no_effect() -> usize {
    EDITS
        .iter()
        .filter(|edit| edit.contains("include") || edit.contains("grep") || edit.contains("'/^;/d"))
        .count()
        + 1
}
