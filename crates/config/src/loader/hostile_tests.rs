//! Configurations that are made to exhaust the reader: too wide, too many, too deep, without an end.

use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::group::GroupKind;

fn loaded(folder: &TempDir, text: &str) -> Result<Config, ConfigFaults> {
    let file = folder.path().join("main.conf");
    fs::write(&file, text).unwrap();
    let machine = HostEnv {
        environment: vec![("HOME".to_owned(), "/root".to_owned())],
        cwd: folder.path().to_owned(),
        host_node_name: "box".to_owned(),
        temp_dir: "/tmp".into(),
        uid: 0,
    };
    let loaded = load(&file, &Overrides::default(), &machine);
    let _ = load_ctl_settings(&file, &machine);
    let _ = crate::load_raw(&file, &machine);
    let _ = crate::check(&file, &Overrides::default(), &machine);
    loaded
}

fn refused(text: &str) -> Vec<ConfigFault> {
    let folder = tempfile::tempdir().unwrap();
    loaded(&folder, text).map(|config| config.groups.len()).unwrap_err().0
}

#[test]
fn what_grows_beyond_all_bounds_is_a_fault() {
    let wide = "[supervisord]\n[program:a]\ncommand=a\nprocess_name=";
    let long = "x".repeat(1 << 20);
    let numbers = "0,".repeat(1 << 20) + "0";
    let bad = format!("[DEFAULT]\ncommand={long}%(no)s\n[supervisord]\n");
    let bad = (0..2000).fold(bad, |text, n| text + &format!("[program:a{n}]\n"));
    let variables: String = (0..100_000).map(|n| format!("VARIABLE{n}=b,")).collect();
    let unknown = format!("[supervisord]\nenvironment={variables}\n");
    let unknown = (0..2000).fold(unknown, |text, n| text + &format!("[program:a{n}]\ncommand=%(no)s\n"));
    let name = "n".repeat(1 << 20);
    let named: String = (0..100).map(|n| format!("stdout_logfil{n}=x\n")).collect();
    let named =
        format!("[supervisord]\nminfds=x\n[program:{name}]\ncommand=a\n{named}startsecs=x\npriority=x\n");
    let again = "a,".repeat(1 << 20);
    for (text, needle) in [
        (format!("{wide}%(process_num)131073d\n"), "width too big"),
        (format!("{wide}%(process_num)131072d\nnumprocs=100000\n"), "cannot hold so many programs"),
        (format!("{wide}%(process_num)d\nnumprocs=100000001\n"), "cannot run that many processes"),
        (format!("{wide}%(process_num)d\nnumprocs=9223372036854775807\nnumprocs_start=5\n"), "cannot number"),
        (
            format!("{wide}%(process_num)d\nnumprocs=100000\ndirectory={long}\n"),
            "cannot hold so many programs",
        ),
        (
            format!("{wide}%(process_num)d\nnumprocs=100000\nexitcodes={numbers}\n"),
            "cannot hold so many programs",
        ),
        (
            format!("{wide}%(process_num)d\nnumprocs=100000\nstdout_syslog=%(here)s%(process_num).130000d\n"),
            "cannot read as true or false",
        ),
        (
            format!(
                "{wide}%(process_num)d\nnumprocs=100000\nstdout_logfile_backups=%(process_num)0131072d\n"
            ),
            "cannot read as a whole number",
        ),
        (
            format!(
                "{wide}%(process_num)d\nnumprocs=100000\nstdout_logfile=%(here)s/{}\n",
                "./".repeat(2000)
            ),
            "cannot read so much",
        ),
        (named, "cannot read as a whole number"),
        (bad, "cannot expand the unknown name"),
        (unknown, "cannot expand the unknown name"),
        (
            format!("[supervisord]\n[group:g]\nprograms={again}\n[program:a]\n"),
            "cannot run a program without",
        ),
        (
            "[include]\nfiles=/proc/*/root/proc/*/root/proc/*/root/proc/*/comm\n".to_owned(),
            "cannot look through",
        ),
    ] {
        let found = refused(&text);
        assert!(found.iter().any(|fault| fault.what.contains(needle)), "{needle}: {}", found[0]);
        let size: usize = found.iter().map(|fault| fault.to_string().len() + fault.original.len()).sum();
        assert!(size < 128 << 20, "{needle}: {size} bytes of faults");
    }
}

