//! The outbox, left in each of the states that a kill can leave it in.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::batch::Batch;
use super::record::FailedAttempt;
use super::store::Store;
use super::*;
use crate::alert::Alert;
use crate::alert::AlertEntry;
use crate::receiver::Format;
use crate::render::card::Detail;

fn alert(origin: &str, text: &str) -> Alert {
    Alert { origin: origin.into(), ..Alert::sample("true", text) }
}

fn entry(text: &str) -> AlertEntry {
    AlertEntry::text(text.into())
}

fn texts(entries: &[AlertEntry]) -> Vec<&str> {
    fn text(entry: &AlertEntry) -> &str {
        match entry {
            AlertEntry::Text { text, .. } => text,
            AlertEntry::Notification(_) | AlertEntry::Card(_) => panic!("no text"),
        }
    }
    entries.iter().map(text).collect()
}

fn failed(at: i64, reason: &str) -> FailedAttempt {
    FailedAttempt { at, reason: reason.into(), tried: 0, detail: Detail::Rich }
}

fn empty(origin: &str) -> Alert {
    Alert { entries: Vec::new(), ..alert(origin, "") }
}

fn outbox() -> (tempfile::TempDir, Outbox) {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path()).unwrap();
    (dir, outbox)
}

#[test]
fn an_alert_is_stored_read_and_taken() {
    let (_dir, outbox) = outbox();
    let alert = alert("a", "died");
    outbox.put(&alert, None).unwrap();
    assert_eq!(outbox.ids(OutboxFolder::New).unwrap(), std::slice::from_ref(&alert.id));
    assert_eq!(outbox.load(OutboxFolder::New, &alert.id).unwrap().alert, alert);
    outbox.remove_delivered(&alert.id).unwrap();
    assert!(outbox.is_empty());
    assert!(outbox.load(OutboxFolder::New, &alert.id).unwrap_err().is_gone());
}

#[test]
fn an_event_that_was_stored_and_not_answered_is_known_to_the_successor() {
    let (_dir, outbox) = outbox();
    let alert = alert("a", "died");
    outbox.put(&alert, Some("event 7")).unwrap();
    outbox.remove_delivered(&alert.id).unwrap();
    assert!(outbox.is_unacked("event 7"), "also when it is delivered already");
    assert!(!outbox.is_unacked("event 8"));
    outbox.ack("a");
    assert!(!outbox.is_unacked("event 7"));
}

#[test]
fn the_dead_keep_their_reason_and_can_be_revived() {
    let (_dir, outbox) = outbox();
    let alert = alert("a", "died");
    outbox.put(&alert, None).unwrap();
    outbox.dead_letter(&alert.id, &failed(7, "550 no such user")).unwrap();
    let stored = outbox.load(OutboxFolder::Dead, &alert.id).unwrap();
    assert_eq!(stored.attempts, [failed(7, "550 no such user")]);
    outbox.retry_dead(&alert.id, 99).unwrap();
    assert_eq!(outbox.load(OutboxFolder::New, &alert.id).unwrap().alert.created, 99);
    assert!(outbox.ids(OutboxFolder::Dead).unwrap().is_empty());
}

#[test]
fn a_corrected_transport_holds_for_what_waits() {
    let (_dir, outbox) = outbox();
    let waiting = alert("a", "died");
    outbox.put(&waiting, None).unwrap();
    let transport = Transport::Sendmail { command: "corrected".into() };
    let now = Receiver { transport, from: Some("me@example.com".into()), ..waiting.receiver.clone() };
    outbox.set_transport_override("a", &now).unwrap();
    let receiver = || Store::load(&outbox, &waiting.id).unwrap().unwrap().alert.receiver;
    assert_eq!(receiver(), now);
    outbox.clear_overrides();
    assert_eq!(receiver(), now, "kept while something waits");
    outbox.remove_delivered(&waiting.id).unwrap();
    outbox.clear_overrides();
    assert_eq!(outbox.transport_override("a", &now), None);
}

