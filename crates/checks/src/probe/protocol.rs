//! What passes between `watch` and its probe process, each a line of JSON: [`ProbeOrder`]s on the probe's standard input,
//! [`ProbeReading`]s on its standard output. Times are milliseconds since 1970.

use std::path::PathBuf;
use std::time::Duration;

use ironlance_alert::card::Fact;
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::Family;
use serde::{Deserialize, Serialize};

/// The longest line either side reads, in bytes.
pub const MAX_LINE: usize = 16 << 20;

/// What the probe is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeOrder {
    /// All checks there are; those that are as before go on undisturbed.
    Checks(Vec<CheckSpec>),
    /// A program runs: it is checked from now on.
    Running {
        /// Which.
        program: Namespec,
        /// Its process id.
        pid: i32,
        /// When it was started.
        since: u64,
        /// The files of its output.
        logs: Vec<PathBuf>,
    },
    /// A program does not run, or is gone: it is not checked.
    NotRunning {
        /// Which.
        program: Namespec,
    },
    /// A program gave a sign of life.
    Beat {
        /// Which.
        program: Namespec,
        /// When.
        at: u64,
    },
}

/// Which check of which program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckKey {
    /// The program.
    pub program: Namespec,
    /// `Health`, `Memory`, `Cpu` or `Heartbeat`.
    pub family: Family,
    /// The name of the check; empty where the family has only one.
    pub name: String,
}

/// A check, and when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// Which.
    #[serde(flatten)]
    pub key: CheckKey,
    /// What is asked or measured.
    pub target: ProbeTarget,
    /// How often. For heartbeats: the time in which there must be a sign of life.
    pub every: Duration,
    /// How long it may take.
    pub timeout: Duration,
    /// It is not made for this time after a start.
    pub grace: Duration,
    /// After twice this number of good results in a row, further ones are reported rarely.
    pub settled: u32,
}

/// What is asked or measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeTarget {
    /// A page.
    Page {
        /// `http://`, `https://`, or `unix:SOCKET:PATH`.
        url: String,
        /// The expected statuses; 2xx and 3xx where it is empty.
        statuses: Vec<u16>,
        /// What the body must hold.
        body: Option<String>,
        /// Certificates are not verified.
        insecure: bool,
        /// More authorities to trust.
        ca_file: Option<PathBuf>,
        /// Further header fields.
        headers: Vec<(String, String)>,
    },
    /// A TCP connection.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A connection to a unix socket.
    UnixSocket(PathBuf),
    /// A command that exits with 0, without a shell.
    Command(Vec<String>),
    /// Resident or proportional memory.
    Memory {
        /// Proportional memory.
        pss: bool,
        /// With all descendants.
        tree: bool,
        /// The limit in bytes.
        limit: u64,
    },
    /// The memory of its control group.
    Cgroup {
        /// The limit in bytes.
        limit: u64,
    },
    /// CPU time.
    Cpu {
        /// The limit in percent of one core.
        limit: u32,
    },
    /// The files of its output grow.
    Output,
    /// [`ProbeOrder::Beat`]s come.
    Beats,
    /// A file is touched.
    File(PathBuf),
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReading {
    /// Which.
    #[serde(flatten)]
    pub key: CheckKey,
    /// When it began.
    pub at: u64,
    /// What it showed.
    pub result: ProbeResult,
}

/// What a check shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeResult {
    /// As it should be, or below the limit.
    Good,
    /// Not as it should be; what was found.
    Bad(Vec<Fact>),
    /// It could not be made, for this reason; says nothing of the program.
    Unable(String),
}

/// Reads a line; the error says why it cannot be read.
pub fn parse<T: serde::de::DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

/// The line of a message, with its end.
pub fn line(message: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut line = serde_json::to_vec(message).map_err(|error| error.to_string())?;
    line.push(b'\n');
    Ok(line)
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Up to here there is no end of a line.
    searched: usize,
}

impl LineBuffer {
    /// Adds what was read. `false`: a line became longer than [`MAX_LINE`].
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        self.bytes.extend_from_slice(bytes);
        self.bytes.len() <= MAX_LINE || self.bytes[self.searched..].contains(&b'\n')
    }

    /// The next whole line, without its end.
    pub fn next_line(&mut self) -> Option<Vec<u8>> {
        let Some(end) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let rest = self.bytes.split_off(self.searched + end + 1);
        let mut line = std::mem::replace(&mut self.bytes, rest);
        line.pop();
        self.searched = 0;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let key =
            CheckKey { program: Namespec::new("shop", "web"), family: Family::Health, name: "api".into() };
        let spec = CheckSpec {
            key: key.clone(),
            target: ProbeTarget::Tcp { host: "db".into(), port: 5432 },
            every: Duration::from_millis(1500),
            timeout: Duration::from_secs(1),
            grace: Duration::ZERO,
            settled: 3,
        };
        let order = ProbeOrder::Checks(vec![spec]);
        assert_eq!(parse(&line(&order).unwrap()), Ok(order));
        let reading = ProbeReading { key, at: 7, result: ProbeResult::Bad(vec![Fact::Finding("x".into())]) };
        assert_eq!(parse(&line(&reading).unwrap()), Ok(reading));
    }

    proptest! {
        #[test]
        fn lines_come_out_whole_however_they_are_cut(
            lines in proptest::collection::vec("[a-z]{0,9}", 0..9), cut in 1_usize..7,
        ) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let mut buffer = LineBuffer::default();
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(cut) {
                prop_assert!(buffer.push(piece));
                while let Some(line) = buffer.next_line() {
                    found.push(String::from_utf8(line).unwrap());
                }
            }
            prop_assert_eq!(found, lines);
        }

        #[test]
        fn no_line_panics(line in "\\PC{0,80}") {
            let _ = (parse::<ProbeOrder>(line.as_bytes()), parse::<ProbeReading>(line.as_bytes()));
        }
    }
}
