//! Sockets, as a second daemon and a user with `ls -l` see them.

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt;

use super::*;
use ironlance_config::{Credentials, Password};

#[derive(Default)]
struct Lines(RefCell<Vec<String>>);

impl DaemonLog for Lines {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn log(&self, level: Level, text: &str) {
        self.0.borrow_mut().push(format!("{} {text}", level.tag()));
    }
}

fn unix(path: &Path, mode: u32) -> HttpServer {
    let address = ServerAddress::Unix { path: path.to_owned(), mode, owner: None };
    HttpServer {
        section: "unix_http_server".into(),
        address,
        credentials: None,
        allow_anonymous_changes: false,
        allowed_hosts: Vec::new(),
    }
}

fn tcp(host: &str, credentials: Option<Credentials>) -> HttpServer {
    let address = ServerAddress::Tcp { host: host.into(), port: 0 };
    HttpServer {
        section: "inet_http_server".into(),
        address,
        credentials,
        allow_anonymous_changes: false,
        allowed_hosts: Vec::new(),
    }
}

fn opened(server: &HttpServer) -> Result<BoundServer, OpenError> {
    open(std::slice::from_ref(server), &[], &Lines::default()).map(|mut all| all.remove(0))
}

#[test]
fn a_unix_socket_has_its_mode_whatever_the_umask_and_goes_when_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o700, 0o777, 0o660] {
        let path = folder.path().join("sock");
        let listening = opened(&unix(&path, mode)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the socket is left in the folder");
        assert!(unix::UnixStream::connect(&path).is_ok());
        drop(listening);
        assert!(!path.exists());
    }
}

#[test]
fn a_live_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sock");
    let first = opened(&unix(&path, 0o700)).unwrap();
    let error = opened(&unix(&path, 0o700)).err().unwrap();
    assert!(matches!(error, OpenError::InUse));
    assert_eq!(
        error.to_string(),
        "Another program is already listening on a port that one of our HTTP servers is configured to use.  Shut \
         this program down first before starting supervisord."
    );
    assert!(unix::UnixStream::connect(&path).is_ok());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    drop(first);
}

#[test]
fn a_stale_socket_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sock");
    drop(unix::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listening = opened(&unix(&path, 0o700)).unwrap();
    assert!(unix::UnixStream::connect(&path).is_ok());
    drop(listening);
}

#[test]
fn a_file_at_the_sockets_path_makes_room_and_what_it_holds_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sock");
    for (text, names) in [("", 1), ("data", 2)] {
        fs::write(&path, text).unwrap();
        let listening = opened(&unix(&path, 0o700)).unwrap();
        assert!(unix::UnixStream::connect(&path).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), names);
        drop(listening);
    }
    assert_eq!(fs::read_to_string(folder.path().join("sock.kept-1")).unwrap(), "data");
}

#[test]
fn a_folder_at_the_sockets_path_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let error = opened(&unix(folder.path(), 0o700)).err().unwrap();
    assert!(error.to_string().ends_with(" is there already and is a folder or a device"), "{error}");
    assert!(folder.path().is_dir());
}

/// As many servers as `wanted`, on the sockets of `before` where they have the same address.
fn again(wanted: &[HttpServer], before: &[BoundServer]) -> Result<Vec<BoundServer>, OpenError> {
    let kept: Vec<InheritedSocket> = before.iter().map(|listening| listening.duplicate().unwrap()).collect();
    open(wanted, &kept, &Lines::default())
}

#[test]
fn a_server_at_the_same_address_has_its_socket_again_and_one_that_is_gone_loses_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (stays, goes) = (folder.path().join("stays"), folder.path().join("goes"));
    let before = open(&[unix(&stays, 0o700), unix(&goes, 0o700)], &[], &Lines::default()).unwrap();
    let inode = fs::metadata(&stays).unwrap().ino();
    let mut client = unix::UnixStream::connect(&stays).unwrap();
    let after = again(&[unix(&stays, 0o700)], &before).unwrap();
    drop(before);
    assert!(!goes.exists());
    assert_eq!(fs::metadata(&stays).unwrap().ino(), inode);
    // Who has come between the two lives is served by the second.
    let ListeningSocket::Unix(socket) = &after[0].socket else { panic!() };
    let (mut accepted, _) = socket.accept().unwrap();
    std::io::Write::write_all(&mut client, b"x").unwrap();
    std::io::Read::read_exact(&mut accepted, &mut [0]).unwrap();
    drop(after);
    assert!(!stays.exists());
}

#[test]
fn a_socket_with_other_permissions_takes_the_name_only_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sock");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    let before = open(&[unix(&path, 0o700)], &[], &Lines::default()).unwrap();
    drop(again(&[unix(&path, 0o770)], &before).unwrap());
    let mut after = again(&[unix(&path, 0o770)], &before).unwrap();
    assert_eq!(mode(), 0o700);
    after[0].take_over_path(&Lines::default());
    assert_eq!(mode(), 0o770);
    drop(before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    drop(after);
    assert!(!path.exists());
}