#[test]
fn each_receiver_of_a_listener_has_a_transport_of_its_own() {
    let (_dir, outbox) = outbox();
    let to = |name: &str| {
        let mut alert = alert("a", "died");
        alert.receiver.name = name.into();
        outbox.put(&alert, None).unwrap();
        alert
    };
    let (ops, dev, only) = (to("ops"), to("dev"), to(""));
    let transport = Transport::Sendmail { command: "corrected".into() };
    let corrected = Receiver { transport, ..ops.receiver.clone() };
    outbox.set_transport_override("a", &corrected).unwrap();
    let receiver = |alert: &Alert| Store::load(&outbox, &alert.id).unwrap().unwrap().alert.receiver;
    assert_eq!(
        (receiver(&ops), receiver(&dev), receiver(&only)),
        (corrected, dev.receiver.clone(), only.receiver.clone())
    );
}

#[test]
fn a_folder_that_others_can_write_is_not_trusted() {
    let (dir, outbox) = outbox();
    fs::set_permissions(outbox.new_dir(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = Outbox::open(dir.path()).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot trust ") && error.ends_with("others can write in it (mode 777)"),
        "{error}"
    );
    assert!(outbox.put(&alert("a", "x"), None).is_err());
}

#[test]
fn what_is_no_plain_file_is_not_read() {
    let (dir, outbox) = outbox();
    symlink("/etc/passwd", outbox.new_dir().join("1")).unwrap();
    fs::create_dir(outbox.new_dir().join("2")).unwrap();
    fs::write(outbox.new_dir().join("3"), "garbage").unwrap();
    for id in ["1", "2", "3"] {
        let error = outbox.load(OutboxFolder::New, id).unwrap_err();
        assert!(!error.is_gone(), "{error}");
    }
    drop(dir);
}

#[test]
fn an_outbox_that_was_removed_is_made_again() {
    let (dir, outbox) = outbox();
    fs::remove_dir_all(dir.path().join("outbox")).unwrap();
    outbox.put(&alert("a", "x"), None).unwrap();
    assert_eq!(outbox.ids(OutboxFolder::New).unwrap().len(), 1);
}

#[test]
fn a_batch_outlives_its_process_and_is_sent_once() {
    let (_dir, outbox) = outbox();
    let mut batch = Batch::open(&outbox, empty("a")).unwrap();
    batch.add(&outbox, entry("one"), "event 1").unwrap();
    batch.ack();
    batch.add(&outbox, entry("two"), "event 2").unwrap();
    drop(batch);
    let mut batch = Batch::open(&outbox, Alert { subject: Some("new".into()), ..empty("a") }).unwrap();
    assert_eq!(batch.entries(), [entry("one"), entry("two")]);
    assert_eq!(batch.unacked(), Some("event 2"));
    batch.ack();
    assert_eq!(batch.send(&outbox), None);
    let ids = outbox.ids(OutboxFolder::New).unwrap();
    let sent = outbox.load(OutboxFolder::New, &ids[0]).unwrap().alert;
    assert_eq!((sent.entries.len(), sent.subject.as_deref(), ids.len()), (2, Some("new"), 1));
    assert!(Batch::open(&outbox, empty("a")).unwrap().entries().is_empty());
}

#[test]
fn a_batch_without_a_disk_is_kept_and_handed_over() {
    let (dir, outbox) = outbox();
    let mut batch = Batch::open(&outbox, empty("a")).unwrap();
    batch.add(&outbox, entry("one"), "event 1").unwrap();
    fs::remove_dir_all(dir.path().join("outbox")).unwrap();
    fs::write(dir.path().join("outbox"), "in the way").unwrap();
    batch.file = None;
    assert!(batch.add(&outbox, entry("two"), "event 2").is_err());
    let alert = batch.send(&outbox).unwrap();
    assert_eq!((alert.entries.len(), batch.entries().len()), (2, 0));
}

#[test]
fn a_file_under_another_name_is_not_the_alert_that_it_says_it_is() {
    let (_dir, outbox) = outbox();
    let alert = alert("a", "died");
    outbox.put(&alert, None).unwrap();
    let other = outbox.new_dir().join("other");
    fs::copy(outbox.new_dir().join(&alert.id), other).unwrap();
    assert!(outbox.load(OutboxFolder::New, "other").unwrap_err().is_damage());
}

#[test]
fn a_note_behind_a_cut_line_does_no_damage() {
    let (_dir, outbox) = outbox();
    let alert = alert("a", "died");
    outbox.put(&alert, None).unwrap();
    let path = outbox.new_dir().join(&alert.id);
    outbox.record_attempt(&alert.id, &failed(1, "first"));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    outbox.record_attempt(&alert.id, &failed(2, "second"));
    outbox.record_attempt(&alert.id, &failed(3, "third"));
    let reasons = outbox.load(OutboxFolder::New, &alert.id).unwrap().attempts;
    assert_eq!(reasons.iter().map(|attempt| attempt.at).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_batch_is_as_old_as_its_last_entry_and_notices_that_its_file_was_removed() {
    let (dir, outbox) = outbox();
    let mut batch = Batch::open(&outbox, Alert { created: 7, ..empty("a") }).unwrap();
    batch.add(&outbox, entry("one"), "event 1").unwrap();
    fs::remove_dir_all(dir.path().join("outbox")).unwrap();
    batch.add(&outbox, entry("two"), "event 2").unwrap();
    assert_eq!(batch.send(&outbox), None);
    let sent = outbox.load(OutboxFolder::New, &outbox.ids(OutboxFolder::New).unwrap()[0]).unwrap().alert;
    assert_eq!(sent.entries.len(), 2);
    assert!(unix_time() - sent.created < 60);
}

#[test]
fn the_lock_is_known_by_the_file_that_holds_it() {
    let (_dir, outbox) = outbox();
    let lock = outbox.lock_file().unwrap();
    lock.lock().unwrap();
    assert!(outbox.is_locked_by(&lock));
    assert!(!outbox.is_locked_by(&outbox.lock_file().unwrap()));
    assert!(!outbox.is_locked_by(&File::open("/dev/null").unwrap()));
}

#[test]
fn a_batch_that_could_not_be_read_at_first_is_not_lost() {
    let (_dir, outbox) = outbox();
    let mut first = Batch::open(&outbox, empty("a")).unwrap();
    first.add(&outbox, entry("one"), "event 1").unwrap();
    drop(first);
    let mut second = Batch::in_memory(&outbox, empty("a"));
    fs::set_permissions(outbox.new_dir(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(second.add(&outbox, entry("two"), "event 2").is_err());
    fs::set_permissions(outbox.new_dir(), fs::Permissions::from_mode(0o700)).unwrap();
    second.add(&outbox, entry("three"), "event 3").unwrap();
    let texts = texts(second.entries());
    assert_eq!(texts, ["one", "two", "three"]);
}

#[test]
fn a_pipe_or_a_link_blocks_nothing() {
    let (dir, outbox) = outbox();
    let pipe = outbox.new_dir().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    outbox.record_attempt("pipe", &failed(1, "reason"));
    assert!(outbox.load(OutboxFolder::New, "pipe").unwrap_err().is_damage());
    outbox.dead_letter("pipe", &failed(1, "no plain file")).unwrap();
    symlink("/dev/null", dir.path().join("outbox/lock")).unwrap();
    assert!(outbox.lock_file().is_err());
}

/// A file with one more entry than `repair::MAX_MAIL_BYTES` bytes of text, `count` in all.
fn large(alert: &Alert, count: usize) -> String {
    let mut text = record::file(&Alert { entries: Vec::new(), ..alert.clone() }, None);
    for number in 0..count {
        let padding = "x".repeat(repair::MAX_MAIL_BYTES / count + 1);
        let entry = AlertEntry::text(format!("{number:04} {padding}"));
        text.push_str(&record::entry_line(&entry, Format::Mail, Some(&format!("event {number}")), None));
    }
    text
}

/// The numbers of the entries of all that waits, in order.
fn numbers(outbox: &Outbox) -> Vec<String> {
    let ids = outbox.ids(OutboxFolder::New).unwrap();
    let alerts = ids.iter().map(|id| outbox.load(OutboxFolder::New, id).unwrap().alert);
    alerts
        .flat_map(|alert| texts(&alert.entries).iter().map(|text| text[..4].to_owned()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn an_alert_that_is_too_large_is_sent_in_several_also_out_of_the_dead() {
    for place in [OutboxFolder::New, OutboxFolder::Dead] {
        let (_dir, outbox) = outbox();
        let alert = alert("a", "");
        // More than can be read as a whole.
        let text = large(&alert, 40) + &large(&alert, 40).split_once('\n').unwrap().1.repeat(4);
        fs::write(outbox.path(place, &alert.id), text).unwrap();
        assert!(outbox.load(place, &alert.id).unwrap_err().is_too_long());
        match place {
            OutboxFolder::New => drop(outbox.split(place, &alert.id).unwrap()),
            OutboxFolder::Dead => outbox.retry_dead(&alert.id, 1).unwrap(),
        }
        assert_eq!(numbers(&outbox).len(), 200, "each entry once");
        let ids = outbox.ids(OutboxFolder::New).unwrap();
        assert!((5..10).contains(&ids.len()) && ids[0] == format!("{}.1", alert.id), "{ids:?}");
        assert!(outbox.ids(OutboxFolder::Dead).unwrap().is_empty());
    }
}

#[test]
fn a_batch_that_became_too_large_is_sent_when_its_listener_starts() {
    let (_dir, outbox) = outbox();
    let text = large(&alert("a", ""), 40).repeat(5);
    fs::write(outbox.dir().join("batch").join(origin_file("a")), text).unwrap();
    let mut batch = Batch::open(&outbox, Alert { subject: Some("now".into()), ..empty("a") }).unwrap();
    assert!(batch.entries().is_empty() && outbox.batches().unwrap().is_empty());
    assert_eq!(batch.unacked(), Some("event 39"));
    // The header of a copy in the middle is no entry; it counts as damaged.
    assert_eq!(numbers(&outbox).len(), 201);
    let id = outbox.ids(OutboxFolder::New).unwrap().remove(0);
    let sent = outbox.load(OutboxFolder::New, &id).unwrap().alert;
    assert_eq!(sent.subject.as_deref(), Some("now"));
    batch.add(&outbox, AlertEntry::text("next".into()), "event").unwrap();
    assert_eq!(batch.entries().len(), 1);
}

#[test]
fn a_batch_is_large_before_a_mail_server_would_refuse_it() {
    let (_dir, outbox) = outbox();
    let mut batch = Batch::open(&outbox, empty("a")).unwrap();
    let entry = || AlertEntry::text("x".repeat(repair::MAX_MAIL_BYTES / 4));
    for _ in 0..4 {
        assert!(!batch.is_large());
        batch.add(&outbox, entry(), "event").unwrap();
    }
    assert!(batch.is_large());
    drop(batch);
    let mut batch = Batch::open(&outbox, empty("a")).unwrap();
    assert!(batch.is_large(), "also one that was left behind");
    batch.send(&outbox);
    assert!(!batch.is_large());
}

#[test]
fn the_good_entries_of_a_damaged_alert_are_sent_and_the_file_is_kept() {
    let (_dir, outbox) = outbox();
    let entries = ["one", "two", "three"].map(|text| AlertEntry::text(text.into()));
    let alert = Alert { entries: entries.to_vec(), ..alert("a", "") };
    outbox.put(&alert, None).unwrap();
    let path = outbox.path(OutboxFolder::New, &alert.id);
    let damaged = fs::read_to_string(&path).unwrap().replace("two", "tvo");
    fs::write(&path, &damaged).unwrap();
    let mut stored = outbox.load(OutboxFolder::New, &alert.id).unwrap();
    outbox.repair(&mut stored).unwrap();
    assert_eq!(stored, outbox.load(OutboxFolder::New, &alert.id).unwrap());
    let texts = texts(&stored.alert.entries);
    assert_eq!(texts[..2], ["one", "three"]);
    assert!(texts[2].starts_with("(1 damaged line(s)"), "{}", texts[2]);
    let kept = format!("{}.damaged", alert.id);
    assert_eq!(outbox.ids(OutboxFolder::Dead).unwrap(), std::slice::from_ref(&kept));
    assert_eq!(fs::read_to_string(outbox.path(OutboxFolder::Dead, &kept)).unwrap(), damaged);
    assert_eq!(outbox.load(OutboxFolder::Dead, &kept).unwrap().damaged, 1, "people can look at it");
}

#[test]
fn the_good_entries_of_a_damaged_batch_are_kept_even_without_its_header() {
    for (damage, left) in [("two", vec!["one", "three"]), ("ops@", vec!["one", "two", "three"])] {
        let (_dir, outbox) = outbox();
        let mut batch = Batch::open(&outbox, empty("a")).unwrap();
        for text in ["one", "two", "three"] {
            batch.add(&outbox, AlertEntry::text(text.into()), text).unwrap();
        }
        drop(batch);
        let path = outbox.dir().join("batch").join(origin_file("a"));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(damage, &damage.to_uppercase())).unwrap();
        let batch = Batch::open(&outbox, empty("a")).unwrap();
        let texts = texts(batch.entries());
        assert_eq!(texts[..left.len()], left);
        assert_eq!(texts.len(), left.len() + 1, "and a word about the damage");
        assert_eq!(outbox.ids(OutboxFolder::Dead).unwrap().len(), 1);
        assert_eq!(batch.unacked(), Some("three"));
    }
}

#[test]
fn an_event_in_the_batch_of_another_process_of_the_pool_is_known_until_it_was_answered() {
    let (_dir, outbox) = outbox();
    let mut batch = Batch::open(&outbox, empty("a 0")).unwrap();
    batch.add(&outbox, AlertEntry::text("one".into()), "event 1").unwrap();
    batch.ack();
    batch.add(&outbox, AlertEntry::text("x".repeat(10_000)), "event 2").unwrap();
    assert!(outbox.is_unacked("event 2") && !outbox.is_unacked("event 1"));
    batch.ack();
    assert!(!outbox.is_unacked("event 2"));
}

#[test]
fn a_failed_try_is_noted_on_a_file_of_any_length_and_kept_with_the_time_tried() {
    let (_dir, outbox) = outbox();
    let alert = alert("a", "");
    fs::write(outbox.path(OutboxFolder::New, &alert.id), large(&alert, 40).repeat(5)).unwrap();
    outbox.record_attempt(&alert.id, &FailedAttempt { tried: 7, ..failed(1, "first") });
    let text = fs::read_to_string(outbox.path(OutboxFolder::New, &alert.id)).unwrap();
    assert!(
        text.lines().last().unwrap().ends_with("{\"attempt\":{\"at\":1,\"reason\":\"first\",\"tried\":7}}")
    );
    assert_eq!(outbox.last_error(), Some((1, "first".to_owned())));
}

#[test]
fn where_a_file_ends_in_half_a_line_is_found_from_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    for (content, end) in [
        (String::new(), None),
        ("a\n".into(), None),
        ("a\nb".into(), Some(2)),
        ("b".into(), Some(0)),
        (format!("a\n{}", "b".repeat(10_000)), Some(2)),
        (format!("{}\nb", "a".repeat(4095)), Some(4096)),
    ] {
        fs::write(&path, &content).unwrap();
        assert_eq!(cut_at(&File::open(&path).unwrap()).unwrap(), end, "{} bytes", content.len());
    }
}

#[test]
fn recipients_that_were_served_are_known_also_where_the_file_cannot_be_replaced() {
    let (_dir, outbox) = outbox();
    let mut alert = alert("a", "died");
    alert.receiver.to = vec!["a@example.com".into(), "b@example.com".into()];
    outbox.put(&alert, None).unwrap();
    fs::remove_dir(outbox.dir().join("tmp")).unwrap();
    fs::write(outbox.dir().join("tmp"), "in the way").unwrap();
    let mut stored = outbox.load(OutboxFolder::New, &alert.id).unwrap();
    stored.alert.receiver.to = vec!["b@example.com".into()];
    assert!(outbox.replace(&stored).is_err());
    outbox.set_recipients(&stored).unwrap();
    assert_eq!(outbox.load(OutboxFolder::New, &alert.id).unwrap().alert.receiver.to, ["b@example.com"]);
}
