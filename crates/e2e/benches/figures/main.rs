//! `cargo xtask bench`: the originals and us, measured in one run on one machine, as a table.
//!
//! Only the ratios of one run mean something. Each figure is a median.

mod children_held;
mod contender;
mod daemon;
mod daemon_memory;
mod daemon_start;
mod figure;
mod idle;
mod kill_to_mail;
mod listener_memory;
mod listener_start;
mod log_capture;
mod log_events;
mod many_programs;
mod many_writers;
mod memmon_tick;
mod page_checks;
mod proc_usage;
mod program;
mod reports;
mod rpc_client;
mod rpc_latency;
mod shutdown;
mod start_and_stop_all;
mod status;
mod table;

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

/// Which contenders a workload is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contenders {
    All,
    /// It takes long, and how the binary is linked makes no difference.
    NotStatic,
}

/// One file of this folder.
struct Workload {
    name: &'static str,
    measure: fn(&Contender, Effort) -> Figures,
    contenders: Contenders,
}

/// In the order of the table.
const WORKLOADS: &[Workload] = &[
    Workload { name: "daemon_start", measure: daemon_start::measure, contenders: Contenders::All },
    Workload {
        name: "start_and_stop_all",
        measure: start_and_stop_all::measure,
        contenders: Contenders::All,
    },
    Workload { name: "many_programs", measure: many_programs::measure, contenders: Contenders::NotStatic },
    Workload { name: "shutdown", measure: shutdown::measure, contenders: Contenders::NotStatic },
    Workload { name: "daemon_memory", measure: daemon_memory::measure, contenders: Contenders::All },
    Workload { name: "idle", measure: idle::measure, contenders: Contenders::NotStatic },
    Workload { name: "children_held", measure: children_held::measure, contenders: Contenders::NotStatic },
    Workload { name: "rpc_latency", measure: rpc_latency::measure, contenders: Contenders::NotStatic },
    Workload { name: "status", measure: status::measure, contenders: Contenders::All },
    Workload { name: "kill_to_mail", measure: kill_to_mail::measure, contenders: Contenders::All },
    Workload { name: "log_events", measure: log_events::measure, contenders: Contenders::NotStatic },
    Workload { name: "many_writers", measure: many_writers::measure, contenders: Contenders::NotStatic },
    Workload { name: "log_capture", measure: log_capture::measure, contenders: Contenders::NotStatic },
    Workload { name: "listener_memory", measure: listener_memory::measure, contenders: Contenders::All },
    Workload { name: "listener_start", measure: listener_start::measure, contenders: Contenders::All },
    Workload { name: "memmon_tick", measure: memmon_tick::measure, contenders: Contenders::NotStatic },
    Workload { name: "page_checks", measure: page_checks::measure, contenders: Contenders::NotStatic },
];

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "--program") {
        return program::run(&args[1..]);
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
            if (is_static && workload.contenders == Contenders::NotStatic)
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
