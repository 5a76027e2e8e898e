//! What the daemon does while nothing happens: 1,000 children sleep.

use std::time::{Duration, Instant};

use ironlance_e2e::TestDir;
use ironlance_e2e::wait::pause;

use crate::contender::Contender;
use crate::daemon::{Daemon, Plan, sleepers};
use crate::{Effort, Figure, Figures};

/// What the start and the questions leave to be done is over by then.
const REST: Duration = Duration::from_secs(3);

/// Processor time and wake-ups in 30 s, and its memory then.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let (count, seconds) = if effort == Effort::Full { (1000, 30) } else { (100, 2) };
    let dir = TestDir::new()?;
    let sections = sleepers('p', count, "");
    let plan = Plan { sections: &sections, settings: "minfds=4000\n", ..Plan::default() };
    let daemon = Daemon::start(&dir, contender, &plan)?;
    daemon.wait_count(count, "RUNNING")?;
    pause(REST);
    let (before, began) = (daemon.usage()?, Instant::now());
    pause(Duration::from_secs(seconds));
    let used = daemon.usage()?.since(before);
    let took = began.elapsed().as_secs_f64();
    let what = |what: &str| format!("idle with {count} children, {what}");
    Ok(vec![
        Figure::new(&what("CPU a second"), "ms", vec![used.cpu / took]),
        Figure::new(&what("wake-ups a second"), "", vec![used.sleeps / took]),
        Figure::new(&what("RSS"), "MB", vec![daemon.resident()?]),
    ])
}
