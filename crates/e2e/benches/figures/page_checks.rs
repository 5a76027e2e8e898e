//! Fifty checks of a page every ten seconds: what one costs in processor time, by httpok (a process for each page) and by
//! the probe of `watch` (one for all).

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use ironlance_e2e::wait::pause;
use ironlance_e2e::{FakeSupervisor, Listener, TestDir, WireEvent};

use crate::contender::Contender;
use crate::proc_usage::{Usage, resident};
use crate::{Effort, Figure, Figures};

/// As many as a host may have.
const CHECKS: usize = 50;
/// Seconds between two checks of a page.
const EVERY: u64 = 10;

/// Processor time of a second in which a fiftieth of 10 s is checked, and memory.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let port = serve()?;
    let dir = TestDir::new()?;
    let mut figures = vec![httpok(contender, &dir, port, effort)?];
    if let Contender::Dynamic(path) | Contender::Static(path) = contender {
        let mut command = dir.command(path, ironlance_e2e::Implementation::Ours)?;
        figures.extend(probe(command.arg("probe"), port, effort)?);
    }
    Ok(figures)
}

/// A page that is well, on a thread of ours.
fn serve() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
    let port = listener.local_addr().context("cannot tell the port")?.port();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            // A client that hangs up early costs nothing but its own check.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
    Ok(port)
}

/// The processor time of one tick, times the checks of a second.
fn httpok(contender: &Contender, dir: &TestDir, port: u16, effort: Effort) -> anyhow::Result<Figure> {
    let supervisor = FakeSupervisor::start(dir)?;
    supervisor.running("web", 1);
    let url = format!("http://127.0.0.1:{port}/");
    let command = contender.listener(dir, &supervisor, &[], "httpok", &["-p", "web", &url])?;
    let mut listener = Listener::start(command, dir.path("stderr"))?;
    // The first loads what later ones have.
    listener.handle(&WireEvent::tick(60))?;
    let ticks = effort.times(50);
    let before = Usage::of(listener.pid())?;
    for _ in 0..ticks {
        listener.handle(&WireEvent::tick(60))?;
        // At the pace of all: in a loop it would find everything in the caches of the processor.
        pause(Duration::from_secs(EVERY) / u32::try_from(CHECKS)?);
    }
    let used = Usage::of(listener.pid())?.since(before).cpu / ratio(ticks);
    let a_second = used * ratio(CHECKS) / ratio(usize::try_from(EVERY)?);
    Ok(Figure::new(
        &format!("{CHECKS} pages every {EVERY} s by httpok, CPU of a second"),
        "ms",
        vec![a_second],
    ))
}

fn ratio(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Ended with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn probe(command: &mut Command, port: u16, effort: Effort) -> anyhow::Result<Vec<Figure>> {
    let child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("cannot start the probe")?;
    let mut running = Running(child);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let program = |index: usize| format!(r#"{{"group":"web","process":"web{index}"}}"#);
    let check = |index: usize| {
        let name = program(index);
        format!(
            r#"{{"program":{name},"family":"health","name":"","target":{{"page":{{"url":"http://127.0.0.1:{port}/","statuses":[],"body":null,"insecure":false,"ca_file":null,"headers":[]}}}},"every":{{"secs":{EVERY},"nanos":0}},"timeout":{{"secs":3,"nanos":0}},"grace":{{"secs":0,"nanos":0}},"settled":3}}"#
        )
    };
    let checks: Vec<String> = (0..CHECKS).map(check).collect();
    let mut orders = running.0.stdin.take().context("cannot give orders")?;
    writeln!(orders, r#"{{"checks":[{}]}}"#, checks.join(",")).context("cannot give orders")?;
    for index in 0..CHECKS {
        let name = program(index);
        writeln!(orders, r#"{{"running":{{"program":{name},"pid":1,"since":{now},"logs":[]}}}}"#)
            .context("cannot give orders")?;
    }
    let pid = running.0.id();
    pause(Duration::from_secs(1));
    let seconds = if effort == Effort::Full { 3 * EVERY } else { 2 };
    let before = Usage::of(pid)?;
    pause(Duration::from_secs(seconds));
    let used = Usage::of(pid)?.since(before);
    ensure!(used.sleeps > 1.0, "the probe did not work");
    let seconds = ratio(usize::try_from(seconds)?);
    let what = format!("{CHECKS} pages every {EVERY} s by the probe of watch");
    Ok(vec![
        Figure::new(&format!("{what}, CPU of a second"), "ms", vec![used.cpu / seconds]),
        Figure::new(&format!("{what}, RSS"), "MB", vec![resident(pid)?]),
    ])
}
