//! `cargo xtask bench`: the originals and us, measured in one run on one machine, as a table.
//!
//! Only the ratios of one run mean something. Each figure is a median.

mod contender;
mod kill_to_mail;
mod memmon_tick;
mod resident;
mod start;
mod table;

use std::env;

use contender::Contender;
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

/// The figures of one contender, or what kept them from being taken.
type Figures = anyhow::Result<Vec<Figure>>;

/// One thing that was measured.
struct Figure {
    /// What it is.
    what: String,
    /// In which unit.
    unit: &'static str,
    /// The median.
    value: f64,
}

impl Figure {
    fn new(what: &str, unit: &'static str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let value = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
        Self { what: what.to_owned(), unit, value }
    }
}

fn main() -> anyhow::Result<()> {
    let effort = if env::args().any(|arg| arg == "--quick") { Effort::Quick } else { Effort::Full };
    let mut table = Table::new();
    for contender in Contender::all()? {
        for measure in [resident::measure, start::measure, memmon_tick::measure, kill_to_mail::measure] {
            for figure in measure(&contender, effort)? {
                eprintln!("{contender}: {} {:.2} {}", figure.what, figure.value, figure.unit);
                table.add(&contender, figure);
            }
        }
    }
    table.print()
}
