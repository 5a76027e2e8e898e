//! Files that are not there, not text, or too much of it.

use std::fs;

use super::*;

/// Opens a file of these bytes.
fn fault(bytes: &[u8]) -> ConfigFault {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.conf");
    fs::write(&path, bytes).unwrap();
    let machine = machine(folder.path());
    let faults = open(&path, IncludeMode::Follow, &machine).map(|_| ()).unwrap_err();
    assert_eq!(faults.0.len(), 1, "{faults}");
    faults.0[0].clone()
}

fn machine(cwd: &Path) -> HostEnv {
    HostEnv {
        environment: Vec::new(),
        cwd: cwd.to_owned(),
        host_node_name: "box".to_owned(),
        temp_dir: "/tmp".into(),
        uid: 0,
    }
}

/// What Python decodes at a time, with something `before` its end.
fn chunk(before: usize, bytes: &[u8]) -> Vec<u8> {
    let mut all = vec![b'#'; PYTHONS_CHUNK - before];
    all.extend_from_slice(bytes);
    all
}

#[test]
fn what_is_no_utf_8_is_one_fault_in_pythons_words() {
    for (bytes, words) in [
        (&b"[a]\nk=\xff"[..], "'utf-8' codec can't decode byte 0xff in position 6: invalid start byte"),
        (b"\xe2\x28", "'utf-8' codec can't decode byte 0xe2 in position 0: invalid continuation byte"),
        (b"\xe2\x82\x28", "'utf-8' codec can't decode bytes in position 0-1: invalid continuation byte"),
        (b"x\xe2", "'utf-8' codec can't decode byte 0xe2 in position 0: unexpected end of data"),
        (b"x\xe2\x82", "'utf-8' codec can't decode bytes in position 0-1: unexpected end of data"),
        (&chunk(0, b"\xff"), "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (&chunk(5, b"\xff"), "'utf-8' codec can't decode byte 0xff in position 8187: invalid start byte"),
        (
            &chunk(1, b"\xe2x"),
            "'utf-8' codec can't decode byte 0xe2 in position 0: invalid continuation byte",
        ),
        (
            &chunk(1, b"\xc3\xa9\xe2\x82"),
            "'utf-8' codec can't decode bytes in position 0-1: unexpected end of data",
        ),
        (b"\xed\xa0\x80", "'utf-8' codec can't decode byte 0xed in position 0: invalid continuation byte"),
    ] {
        let fault = fault(bytes);
        assert_eq!(fault.original, words);
        assert!(fault.what.starts_with("cannot read the file as UTF-8"), "{}", fault.what);
    }
}

#[test]
fn nul_bytes_marks_and_too_much_are_one_fault() {
    assert_eq!(fault(b"[a]\nk=\0\n").what, "cannot use a NUL byte: line 2");
    let wide = fault(b"\xff\xfe[\0a\0]\0");
    let words = "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte";
    assert_eq!((wide.what.as_str(), wide.original.as_str()), ("cannot use a NUL byte: line 1", words));
    assert!(fault("\u{feff}[a]\nk=v\n".as_bytes()).what.contains("byte order mark"));
    let huge = vec![b'#'; usize::try_from(MAX_FILE).unwrap() + 1];
    assert_eq!(fault(&huge).what, "cannot read the file: more than 16 MiB");
}

#[test]
fn a_file_that_is_not_there_and_one_that_is_a_folder_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let words = |path: &Path| {
        open(path, IncludeMode::Ignore, &machine).map(|_| ()).unwrap_err().original().to_owned()
    };
    assert_eq!(words(Path::new("nope.conf")), "could not find config file nope.conf");
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(words(Path::new("file/x.conf")), "could not find config file file/x.conf");
    let path = folder.path();
    assert_eq!(words(path), format!("could not read config file {}", path.display()));
}

#[test]
fn a_pipe_that_nobody_writes_to_and_a_device_without_end_are_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for (path, what) in [
        (fifo.as_path(), "cannot read the file: it is no regular file, and nothing comes from it"),
        (Path::new("/dev/zero"), "cannot read the file: more than 16 MiB"),
    ] {
        let faults = open(path, IncludeMode::Follow, &machine(folder.path())).map(|_| ()).unwrap_err();
        assert_eq!(faults.0.len(), 1);
        assert_eq!(faults.0[0].what, what);
        assert_eq!(faults.0[0].original, format!("could not read config file {}", path.display()));
    }
}