#[test]
fn a_port_of_our_own_can_be_bound_more_narrowly_and_one_of_somebody_else_cannot() {
    let before = open(&[tcp("", None)], &[], &Lines::default()).unwrap();
    let at = |host: &str, port| {
        let address = ServerAddress::Tcp { host: host.into(), port };
        HttpServer { address, ..tcp("", None) }
    };
    let port = before[0].port().unwrap();
    let after = again(&[at("127.0.0.1", port)], &before).unwrap();
    drop(before);
    assert!(net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    // Neither of them shares its port with others afterwards.
    assert!(matches!(opened(&at("", port)), Err(OpenError::InUse)));
    let taken = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = at("127.0.0.1", taken.local_addr().unwrap().port());
    let _keep = net::TcpListener::bind(display_address(&taken.address));
    assert!(matches!(again(&[taken], &after), Err(OpenError::InUse)));
}

#[test]
fn who_owns_the_sockets_folder_gets_no_file_of_roots() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "of root").unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    let path = theirs.join("sock");
    let owner = ironlance_config::SocketOwner { uid: Some(12_345), gid: None };
    let address = ServerAddress::Unix { path: path.clone(), mode: 0o777, owner: Some(owner) };
    let server = HttpServer {
        section: "unix_http_server".into(),
        address,
        credentials: None,
        allow_anonymous_changes: false,
        allowed_hosts: Vec::new(),
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // As fast as it can, somebody puts a link to the secret wherever a name comes up.
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for entry in fs::read_dir(&theirs).unwrap().flatten() {
                    let link = theirs.join("planted");
                    let _ = std::os::unix::fs::symlink(&secret, &link);
                    let _ = fs::rename(&link, entry.path());
                }
            }
        });
        for _ in 0..300 {
            // Some of these fail as their name is taken away.
            drop(opened(&server));
            let _ = fs::remove_file(&path);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let found = fs::metadata(&secret).unwrap();
    assert_eq!((found.uid(), found.permissions().mode() & 0o777), (0, 0o600));
    assert_eq!(fs::read_to_string(&secret).unwrap(), "of root");
}

#[test]
fn a_socket_that_somebody_else_has_put_in_our_place_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sock");
    let listening = opened(&unix(&path, 0o700)).unwrap();
    fs::remove_file(&path).unwrap();
    let other = unix::UnixListener::bind(&path).unwrap();
    drop(listening);
    assert!(path.exists());
    drop(other);
}

#[test]
fn a_taken_port_is_refused_in_the_words_of_the_original() {
    let taken = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = ServerAddress::Tcp { host: "127.0.0.1".into(), port: taken.local_addr().unwrap().port() };
    let server = HttpServer { address, ..tcp("", None) };
    assert!(matches!(opened(&server), Err(OpenError::InUse)));
}

#[test]
fn the_log_says_which_server_cannot_be_opened_and_why() {
    let taken = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let address = ServerAddress::Tcp { host: "127.0.0.1".into(), port };
    for (server, line) in [
        (
            unix(Path::new("/nonexistent/sock"), 0o700),
            "ERRO [unix_http_server] cannot listen at /nonexistent/sock: No such file or directory (os error 2)"
                .to_owned(),
        ),
        (
            HttpServer { address, ..tcp("", None) },
            format!("ERRO [inet_http_server] cannot listen at 127.0.0.1:{port}: another program listens there"),
        ),
    ] {
        let lines = Lines::default();
        assert!(open(&[server], &[], &lines).is_err());
        assert_eq!(lines.0.into_inner(), [line]);
    }
}

#[test]
fn what_the_system_refuses_is_named_as_the_original_names_it() {
    let error = opened(&unix(Path::new("/nonexistent/sock"), 0o700)).err().unwrap();
    assert_eq!(error.to_string(), "Cannot open an HTTP server: socket.error reported errno.ENOENT (2)");
    let error = opened(&unix(Path::new(&format!("/tmp/{}", "x".repeat(120))), 0o700)).err().unwrap();
    assert!(error.to_string().ends_with("AF_UNIX path too long"), "{error}");
}

#[test]
fn only_a_server_open_to_the_world_without_a_password_is_restricted() {
    let credentials = Some(Credentials { username: "u".into(), password: Password::Plain("p".into()) });
    let cases = [
        ("127.0.0.1", None, Access::Full),
        ("localhost", None, Access::Full),
        ("", None, Access::ReadOnly),
        ("0.0.0.0", None, Access::ReadOnly),
        ("", credentials, Access::Full),
    ];
    for (host, credentials, access) in cases {
        assert_eq!(opened(&tcp(host, credentials)).unwrap().access, access, "{host}");
    }
    let meant = HttpServer { allow_anonymous_changes: true, ..tcp("", None) };
    assert_eq!(opened(&meant).unwrap().access, Access::Full);
}

#[test]
fn an_address_of_ip_6_is_listened_on_with_and_without_its_brackets() {
    // Not every machine has it.
    let has_it = net::TcpListener::bind(("::1", 0)).is_ok();
    for host in ["::1", "[::1]"].into_iter().filter(|_| has_it) {
        let listening = opened(&tcp(host, None)).unwrap();
        assert_eq!(listening.access, Access::Full);
        let port = listening.port().unwrap();
        assert!(net::TcpStream::connect(("::1", port)).is_ok());
        assert!(net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }
    if has_it {
        assert_eq!(opened(&tcp("[::]", None)).unwrap().access, Access::ReadOnly);
    }
    for host in ["[]", "[127.0.0.1]", "[::1", "[localhost]"] {
        assert!(matches!(opened(&tcp(host, None)), Err(OpenError::NoSuchHost)), "{host}");
    }
}

#[test]
fn the_log_says_what_is_open() {
    let lines = Lines::default();
    let listening = open(&[tcp("", None)], &[], &lines).unwrap();
    listening[0].log_opened(&["supervisor".to_owned()], &lines);
    let lines = lines.0.into_inner();
    assert_eq!(lines[0], "INFO RPC interface 'supervisor' initialized");
    assert_eq!(lines[1], "CRIT Server 'inet_http_server' running without any HTTP authentication checking");
    assert!(lines[2].starts_with("WARN [inet_http_server] can be reached from other hosts"), "{}", lines[2]);
}
