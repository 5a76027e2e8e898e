//! The programs and listeners of the soak, and how they are brought to rest.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::daemon::{Daemon, describe};
use crate::implementation::Implementation;
use crate::test_dir::TestDir;
use crate::wait::{TIMEOUT, pause, until};
use crate::xmlrpc::XmlValue;

/// Programs that shall run all the time.
const STEADY: [(&str, usize); 3] = [("sleeper", 12), ("printer", PRINTERS), ("family", 2)];
/// Programs that crash again and again until they are stopped.
const CRASHING: [&str; 2] = ["crasher", "failer"];
/// One that ended by itself and is then stopped stays EXITED: it is only not started again.
const AT_REST: [&str; 2] = ["STOPPED", "EXITED"];
/// Programs that clients start and stop.
pub(super) const SWITCHED: usize = 4;
/// Programs whose output is kept.
pub(super) const PRINTERS: usize = 4;
/// The listeners' groups.
pub(super) const LISTENERS: [&str; 2] = ["recorder", "pool"];
/// The listener whose record must be in order, and the pool of several.
pub(super) const RECORDS: [&str; 2] = ["recorder.events", "pool.events"];
/// States count as stable when they have not changed for this time.
const STABLE: Duration = Duration::from_millis(1500);

const RECORDER: &str = include_str!("../../python/soak_listener.py");

/// Numbers its lines within each life, and each life has a name of its own.
const PRINTER: &str = "life=$$.$(date +%s%N); n=0\n\
    while :; do echo \"$life $n\"; n=$((n + 1)); sleep 0.05; done";

/// Leaves a process behind that holds its pipes for a while.
const FAMILY: &str = "sleep 3 &\nexec sleep 100000";

/// A printer's full name.
pub(super) fn printer(number: usize) -> String {
    format!("printer:printer_{number}")
}

/// The full name of a program that clients start and stop.
pub(super) fn switched(number: usize) -> String {
    format!("switched:switched_{number}")
}

/// The configuration, with its files beside it.
pub(super) fn sections(dir: &TestDir) -> anyhow::Result<String> {
    let printer = dir.script("printer", PRINTER)?;
    let family = dir.script("family", FAMILY)?;
    let python = Implementation::Original.path("python")?;
    let recorder =
        format!("{} -ISu {}", python.display(), dir.write("soak_listener.py", RECORDER)?.display());
    let quiet = "stdout_logfile=NONE\nstderr_logfile=NONE\n";
    let several = "process_name=%(program_name)s_%(process_num)d\nstartsecs=0\nautorestart=true\nnumprocs=";
    Ok(format!(
        "[program:sleeper]\ncommand=sleep 100000\n{several}12\n{quiet}\n\
         [program:printer]\ncommand={printer}\n{several}{PRINTERS}\nstdout_events_enabled=true\n\
         stdout_logfile={{dir}}/printer.%(process_num)d\nstdout_logfile_maxbytes=50KB\nstdout_logfile_backups=200\n\
         stderr_logfile=NONE\n\
         [program:family]\ncommand={family}\n{several}2\n{quiet}\n\
         [program:crasher]\ncommand=sh -c \"sleep 0.3; exit 1\"\nautostart=false\n{several}3\n{quiet}\n\
         [program:failer]\ncommand=sh -c \"exit 1\"\nprocess_name=%(program_name)s_%(process_num)d\nnumprocs=2\nautostart=false\n\
         startretries=100000\n{quiet}\n\
         [program:switched]\ncommand=sleep 100000\nautostart=false\n{several}{SWITCHED}\n{quiet}\n\
         [eventlistener:recorder]\ncommand={recorder} {{dir}}/{}\nevents=PROCESS_STATE\nbuffer_size=100000\nstartsecs=0\n\
         autorestart=true\nstderr_logfile=NONE\n\
         [eventlistener:pool]\ncommand={recorder} {{dir}}/{}\nevents=PROCESS_STATE,PROCESS_LOG\n\
         buffer_size=100000\n{several}3\nstderr_logfile=NONE\n",
        RECORDS[0], RECORDS[1]
    ))
}

