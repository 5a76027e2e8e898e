//! Real children, one at a time, and what they see of their surroundings.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ironlance_core::process::exit_status::ExitStatus;
use nix::unistd::{User, getuid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};

use super::*;
use crate::child::fcgi_socket::FastCgiSocket;
use crate::child::identity::UserSwitch;
use crate::child::pipes::{self, ReadOutcome};

const DEADLINE: Duration = Duration::from_secs(20);

/// What a child wrote, and how it ended.
struct Ended {
    pid: u32,
    stdout: String,
    stderr: String,
    status: ExitStatus,
    failure: Option<String>,
}

fn options<'a>(file: &'a str, argv: &'a [String]) -> SpawnOptions<'a> {
    SpawnOptions {
        file: Path::new(file),
        argv,
        environment: &[],
        directory: None,
        umask: None,
        identity: None,
        stdin: StdinSource::Pipe,
        stderr: StderrTarget::Pipe,
        nofile: None,
    }
}

fn argument_array(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn shell(script: &str) -> Vec<String> {
    argument_array(&["sh", "-c", script])
}

fn run(options: &SpawnOptions<'_>) -> Ended {
    let error_pipe = ExecErrorPipe::new().unwrap();
    let mut child = spawn(options, &error_pipe).unwrap();
    child.stdin = None;
    let stdout = all(&child.stdout);
    let stderr = child.stderr.as_ref().map(all).unwrap_or_default();
    let status = reap(child.pid);
    let failure = error_pipe.take(child.pid);
    Ended { pid: child.pid, stdout, stderr, status, failure }
}

fn wait_until(fd: impl AsFd, flags: PollFlags) {
    let deadline = Timespec::try_from(DEADLINE).unwrap();
    assert_eq!(poll(&mut [PollFd::new(&fd, flags)], Some(&deadline)), Ok(1), "nothing came in time");
}

fn all(fd: &OwnedFd) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match pipes::read(fd.as_fd(), &mut buffer) {
            ReadOutcome::Bytes(count) => text.extend_from_slice(&buffer[..count]),
            ReadOutcome::Empty => wait_until(fd, PollFlags::IN),
            ReadOutcome::Closed => return String::from_utf8(text).unwrap(),
        }
    }
}

/// Reaps this child only: other tests have children too.
fn reap(pid: u32) -> ExitStatus {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    wait_until(pidfd_open(pid, PidfdFlags::empty()).unwrap(), PollFlags::IN);
    let (_, status) = waitpid(Some(pid), WaitOptions::NOHANG).unwrap().unwrap();
    ExitStatus::from_wait(status.as_raw())
}

#[test]
fn a_child_has_its_arguments_and_nothing_but_its_environment() {
    let argv = shell("echo \"$0 $1 $X-$Y\"; tr '\\0' '\\n' < /proc/self/environ; exit 3");
    let argv: Vec<String> = argv.into_iter().chain(argument_array(&["a b", "ü"])).collect();
    let environment = [("X".into(), "1=2".into()), ("Y".into(), "".into())];
    let ended = run(&SpawnOptions { environment: &environment, ..options("/bin/sh", &argv) });
    let mut lines = ended.stdout.lines();
    assert_eq!(lines.next(), Some("a b ü 1=2-"));
    let seen: BTreeSet<_> =
        lines.filter(|line| !line.starts_with("PWD=") && !line.starts_with("_=")).collect();
    assert_eq!(seen, BTreeSet::from(["X=1=2", "Y="]));
    assert_eq!((ended.status, ended.failure), (ExitStatus::Code(3), None));
}

#[test]
fn what_a_child_reads_comes_from_us_and_ends_with_us() {
    let error_pipe = ExecErrorPipe::new().unwrap();
    let argv = argument_array(&["cat"]);
    let mut child = spawn(&options("/bin/cat", &argv), &error_pipe).unwrap();
    let stdin = child.stdin.take().unwrap();
    assert_eq!(pipes::write(stdin.as_fd(), b"hello"), pipes::WriteOutcome::Bytes(5));
    drop(stdin);
    assert_eq!(all(&child.stdout), "hello");
    assert_eq!(reap(child.pid), ExitStatus::Code(0));
}

#[test]
fn errors_go_to_a_pipe_of_their_own_or_with_the_rest() {
    let argv = shell("echo out; echo err >&2");
    let apart = run(&options("/bin/sh", &argv));
    assert_eq!((apart.stdout.as_str(), apart.stderr.as_str()), ("out\n", "err\n"));
    let together = run(&SpawnOptions { stderr: StderrTarget::SameAsStdout, ..options("/bin/sh", &argv) });
    assert_eq!((together.stdout.as_str(), together.stderr.as_str()), ("out\nerr\n", ""));
}

