//! The writer and the reader on real files.

use std::fs;
use std::io::Write;
use std::path::Path;

use ironlance_core::journal::{JournalEntry, JournalEvent, PreviousRun, SupervisorStop};

use super::*;

const LIMIT: u64 = 64 << 20;

fn event(text: &str) -> JournalEntry {
    JournalEntry::Event(Box::new(JournalEvent { event: text.into(), ..JournalEvent::default() }))
}

fn stop() -> JournalEntry {
    JournalEntry::Stop { stop: SupervisorStop { how: "shutdown".into() } }
}

/// The numbers of all records from `next` on, and how many are missing.
fn read_all(folder: &Path, next: u64) -> (Vec<u64>, u64) {
    let mut reader = JournalReader::new(folder, next);
    let (mut numbers, mut missing) = (Vec::new(), 0);
    loop {
        let piece = reader.read().unwrap();
        if piece.records.is_empty() {
            return (numbers, missing);
        }
        numbers.extend(piece.records.iter().map(|record| record.n));
        missing += piece.missing;
    }
}

fn last_segment(folder: &Path) -> std::path::PathBuf {
    folder.join(ironlance_core::journal::segment::file_name(*segments(folder).unwrap().last().unwrap()))
}

#[test]
fn records_are_numbered_on_after_a_restart_and_the_end_of_the_run_before_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let mut writer = JournalWriter::open(&folder, LIMIT).unwrap();
    assert_eq!(writer.previous(), (PreviousRun::None, None));
    assert_eq!(writer.append("a", 5, event("X")).unwrap(), 1);
    drop(writer);
    let mut writer = JournalWriter::open(&folder, LIMIT).unwrap();
    assert_eq!(writer.previous(), (PreviousRun::Killed, Some(5)));
    assert_eq!(writer.append("b", 6, stop()).unwrap(), 2);
    drop(writer);
    let writer = JournalWriter::open(&folder, LIMIT).unwrap();
    assert_eq!(writer.previous(), (PreviousRun::Clean, Some(6)));
    assert_eq!(read_all(&folder, 1), (vec![1, 2], 0));
}

#[test]
fn a_torn_last_line_is_cut_off_and_the_next_record_takes_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let mut writer = JournalWriter::open(&folder, LIMIT).unwrap();
    writer.append("a", 1, event("X")).unwrap();
    drop(writer);
    let torn = fs::OpenOptions::new().append(true).open(last_segment(&folder)).unwrap();
    (&torn).write_all(b"5c2b1f07 {\"n\":2").unwrap();
    let mut writer = JournalWriter::open(&folder, LIMIT).unwrap();
    assert_eq!(writer.append("b", 2, event("Y")).unwrap(), 2);
    assert_eq!(read_all(&folder, 1), (vec![1, 2], 0));
}

#[test]
fn a_reader_sees_what_is_appended_later() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let mut reader = JournalReader::new(&folder, 1);
    assert_eq!(reader.read().unwrap(), JournalPiece::default());
    let mut writer = JournalWriter::open(&folder, LIMIT).unwrap();
    for n in 1..4 {
        writer.append("a", n, event("X")).unwrap();
        let piece = reader.read().unwrap();
        assert_eq!(piece.records.iter().map(|record| record.n).collect::<Vec<_>>(), [n]);
        assert_eq!(reader.read().unwrap(), JournalPiece::default());
    }
}

#[test]
fn the_oldest_segments_go_when_all_are_too_much_and_a_reader_hears_how_many_records_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let mut writer = JournalWriter::open(&folder, 2 << 20).unwrap();
    let text = "x".repeat(3000);
    for n in 1..=2000 {
        writer.append("a", n, event(&text)).unwrap();
    }
    let numbers = segments(&folder).unwrap();
    assert!((2..=4).contains(&numbers.len()), "{numbers:?}");
    let (read, missing) = read_all(&folder, 1);
    assert_eq!(read, (numbers[0]..=2000).collect::<Vec<_>>());
    assert_eq!(missing, numbers[0] - 1);
    assert_eq!(read_all(&folder, 1990), ((1990..=2000).collect(), 0));
}

#[test]
fn a_damaged_record_is_missing_and_those_behind_it_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let mut writer = JournalWriter::open(&folder, LIMIT).unwrap();
    for n in 1..=3 {
        writer.append("a", n, event("X")).unwrap();
    }
    let path = last_segment(&folder);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(read_all(&folder, 1), (vec![1, 3], 1));
}

#[test]
fn a_second_writer_is_refused_and_told_who_writes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let _writer = JournalWriter::open(&folder, LIMIT).unwrap();
    let error = JournalWriter::open(&folder, LIMIT).unwrap_err().to_string();
    let pid = std::process::id();
    assert_eq!(error, format!("cannot write the journal {}: the process {pid} writes it", folder.display()));
}

#[test]
fn a_segment_that_cannot_be_opened_costs_no_number_and_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let mut writer = JournalWriter::open(&folder, LIMIT).unwrap();
    writer.append("a", 1, event("X")).unwrap();
    let first = last_segment(&folder);
    while fs::metadata(&first).unwrap().len() < 1 << 20 {
        writer.append("a", 2, event(&"x".repeat(3000))).unwrap();
    }
    let next = writer.last_number() + 1;
    let link = folder.join(ironlance_core::journal::segment::file_name(next));
    std::os::unix::fs::symlink("/dev/full", &link).unwrap();
    let error = writer.append("a", 9, event("Y")).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot open {}", link.display())), "{error}");
    fs::remove_file(link).unwrap();
    assert_eq!(writer.append("a", 9, event("Y")).unwrap(), next);
    assert_eq!(read_all(&folder, 1), ((1..=next).collect(), 0));
}

#[test]
fn the_last_records_are_found_from_the_end_over_all_segments() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let last = |before, limit, odd: bool| -> Vec<u64> {
        let wanted = |record: &ironlance_core::journal::JournalRecord| !odd || record.at % 2 == 1;
        last_records(&folder, before, limit, wanted).unwrap().iter().map(|record| record.n).collect()
    };
    assert_eq!(last(u64::MAX, 5, false), [0_u64; 0], "there is no journal");
    let mut writer = JournalWriter::open(&folder, LIMIT).unwrap();
    for n in 1..=1000 {
        writer.append("a", n, event(&"x".repeat(3000))).unwrap();
    }
    assert!(segments(&folder).unwrap().len() > 2);
    assert_eq!(last(u64::MAX, 3, false), [998, 999, 1000]);
    assert_eq!(last(u64::MAX, 3, true), [995, 997, 999]);
    assert_eq!(last(4, 10, false), [1, 2, 3]);
    assert_eq!(last(u64::MAX, 2000, false), (1..=1000).collect::<Vec<_>>());
    assert_eq!(last(1, 10, false), [0_u64; 0]);
}
