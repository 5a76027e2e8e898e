//! Offsets and lengths; the results are those of readFile and tailFile of supervisor 4.3.0.

use std::fs;

use super::*;

fn with(text: &str, check: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, text).unwrap();
    check(&path);
}

#[test]
fn reading_has_the_rules_of_the_original() {
    with("0123456789", |path| {
        let read = |offset, length| {
            read_file(path, offset, length).map(|found| String::from_utf8(found.all().unwrap()).unwrap())
        };
        let table: &[(i64, i64, Result<&str, FaultKind>)] = &[
            (0, 0, Ok("0123456789")),
            (0, 4, Ok("0123")),
            (3, 4, Ok("3456")),
            (3, 0, Ok("3456789")),
            (8, 100, Ok("89")),
            (10, 1, Ok("")),
            (100, 0, Ok("")),
            (-3, 0, Ok("789")),
            (-100, 0, Ok("0123456789")),
            (-3, 1, Err(FaultKind::BadArguments)),
            (-3, -1, Err(FaultKind::BadArguments)),
            (0, -1, Err(FaultKind::BadArguments)),
            (0, i64::MAX, Ok("0123456789")),
            (i64::MIN, 0, Ok("0123456789")),
        ];
        for (offset, length, wanted) in table {
            assert_eq!(read(*offset, *length), wanted.map(str::to_owned), "{offset} {length}");
        }
    });
    assert_eq!(read_file(Path::new("/no/such"), -1, 1).err(), Some(FaultKind::Failed));
    assert_eq!(read_file(Path::new("/dev/zero"), 0, 0).err(), Some(FaultKind::Failed));
}

#[test]
fn tailing_has_the_rules_of_the_original() {
    with("0123456789", |path| {
        let tail = |offset, length| {
            let TailRange { range: end, offset, overflow } = tail_file(path, offset, length);
            let bytes = end.map_or(Vec::new(), |end| end.all().unwrap());
            (String::from_utf8(bytes).unwrap(), offset, overflow)
        };
        let table: &[(i64, i64, (&str, bool))] = &[
            (0, 0, ("", true)),
            (0, 4, ("6789", true)),
            (0, 10, ("0123456789", false)),
            (0, 100, ("0123456789", false)),
            (3, 4, ("6789", true)),
            (5, 5, ("56789", false)),
            (8, 2, ("89", false)),
            (8, 5, ("56789", false)),
            (9, 1, ("9", false)),
            (10, 0, ("", false)),
            (10, 4, ("", false)),
            (11, 4, ("", false)),
            (100, 4, ("", false)),
            (-5, 3, ("789", true)),
            (-20, 3, ("789", true)),
            (0, -3, ("", true)),
            (5, -3, ("", true)),
            (20, -3, ("", false)),
        ];
        for (offset, length, (bytes, overflow)) in table {
            assert_eq!(tail(*offset, *length), ((*bytes).to_owned(), 10, *overflow), "{offset} {length}");
        }
        tail(i64::MIN, i64::MIN);
        tail(i64::MAX, i64::MAX);
    });
    let TailRange { range: end, offset, overflow } = tail_file(Path::new("/no/such"), 7, 1);
    assert!(end.is_none() && offset == 7 && !overflow);
}

#[test]
fn an_excerpt_is_that_of_the_file_that_was_opened_and_comes_in_pieces() {
    with("0123456789", |path| {
        let mut excerpt = read_file(path, 2, 7).unwrap();
        fs::rename(path, path.with_extension("1")).unwrap();
        fs::write(path, "another file").unwrap();
        let mut pieces = Vec::new();
        while !excerpt.is_empty() {
            let mut piece = Vec::new();
            excerpt.read(3, &mut piece).unwrap();
            pieces.push(String::from_utf8(piece).unwrap());
        }
        assert_eq!(pieces, ["234", "567", "8"]);
    });
}

#[test]
fn what_is_added_later_is_not_read_and_what_is_cut_off_is_missed() {
    with("0123456789", |path| {
        let excerpt = read_file(path, 0, 0).unwrap();
        fs::write(path, "0123456789abc").unwrap();
        assert_eq!(excerpt.clone().all().unwrap(), b"0123456789");
        fs::write(path, "0123").unwrap();
        assert_eq!(excerpt.all().unwrap(), b"0123");
    });
}
