//! All of 200 programs started, and stopped, by one call.

use std::time::{Duration, Instant};

use ironlance_e2e::TestDir;
use ironlance_e2e::wait::pause;

use crate::contender::Contender;
use crate::daemon::{Daemon, Plan, sleepers};
use crate::{Effort, Figure, Figures};

/// As many as a busy machine has.
const PROGRAMS: usize = 200;
/// What a call leaves behind to be done is over by then.
const REST: Duration = Duration::from_millis(500);

/// startAllProcesses and stopAllProcesses, each waiting for its end.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let dir = TestDir::new()?;
    let sections = sleepers('p', PROGRAMS, "autostart=false\n");
    let daemon = Daemon::start(&dir, contender, &Plan { sections: &sections, ..Plan::default() })?;
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    for round in 0..=effort.times(5) {
        let began = Instant::now();
        daemon.start_all(PROGRAMS)?;
        let start = began.elapsed();
        daemon.wait_count(PROGRAMS, "RUNNING")?;
        pause(REST);
        let began = Instant::now();
        daemon.stop_all()?;
        let stop = began.elapsed();
        daemon.wait_count(PROGRAMS, "STOPPED")?;
        pause(REST);
        if round > 0 {
            starts.push(start.as_secs_f64() * 1e3);
            stops.push(stop.as_secs_f64() * 1e3);
        }
    }
    Ok(vec![
        Figure::new(&format!("startAllProcesses, {PROGRAMS} programs"), "ms", starts),
        Figure::new(&format!("stopAllProcesses, {PROGRAMS} programs"), "ms", stops),
    ])
}
