//! [`HistoryRecord`]: an item of the answer of `ironlance.getHistory`, a record of the daemon's journal.

use super::{Record, member_table};

/// A record of the journal. What it does not say is empty, 0 or false.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryRecord {
    /// Its number in the journal; numbers rise without holes where nothing was lost.
    pub number: u64,
    /// When, in seconds since 1970.
    pub at: f64,
    /// Names the run of the daemon that it is about.
    pub boot: String,
    /// The number by which listeners know the event; `None` where none gets it.
    pub serial: Option<u64>,
    /// The type of the event; `START` and `STOP` of the daemon, `POOL` for a pool of listeners in trouble or well again.
    pub event: String,
    /// The group, or the pool.
    pub group: String,
    /// The process.
    pub process: String,
    /// The state before.
    pub from: String,
    /// The process id.
    pub pid: u64,
    /// For an exit: whether its status is one of `exitcodes`.
    pub expected: bool,
    /// For an exit: whether it is started again by itself.
    pub restarts: bool,
    /// The number of starts that have failed in a row.
    pub tries: u64,
    /// How it ended or why it could not be started; of a pool, what is wrong; of `STOP`, what came after.
    pub why: String,
    /// The exit status; `None` without one.
    pub status: Option<u64>,
    /// The name of the signal that ended it.
    pub signal: String,
    /// Whether it dumped core.
    pub core: bool,
    /// Whether the kernel killed it: out of memory.
    pub oom: bool,
    /// Who asked for its end, in words.
    pub by: String,
    /// How long it had been up, in seconds.
    pub uptime: f64,
    /// How often it had ended in this run of the daemon, this time included.
    pub ends: u64,
    /// The last lines of its standard output.
    pub stdout_tail: String,
    /// The last lines of its standard error.
    pub stderr_tail: String,
    /// The type of a message; of `POOL`, `overflow`, `broken` or `well`; of `START`, how the run before ended: `none`,
    /// `clean`, `killed`.
    pub kind: String,
    /// The data of a message.
    pub data: String,
    /// The number of events that a pool has lost.
    pub lost: u64,
}

member_table! {
    HistoryRecord {
        "number" => number, "at" => at, "boot" => boot, "serial" => serial, "event" => event, "group" => group, "process" => process,
        "from" => from, "pid" => pid, "expected" => expected, "restarts" => restarts, "tries" => tries, "why" => why,
        "status" => status, "signal" => signal, "core" => core, "oom" => oom, "by" => by, "uptime" => uptime,
        "ends" => ends, "stdout_tail" => stdout_tail, "stderr_tail" => stderr_tail, "kind" => kind, "data" => data,
        "lost" => lost,
    }
}

impl Record for HistoryRecord {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_reads_back_as_it_was_written(
            texts in prop::collection::vec("\\PC{0,8}", 13), numbers in prop::array::uniform5(0..u64::MAX / 2),
            status in prop::option::of(0..256_u64), serial in prop::option::of(0..u64::MAX / 2), flags in prop::array::uniform4(any::<bool>()),
            times in prop::array::uniform2(0.0..1e10_f64),
        ) {
            let [number, pid, tries, ends, lost] = numbers;
            let [expected, restarts, core, oom] = flags;
            let mut texts = texts.into_iter();
            let mut text = || texts.next().unwrap();
            let record = HistoryRecord {
                number, at: times[0], boot: text(), serial, event: text(), group: text(), process: text(), from: text(), pid,
                expected, restarts, tries, why: text(), status, signal: text(), core, oom, by: text(), uptime: times[1],
                ends, stdout_tail: text(), stderr_tail: text(), kind: text(), data: text(), lost,
            };
            prop_assert_eq!(HistoryRecord::from_value(record.clone().to_value()), Ok(record));
        }
    }
}
