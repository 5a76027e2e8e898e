//! Checks the logs of the printers: of each life every line, in order.

use std::collections::HashMap;

use anyhow::{Context, ensure};

use super::fixtures::{self, PRINTERS};
use crate::test_dir::TestDir;

/// Reads all logs; gives how many lines there are.
pub(super) fn check(dir: &TestDir) -> anyhow::Result<usize> {
    let mut lines = 0;
    for number in 0..PRINTERS {
        let text = fixtures::log_text(dir, number)?;
        lines += whole(&text).with_context(|| format!("the log of printer:{number}"))?;
    }
    Ok(lines)
}

/// Lines `LIFE NUMBER`: the numbers of a life begin with 0 and have no gap.
fn whole(text: &str) -> anyhow::Result<usize> {
    let mut lives: HashMap<&str, usize> = HashMap::new();
    for line in text.lines() {
        let (life, number) =
            line.split_once(' ').with_context(|| format!("cannot read the line {line:?}"))?;
        let next = lives.entry(life).or_insert(0);
        ensure!(number.parse() == Ok(*next), "line {next} is missing before {line:?}");
        *next += 1;
    }
    Ok(lives.values().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_lost_is_found() {
        assert_eq!(whole("a 0\na 1\nb 0\na 2\n").unwrap(), 4);
        assert!(whole("a 0\na 2\n").is_err());
        assert!(whole("a 0\nb 1\n").is_err());
        assert!(whole("a 0\n1\n").is_err());
    }
}