#[test]
fn a_child_has_no_descriptors_but_the_three_and_these_block() {
    // Without close-on-exec, as a careless parent may leave it to us.
    let file = fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let argv =
        shell("ls /proc/self/fd; grep flags /proc/self/fdinfo/0 /proc/self/fdinfo/1 /proc/self/fdinfo/2");
    let environment = [("PATH".into(), "/bin:/usr/bin".into())];
    let ended = run(&SpawnOptions { environment: &environment, ..options("/bin/sh", &argv) });
    let lines: Vec<_> = ended.stdout.lines().collect();
    // The fourth is the folder that ls has open.
    assert_eq!(lines[..4], ["0", "1", "2", "3"], "{}", ended.stdout);
    assert_eq!(lines.len(), 7, "{}", ended.stdout);
    for line in &lines[4..] {
        let flags = u32::from_str_radix(line.rsplit('\t').next().unwrap(), 8).unwrap();
        assert_eq!(flags & OFlags::NONBLOCK.bits(), 0, "{line}");
    }
}

#[test]
fn a_child_leads_a_process_group_from_the_first_moment() {
    let error_pipe = ExecErrorPipe::new().unwrap();
    let argv = argument_array(&["sleep", "100"]);
    let child = spawn(&options("/bin/sleep", &argv), &error_pipe).unwrap();
    let pid = Pid::from_raw(i32::try_from(child.pid).unwrap()).unwrap();
    assert_eq!(rustix::process::getpgid(Some(pid)), Ok(pid));
    rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(reap(child.pid), ExitStatus::Signal { number: 9, core: false });
}

#[test]
fn a_child_starts_with_default_signals_whatever_we_block_or_ignore() {
    let argv = shell("grep -E 'Sig(Blk|Ign)' /proc/self/status");
    let environment = [("PATH".into(), "/bin:/usr/bin".into())];
    let mut set = nix::sys::signal::SigSet::empty();
    set.add(nix::sys::signal::Signal::SIGUSR2);
    set.thread_block().unwrap();
    let ended = run(&SpawnOptions { environment: &environment, ..options("/bin/sh", &argv) });
    set.thread_unblock().unwrap();
    let sets: Vec<u64> = ended
        .stdout
        .lines()
        .map(|line| u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap())
        // Signals 32 and 33 are the C library's own and cannot be set.
        .map(|set| set & !(0b11 << 31))
        .collect();
    let ignored = 1 << (nix::libc::SIGPIPE - 1) | 1 << (nix::libc::SIGXFSZ - 1);
    assert_eq!(sets, [0, ignored], "{}", ended.stdout);
}

#[test]
fn umask_folder_and_limit_are_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let argv = shell("umask; pwd; ulimit -Sn; ulimit -Hn");
    let ended = run(&SpawnOptions {
        umask: Some(0o027),
        directory: Some(folder.path()),
        nofile: Some(77),
        ..options("/bin/sh", &argv)
    });
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let path = folder.path().canonicalize().unwrap();
    assert_eq!(ended.stdout, format!("0027\n{}\n77\n{hard}\n", path.display()));
}

fn not_spawned(ended: &Ended, words: &str) {
    assert_eq!(ended.stderr, format!("supervisor: {words}\nsupervisor: child process was not spawned\n"));
    assert_eq!(ended.failure.as_deref(), Some(words));
    assert_eq!(ended.status, ExitStatus::Code(127));
    assert_eq!(ended.stdout, "");
    assert!(ended.pid > 0);
}

#[test]
fn a_program_that_cannot_be_executed_is_reported_in_the_originals_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text");
    fs::write(&file, "no program").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let argv = argument_array(&["./text", "x"]);
    not_spawned(&run(&options(file.to_str().unwrap(), &argv)), "couldn't exec ./text: ENOEXEC");
    not_spawned(&run(&options("/no/such", &argv)), "couldn't exec ./text: ENOENT");
    let together = run(&SpawnOptions { stderr: StderrTarget::SameAsStdout, ..options("/no/such", &argv) });
    assert!(together.stdout.starts_with("supervisor: couldn't exec ./text: ENOENT\n"), "{}", together.stdout);
}

#[test]
fn a_folder_that_is_missing_is_reported_in_the_originals_words() {
    let argv = argument_array(&["true"]);
    let options = SpawnOptions { directory: Some(Path::new("/no/such")), ..options("/bin/true", &argv) };
    not_spawned(&run(&options), "couldn't chdir to /no/such: ENOENT");
}

#[test]
fn a_user_that_is_unknown_is_reported_in_the_originals_words() {
    let argv = argument_array(&["true"]);
    let nobody = Identity::look_up(3_999_999_999);
    let options = SpawnOptions { identity: Some(&nobody), ..options("/bin/true", &argv) };
    not_spawned(&run(&options), "couldn't setuid to 3999999999: Can't find uid 3999999999");
}

