//! Two thousand programs with `minfds=20000`, for which the original's children close 20,000 descriptors each.

use std::time::Instant;

use ironlance_e2e::TestDir;

use crate::contender::Contender;
use crate::daemon::{Daemon, Plan, sleepers};
use crate::{Effort, Figure, Figures};

/// Started by one call, which returns when all were started.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let count = if effort == Effort::Full { 2000 } else { 100 };
    let dir = TestDir::new()?;
    let sections = sleepers('p', count, "autostart=false\n");
    let plan = Plan { sections: &sections, settings: "minfds=20000\n", ..Plan::default() };
    let daemon = Daemon::start(&dir, contender, &plan)?;
    let began = Instant::now();
    daemon.start_all(count)?;
    let took = began.elapsed().as_secs_f64();
    daemon.wait_count(count, "RUNNING")?;
    Ok(vec![Figure::new(&format!("{count} programs started with minfds=20000"), "s", vec![took])])
}
