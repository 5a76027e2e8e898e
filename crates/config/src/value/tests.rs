//! Held against datatypes.py of Supervisor 4.3.0 under CPython 3.11.

use std::path::PathBuf;

use super::*;

fn machine() -> HostEnv {
    HostEnv {
        environment: vec![("HOME".to_owned(), "/tmp".to_owned())],
        cwd: PathBuf::from("/"),
        host_node_name: "box".to_owned(),
        temp_dir: PathBuf::from("/tmp"),
        uid: 0,
    }
}

/// The value, or the original's words.
fn told<T>(result: Result<T, InvalidValue>) -> Result<T, String> {
    result.map_err(|bad| bad.original)
}

fn refused<T>(words: &str) -> Result<T, String> {
    Err(words.to_owned())
}

#[test]
fn sizes_have_suffixes_of_two_letters() {
    for (text, expected) in [
        ("0", Ok(0)),
        ("1kb", Ok(1024)),
        ("50MB", Ok(50 << 20)),
        ("2 Gb", Ok(2 << 30)),
        ("-1", Ok(-1)),
        ("9999999999999gb", Ok(i64::MAX)),
        ("1b", refused("invalid literal for int() with base 10: '1b'")),
        ("KB", refused("invalid literal for int() with base 10: ''")),
        ("1.5MB", refused("invalid literal for int() with base 10: '1.5'")),
    ] {
        assert_eq!(told(byte_size(text)), expected, "{text}");
    }
    assert_eq!(bytes("-1"), Ok(0));
    assert_eq!(backups("99999999999"), Ok(u32::MAX));
}

#[test]
fn truth_has_eight_words() {
    for text in ["yes", "True", "ON", "1"] {
        assert_eq!(boolean(text), Ok(true));
    }
    for text in ["no", "False", "off", "0"] {
        assert_eq!(boolean(text), Ok(false));
    }
    assert_eq!(told(boolean("y")), refused("not a valid boolean value: 'y'"));
    assert_eq!(told(boolean("")), refused("not a valid boolean value: ''"));
    assert_eq!(autorestart("Unexpected"), Ok(Autorestart::Unexpected));
    assert_eq!(told(autorestart("Maybe")), refused("invalid 'autorestart' value 'maybe'"));
}

#[test]
fn signals_go_by_name_or_number() {
    for (text, expected) in [
        ("TERM", Ok(15)),
        ("sigusr1", Ok(10)),
        (" 9 ", Ok(9)),
        ("NOPE", refused("value 'NOPE' is not a valid signal name")),
        ("99", refused("value '99' is not a valid signal number")),
    ] {
        assert_eq!(told(stop_signal(text)), expected, "{text}");
    }
}

#[test]
fn exit_statuses_are_bytes() {
    assert_eq!(exit_codes("0, 2,255"), Ok(vec![0, 2, 255]));
    assert_eq!(exit_codes(""), Ok(Vec::new()));
    for text in ["256", "-1", "a", "1,", " "] {
        let words = format!("not a valid list of exit codes: '{text}'");
        assert_eq!(told(exit_codes(text)), Err(words));
    }
}

#[test]
fn names_are_free_of_the_signs_that_the_wire_needs() {
    assert_eq!(name(" web "), Ok("web".to_owned()));
    assert_eq!(told(name("a b")), refused("Invalid name: 'a b' because of character: ' '"));
    assert_eq!(told(name("a:b/")), refused("Invalid name: 'a:b/' because of character: ':'"));
}

#[test]
fn addresses_have_a_port_and_maybe_a_host() {
    let any = |port| Ok((String::new(), port));
    for (text, expected) in [
        ("9001", any(9001)),
        (":9001", any(9001)),
        ("*:9001", any(9001)),
        ("LocalHost:80", Ok(("localhost".to_owned(), 80))),
        ("::1:80", Ok(("::1".to_owned(), 80))),
        ("x", refused("not a valid port number: 'x' ")),
        ("0", refused("not a valid port number: '0' ")),
        ("h:0", refused("0 is below lower bound (1)")),
        ("h:70000", refused("70000 is above upper bound (65535)")),
        ("h:", refused("no port number specified in ''")),
        ("h:x", refused("invalid literal for int() with base 10: 'x'")),
    ] {
        assert_eq!(told(inet_address(text)), expected, "{text}");
    }
}

#[test]
fn folders_and_the_folders_of_files_must_exist() {
    let machine = machine();
    assert_eq!(existing_folder("~", &machine), Ok("/tmp".to_owned()));
    assert_eq!(told(existing_folder("/nope", &machine)), refused("/nope is not an existing directory"));
    assert_eq!(told(existing_folder("", &machine)), refused(" is not an existing directory"));
    assert_eq!(file_in_folder("x", &machine), Ok("x".to_owned()));
    assert_eq!(
        told(file_in_folder("/nope/x", &machine)),
        refused("The directory named as part of the path /nope/x does not exist")
    );
    for (text, expected) in [
        ("AUTO", LogDestination::Target(LogTarget::Auto)),
        ("None", LogDestination::Target(LogTarget::None)),
        ("off", LogDestination::Target(LogTarget::None)),
        ("Syslog", LogDestination::Syslog),
        ("~/x", LogDestination::Target(LogTarget::File("/tmp/x".into()))),
    ] {
        assert_eq!(log_file(text, &machine), Ok(expected), "{text}");
    }
}

#[test]
fn users_and_owners_must_exist() {
    let accounts = Accounts::default();
    assert_eq!(user("root", &accounts), Ok(Account { uid: 0, gid: 0 }));
    assert_eq!(user("0", &accounts), Ok(Account { uid: 0, gid: 0 }));
    assert_eq!(told(user("nosuch", &accounts)), refused("Invalid user name nosuch"));
    assert_eq!(told(user("-1", &accounts)), refused("Invalid user id -1"));
    assert_eq!(told(user("4294967295", &accounts)), refused("Invalid user id 4294967295"));
    assert_eq!(owner("root", &accounts), Ok(SocketOwner { uid: Some(0), gid: None }));
    assert_eq!(owner("0:0", &accounts), Ok(SocketOwner { uid: Some(0), gid: Some(0) }));
    assert_eq!(told(owner("root:nosuch", &accounts)), refused("Invalid user:group definition root:nosuch"));
}

#[test]
fn a_value_is_shown_on_one_line_of_bounded_length() {
    assert_eq!(shown("a\nb\x1b"), "a\\nb\\u{1b}");
    assert_eq!(shown(""), "(nothing)");
    assert_eq!(shown(&"x".repeat(300)).chars().count(), SHOWN + 1);
}

#[test]
fn names_of_hosts_are_a_list_without_ports() {
    let names = |text| host_names(text).map_err(|bad| bad.what);
    assert_eq!(
        names("Status.Example, *.lan,.corp.example:9001\n*,  "),
        Err("cannot use as the name of a host: .corp.example:9001\\n*".to_owned())
    );
    let all = ["status.example", ".lan", ".corp.example", "*"].map(str::to_owned).to_vec();
    assert_eq!(names("Status.Example, *.lan,.corp.example:9001, *,"), Ok(all));
    assert_eq!(names(""), Ok(Vec::new()));
    for odd in ["http://status.example", "a b", "*x", ".", "a/b", "[::1]"] {
        assert!(names(odd).unwrap_err().starts_with("cannot use as the name of a host: "), "{odd}");
    }
}