#[test]
fn root_starts_a_program_as_another_user_and_others_are_refused() {
    let other = User::from_name("daemon").unwrap().unwrap();
    let uid = other.uid.as_raw();
    let identity = Identity::look_up(uid);
    let argv = shell("grep -E '^(Uid|Gid|Groups)' /proc/self/status | tr -s '\\t ' ' '");
    let environment = [("PATH".into(), "/bin:/usr/bin".into())];
    let ended = run(&SpawnOptions {
        identity: Some(&identity),
        environment: &environment,
        ..options("/bin/sh", &argv)
    });
    if !getuid().is_root() {
        return not_spawned(
            &ended,
            &format!("couldn't setuid to {uid}: Can't drop privilege as nonroot user"),
        );
    }
    let UserSwitch::Switch { gid, groups } = &identity.switch else { panic!() };
    let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
    let wanted =
        format!("Uid: {uid} {uid} {uid} {uid}\nGid: {gid} {gid} {gid} {gid}\nGroups: {}\n", groups.join(" "));
    assert_eq!(ended.stdout.replace(" \n", "\n"), wanted, "{}", ended.stderr);
}

#[test]
fn a_group_that_cannot_be_set_is_reported_with_its_errno() {
    let identity = Identity { uid: 1, switch: UserSwitch::Switch { gid: u32::MAX, groups: vec![1] } };
    let argv = argument_array(&["true"]);
    let ended = run(&SpawnOptions { identity: Some(&identity), ..options("/bin/true", &argv) });
    let words = if getuid().is_root() { "EINVAL" } else { "EPERM" };
    not_spawned(&ended, &format!("couldn't setuid to 1: {words}"));
}

#[test]
fn a_fastcgi_program_has_the_socket_as_its_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let socket = ironlance_config::FcgiSocket {
        url: format!("unix://{}", path.display()),
        address: ironlance_config::SocketAddress::Unix { path, owner: None, mode: None },
        backlog: None,
    };
    let socket = FastCgiSocket::open(&socket, None, &mut |_, _| {}).unwrap();
    let argv = shell("readlink /proc/self/fd/0");
    let environment = [("PATH".into(), "/bin:/usr/bin".into())];
    let options = SpawnOptions {
        stdin: StdinSource::Socket(socket.as_fd()),
        environment: &environment,
        ..options("/bin/sh", &argv)
    };
    let error_pipe = ExecErrorPipe::new().unwrap();
    let child = spawn(&options, &error_pipe).unwrap();
    assert!(child.stdin.is_none());
    assert!(all(&child.stdout).starts_with("socket:"));
    assert_eq!(reap(child.pid), ExitStatus::Code(0));
}

#[test]
fn a_zero_byte_is_refused_before_there_is_a_child() {
    let error_pipe = ExecErrorPipe::new().unwrap();
    let argv = argument_array(&["true", "a\0b"]);
    let refused = spawn(&options("/bin/true", &argv), &error_pipe).unwrap_err();
    assert_eq!(refused.message("web"), "cannot start 'web' with a zero byte in \"a\\0b\"");
    let folder = PathBuf::from("/a\0b");
    let argv = argument_array(&["true"]);
    let options = SpawnOptions { directory: Some(&folder), ..options("/bin/true", &argv) };
    assert!(matches!(spawn(&options, &error_pipe), Err(SpawnError::NulByte(_))));
}

#[test]
fn what_the_kernel_refuses_is_reported_in_the_originals_words() {
    let of = |code| io::Error::from_raw_os_error(code);
    let errno = |errno: rustix::io::Errno| errno.raw_os_error();
    use rustix::io::Errno;
    let words = SpawnError::Pipes(of(errno(Errno::MFILE))).message("web");
    assert_eq!(words, "too many open files to spawn 'web'");
    let words = SpawnError::Pipes(of(errno(Errno::NFILE))).message("web");
    assert_eq!(words, "unknown error making dispatchers for 'web': ENFILE");
    let words = SpawnError::Fork(of(errno(Errno::AGAIN))).message("web");
    assert_eq!(words, "Too many processes in process table to spawn 'web'");
    let words = SpawnError::Fork(of(errno(Errno::NOMEM))).message("web");
    assert_eq!(words, "unknown error during fork for 'web': ENOMEM");
}

#[test]
fn two_hundred_children_are_started_in_a_moment() {
    let error_pipe = ExecErrorPipe::new().unwrap();
    let argv = argument_array(&["true"]);
    let start = Instant::now();
    let children: Vec<SpawnedChild> =
        (0..200).map(|_| spawn(&options("/bin/true", &argv), &error_pipe).unwrap()).collect();
    let spawned = start.elapsed();
    for child in &children {
        assert_eq!(reap(child.pid), ExitStatus::Code(0));
    }
    eprintln!("200 children: started in {spawned:?}, ended after {:?}", start.elapsed());
    assert!(start.elapsed() < DEADLINE);
}
