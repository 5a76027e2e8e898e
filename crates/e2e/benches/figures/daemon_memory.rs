//! What the daemon keeps in memory, alone and with all six listeners.

use std::time::Duration;

use anyhow::{Context, ensure};
use ironlance_e2e::wait::pause;
use ironlance_e2e::xmlrpc::{self, XmlValue};
use ironlance_e2e::{TIMEOUT, TestDir, until};

use crate::contender::{Contender, LISTENERS};
use crate::daemon::{Daemon, Plan, sleepers};
use crate::{Effort, Figure, Figures, proc_usage};

/// What a start and a question leave to be done is over by then.
const REST: Duration = Duration::from_secs(2);

/// RSS with 10 and 1,000 programs that do not run, with 1,000 that do, and of the daemon with six listeners.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let mut figures = Vec::new();
    for count in [10, 1000] {
        let sections = sleepers('p', count, "autostart=false\n");
        let values = (0..effort.times(3)).map(|_| alone(contender, &sections));
        let values = values.collect::<anyhow::Result<_>>()?;
        figures.push(Figure::new(&format!("supervisord with {count} programs, RSS"), "MB", values));
    }
    let values = (0..effort.times(3)).map(|_| stack(contender)).collect::<anyhow::Result<_>>()?;
    figures.push(Figure::new("supervisord and six listeners, RSS", "MB", values));
    Ok(figures)
}

fn alone(contender: &Contender, sections: &str) -> anyhow::Result<f64> {
    let dir = TestDir::new()?;
    let daemon = Daemon::start(&dir, contender, &Plan { sections, ..Plan::default() })?;
    daemon.ask("getAllProcessInfo", &[])?;
    pause(REST);
    daemon.resident()
}

fn stack(contender: &Contender) -> anyhow::Result<f64> {
    let dir = TestDir::new()?;
    let mut sections = sleepers('p', 10, "autostart=false\n");
    for (name, args) in LISTENERS {
        let command = contender.command_line(name)?;
        let args = args.join(" ");
        sections += &format!(
            "[eventlistener:{name}]\ncommand={command} {args}\nevents=PROCESS_STATE_EXITED,TICK_3600\n\
             stderr_logfile=NONE\nstartsecs=0\n\n"
        );
    }
    let daemon = Daemon::start(&dir, contender, &Plan { sections: &sections, ..Plan::default() })?;
    daemon.wait_count(LISTENERS.len(), "RUNNING")?;
    let pids = until("the listeners' pids", TIMEOUT, || {
        let answer = xmlrpc::parse_response(&daemon.ask("getAllProcessInfo", &[])?)?;
        let answer = answer.ok().context("cannot use a fault")?;
        let pids = answer.items().iter().filter_map(|info| info.get("pid").and_then(XmlValue::as_int));
        let pids: Vec<u32> = pids.filter(|pid| *pid > 0).flat_map(u32::try_from).collect();
        Ok((pids.len() == LISTENERS.len()).then_some(pids))
    })?;
    pause(REST);
    let mut sum = daemon.resident()?;
    for pid in &pids {
        let one = proc_usage::resident(*pid)?;
        ensure!(one > 0.5, "a listener has no memory: it is not there yet");
        sum += one;
    }
    Ok(sum)
}
