//! An outbox with cards, written by hand, and the deliverer that sends them: [`CardOutbox`].

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::{Value, json};

use crate::test_dir::TestDir;
use crate::wait::until;

/// How long a deliverer may take in these tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// An outbox in a test's folder.
pub struct CardOutbox<'a> {
    dir: &'a TestDir,
    folder: PathBuf,
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A card about a program that crashed, made now. Its output has what carriers take for markup and mentions.
pub fn crash_card() -> Value {
    json!({
        "kind": "firing", "severity": "error", "host": "web1", "supervisor": "supervisor", "at": now(),
        "timezone": "UTC", "language": "en", "receiver": "ops", "url": "http://web1:9001/",
        "items": [{
            "incident": 42, "program": "shop:web", "group": "shop", "family": "down", "phase": "crash",
            "severity": "error", "status": "firing", "since": now() - 5, "times": 1,
            "facts": [{ "ended": { "signal": "SIGKILL", "oom": true } }, { "ran_for": 123_000 }],
            "tail": { "stream": "stderr", "lines": ["bad <!channel> & <at id=all> ``` [x](http://evil)"] },
            "runbook": "https://wiki.example.com/shop-web",
        }],
    })
}

/// The same incident when it is over.
pub fn recovered_card() -> Value {
    let mut card = crash_card();
    card["kind"] = "recovered".into();
    card["items"][0]["status"] = "recovered".into();
    card["items"][0]["until"] = now().into();
    card
}

impl<'a> CardOutbox<'a> {
    /// An empty outbox.
    pub fn new(dir: &'a TestDir) -> anyhow::Result<Self> {
        let folder = dir.path("state/outbox");
        DirBuilder::new().recursive(true).mode(0o700).create(folder.join("new"))?;
        Ok(Self { dir, folder })
    }

    /// Puts a card in, for a channel with its settings.
    pub fn put(&self, id: &str, channel: &Value, card: &Value) -> anyhow::Result<()> {
        let header = json!({ "header": {
            "v": 2, "id": id, "origin": "watch", "host": "web1", "created": now(), "subject": "shop:web",
            "route": { "name": "ops", "transport": { "channel": { "channel": channel } }, "from": null, "to": ["ops"] },
            "form": "card",
        } });
        let entry = json!({ "entry": { "text": "shop:web crashed", "card": card } });
        let file: String = [header, entry].iter().map(|record| line(&record.to_string())).collect();
        let path = self.folder.join("new").join(id);
        let mut options = OpenOptions::new();
        let mut out = options.write(true).create_new(true).mode(0o600).open(path)?;
        std::io::Write::write_all(&mut out, file.as_bytes()).context("cannot write an alert")
    }

    /// Runs a deliverer until nothing waits; gives what it wrote to its log.
    pub fn deliver(&self) -> anyhow::Result<String> {
        let log = self.dir.path("deliver.log");
        let mut options = OpenOptions::new();
        let lock =
            options.write(true).create(true).truncate(false).mode(0o600).open(self.folder.join("lock"))?;
        let mut command = self.dir.ours("ironlance")?;
        command.arg("deliver").arg(&self.folder);
        command.env("no_proxy", "*").stdin(lock).stdout(Stdio::piped()).stderr(File::create(&log)?);
        // Kept: the deliverer ends early where its reader is gone.
        let mut child = command.spawn().context("cannot start the deliverer")?;
        until("the deliverer to end", PATIENCE, || Ok(child.try_wait()?))
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(fs::read_to_string(&log)?)
    }

    /// The ids that wait, and those of the dead letters.
    pub fn left(&self) -> (Vec<String>, Vec<String>) {
        let names = |folder: &str| {
            let entries = fs::read_dir(self.folder.join(folder)).into_iter().flatten().flatten();
            let mut names: Vec<String> =
                entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        (names("new"), names("dead"))
    }
}

/// A record with its checksum.
fn line(json: &str) -> String {
    format!("{:08x} {json}\n", crc32(json.as_bytes()))
}

/// CRC-32 of zip and Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_that_of_zip() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}
