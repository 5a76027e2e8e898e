//! The store on real files, with a stand-in for the deliverer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Instant;

use ironlance_alert::outbox::OutboxFolder;
use ironlance_alert::{AlertEntry, Format, Receiver, Transport};
use tempfile::TempDir;

use super::*;
use crate::machine::{Decision, Verdict};

struct Host {
    dir: TempDir,
}

impl Host {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A deliverer that writes what it gets from memory to a file, and fails with an outbox.
    fn program(&self) -> PathBuf {
        let program = self.dir.path().join("deliverer");
        let script = format!(
            "#!/bin/sh\n[ \"$2\" = --memory ] && exec cat > {}\nexit 1\n",
            self.dir.path().join("memory").display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    fn supervisor(&self) -> PathBuf {
        self.dir.path().join("supervisors/supervisor-0a1b2c3d")
    }

    fn open(&self) -> Result<(WatchStore, RecoveredState<String>), LockError> {
        let state_dir = self.dir.path().to_owned();
        let program = self.program();
        WatchStore::open(StoreOptions { supervisor: self.supervisor(), state_dir, program })
    }

    fn state_file(&self, name: &str) -> PathBuf {
        self.supervisor().join("watch").join(name)
    }

    fn read(&self) -> Option<SavedState<String>> {
        read_state(&self.supervisor()).unwrap()
    }
}

fn state(cursor: u64) -> SavedState<String> {
    SavedState { cursor, boot: "b".to_owned(), parts: vec!["part".to_owned()] }
}

fn message(store: &mut WatchStore, text: &str) -> Alert {
    Alert {
        id: store.message_id(7, Duration::from_secs(1_700_000_000)),
        origin: "watch".to_owned(),
        host: "h".to_owned(),
        created: 1,
        receiver: Receiver {
            name: String::new(),
            transport: Transport::Sendmail { command: "true".to_owned() },
            to: vec!["ops@example.org".to_owned()],
            from: None,
            format: Format::Mail,
        },
        subject: None,
        entries: vec![AlertEntry::text(text.to_owned())],
    }
}

fn waiting(store: &WatchStore) -> Vec<String> {
    store.outbox().ids(OutboxFolder::New).unwrap()
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_there() {
        assert!(Instant::now() < deadline, "{what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_commit_saves_the_state_and_puts_its_messages_into_the_outbox() {
    let host = Host::new();
    let (mut store, found) = host.open().unwrap();
    assert!(found.state.is_none() && found.faults.is_empty(), "{found:?}");
    let messages = [message(&mut store, "one"), message(&mut store, "two")];
    store.commit(&state(5), &messages).unwrap();
    assert_eq!(host.read(), Some(state(5)));
    let ids: Vec<_> = messages.iter().map(|message| message.id.clone()).collect();
    assert_eq!(waiting(&store), ids);
    assert_eq!(ids[0], "1700000000000000.7.0a1b2c3d");
    assert_eq!(ids[1], "1700000000000001.7.0a1b2c3d");
    let stored = store.outbox().load(OutboxFolder::New, &ids[1]).unwrap();
    assert_eq!(stored.alert, messages[1]);
    for name in ["", "intents"] {
        assert_eq!(fs::metadata(host.state_file(name)).unwrap().permissions().mode() & 0o777, 0o700);
    }
    for path in [host.state_file("state"), store.outbox().new_dir().join(&ids[0])] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(store);
    let (mut store, found) = host.open().unwrap();
    assert_eq!(found.state, Some(state(5)));
    assert_eq!(message(&mut store, "").id, "1700000000000002.7.0a1b2c3d", "also after a restart");
}

#[test]
fn a_second_watch_is_told_who_holds_the_lock() {
    let host = Host::new();
    let (store, _) = host.open().unwrap();
    let error = host.open().unwrap_err().to_string();
    assert!(error.starts_with(&format!("the process {} holds ", std::process::id())), "{error}");
    drop(store);
    host.open().unwrap();
}

#[test]
fn what_the_disk_refuses_is_delivered_from_memory_and_each_commit_tries_again() {
    let host = Host::new();
    let (mut store, _) = host.open().unwrap();
    fs::create_dir(host.state_file("state.tmp")).unwrap();
    let alert = message(&mut store, "from memory");
    let error = store.commit(&state(5), &[alert]).unwrap_err().to_string();
    assert!(error.starts_with("cannot write ") && error.contains("state.tmp"), "{error}");
    assert!(waiting(&store).is_empty() && host.read().is_none());
    assert!(HostDisk.names(&host.state_file("intents")).unwrap().is_empty());
    let memory = host.dir.path().join("memory");
    let has_it = || fs::read_to_string(&memory).is_ok_and(|text| text.contains("from memory"));
    wait_for("the message from memory", has_it);
    fs::remove_dir(host.state_file("state.tmp")).unwrap();
    store.commit(&state(6), &[]).unwrap();
    assert_eq!(host.read(), Some(state(6)));
}

#[test]
fn a_folder_that_cannot_be_used_at_the_start_is_used_once_it_can() {
    let host = Host::new();
    fs::create_dir_all(host.supervisor()).unwrap();
    fs::write(host.supervisor().join("watch"), "").unwrap();
    let (mut store, found) = host.open().unwrap();
    assert_eq!(found.faults.len(), 1, "{found:?}");
    store.commit(&state(1), &[]).unwrap_err();
    fs::remove_file(host.supervisor().join("watch")).unwrap();
    store.commit(&state(2), &[]).unwrap();
    assert_eq!(host.read(), Some(state(2)));
}

#[test]
fn a_message_that_cannot_be_moved_is_moved_later() {
    let host = Host::new();
    let (mut store, _) = host.open().unwrap();
    let alert = message(&mut store, "text");
    let in_the_way = store.outbox().new_dir().join(&alert.id);
    fs::create_dir(&in_the_way).unwrap();
    let error = store.commit(&state(5), std::slice::from_ref(&alert)).unwrap_err().to_string();
    assert!(error.starts_with("cannot rename "), "{error}");
    assert_eq!(host.read(), Some(state(5)), "it is committed");
    fs::remove_dir(in_the_way).unwrap();
    store.commit(&state(6), &[]).unwrap();
    assert_eq!(store.outbox().load(OutboxFolder::New, &alert.id).unwrap().alert, alert);
}

#[test]
fn the_history_gives_its_records_back_and_says_what_cannot_be_read() {
    let host = Host::new();
    let history = HistoryLog::new(&host.supervisor(), Duration::from_secs(60));
    assert!(history.read().unwrap().records.is_empty());
    let now = std::time::SystemTime::now();
    let error = history.append(&[decided(1)], now).unwrap_err().to_string();
    assert!(error.starts_with("cannot write to ") && error.contains("history.log"), "{error}");
    let _store = host.open().unwrap();
    history.append(&[decided(1), decided(2)], now).unwrap();
    history.append(&[decided(3)], now).unwrap();
    let path = host.state_file("history.log");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"at\":2", "\"at\":9", 1)).unwrap();
    let read = history.read().unwrap();
    assert_eq!((read.records, read.damaged), (vec![decided(1), decided(3)], 1));
}

fn decided(at: u64) -> HistoryLine {
    let what = Verdict::SilenceAdded(7);
    Decision { at, incident: None, subject: None, family: None, receiver: None, what }.into()
}
