//! From SIGKILL of a program until crashmail's mailer runs, and until the program runs again.

use std::time::{Duration, Instant};

use anyhow::Context;
use ironlance_e2e::wait::pause;
use ironlance_e2e::{TIMEOUT, TestDir};
use rustix::process::{Pid, Signal, kill_process};

use crate::contender::Contender;
use crate::daemon::{Daemon, NO_LOGS, Plan};
use crate::reports::Reports;
use crate::{Effort, Figure, Figures, program};

/// Daemon and listener of one contender; the program and the mailer report as soon as they run.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let dir = TestDir::new()?;
    let (lives, mails) = (Reports::open(&dir, "lives")?, Reports::open(&dir, "mails")?);
    let sections = format!(
        "[program:victim]\ncommand={} {}\nstartsecs=0\nautorestart=true\n{NO_LOGS}\n[eventlistener:crashmail]\n\
         command={} -a -m ops@example.com -s \"{} {}\"\nevents=PROCESS_STATE_EXITED\n",
        program::command("alive")?,
        lives.path(),
        contender.command_line("crashmail")?,
        program::command("mailer")?,
        mails.path(),
    );
    let daemon = Daemon::start(&dir, contender, &Plan { sections: &sections, ..Plan::default() })?;
    daemon.wait_count(2, "RUNNING")?;
    let mut pid = lives.next(TIMEOUT)?.1;
    let (mut to_mail, mut to_life) = (Vec::new(), Vec::new());
    for round in 0..effort.times(13) {
        // Another moment of the original's second each time, and no question that would wake it in between.
        pause(Duration::from_millis(1200 + u64::try_from(round)? * 137 % 1000));
        let victim = pid.parse().ok().and_then(Pid::from_raw).context("cannot have that pid")?;
        let killed = Instant::now();
        kill_process(victim, Signal::KILL).context("cannot kill the program")?;
        let (up, next) = lives.next(TIMEOUT)?;
        let (mail, _) = mails.next(TIMEOUT)?;
        to_mail.push(mail.duration_since(killed).as_secs_f64() * 1e3);
        to_life.push(up.duration_since(killed).as_secs_f64() * 1e3);
        pid = next;
    }
    Ok(vec![
        Figure::new("SIGKILL to crashmail's mailer running", "ms", to_mail),
        Figure::new("SIGKILL to the program running again", "ms", to_life),
    ])
}
