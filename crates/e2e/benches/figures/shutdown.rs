//! From SIGTERM until the daemon is gone, with programs that run and programs that do not.

use std::time::Duration;

use ironlance_e2e::TestDir;
use ironlance_e2e::wait::pause;

use crate::contender::Contender;
use crate::daemon::{Daemon, Plan, sleepers};
use crate::{Effort, Figure, Figures};

/// The number of each.
const PROGRAMS: usize = 10;

/// The original stops group after group, the last first, and takes a second for each that does not run.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let sections = sleepers('a', PROGRAMS, "") + &sleepers('z', PROGRAMS, "autostart=false\n");
    let mut values = Vec::new();
    for _ in 0..effort.times(2) {
        let dir = TestDir::new()?;
        let daemon = Daemon::start(&dir, contender, &Plan { sections: &sections, ..Plan::default() })?;
        daemon.wait_count(PROGRAMS, "RUNNING")?;
        pause(Duration::from_secs(1));
        values.push(daemon.terminate()?.as_secs_f64() * 1e3);
    }
    Ok(vec![Figure::new("SIGTERM until gone, 10 running and 10 stopped", "ms", values)])
}