/// Waits until all is as it is to be afterwards, with every descriptor open that stays open.
pub(super) fn wait_until_up(daemon: &Daemon) -> anyhow::Result<()> {
    for number in 0..SWITCHED {
        switch(daemon, "startProcess", &switched(number))?;
        switch(daemon, "stopProcess", &switched(number))?;
    }
    until("the printers to print", TIMEOUT, || {
        let have_written = (0..PRINTERS).all(|number| !daemon.file(&format!("printer.{number}")).is_empty());
        Ok(have_written.then_some(()))
    })?;
    wait_until_stable(daemon)
}

/// Starts the programs that crash.
pub(super) fn start_crashing(daemon: &Daemon) -> anyhow::Result<()> {
    let start = |group: &&str| switch(daemon, "startProcessGroup", group);
    CRASHING.iter().try_for_each(start)
}

/// Stops what clients may have left running.
pub(super) fn stop_switched(daemon: &Daemon) -> anyhow::Result<()> {
    switch(daemon, "stopProcessGroup", "switched")
}

/// Stops the programs that crash, and waits until all processes have kept their states for a while.
pub(super) fn wait_until_stable(daemon: &Daemon) -> anyhow::Result<()> {
    let stop_crashing = || CRASHING.iter().try_for_each(|group| switch(daemon, "stopProcessGroup", group));
    stop_crashing()?;
    let mut since = Instant::now();
    let mut last = String::new();
    let wait_until_stable = until("the programs to stay in their states", TIMEOUT, || {
        let states = states(daemon)?;
        let is_up = |line: &str| {
            let is_crashing = CRASHING.iter().any(|group| line.starts_with(&format!("{group}:")));
            is_crashing && !AT_REST.iter().any(|state| line.contains(&format!(" {state} ")))
        };
        if states.lines().any(is_up) {
            // One that ended just now may have been missed: it is tried again.
            stop_crashing()?;
        }
        if states != last || states.lines().any(is_up) {
            last = states;
            since = Instant::now();
        }
        pause(Duration::from_millis(50));
        Ok((since.elapsed() >= STABLE).then_some(()))
    });
    wait_until_stable.with_context(|| format!("they are\n{last}"))
}

/// A line `GROUP:NAME STATE PID` for each process.
fn states(daemon: &Daemon) -> anyhow::Result<String> {
    let answer = daemon.call("getAllProcessInfo", &[])?.map_err(|fault| anyhow::anyhow!("{fault}"))?;
    let line = |info: &XmlValue| {
        let text = |name| info.get(name).and_then(XmlValue::as_str).unwrap_or_default();
        let pid = info.get("pid").and_then(XmlValue::as_int).unwrap_or_default();
        format!("{}:{} {} {pid}\n", text("group"), text("name"), text("statename"))
    };
    Ok(answer.items().iter().map(line).collect())
}

/// In which states a process of this group and name may be in the end; `wanted` is what clients asked for last.
pub(super) fn expected(group: &str, name: &str, wanted: &[&str; SWITCHED]) -> &'static [&'static str] {
    let runs = if group == "switched" {
        let number = (0..SWITCHED).find(|number| switched(*number).ends_with(name));
        number.is_some_and(|number| wanted[number] == "RUNNING")
    } else {
        STEADY.iter().any(|(steady, _)| *steady == group) || LISTENERS.contains(&group)
    };
    if runs { &["RUNNING"] } else { &AT_REST }
}

/// How many processes there are.
pub(super) fn size() -> usize {
    STEADY.iter().map(|(_, count)| count).sum::<usize>() + 3 + 2 + SWITCHED + 1 + 3
}

/// Starts or stops; that it was so before is as good.
fn switch(daemon: &Daemon, method: &str, name: &str) -> anyhow::Result<()> {
    let answer = daemon.call(method, &[name.into(), XmlValue::Bool(true)])?;
    match &answer {
        Ok(_) => Ok(()),
        Err(fault) if fault.to_string().contains("NOT_RUNNING") => Ok(()),
        Err(_) => bail!("{method} {name}: {}", describe(&answer)),
    }
}

/// A printer's log, the oldest part first.
pub(super) fn log_text(dir: &TestDir, number: usize) -> anyhow::Result<String> {
    let mut text = String::new();
    for part in
        (1..=200).rev().map(|part| format!("printer.{number}.{part}")).chain([format!("printer.{number}")])
    {
        let path = dir.path(&part);
        if path.exists() {
            text += &fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        }
    }
    Ok(text)
}
