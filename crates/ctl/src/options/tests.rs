//! Command lines and configurations as users have them.

use super::*;

use std::fs;

fn wish(args: &[&str]) -> Invocation {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    parse("supervisorctl", &args)
}

fn refused(args: &[&str]) -> String {
    match wish(args) {
        Invocation::Refused(message) => message,
        other => panic!("{args:?}: {other:?}"),
    }
}

/// The options of a command line over a configuration of this text.
fn over(text: &str, args: &[&str]) -> Invocation {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.conf");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    wish(&[["-c", file].as_slice(), args].concat())
}

fn options(wish: Invocation) -> Options {
    match wish {
        Invocation::Once(options, _) | Invocation::Shell(options) => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_version_is_ours_and_in_whose_place_we_are() {
    let Invocation::Help(text) = parse("supervisorctl", &["--version".to_owned()]) else { panic!("no text") };
    assert!(
        text.starts_with("ironlance ") && text.ends_with(", in the place of Supervisor 4.3.0\n"),
        "{text}"
    );
}

#[test]
fn the_command_line_goes_before_the_configuration() {
    let text = "[supervisorctl]\nserverurl=unix:///a/../s.sock\nusername=u\npassword=p\nprompt=x\n";
    let read = options(over(text, &["status"]));
    assert_eq!(read.serverurl, "unix:///s.sock");
    assert_eq!((read.username.as_deref(), read.password.as_deref()), (Some("u"), Some("p")));
    assert_eq!((read.prompt.as_str(), read.interactive), ("x", false));
    let read = options(over(text, &["-shttp://h:1", "-u", "v", "--pass=q", "-r", "/h", "-i", "status"]));
    assert_eq!(read.serverurl, "http://h:1");
    assert_eq!((read.username.as_deref(), read.password.as_deref()), (Some("v"), Some("q")));
    assert_eq!((read.history_file, read.interactive), (Some("/h".into()), true));
}

#[test]
fn without_words_it_is_a_shell_and_words_are_one_line() {
    assert!(matches!(over("[supervisorctl]", &[]), Invocation::Shell(Options { interactive: true, .. })));
    match over("[supervisorctl]", &["start", "a b", "-x"]) {
        Invocation::Once(options, line) => {
            assert_eq!(line, "start a b -x");
            assert_eq!((options.serverurl.as_str(), options.prompt.as_str()), (DEFAULT_URL, DEFAULT_PROMPT));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_understood_is_refused_in_the_originals_words() {
    for (args, message) in [
        (["-Z", "x"], "option -Z not recognized"),
        (["--nope", "x"], "option --nope not recognized"),
        (["-i", "-i"], "conflicting command line option '-i'"),
        (["-s", "foo"], "invalid value for -s 'foo': value 'foo' is not a URL"),
        (["--serverurl", "unix://"], "invalid value for --serverurl 'unix://': value 'unix://' is not a URL"),
        (["-c", "/nope/c.conf"], "could not find config file /nope/c.conf"),
        (["-c", "/etc/passwd/c.conf"], "could not find config file /etc/passwd/c.conf"),
        (["-i", "-c"], "option -c requires argument"),
    ] {
        assert_eq!(refused(&args), message);
    }
    assert_eq!(
        match over("[supervisord]", &["status"]) {
            Invocation::Refused(message) => message,
            other => panic!("{other:?}"),
        },
        ".ini file does not include supervisorctl section"
    );
}

#[test]
fn urls_are_what_python_takes_for_one() {
    let given = |text: &str| OptionArg { name: "-s".to_owned(), value: Some(text.to_owned()) };
    for text in ["http://h", "unix:///s", "x:y", "http:/p"] {
        assert!(url(&given(text)).is_ok(), "{text}");
    }
    for text in ["", "h", "://h", "http://", "http:", "1x:y", "http://?q"] {
        assert!(url(&given(text)).is_err(), "{text}");
    }
}

#[test]
fn the_help_is_what_programs_look_for() {
    for args in [["-h"], ["-?"], ["--help"]] {
        let Invocation::Help(text) = wish(&args) else { panic!("{args:?}") };
        assert!(text.starts_with("supervisorctl -- control applications"));
        assert!(text.contains("-i/--interactive -- start an interactive"));
        assert!(text.contains("Usage: supervisorctl [options] [action [arguments]]"));
    }
}

#[test]
fn the_password_is_not_shown() {
    let text = format!("{:?}", over("[supervisorctl]\npassword=secret", &["status"]));
    assert!(!text.contains("secret"), "{text}");
}
