//! `cargo xtask bench`: the originals and us, measured in one run on one machine, as a table.
//!
//! Only the ratios of one run mean something. Each figure is a median.

mod actor;
mod chatty;
mod children_held;
mod contender;
mod daemon;
mod daemon_memory;
mod daemon_start;
mod figure;
mod idle;
mod kill_to_mail;
mod log_capture;
mod log_events;
mod memmon_tick;
mod questions;
mod reports;
mod resident;
mod shutdown;
mod start;
mod status;
mod storm;
mod table;
mod thousands;
mod usage;
mod wire;

use std::env;
use std::time::Instant;

use anyhow::bail;
use contender::Contender;
use figure::{Figure, Figures};
use table::Table;

/// How much time to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    /// Only to see that everything works.
    Quick,
    /// Figures to report.
    Full,
}

impl Effort {
    /// How often something is measured.
    fn times(self, full: usize) -> usize {
        if self == Self::Full { full } else { full.min(2) }
    }
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Everybody,
    /// It takes long, and how the binary is linked makes no difference.
    NotStatic,
}

/// One file of this folder.
struct Workload {
    name: &'static str,
    measure: fn(&Contender, Effort) -> Figures,
    field: Field,
}

/// In the order of the table.
const WORKLOADS: &[Workload] = &[
    Workload { name: "daemon_start", measure: daemon_start::measure, field: Field::Everybody },
    Workload { name: "storm", measure: storm::measure, field: Field::Everybody },
    Workload { name: "thousands", measure: thousands::measure, field: Field::NotStatic },
    Workload { name: "shutdown", measure: shutdown::measure, field: Field::NotStatic },
    Workload { name: "daemon_memory", measure: daemon_memory::measure, field: Field::Everybody },
    Workload { name: "idle", measure: idle::measure, field: Field::NotStatic },
    Workload { name: "children_held", measure: children_held::measure, field: Field::NotStatic },
    Workload { name: "questions", measure: questions::measure, field: Field::NotStatic },
    Workload { name: "status", measure: status::measure, field: Field::Everybody },
    Workload { name: "kill_to_mail", measure: kill_to_mail::measure, field: Field::Everybody },
    Workload { name: "log_events", measure: log_events::measure, field: Field::NotStatic },
    Workload { name: "chatty", measure: chatty::measure, field: Field::NotStatic },
    Workload { name: "log_capture", measure: log_capture::measure, field: Field::NotStatic },
    Workload { name: "resident", measure: resident::measure, field: Field::Everybody },
    Workload { name: "start", measure: start::measure, field: Field::Everybody },
    Workload { name: "memmon_tick", measure: memmon_tick::measure, field: Field::NotStatic },
];

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "--act") {
        return actor::play(&args[1..]);
    }
    let effort = if args.iter().any(|arg| arg == "--quick") { Effort::Quick } else { Effort::Full };
    let after = |flag: &str| args.iter().skip_while(|arg| *arg != flag).nth(1);
    let is_wanted = |flag: &str, name: &str| after(flag).is_none_or(|wanted| wanted == name);
    if let Some(name) =
        after("--only").filter(|name| WORKLOADS.iter().all(|workload| workload.name != **name))
    {
        let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
        bail!("cannot find the workload {name:?}: there are {}", names.join(", "));
    }
    let mut table = Table::new();
    for workload in WORKLOADS.iter().filter(|workload| is_wanted("--only", workload.name)) {
        for contender in Contender::all()? {
            let is_static = matches!(contender, Contender::Static(_));
            if (is_static && workload.field == Field::NotStatic)
                || !is_wanted("--who", &contender.to_string())
            {
                continue;
            }
            let began = Instant::now();
            for figure in (workload.measure)(&contender, effort)? {
                eprintln!("{contender}: {figure}");
                table.add(&contender, figure);
            }
            eprintln!("{contender}: {} took {:.1} s", workload.name, began.elapsed().as_secs_f64());
        }
    }
    table.print()
}
