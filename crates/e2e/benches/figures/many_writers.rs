//! A hundred programs that write twenty lines a second each, to log files of their own.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use ironlance_e2e::wait::pause;
use ironlance_e2e::{TestDir, until};

use crate::contender::Contender;
use crate::daemon::{Daemon, LONG, Plan};
use crate::reports::Reports;
use crate::{Effort, Figure, Figures, program};

/// The number of programs.
const PROGRAMS: usize = 100;
/// Between two lines of one program.
const GAP: Duration = Duration::from_millis(50);
/// The length of a line in bytes.
const LENGTH: usize = 100;
/// By then all are under way, and none has ended.
const LEAD: Duration = Duration::from_secs(2);

/// The daemon's processor time for a line; every byte must be in the files at the end.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let watched = Duration::from_secs(if effort == Effort::Full { 10 } else { 2 });
    let lines = usize::try_from((watched + 2 * LEAD).as_millis() / GAP.as_millis())?;
    let dir = TestDir::new()?;
    let reports = Reports::open(&dir, "reports")?;
    let command =
        format!("{} {} {lines} {LENGTH} {}", program::command("burst")?, reports.path(), GAP.as_micros());
    let folder = dir.folder().display();
    let program = |number| {
        format!(
            "[program:c{number:03}]\ncommand={command}\nautostart=false\nautorestart=false\nstartsecs=0\n\
             stdout_logfile={folder}/c{number:03}.log\nstderr_logfile=NONE\n\n"
        )
    };
    let sections: String = (0..PROGRAMS).map(program).collect();
    let daemon = Daemon::start(&dir, contender, &Plan { sections: &sections, ..Plan::default() })?;
    daemon.ask("startAllProcesses", &[ironlance_e2e::xmlrpc::XmlValue::Bool(false)])?;
    for _ in 0..PROGRAMS {
        reports.next(LONG)?;
    }
    pause(LEAD);
    let (before, began) = (daemon.usage()?, Instant::now());
    pause(watched);
    let used = daemon.usage()?.since(before);
    let per_second = f64::from(u32::try_from(PROGRAMS)?) / GAP.as_secs_f64();
    let cost = used.cpu * 1e3 / (began.elapsed().as_secs_f64() * per_second);
    for _ in 0..PROGRAMS {
        reports.next(LONG)?;
    }
    let wanted = u64::try_from(PROGRAMS * lines * LENGTH)?;
    until("every line to be in the files", LONG, || {
        let size = |number| fs::metadata(dir.path(&format!("c{number:03}.log"))).map(|file| file.len());
        let sizes = (0..PROGRAMS).map(size).sum::<Result<u64, _>>().context("cannot find a log")?;
        Ok((sizes >= wanted).then_some(()))
    })?;
    let what = format!("{PROGRAMS} programs, 20 lines a second each: CPU for a line");
    Ok(vec![Figure::new(&what, "µs", vec![cost])])
}
