//! Lines in a file and in the system's log, and what happens when neither takes them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;

use super::*;

fn settings(logfile: Target) -> Settings {
    Settings {
        minfds: 1,
        minprocs: 1,
        directory: None,
        user: None,
        umask: 0o22,
        logfile,
        logfile_maxbytes: 0,
        logfile_backups: 0,
        loglevel: Level::Info,
        pidfile: PathBuf::new(),
        identifier: "supervisor".to_owned(),
        nodaemon: false,
        silent: false,
        childlogdir: PathBuf::new(),
        nocleanup: false,
        strip_ansi: false,
        environment: BTreeMap::new(),
    }
}

/// A line without its time, which is checked.
fn after_time(line: &str) -> &str {
    let (time, rest) = line.split_at("2026-11-23 12:00:00,123".len());
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "9999-99-99 99:99:99,999");
    rest
}

#[test]
fn lines_have_time_level_and_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("supervisord.log");
    let mut log = MainLog::open(&settings(Target::File(path.clone())), "supervisord").unwrap();
    assert_eq!(log.path(), Some(path.as_path()));
    assert!(log.enabled(Level::Info) && !log.enabled(Level::Debug));
    log.log(Level::Info, "spawned: 'x' with pid 1");
    log.log(Level::Debug, "not this");
    log.log(Level::Critical, "two\nlines");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(after_time(lines[0]), " INFO spawned: 'x' with pid 1");
    assert_eq!(after_time(lines[1]), " CRIT two");
    assert_eq!(lines[2], "lines");
}

#[test]
fn a_log_that_was_moved_away_is_made_anew_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("supervisord.log");
    let mut log = MainLog::open(&settings(Target::File(path.clone())), "supervisord").unwrap();
    log.log(Level::Info, "old");
    fs::rename(&path, folder.path().join("moved")).unwrap();
    log.reopen();
    log.log(Level::Info, "new");
    assert_eq!(after_time(fs::read_to_string(&path).unwrap().trim_end()), " INFO new");
}

#[test]
fn the_log_says_what_it_has_lost() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("supervisord.log");
    let mut log = MainLog::open(&settings(Target::File(path.clone())), "supervisord").unwrap();
    fs::remove_dir_all(&inner).unwrap();
    log.log(Level::Info, "one");
    log.log(Level::Info, "two");
    fs::create_dir(&inner).unwrap();
    log.reopen();
    log.log(Level::Info, "three");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().map(after_time).collect();
    let bytes = 2 * "2026-11-23 12:00:00,123 INFO one\n".len();
    let lost = format!(" WARN {} can be written to again; {bytes} bytes were lost (2 lines)", path.display());
    assert_eq!(lines, [" INFO three", lost.as_str()]);
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error() {
    let refused = MainLog::open(&settings(Target::File("/no/such/log".into())), "supervisord").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "cannot open log file /no/such/log: No such file or directory (os error 2)"
    );
}

#[test]
fn the_systems_log_gets_every_line_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let system = UnixDatagram::bind(&path).unwrap();
    system.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut log = MainLog::open(&settings(Target::Syslog), "supervisord").unwrap();
    assert_eq!(log.path(), None);
    log.destination = Destination::Syslog(Syslog::at(&path, "supervisord"));
    log.log(Level::Warn, "one\ntwo\n");
    let mut buffer = [0; 1000];
    for text in ["one", "two"] {
        let count = system.recv(&mut buffer).unwrap();
        let line = std::str::from_utf8(&buffer[..count]).unwrap();
        let (_, line) = line.split_once(" supervisord: ").unwrap();
        assert_eq!(after_time(line), format!(" WARN {text}\n"));
    }
}