#[test]
fn files_without_an_end_and_pipes_that_nobody_writes_to_are_not_included() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    fs::create_dir(place.join("conf.d")).unwrap();
    symlink("/dev/zero", place.join("conf.d/zero.conf")).unwrap();
    symlink("loop.conf", place.join("conf.d/loop.conf")).unwrap();
    fs::create_dir(place.join("conf.d/folder.conf")).unwrap();
    let fifo = place.join("conf.d/fifo.conf");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let config = loaded(&folder, "[supervisord]\n[include]\nfiles=conf.d/*.conf\n").unwrap();
    let warnings = config.notes.warnings.join("\n");
    for name in ["zero.conf", "loop.conf", "folder.conf", "fifo.conf"] {
        assert!(warnings.contains(&format!("{name}: cannot read the included file")), "{name}: {warnings}");
    }
    // A configuration that includes itself is read twice, and no more.
    let config =
        loaded(&folder, "[supervisord]\n[include]\nfiles=main.conf\n[program:a]\ncommand=a\n").unwrap();
    assert_eq!(config.groups.len(), 1);
}

#[test]
fn numbers_beyond_all_bounds_are_taken_as_the_greatest_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let keys = ["priority", "startsecs", "startretries", "stopwaitsecs", "stdout_logfile_maxbytes"];
    let keys = keys.iter().chain(&["stdout_logfile_backups", "stdout_capture_maxbytes", "buffer_size"]);
    for number in ["99999999999999999999999", "9223372036854775807"] {
        let lines: String = keys.clone().map(|key| format!("{key}={number}\n")).collect();
        let config = loaded(
            &folder,
            &format!(
                "[supervisord]\nlogfile_maxbytes={number}GB\n[eventlistener:a]\ncommand=a\nevents=EVENT\n{lines}"
            ),
        );
        let config = config.unwrap();
        let GroupKind::Listeners { buffer_size, .. } = config.groups[0].kind else { panic!("no listener") };
        assert_eq!(buffer_size, Some(usize::try_from(i64::MAX).unwrap()));
        let _ = config.groups[0].programs[0].policy();
    }
}

/// Values that mean something, nearly mean something, or should not be meant.
fn value() -> impl Strategy<Value = String> {
    let conversion = "%\\((process_num|program_name|here|ENV_HOME|no)\\)[-+ #0]{0,2}[0-9]{0,6}(\\.[0-9]{0,6})?[sdxefgcra%]";
    let number = "-?[0-9]{1,25}(kb|MB|GB)?";
    let word = "(true|unexpected|AUTO|NONE|syslog|TERM|EVENT|TICK_60|PROCESS_STATE|root|a|b|a,b|\\*:9001|/tmp/x|~/x|unix:///tmp/s|\\{SHA\\}00)";
    prop_oneof![
        word.prop_map(String::from),
        number.prop_map(String::from),
        conversion.prop_map(String::from),
        "(%%|%\\(here\\)s|\\PC){0,20}".prop_map(String::from),
        "A=\"(\\PC){0,5}\",B='%\\(ENV_A\\)s'".prop_map(String::from),
    ]
}

fn section() -> impl Strategy<Value = String> {
    let names = prop_oneof![
        "(program|eventlistener|fcgi-program|group|rpcinterface|ctlplugin):(a|b|\\PC{0,4})"
            .prop_map(String::from),
        "(supervisord|supervisorctl|inet_http_server|unix_http_server|include|DEFAULT)"
            .prop_map(String::from),
    ];
    (names, prop::collection::vec((any::<prop::sample::Index>(), value()), 0..8)).prop_map(
        |(name, values)| {
            let sorts = &crate::section::SECTION_KINDS;
            let sort = sorts.iter().find(|sort| name.starts_with(sort.prefix)).unwrap_or(&sorts[4]);
            let keys: Vec<&str> = sort.all().collect();
            let lines = values.iter().map(|(at, value)| format!("{}={value}\n", at.get(&keys)));
            // Nothing of the disk but what is named here.
            let lines = lines.filter(|line| !line.starts_with("files="));
            format!("[{name}]\n{}", lines.collect::<String>())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_configuration_is_taken_or_has_faults_that_are_not_ours(
        sections in prop::collection::vec(section(), 0..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("[supervisord]\n{}", sections.concat());
        if let Err(ConfigFaults(found)) = loaded(&folder, &text) {
            prop_assert!(!found.is_empty());
            prop_assert!(found.iter().all(|fault| !fault.what.contains("fault of ours")), "{}", found[0]);
        }
    }
}
