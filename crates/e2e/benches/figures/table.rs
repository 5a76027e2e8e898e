//! The figures as a markdown table, with the ratios and the machine.

use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::thread;

use anyhow::Context;

use crate::Figure;
use crate::contender::Contender;

/// A row for each figure, a column for each contender.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    unit: &'static str,
    values: Vec<(String, f64)>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { columns: Vec::new(), rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, contender: &Contender, figure: Figure) {
        let column = contender.to_string();
        if !self.columns.contains(&column) {
            self.columns.push(column.clone());
        }
        let value = (column, figure.value);
        match self.rows.iter_mut().find(|row| row.what == figure.what) {
            Some(row) => row.values.push(value),
            None => self.rows.push(Row { what: figure.what, unit: figure.unit, values: vec![value] }),
        }
    }

    /// Writes it to stdout. A ratio is the original's value divided by ours.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let mut out = format!("\n{}\n\n| what |", machine());
        for column in &self.columns {
            out.push_str(&format!(" {column} |"));
            if *column != self.columns[0] {
                out.push_str(" times better |");
            }
        }
        let cells = 2 * self.columns.len();
        out.push_str(&format!("\n|{}\n", "---|".repeat(cells)));
        for row in &self.rows {
            out.push_str(&row.line());
        }
        io::stdout().write_all(out.as_bytes()).context("cannot write the table")
    }
}

impl Row {
    fn line(&self) -> String {
        let mut line = format!("| {} |", self.what);
        let original = self.values.first().map_or(f64::NAN, |(_, value)| *value);
        for (index, (_, value)) in self.values.iter().enumerate() {
            line.push_str(&format!(" {} {} |", number(*value), self.unit));
            if index > 0 {
                let ratio = original / value;
                line.push_str(&if ratio.is_finite() {
                    format!(" {} |", number(ratio))
                } else {
                    " — |".to_owned()
                });
            }
        }
        line + "\n"
    }
}

/// Three digits are all that such a measurement is good for.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 || value == value.trunc() => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// When and where, in a line.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let date = Command::new("date").arg("+%Y-%m-%d").output().map(|output| output.stdout).unwrap_or_default();
    let date = String::from_utf8_lossy(&date);
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("{}, {model}, {cores} cores, Linux {}. Medians of one run.", date.trim(), kernel.trim())
}
