//! One thing that was measured: the median of several runs, and which way is better.

use std::fmt;

/// The figures of one contender, or what kept them from being taken.
pub(crate) type Figures = anyhow::Result<Vec<Figure>>;

/// Which of two values is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    /// As for times and memory.
    Less,
    /// As for rates.
    More,
}

/// A row's value for one contender.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What it is.
    pub(crate) what: String,
    /// In which unit.
    pub(crate) unit: &'static str,
    /// The median, if not said otherwise.
    pub(crate) value: f64,
    /// Which way is better.
    pub(crate) better: Better,
}

impl Figure {
    /// The median of values of which less is better.
    pub(crate) fn new(what: &str, unit: &'static str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let value = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
        Self { what: what.to_owned(), unit, value, better: Better::Less }
    }

    /// The median of values of which more is better.
    pub(crate) fn more_is_better(what: &str, unit: &'static str, values: Vec<f64>) -> Self {
        Self { better: Better::More, ..Self::new(what, unit, values) }
    }

    /// The greatest of values of which less is better: for what must never happen.
    pub(crate) fn worst(what: &str, unit: &'static str, values: &[f64]) -> Self {
        let worst = values.iter().copied().fold(f64::NAN, f64::max);
        Self::new(what, unit, vec![worst])
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.2} {}", self.what, self.value, self.unit)
    }
}
