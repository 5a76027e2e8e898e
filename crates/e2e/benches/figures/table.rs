//! The figures as a markdown table, with the ratios and the machine.

use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::thread;

use anyhow::Context;

use crate::contender::Contender;
use crate::figure::{Better, Figure};

/// A row for each figure, a column for each contender.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    unit: &'static str,
    better: Better,
    /// By column; the first is the original.
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
        let Figure { what, unit, value, better } = figure;
        match self.rows.iter_mut().find(|row| row.what == what) {
            Some(row) => row.values.push((column, value)),
            None => self.rows.push(Row { what, unit, better, values: vec![(column, value)] }),
        }
    }

    /// Writes it to stdout. A ratio says how many times better than the original we are.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let mut out = format!("\n{}\n\n| what |", machine());
        for (index, column) in self.columns.iter().enumerate() {
            out.push_str(&format!(" {column} |"));
            if index > 0 {
                out.push_str(" times better |");
            }
        }
        let cells = 2 * self.columns.len();
        out.push_str(&format!("\n|{}\n", "---|".repeat(cells)));
        for row in &self.rows {
            out.push_str(&row.line(&self.columns));
        }
        io::stdout().write_all(out.as_bytes()).context("cannot write the table")
    }
}

impl Row {
    fn line(&self, columns: &[String]) -> String {
        let mut line = format!("| {} |", self.what);
        let original = columns.first().and_then(|column| self.value(column)).unwrap_or(f64::NAN);
        for (index, column) in columns.iter().enumerate() {
            let Some(value) = self.value(column) else {
                line.push_str(if index > 0 { " | |" } else { " |" });
                continue;
            };
            let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
            line.push_str(&format!(" {}{unit} |", number(value)));
            if index > 0 {
                line.push_str(&format!(" {} |", ratio(original, value, self.better)));
            }
        }
        line + "\n"
    }

    fn value(&self, column: &str) -> Option<f64> {
        self.values.iter().find(|(name, _)| name == column).map(|(_, value)| *value)
    }
}

/// How many times better; a dash where nothing can be divided by nothing.
fn ratio(original: f64, ours: f64, better: Better) -> String {
    let ratio = match better {
        Better::Less => original / ours,
        Better::More => ours / original,
    };
    if ratio.is_finite() { number(ratio) } else { "—".to_owned() }
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
