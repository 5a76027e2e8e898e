//! How many children the daemon holds when its soft limit is the usual 1,024 descriptors.

use std::time::{Duration, Instant};

use ironlance_e2e::TestDir;
use ironlance_e2e::wait::pause;

use crate::contender::Contender;
use crate::daemon::{Daemon, Plan, sleepers};
use crate::{Effort, Figure, Figures, proc_usage};

/// The usual soft limit; the hard one is far higher on any system with systemd.
const DESCRIPTORS: u32 = 1024;
/// The count must be stable for this time.
const STILL: Duration = Duration::from_secs(3);

/// Children that live, and what the daemon does while they sleep.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    // The original holds 337: more only make it slower to give up.
    let count = match (effort, contender) {
        (Effort::Full, Contender::Original) => 600,
        (Effort::Full, Contender::Dynamic(_) | Contender::Static(_)) => 5000,
        (Effort::Quick, _) => 100,
    };
    let dir = TestDir::new()?;
    let sections = sleepers('p', count, "startretries=0\n");
    let plan = Plan { sections: &sections, descriptors: Some(DESCRIPTORS), ..Plan::default() };
    // It may be out of descriptors for answers: nobody asks.
    let (daemon, _) = Daemon::exec(&dir, contender, &plan)?;
    let mut held = 0;
    let mut changed = Instant::now();
    while changed.elapsed() < STILL {
        let now = proc_usage::children(daemon.pid())?;
        if now != held {
            (held, changed) = (now, Instant::now());
        }
        pause(Duration::from_millis(250));
    }
    let (before, began) = (daemon.usage()?, Instant::now());
    pause(Duration::from_secs(effort.times(10).try_into()?));
    let used = daemon.usage()?.since(before);
    let per_second = used.cpu / began.elapsed().as_secs_f64();
    let what = format!("children held, soft limit of {DESCRIPTORS} descriptors");
    Ok(vec![
        Figure::more_is_better(&what, "", vec![f64::from(u32::try_from(held)?)]),
        Figure::new("idle with these children, CPU a second", "ms", vec![per_second]),
    ])
}
