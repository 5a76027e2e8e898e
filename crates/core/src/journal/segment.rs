//! The bytes of a segment: [`records`], whole records with their places; what is damaged is counted, what is cut is left.

use super::JournalRecord;
use crate::text::checked_line::{self, LineError};

/// The longest line that is read, in bytes: a record with all its texts escaped.
pub const MAX_LINE: usize = 64 * 1024;

/// What a piece of a segment holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentPiece {
    /// The whole records, in order.
    pub records: Vec<JournalRecord>,
    /// The bytes that were read: up to the end of the last whole line. What follows was cut, or is not written yet.
    pub length: usize,
    /// The number of lines that are damaged.
    pub damaged: usize,
}

/// The whole records of `bytes`, which begin at the start of a line.
pub fn records(bytes: &[u8]) -> SegmentPiece {
    let mut piece = SegmentPiece::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let record =
            if line.len() > MAX_LINE { Err(LineError::NoChecksum) } else { checked_line::decode(line) };
        match record {
            Ok(record) => piece.records.push(record),
            Err(LineError::Cut) => break,
            Err(_) if !line.ends_with(b"\n") => break,
            Err(_) => piece.damaged += 1,
        }
        piece.length += line.len();
    }
    piece
}

/// The name of the segment whose first record has this number.
pub fn file_name(first: u64) -> String {
    format!("{first:020}.log")
}

/// The number of the first record of a segment, by the name of its file.
pub fn first_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 20)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{
        EndReport, JournalEntry, JournalEvent, PoolReport, PoolTrouble, PreviousRun, SupervisorStart,
        SupervisorStop,
    };
    use super::*;

    fn record(n: u64, entry: JournalEntry) -> JournalRecord {
        JournalRecord { n, boot: "6f1c9b2e".into(), at: 1_764_467_291_459, entry }
    }

    fn examples() -> Vec<JournalRecord> {
        let start = SupervisorStart {
            version: "0.2.0".into(),
            identifier: "supervisor".into(),
            previous: PreviousRun::Killed,
            last_seen: Some(1_764_467_000_000),
        };
        let event = JournalEvent {
            serial: Some(97),
            event: "PROCESS_STATE_EXITED".into(),
            group: Some("shop".into()),
            process: Some("web".into()),
            from: Some("RUNNING".into()),
            expected: Some(false),
            pid: Some(4711),
            restarts: true,
            end: Some(EndReport {
                why: "terminated by SIGKILL".into(),
                signal: Some("SIGKILL".into()),
                oom: true,
                up_ms: 123_000,
                ends: 2,
                stderr: "Killed\n".into(),
                ..EndReport::default()
            }),
            ..JournalEvent::default()
        };
        let pool =
            PoolReport { name: "mail".into(), trouble: PoolTrouble::Overflow, why: String::new(), lost: 3 };
        vec![
            record(1, JournalEntry::Start { start }),
            record(2, JournalEntry::Event(Box::new(event))),
            record(3, JournalEntry::Pool { pool }),
            record(4, JournalEntry::Stop { stop: SupervisorStop { how: "shutdown".into() } }),
        ]
    }

    #[test]
    fn every_record_is_read_as_it_was_written() {
        let bytes: String = examples().iter().map(checked_line::encode).collect();
        let piece = records(bytes.as_bytes());
        assert_eq!(piece, SegmentPiece { records: examples(), length: bytes.len(), damaged: 0 });
    }

    #[test]
    fn a_record_is_read_as_the_format_shows_it() {
        let json = checked_line::encode(&examples()[1]);
        let json = json.split_once(' ').unwrap().1;
        assert_eq!(
            json.trim_end(),
            r#"{"n":2,"boot":"6f1c9b2e","at":1764467291459,"serial":97,"event":"PROCESS_STATE_EXITED","group":"shop","process":"web","from":"RUNNING","expected":false,"pid":4711,"restarts":true,"end":{"why":"terminated by SIGKILL","signal":"SIGKILL","oom":true,"up_ms":123000,"ends":2,"stderr":"Killed\n"}}"#
        );
    }

    #[test]
    fn a_segment_is_named_by_its_first_record() {
        assert_eq!(file_name(421), "00000000000000000421.log");
        assert_eq!(first_number("00000000000000000421.log"), Some(421));
        for name in
            ["421.log", "0000000000000000042x.log", "+0000000000000000421.log", "99999999999999999999.log"]
        {
            assert_eq!(first_number(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_cut_segment_gives_the_records_before_the_cut(cut in 0_usize..2000) {
            let lines: Vec<String> = examples().iter().map(checked_line::encode).collect();
            let bytes = lines.concat();
            let cut = cut.min(bytes.len());
            let whole = (0..=lines.len()).rev().find(|n| lines[..*n].concat().len() <= cut).unwrap_or(0);
            let piece = records(&bytes.as_bytes()[..cut]);
            prop_assert_eq!(piece.records, examples()[..whole].to_vec());
            prop_assert_eq!((piece.length, piece.damaged), (lines[..whole].concat().len(), 0));
        }

        #[test]
        fn a_damaged_byte_costs_one_record_or_two(at in 0_usize..2000, byte in any::<u8>()) {
            let mut bytes = examples().iter().map(checked_line::encode).collect::<String>().into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            let read = records(&bytes).records;
            prop_assert!(read.len() + 2 >= examples().len());
            prop_assert!(read.iter().all(|record| examples().contains(record)));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            records(&bytes);
        }
    }
}
