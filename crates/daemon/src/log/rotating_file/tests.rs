//! Real files, FIFOs and a full disk.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::process::Command;

use rustix::fs::OFlags;
use tempfile::TempDir;

use super::*;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.log");
    (folder, path)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
}

/// Lets the next write check or open the file.
fn a_moment_later(log: &mut RotatingFile) {
    log.next_check = None;
}

#[test]
fn a_log_is_there_from_the_start_and_takes_a_descriptor_with_the_first_write() {
    let (_folder, path) = folder();
    fs::write(&path, "before\n").unwrap();
    let mut log = RotatingFile::open(&path, 0, 0).unwrap();
    assert!(log.sink.is_none());
    assert_eq!(log.path(), path);
    assert!(matches!(log.write(b"after\n"), LogWrite::All));
    assert!(log.sink.is_some());
    assert_eq!(text(&path), "before\nafter\n");
    log.close();
    assert!(matches!(log.write(b"more\n"), LogWrite::All));
    assert_eq!(text(&path), "before\nafter\nmore\n");
}

#[test]
fn a_log_that_cannot_be_made_is_an_error() {
    let (folder, _) = folder();
    let why = RotatingFile::open(&folder.path().join("missing/x.log"), 0, 0).unwrap_err();
    assert_eq!(why.kind(), io::ErrorKind::NotFound);
    RotatingFile::open(folder.path(), 0, 0).unwrap_err();
}

#[test]
fn a_log_is_rotated_once_it_has_reached_its_size() {
    let (_folder, path) = folder();
    let mut log = RotatingFile::open(&path, 10, 2).unwrap();
    for line in ["0123456\n", "1\n", "2_______________\n", "3\n", "3_______\n", "4"] {
        assert!(matches!(log.write(line.as_bytes()), LogWrite::All));
    }
    assert_eq!(text(&path), "4");
    assert_eq!(text(&numbered(&path, 1)), "3\n3_______\n");
    assert_eq!(text(&numbered(&path, 2)), "2_______________\n");
    assert!(!numbered(&path, 3).exists());
}

#[test]
fn a_rotation_with_four_thousand_million_backups_takes_no_longer_than_one_with_two() {
    let (_folder, path) = folder();
    let mut log = RotatingFile::open(&path, 4, u32::MAX).unwrap();
    for line in ["0000", "1111", "2222", "3333"] {
        log.write(line.as_bytes());
    }
    for (number, line) in [(1, "3333"), (2, "2222"), (3, "1111"), (4, "0000")] {
        assert_eq!(text(&numbered(&path, number)), line);
    }
    assert!(!numbered(&path, 5).exists());
}

