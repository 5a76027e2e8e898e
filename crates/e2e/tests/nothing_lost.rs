//! No alert is lost and none comes twice, whatever the mail server, the disk or a kill does.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use ironlance_e2e::mail_server::{CapturedMail, FakeMailServerOptions};
use ironlance_e2e::wait::pause;
use ironlance_e2e::{
    FakeMailServer, Implementation, Listener, MailText, Mailer, TIMEOUT, TestDir, WireEvent, until,
};

/// Far less than a mail server that hangs would cost: no listener waits for a mail before it says RESULT.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// Starts crashmail so that it sends to the server.
fn crashmail(dir: &TestDir, server: &FakeMailServer) -> anyhow::Result<Listener> {
    let url = format!("smtp://127.0.0.1:{}", server.port());
    listener(dir, "crashmail", &["-m", "ops@example.com", "--brief", "--smtp", &url])
}

fn listener(dir: &TestDir, name: &str, args: &[&str]) -> anyhow::Result<Listener> {
    let mut command = dir.ours(name)?;
    command
        .args(args)
        .env("SUPERVISOR_SERVER_URL", "unix:///nowhere")
        .env("SUPERVISOR_PROCESS_NAME", name)
        .env("SUPERVISOR_GROUP_NAME", name);
    Listener::start(command, dir.path("stderr"))
}

/// A crash that can be told from every other by its pid.
fn crash(number: u32) -> WireEvent {
    WireEvent::crashed("cat", number)
}

fn handle_quickly(listener: &mut Listener, event: &WireEvent) -> anyhow::Result<()> {
    let took = listener.handle(event)?;
    anyhow::ensure!(took < LONGEST_ANSWER, "took {took:?} to answer");
    Ok(())
}

/// How often each numbered crash has arrived.
fn arrivals(mails: &[CapturedMail]) -> HashMap<u32, usize> {
    let mut counts = HashMap::new();
    for mail in mails {
        for part in mail.content.split("(pid ").skip(1) {
            let number = part.split(')').next().and_then(|number| number.parse().ok());
            *counts.entry(number.unwrap_or(0)).or_default() += 1;
        }
    }
    counts
}

fn assert_each_once(server: &FakeMailServer, count: u32) -> anyhow::Result<()> {
    let wanted = usize::try_from(count)?;
    until(&format!("{count} crashes at the server"), TIMEOUT, || {
        Ok((arrivals(&server.mails()?).len() >= wanted).then_some(()))
    })?;
    // Long enough for a second delivery to show itself.
    pause(Duration::from_millis(200));
    let counts = arrivals(&server.mails()?);
    for number in 1..=count {
        anyhow::ensure!(counts.get(&number) == Some(&1), "crash {number}: {:?} times", counts.get(&number));
    }
    Ok(())
}

