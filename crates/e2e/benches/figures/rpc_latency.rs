//! How long a client waits for an answer when there are 1,000 programs.

use std::time::Instant;

use ironlance_e2e::TestDir;

use crate::contender::Contender;
use crate::daemon::{Daemon, Plan, sleepers};
use crate::{Effort, Figure, Figures};

/// getState and getAllProcessInfo on a persistent connection.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let count = if effort == Effort::Full { 1000 } else { 100 };
    let dir = TestDir::new()?;
    let sections = sleepers('p', count, "");
    let plan = Plan { sections: &sections, settings: "minfds=4000\n", ..Plan::default() };
    let daemon = Daemon::start(&dir, contender, &plan)?;
    daemon.wait_count(count, "RUNNING")?;
    let mut figures = Vec::new();
    for (method, times) in [("getState", 300), ("getAllProcessInfo", 9)] {
        let mut client = daemon.client(method);
        client.ask()?;
        let mut values = Vec::new();
        for _ in 0..effort.times(times) {
            let began = Instant::now();
            client.ask()?;
            values.push(began.elapsed().as_secs_f64() * 1e3);
        }
        figures.push(Figure::new(&format!("{method} with {count} programs"), "ms", values));
    }
    Ok(figures)
}