#[test]
fn a_log_without_backups_is_emptied() {
    let (folder, path) = folder();
    fs::write(&path, "12345678").unwrap();
    let mut log = RotatingFile::open(&path, 10, 0).unwrap();
    log.write(b"90");
    assert_eq!(text(&path), "");
    log.write(b"1");
    assert_eq!(text(&path), "1");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_log_that_somebody_has_emptied_starts_from_nothing() {
    let (_folder, path) = folder();
    let mut log = RotatingFile::open(&path, 10, 1).unwrap();
    log.write(b"12345678");
    File::create(&path).unwrap();
    log.write(b"abcd");
    assert_eq!(text(&path), "abcd");
    assert!(!numbered(&path, 1).exists());
}

#[test]
fn a_log_that_cannot_be_rotated_goes_on_and_is_complained_of_once() {
    let (_folder, path) = folder();
    fs::create_dir(numbered(&path, 1)).unwrap();
    let mut log = RotatingFile::open(&path, 4, 1).unwrap();
    let written = log.write(b"12345");
    let (level, words) = written.log_line(&path).unwrap();
    assert_eq!(level, Level::Error);
    assert!(words.starts_with(&format!("cannot rotate {}: ", path.display())), "{words}");
    assert!(matches!(log.write(b"6789"), LogWrite::All));
    assert_eq!(text(&path), "123456789");
    fs::remove_dir(numbered(&path, 1)).unwrap();
    log.rotate_retry_at = None;
    assert!(matches!(log.write(b"0"), LogWrite::All));
    assert_eq!(text(&numbered(&path, 1)), "1234567890");
}

#[test]
fn a_log_that_was_moved_away_is_made_anew_when_asked() {
    let (_folder, path) = folder();
    let mut log = RotatingFile::open(&path, 0, 0).unwrap();
    log.write(b"old\n");
    fs::rename(&path, numbered(&path, 1)).unwrap();
    log.write(b"old too\n");
    log.reopen().unwrap();
    assert_eq!(text(&path), "");
    log.write(b"new\n");
    assert_eq!(text(&numbered(&path, 1)), "old\nold too\n");
    assert_eq!(text(&path), "new\n");
}

#[test]
fn a_log_that_is_cleared_is_empty_and_goes_on() {
    let (_folder, path) = folder();
    let mut log = RotatingFile::open(&path, 0, 0).unwrap();
    log.write(b"old\n");
    log.remove_and_reopen().unwrap();
    assert_eq!(text(&path), "");
    fs::remove_file(&path).unwrap();
    log.remove_and_reopen().unwrap();
    log.write(b"new\n");
    assert_eq!(text(&path), "new\n");
}

#[test]
fn a_log_that_was_removed_comes_back() {
    let (_folder, path) = folder();
    let mut log = RotatingFile::open(&path, 0, 0).unwrap();
    log.write(b"1");
    fs::remove_file(&path).unwrap();
    a_moment_later(&mut log);
    assert!(matches!(log.write(b"2"), LogWrite::All));
    assert_eq!(text(&path), "2");
}

#[test]
fn what_a_missing_folder_costs_is_counted_and_said_twice() {
    let (folder, _) = folder();
    let inner = folder.path().join("logs");
    let path = inner.join("x.log");
    fs::create_dir(&inner).unwrap();
    let mut log = RotatingFile::open(&path, 0, 0).unwrap();
    log.write(b"1");
    fs::remove_dir_all(&inner).unwrap();
    a_moment_later(&mut log);
    let first = log.write(b"22");
    assert!(matches!(&first, LogWrite::Lost { why } if why.kind() == io::ErrorKind::NotFound));
    assert_eq!(first.log_line(&path).unwrap().0, Level::Error);
    a_moment_later(&mut log);
    assert!(matches!(log.write(b"333"), LogWrite::StillLosing));
    fs::create_dir(&inner).unwrap();
    // Not every write tries to open it.
    assert!(matches!(log.write(b"4444"), LogWrite::StillLosing));
    a_moment_later(&mut log);
    let again = log.write(b"5");
    assert!(matches!(again, LogWrite::Recovered { bytes: 9 }));
    let (_, words) = again.log_line(&path).unwrap();
    assert_eq!(words, format!("{} can be written to again; 9 bytes were lost", path.display()));
    assert_eq!(text(&path), "5");
}

#[test]
fn a_full_disk_holds_up_nobody_and_is_used_again_at_once() {
    let mut log = RotatingFile::open(Path::new("/dev/full"), 0, 0).unwrap();
    assert!(matches!(log.write(b"12"), LogWrite::Lost { .. }));
    assert!(matches!(log.write(b"3"), LogWrite::StillLosing));
    // The same descriptor stays in use: a disk may have room at any moment.
    assert!(log.sink.is_some());
    log.path = Path::new("/dev/null").into();
    log.close();
    a_moment_later(&mut log);
    assert!(matches!(log.write(b"4"), LogWrite::Recovered { bytes: 3 }));
}

fn fifo() -> (TempDir, PathBuf) {
    let (folder, path) = folder();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    (folder, path)
}

fn reader(path: &Path) -> File {
    File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path).unwrap()
}