fn outbox(dir: &TestDir, args: &[&str]) -> anyhow::Result<String> {
    let mut command = dir.ours("ironlance")?;
    let output = command.arg("outbox").args(args).output().context("cannot run ironlance outbox")?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_server_that_fails_for_a_while_gets_everything_once() {
    for trouble in
        ["refuse", "hang", "banner 421 busy", "mail 451 later", "rcpt 450 later", "data 452 full", "cut"]
    {
        let dir = TestDir::new().unwrap();
        let surroundings = TestDir::new().unwrap();
        let mut server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
        server.set_behaviour(trouble).unwrap();
        let mut listener = crashmail(&dir, &server).unwrap();
        for number in 1..=5 {
            handle_quickly(&mut listener, &crash(number)).with_context(|| trouble).unwrap();
        }
        assert!(server.mails().unwrap().is_empty(), "{trouble}");
        if trouble != "hang" {
            // A hanging server is noticed by a time limit of half a minute only.
            listener.wait_stderr("Error sending email").unwrap();
        } else {
            // Whoever corrects it restarts the listener: the delivery that hangs must not be waited for.
            listener.kill().unwrap();
            for pid in dir.processes() {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        server.set_behaviour(if trouble == "refuse" { "listen" } else { "ok" }).unwrap();
        if trouble == "hang" {
            listener = crashmail(&dir, &server).unwrap();
        }
        assert_each_once(&server, 5).with_context(|| format!("{trouble}: {:?}", listener.stderr())).unwrap();
    }
}

#[test]
fn a_refusal_for_good_is_a_dead_letter_at_once_and_can_be_sent_again() {
    for trouble in ["mail 550 no", "rcpt 550 unknown user", "data 554 spam"] {
        let dir = TestDir::new().unwrap();
        let surroundings = TestDir::new().unwrap();
        let mut server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
        server.set_behaviour(trouble).unwrap();
        let mut listener = crashmail(&dir, &server).unwrap();
        handle_quickly(&mut listener, &crash(1)).unwrap();
        let reason = trouble.split_once(' ').unwrap().1;
        listener.wait_stderr(reason).unwrap();
        until("the dead letter", TIMEOUT, || Ok(outbox(&dir, &["list"])?.contains("dead").then_some(())))
            .unwrap();
        assert!(outbox(&dir, &["list"]).unwrap().contains(reason), "{trouble}");
        server.set_behaviour("ok").unwrap();
        let printed = outbox(&dir, &["retry", "--all"]).unwrap();
        assert_each_once(&server, 1).with_context(|| format!("{trouble}: {printed}")).unwrap();
    }
}

#[test]
fn one_refused_recipient_does_not_cost_the_others_their_mail() {
    let dir = TestDir::new().unwrap();
    let surroundings = TestDir::new().unwrap();
    let mut server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
    server.set_behaviour("rcpt 550 gone for b@example.com").unwrap();
    let url = format!("smtp://127.0.0.1:{}", server.port());
    let args = ["-m", "a@example.com,b@example.com,c@example.com", "--smtp", &url];
    let mut listener = listener(&dir, "crashmail", &args).unwrap();
    handle_quickly(&mut listener, &crash(1)).unwrap();
    assert_eq!(server.wait(1).unwrap()[0].to, "a@example.com, c@example.com");
    listener.wait_stderr("b@example.com").unwrap();
    assert_each_once(&server, 1).unwrap();
}

#[test]
fn a_mailer_that_is_missing_or_fails_is_tried_again_and_never_heard_on_stdout() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::that(&dir, "chatty", "echo RESULT 4; echo FAIL; echo noise >&2; exit 0").unwrap();
    let flag = dir.path("broken");
    // While the flag is there the command fails before it takes the mail.
    let command = format!("if test -e {}; then echo NO; exit 75; fi; {}", flag.display(), mailer.command());
    fs::write(&flag, "").unwrap();
    let mut listener = listener(&dir, "crashmail", &["-m", "ops@example.com", "-s", &command]).unwrap();
    for number in 1..=3 {
        handle_quickly(&mut listener, &crash(number)).unwrap();
    }
    listener.wait_stderr("75").unwrap();
    assert!(mailer.mails().unwrap().is_empty());
    fs::remove_file(&flag).unwrap();
    assert_eq!(mailer.wait(3).unwrap().len(), 3);
    handle_quickly(&mut listener, &crash(4)).unwrap();
    assert_eq!(mailer.wait(4).unwrap().len(), 4);
    listener.wait_stderr("noise").unwrap();
    listener.ready().unwrap();
    assert_eq!(listener.close().unwrap(), Some(0));
    assert_eq!(listener.rest_of_stdout(), "");
}

#[test]
fn a_mailer_that_does_not_exist_is_named_and_the_mail_kept() {
    let dir = TestDir::new().unwrap();
    let mut listener =
        listener(&dir, "crashmail", &["-m", "ops@example.com", "-s", "/nowhere/sendmail -t"]).unwrap();
    handle_quickly(&mut listener, &crash(1)).unwrap();
    listener.wait_stderr("/nowhere/sendmail").unwrap();
    assert!(outbox(&dir, &["list"]).unwrap().contains("ops@example.com"));
}

#[test]
fn every_batch_mailer_keeps_its_batch_while_the_server_is_down() {
    let dir = TestDir::new().unwrap();
    let surroundings = TestDir::new().unwrap();
    let mut server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
    server.set_behaviour("refuse").unwrap();
    let host = format!("127.0.0.1:{}", server.port());
    let mut listeners = Vec::new();
    for name in ["crashmailbatch", "fatalmailbatch", "crashsms"] {
        let recipient = format!("{name}@example.com");
        let mut listener =
            listener(&dir, name, &["-t", &recipient, "-f", "sup@example.com", "-H", &host]).unwrap();
        handle_quickly(&mut listener, &crash(1)).unwrap();
        handle_quickly(&mut listener, &WireEvent::fatal("shop:web")).unwrap();
        handle_quickly(&mut listener, &WireEvent::tick(60)).unwrap();
        listeners.push(listener);
    }
    // One deliverer works for the three of them; the first of them has seen the server refuse.
    listeners[0].wait_stderr("Connection refused").unwrap();
    server.set_behaviour("listen").unwrap();
    let mails = server.wait(3).unwrap();
    let mut recipients: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    recipients.sort_unstable();
    assert_eq!(
        recipients,
        ["crashmailbatch@example.com", "crashsms@example.com", "fatalmailbatch@example.com"]
    );
}

#[test]
fn kills_at_any_moment_lose_nothing_and_double_nothing() {
    const CRASHES: u32 = 40;
    let dir = TestDir::new().unwrap();
    let surroundings = TestDir::new().unwrap();
    let server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
    let mut listener = crashmail(&dir, &server).unwrap();
    let mut number = 1;
    let mut serial = 0_u32;
    let began = Instant::now();
    while number <= CRASHES {
        listener.ready().unwrap();
        // The serial number must stay the same when an event is sent again.
        listener.send_bytes(&crash(number).encode(number)).unwrap();
        serial += 1;
        // A different moment each time, within the few milliseconds that an event takes.
        let wait = Duration::from_micros(u64::from(serial * 7919 % 6000));
        let answered = serial.is_multiple_of(3) || listener.ok_within(wait).is_ok();
        if serial.is_multiple_of(3) {
            listener.ok_within(TIMEOUT).unwrap();
        }
        if !answered || serial.is_multiple_of(5) {
            listener.kill().unwrap();
            // An answer that was on its way counts: supervisord would have read it.
            let answered = answered || listener.rest_of_stdout().starts_with("RESULT 2\nOK");
            listener = crashmail(&dir, &server).unwrap();
            number += u32::from(answered);
            continue;
        }
        number += 1;
        assert!(began.elapsed() < TIMEOUT, "at crash {number}");
    }
    assert_each_once(&server, CRASHES).with_context(|| format!("{:?}", listener.stderr())).unwrap();
}

#[test]
fn a_killed_deliverer_is_replaced_and_at_most_its_mail_comes_twice() {
    const CRASHES: u32 = 30;
    let dir = TestDir::new().unwrap();
    let surroundings = TestDir::new().unwrap();
    let server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
    let mut listener = crashmail(&dir, &server).unwrap();
    let mut kills = 0;
    for number in 1..=CRASHES {
        handle_quickly(&mut listener, &crash(number)).unwrap();
        if number % 3 == 0 {
            pause(Duration::from_micros(u64::from(number * 7919 % 5000)));
            let own = i32::try_from(listener.pid()).unwrap();
            for pid in dir.processes().into_iter().filter(|pid| pid.as_raw_nonzero().get() != own) {
                // It may have ended by itself.
                kills +=
                    usize::from(rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok());
            }
        }
    }
    until("all crashes at the server", TIMEOUT, || {
        Ok((arrivals(&server.mails()?).len() == usize::try_from(CRASHES)?).then_some(()))
    })
    .with_context(|| listener.stderr().unwrap_or_default())
    .unwrap();
    let mails = server.mails().unwrap();
    assert!(mails.len() <= usize::try_from(CRASHES).unwrap() + kills, "{} mails, {kills} kills", mails.len());
    // What came twice is recognisable.
    let mut seen: HashMap<u32, String> = HashMap::new();
    for mail in &mails {
        let id = MailText::parse(&mail.content).header("Message-ID").unwrap_or_default().to_owned();
        for number in arrivals(std::slice::from_ref(mail)).into_keys() {
            assert_eq!(*seen.entry(number).or_insert_with(|| id.clone()), id, "crash {number}");
        }
    }
}

#[test]
fn what_waits_survives_the_listener_and_goes_by_the_corrected_way() {
    let dir = TestDir::new().unwrap();
    let surroundings = TestDir::new().unwrap();
    let server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
    let closed = ironlance_e2e::web_server::closed_port().unwrap();
    let wrong = format!("smtp://127.0.0.1:{closed}");
    let mut first =
        listener(&dir, "crashmail", &["-m", "ops@example.com", "--brief", "--smtp", &wrong]).unwrap();
    for number in 1..=3 {
        handle_quickly(&mut first, &crash(number)).unwrap();
    }
    first.wait_stderr("Connection refused").unwrap();
    first.ready().unwrap();
    first.close().unwrap();
    let mut second = crashmail(&dir, &server).unwrap();
    second.ready().unwrap();
    assert_each_once(&server, 3).with_context(|| format!("{:?}", second.stderr())).unwrap();
}

#[test]
fn a_server_that_hangs_does_not_keep_the_alerts_of_the_corrected_way() {
    let dir = TestDir::new().unwrap();
    let surroundings = TestDir::new().unwrap();
    let server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let wrong = format!("smtp://{}", silent.local_addr().unwrap());
    let mut first =
        listener(&dir, "crashmail", &["-m", "ops@example.com", "--brief", "--smtp", &wrong]).unwrap();
    handle_quickly(&mut first, &crash(1)).unwrap();
    let (mut hanging, _) = silent.accept().unwrap();
    // From the greeting on it is waited for longer than at any step before.
    hanging.write_all(b"220 one moment\r\n").unwrap();
    first.ready().unwrap();
    first.close().unwrap();
    let mut second = crashmail(&dir, &server).unwrap();
    handle_quickly(&mut second, &crash(2)).unwrap();
    until("the second crash at the server", TIMEOUT, || {
        Ok(arrivals(&server.mails()?).contains_key(&2).then_some(()))
    })
    .with_context(|| format!("{:?}", second.stderr()))
    .unwrap();
    // The first is still in hand: its server has not been given up.
    hanging.set_nonblocking(true).unwrap();
    let heard =
        std::iter::from_fn(|| Some(hanging.read(&mut [0; 256]))).find(|read| !matches!(read, Ok(1..)));
    assert!(matches!(heard, Some(Err(_))), "{heard:?}");
    // As soon as it is, it goes the new way as well.
    drop(hanging);
    assert_each_once(&server, 2).with_context(|| format!("{:?}", second.stderr())).unwrap();
}

#[test]
fn an_outbox_that_cannot_be_written_is_said_and_the_mail_sent_all_the_same() {
    let troubles = [
        (
            "full",
            "mount -t tmpfs -o size=16k tmpfs $S && dd if=/dev/zero of=$S/fill bs=1k count=64 2>/dev/null; true",
        ),
        ("read-only", "mount -t tmpfs -o ro tmpfs $S"),
        ("not ours", "mkdir $S/outbox && chmod 777 $S/outbox"),
        ("no folder", "rmdir $S && touch $S"),
    ];
    for (trouble, prepare) in troubles {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        fs::create_dir(dir.path("state")).unwrap();
        // A mount name space of its own: what is mounted there goes with the listener.
        let mut command: Command = dir.command("unshare", Implementation::Ours).unwrap();
        let script = format!("S={}; {prepare}; exec crashmail \"$@\"", dir.path("state").display());
        command.args(["--map-root-user", "--user", "--mount", "sh", "-c", &script, "sh"]);
        command.args(["-m", "ops@example.com", "-s", mailer.command()]);
        command.env("SUPERVISOR_SERVER_URL", "unix:///nowhere");
        let mut listener = Listener::start(command, dir.path("stderr")).unwrap();
        for number in 1..=3 {
            listener.ready().unwrap();
            listener.send(&crash(number)).unwrap();
            listener.ok_within(TIMEOUT).unwrap();
        }
        mailer.wait(3).with_context(|| format!("{trouble}: {:?}", listener.stderr())).unwrap();
        assert!(listener.stderr().unwrap().contains("cannot"), "{trouble}: {:?}", listener.stderr());
    }
}

#[test]
fn an_outbox_removed_under_a_running_listener_loses_no_later_mail() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let mut listener =
        listener(&dir, "crashmail", &["-m", "ops@example.com", "-s", mailer.command()]).unwrap();
    handle_quickly(&mut listener, &crash(1)).unwrap();
    mailer.wait(1).unwrap();
    // Again while it fails: the listener may be writing down that the mail is sent.
    let state = dir.path("state");
    until("the outbox to be removed", TIMEOUT, || Ok(fs::remove_dir_all(&state).ok())).unwrap();
    for number in 2..=3 {
        handle_quickly(&mut listener, &crash(number)).unwrap();
    }
    assert_eq!(mailer.wait(3).unwrap().len(), 3);
}

#[test]
fn ten_thousand_pending_alerts_slow_no_answer_and_all_arrive() {
    const PENDING: u32 = 10_000;
    let dir = TestDir::new().unwrap();
    let surroundings = TestDir::new().unwrap();
    // In memory: what is tested is the number of files, not the speed of this machine's disk.
    let state = tempfile::Builder::new().prefix("e2e-").tempdir_in("/dev/shm").unwrap();
    let mut server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
    server.set_behaviour("refuse").unwrap();
    let mut command = dir.ours("crashmail").unwrap();
    let url = format!("smtp://127.0.0.1:{}", server.port());
    command.args(["-m", "ops@example.com", "--brief", "--smtp", &url]);
    command.env("IRONLANCE_STATE", state.path()).env("SUPERVISOR_SERVER_URL", "unix:///nowhere");
    let mut listener = Listener::start(command, dir.path("stderr")).unwrap();
    for number in 1..=PENDING {
        handle_quickly(&mut listener, &crash(number)).unwrap();
    }
    server.set_behaviour("listen").unwrap();
    let wanted = usize::try_from(PENDING).unwrap();
    let mut arrived = || server.count_mails();
    until("all of them", Duration::from_secs(60), || Ok((arrived()? >= wanted).then_some(())))
        .with_context(|| format!("{:?} of them\n{}", arrived(), listener.stderr().unwrap_or_default()))
        .unwrap();
    pause(Duration::from_millis(200));
    let counts = arrivals(&server.mails().unwrap());
    assert!(counts.len() == wanted && counts.values().all(|count| *count == 1));
}
