//! The programs and listeners of the soak: what each is for, and how the scene is made calm.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::daemon::{Daemon, told};
use crate::flavour::Flavour;
use crate::patience::{PATIENCE, pause, until};
use crate::scene::Scene;
use crate::xmlrpc::Value;

/// Programs that shall run all the time.
const STEADY: [(&str, usize); 3] = [("sleeper", 12), ("teller", TELLERS), ("family", 2)];
/// Programs that shall never come to rest, until they are stopped.
const RESTLESS: [&str; 2] = ["crasher", "failer"];
/// One that ended by itself and is then stopped stays EXITED: it is only not started again.
const AT_REST: [&str; 2] = ["STOPPED", "EXITED"];
/// Programs that clients start and stop.
pub(super) const SWITCHED: usize = 4;
/// Programs whose output is kept.
pub(super) const TELLERS: usize = 4;
/// The listeners' groups.
pub(super) const LISTENERS: [&str; 2] = ["scribe", "crew"];
/// The listener whose record must be in order, and the pool of several.
pub(super) const RECORDS: [&str; 2] = ["scribe.events", "crew.events"];
/// Calm is what stays so for this time.
const CALM: Duration = Duration::from_millis(1500);

const SCRIBE: &str = include_str!("../../python/scribe.py");

/// Numbers its lines within each life, and each life has a name of its own.
const TELLER: &str = "life=$$.$(date +%s%N); n=0\n\
    while :; do echo \"$life $n\"; n=$((n + 1)); sleep 0.05; done";

/// Leaves a process behind that holds its pipes for a while.
const FAMILY: &str = "sleep 3 &\nexec sleep 100000";

/// A teller's full name.
pub(super) fn teller(number: usize) -> String {
    format!("teller:teller_{number}")
}

/// The full name of a program that clients start and stop.
pub(super) fn switched(number: usize) -> String {
    format!("switched:switched_{number}")
}

/// The configuration, with its files beside it.
pub(super) fn sections(scene: &Scene) -> anyhow::Result<String> {
    let teller = scene.script("teller", TELLER)?;
    let family = scene.script("family", FAMILY)?;
    let python = Flavour::Original.path("python")?;
    let scribe = format!("{} -ISu {}", python.display(), scene.write("scribe.py", SCRIBE)?.display());
    let quiet = "stdout_logfile=NONE\nstderr_logfile=NONE\n";
    let several = "process_name=%(program_name)s_%(process_num)d\nstartsecs=0\nautorestart=true\nnumprocs=";
    Ok(format!(
        "[program:sleeper]\ncommand=sleep 100000\n{several}12\n{quiet}\n\
         [program:teller]\ncommand={teller}\n{several}{TELLERS}\nstdout_events_enabled=true\n\
         stdout_logfile={{dir}}/teller.%(process_num)d\nstdout_logfile_maxbytes=50KB\nstdout_logfile_backups=200\n\
         stderr_logfile=NONE\n\
         [program:family]\ncommand={family}\n{several}2\n{quiet}\n\
         [program:crasher]\ncommand=sh -c \"sleep 0.3; exit 1\"\nautostart=false\n{several}3\n{quiet}\n\
         [program:failer]\ncommand=sh -c \"exit 1\"\nprocess_name=%(program_name)s_%(process_num)d\nnumprocs=2\nautostart=false\n\
         startretries=100000\n{quiet}\n\
         [program:switched]\ncommand=sleep 100000\nautostart=false\n{several}{SWITCHED}\n{quiet}\n\
         [eventlistener:scribe]\ncommand={scribe} {{dir}}/{}\nevents=PROCESS_STATE\nbuffer_size=100000\nstartsecs=0\n\
         autorestart=true\nstderr_logfile=NONE\n\
         [eventlistener:crew]\ncommand={scribe} {{dir}}/{}\nevents=PROCESS_STATE,PROCESS_LOG\n\
         buffer_size=100000\n{several}3\nstderr_logfile=NONE\n",
        RECORDS[0], RECORDS[1]
    ))
}

/// Waits until all is as it is to be afterwards, with every descriptor open that stays open.
pub(super) fn assemble(daemon: &Daemon) -> anyhow::Result<()> {
    for number in 0..SWITCHED {
        switch(daemon, "startProcess", &switched(number))?;
        switch(daemon, "stopProcess", &switched(number))?;
    }
    until("the tellers to tell", PATIENCE, || {
        let told = (0..TELLERS).all(|number| !daemon.file(&format!("teller.{number}")).is_empty());
        Ok(told.then_some(()))
    })?;
    calm(daemon)
}

/// Starts what is never at rest.
pub(super) fn let_loose(daemon: &Daemon) -> anyhow::Result<()> {
    let start = |group: &&str| switch(daemon, "startProcessGroup", group);
    RESTLESS.iter().try_for_each(start)
}

/// Stops what clients may have left running.
pub(super) fn switch_off(daemon: &Daemon) -> anyhow::Result<()> {
    switch(daemon, "stopProcessGroup", "switched")
}

/// Stops what is never at rest, and waits until all have stayed in their states for a while.
pub(super) fn calm(daemon: &Daemon) -> anyhow::Result<()> {
    let stop_restless = || RESTLESS.iter().try_for_each(|group| switch(daemon, "stopProcessGroup", group));
    stop_restless()?;
    let mut since = Instant::now();
    let mut last = String::new();
    let calm = until("the programs to be calm", PATIENCE, || {
        let states = states(daemon)?;
        let is_loose = |line: &str| {
            let is_restless = RESTLESS.iter().any(|group| line.starts_with(&format!("{group}:")));
            is_restless && !AT_REST.iter().any(|state| line.contains(&format!(" {state} ")))
        };
        if states.lines().any(is_loose) {
            // One that ended just now may have been missed: it is tried again.
            stop_restless()?;
        }
        if states != last || states.lines().any(is_loose) {
            last = states;
            since = Instant::now();
        }
        pause(Duration::from_millis(50));
        Ok((since.elapsed() >= CALM).then_some(()))
    });
    calm.with_context(|| format!("they are\n{last}"))
}

/// A line `GROUP:NAME STATE PID` for each process.
fn states(daemon: &Daemon) -> anyhow::Result<String> {
    let answer = daemon.call("getAllProcessInfo", &[])?.map_err(|fault| anyhow::anyhow!("{fault}"))?;
    let line = |info: &Value| {
        let text = |name| info.get(name).and_then(Value::as_str).unwrap_or_default();
        let pid = info.get("pid").and_then(Value::as_int).unwrap_or_default();
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
    let answer = daemon.call(method, &[name.into(), Value::Bool(true)])?;
    match &answer {
        Ok(_) => Ok(()),
        Err(fault) if fault.to_string().contains("NOT_RUNNING") => Ok(()),
        Err(_) => bail!("{method} {name}: {}", told(&answer)),
    }
}

/// A teller's log, the oldest part first.
pub(super) fn tale(scene: &Scene, number: usize) -> anyhow::Result<String> {
    let mut text = String::new();
    for part in
        (1..=200).rev().map(|part| format!("teller.{number}.{part}")).chain([format!("teller.{number}")])
    {
        let path = scene.path(&part);
        if path.exists() {
            text += &fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        }
    }
    Ok(text)
}