#[test]
fn a_fifo_is_written_to_while_somebody_reads() {
    let (_folder, path) = fifo();
    let mut log = RotatingFile::open(&path, 5, 1).unwrap();
    assert!(matches!(log.write(b"nobody"), LogWrite::Lost { .. }));
    let mut first = reader(&path);
    a_moment_later(&mut log);
    assert!(matches!(log.write(b"somebody"), LogWrite::Recovered { bytes: 6 }));
    let mut buffer = [0; 100];
    assert_eq!(first.read(&mut buffer).unwrap(), 8);
    drop(first);
    assert!(matches!(log.write(b"gone"), LogWrite::Lost { .. }));
    let _second = reader(&path);
    a_moment_later(&mut log);
    assert!(matches!(log.write(b"back"), LogWrite::Recovered { bytes: 4 }));
    // It is neither rotated nor removed.
    log.remove_and_reopen().unwrap();
    assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
    assert!(!numbered(&path, 1).exists());
}

#[test]
fn a_reader_that_sleeps_costs_a_moment_once() {
    let (_folder, path) = fifo();
    let mut reader = reader(&path);
    let mut log = RotatingFile::open(&path, 0, 0).unwrap();
    let start = Instant::now();
    let big = vec![b'x'; 1 << 20];
    assert!(matches!(log.write(&big), LogWrite::Lost { .. }));
    for _ in 0..100 {
        assert!(matches!(log.write(&big), LogWrite::StillLosing));
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    let mut buffer = vec![0; 1 << 20];
    assert!(reader.read(&mut buffer).unwrap() > 0);
    assert!(matches!(log.write(b"y"), LogWrite::Recovered { .. }));
}

#[test]
fn a_link_to_a_standard_stream_is_left_alone() {
    let (_folder, path) = folder();
    std::os::unix::fs::symlink("/dev/stderr", &path).unwrap();
    let mut log = RotatingFile::open(&path, 1, 1).unwrap();
    log.remove_and_reopen().unwrap();
    assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/stderr"));
    assert!(is_special(Path::new("/dev/stdout")));
    assert!(is_special(Path::new("/proc/self/fd/1")));
}

#[test]
fn a_file_passes_its_size_by_one_line_at_most_however_much_is_written_at_once() {
    let (folder, path) = folder();
    let mut log = RotatingFile::open(&path, 1000, 100).unwrap();
    let lines: String = (0..2000).map(|n| format!("line {n} {}\n", "x".repeat(n % 37))).collect();
    let longest = lines.split_inclusive('\n').map(str::len).max().unwrap();
    for chunk in lines.as_bytes().chunks(4099) {
        assert!(matches!(log.write(chunk), LogWrite::All));
    }
    let files: Vec<String> = (1..=100)
        .rev()
        .map(|number| numbered(&path, number))
        .chain([path.clone()])
        .filter(|file| file.exists())
        .map(|file| text(&file))
        .collect();
    assert_eq!(files.len(), fs::read_dir(folder.path()).unwrap().count());
    for file in &files {
        assert!(file.len() < 1000 + longest, "{}", file.len());
    }
    for file in &files[..files.len() - 1] {
        assert!(file.len() >= 1000, "{file:?}");
    }
    let kept = files.concat();
    assert!(lines.ends_with(&kept) && kept.len() > 40_000, "{}", kept.len());
}

#[test]
fn what_has_no_end_of_line_stays_together() {
    let (_folder, path) = folder();
    let mut log = RotatingFile::open(&path, 10, 2).unwrap();
    assert!(matches!(log.write(&[b'x'; 1000]), LogWrite::All));
    assert_eq!(text(&numbered(&path, 1)).len(), 1000);
    // The size that the file had before counts too.
    fs::write(&path, "12345678").unwrap();
    let mut log = RotatingFile::open(&path, 10, 2).unwrap();
    assert!(matches!(log.write(b"9\n10\n"), LogWrite::All));
    assert_eq!((text(&numbered(&path, 1)), text(&path)), ("123456789\n".to_owned(), "10\n".to_owned()));
}

#[test]
fn a_backup_that_is_no_regular_file_is_not_replaced() {
    let (_folder, path) = folder();
    let mut log = RotatingFile::open(&path, 5, 1).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, numbered(&path, 1), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    let LogWrite::NotRotated { why } = log.write(b"12345\n") else { panic!() };
    assert!(why.to_string().ends_with("x.log.1 is no regular file"), "{why}");
    assert!(fs::metadata(numbered(&path, 1)).unwrap().file_type().is_fifo());
    assert_eq!(text(&path), "12345\n");
}
