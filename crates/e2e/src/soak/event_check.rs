//! Checks the events that the listeners recorded: none missing, and the states of each process in order.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, bail, ensure};

use super::fixtures::RECORDS;
use crate::test_dir::TestDir;

/// Reads both records; gives how many events the single listener has.
pub(super) fn check(dir: &TestDir) -> anyhow::Result<usize> {
    let [single, pool] = RECORDS.map(|name| fs::read_to_string(dir.path(name)));
    let single = single.context("cannot read the single listener's record")?;
    let count = in_order(&single).context("the single listener")?;
    let pool = pool.context("cannot read the pool's record")?;
    complete(&pool).context("the pool of listeners")?;
    Ok(count)
}

/// The process that makes the single listener's record.
const OWN_PROCESS: &str = "recorder:recorder";

/// One event, or the same again: a listener that died before it answered gets the event again.
///
/// A pool gets no events about automatic restarts of its own listeners: of the recorder's own states there are only
/// exits, and not all of them.
fn in_order(record: &str) -> anyhow::Result<usize> {
    let mut states: HashMap<&str, &str> = HashMap::new();
    let mut next = 0;
    for line in record.lines() {
        let (serial, words) = split(line)?;
        if next > 0 && serial == next - 1 {
            continue;
        }
        ensure!(serial == next, "event {next} is missing before {line:?}");
        next += 1;
        let [event, process, from] = words;
        let state =
            event.strip_prefix("PROCESS_STATE_").with_context(|| format!("not asked for: {line:?}"))?;
        if let Some(last) = states.insert(process, state) {
            let is_own_restart = process == OWN_PROCESS && (last, from) == ("EXITED", "RUNNING");
            ensure!(last == from || is_own_restart, "{process} was {last} before {line:?}");
        }
    }
    Ok(next)
}

/// In any order, but each at least once.
fn complete(record: &str) -> anyhow::Result<()> {
    let mut serials = record.lines().map(|line| Ok(split(line)?.0)).collect::<anyhow::Result<Vec<_>>>()?;
    serials.sort_unstable();
    serials.dedup();
    for (expected, serial) in serials.iter().enumerate() {
        ensure!(*serial == expected, "event {expected} is missing");
    }
    Ok(())
}

fn split(line: &str) -> anyhow::Result<(usize, [&str; 3])> {
    let words: Vec<&str> = line.split(' ').collect();
    let [serial, event, process, from] = words[..] else { bail!("cannot read the record's line {line:?}") };
    Ok((serial.parse().context("cannot read a serial")?, [event, process, from]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "0 PROCESS_STATE_STARTING g:a STOPPED\n1 PROCESS_STATE_STARTING g:b STOPPED\n\
        2 PROCESS_STATE_RUNNING g:a STARTING\n2 PROCESS_STATE_RUNNING g:a STARTING\n\
        3 PROCESS_STATE_EXITED g:a RUNNING\n";

    #[test]
    fn an_event_that_comes_twice_is_one_event() {
        assert_eq!(in_order(GOOD).unwrap(), 4);
        complete(GOOD).unwrap();
    }

    #[test]
    fn only_the_recorder_s_own_restarts_may_be_left_out() {
        let twice = "0 PROCESS_STATE_EXITED recorder:recorder RUNNING\n1 PROCESS_STATE_EXITED recorder:recorder RUNNING\n";
        assert_eq!(in_order(twice).unwrap(), 2);
        assert!(in_order(&twice.replace("recorder:recorder", "g:a")).is_err());
    }

    #[test]
    fn what_is_missing_or_out_of_order_is_found() {
        assert!(in_order(&GOOD.replace("1 PROCESS_STATE_STARTING g:b STOPPED\n", "")).is_err());
        assert!(complete(&GOOD.replace("1 PROCESS_STATE_STARTING g:b STOPPED\n", "")).is_err());
        assert!(in_order(&GOOD.replace("g:a RUNNING", "g:a STARTING")).is_err());
        assert!(in_order("0 PROCESS").is_err());
    }
}
