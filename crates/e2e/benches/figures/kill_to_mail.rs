//! From SIGKILL of a program under the Python supervisord until the mailer runs.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ironlance_e2e::patience::pause;
use ironlance_e2e::{Flavour, PATIENCE, Scene, Supervisord};

use crate::contender::Contender;
use crate::{Effort, Figure, Figures};

/// crashmail with a mailer that reports as soon as it runs.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let scene = Scene::new()?;
    let fifo = scene.path("fifo");
    ensure!(
        Command::new("mkfifo").arg(&fifo).status().context("cannot run mkfifo")?.success(),
        "cannot make a fifo"
    );
    let mailer = scene.script("mailer", &format!("echo up >{}; cat >/dev/null", fifo.display()))?;
    // Open in both directions: neither side waits for the other, and there is no end of file.
    let reader = File::options().read(true).write(true).open(&fifo).context("cannot open the fifo")?;
    let (sender, reports) = mpsc::channel();
    thread::spawn(move || {
        for _line in BufReader::new(reader).lines() {
            if sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    let sections = format!(
        "[program:victim]\ncommand=sleep 100000\nstartsecs=0\n\n[eventlistener:crashmail]\n\
         command={} -a -m ops@example.com -s \"{mailer}\"\nevents=PROCESS_STATE_EXITED\n",
        contender.command_line("crashmail")?
    );
    let supervisord = Supervisord::start(&scene, Flavour::Original, Flavour::Original, &sections)?;
    supervisord.wait_state("crashmail", "RUNNING")?;
    let mut values = Vec::new();
    for round in 0..effort.times(20) {
        let pid = supervisord.wait_state("victim", "RUNNING")?;
        let pid = i32::try_from(pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .context("cannot have that pid")?;
        // Another moment of supervisord's second each time, and no question that would wake it in between.
        pause(Duration::from_millis(1200 + u64::try_from(round)? * 137 % 1000));
        let killed = Instant::now();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)
            .context("cannot kill the program")?;
        let up = reports.recv_timeout(PATIENCE).context("no mail")?;
        values.push(up.duration_since(killed).as_secs_f64() * 1e3);
    }
    Ok(vec![Figure::new("SIGKILL to the mailer running", "ms", values)])
}
