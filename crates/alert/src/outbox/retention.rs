//! How much an outbox keeps: [`Retention`] removes dead letters by age and by the size of the outbox; never an alert that waits.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::folder::{self, OutboxError};
use super::{Outbox, OutboxFolder};
use crate::number_of_env;

/// The days for which dead letters are kept, unless `IRONLANCE_OUTBOX_DEAD_DAYS` says otherwise.
const DEAD_DAYS: i64 = 30;
/// The largest size of an outbox, in MiB, unless `IRONLANCE_OUTBOX_MB` says otherwise.
const MEGABYTES: u64 = 512;
/// A day in seconds.
const DAY: i64 = 86_400;
/// A MiB in bytes.
const MIB: u64 = 1024 * 1024;
/// A dead letter must be too old for this time before it is removed: a clock that is wrong for a while must not cost it.
const EXPIRE_AFTER: Duration = Duration::from_secs(3600);
/// For this time the measured size is used, with what was added since.
const MEASURED_FOR: Duration = Duration::from_secs(60);

/// The limits of an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxLimits {
    /// The age of a dead letter, in seconds.
    pub dead_age: i64,
    /// The size of all files, in bytes.
    pub bytes: u64,
}

impl OutboxLimits {
    /// The limits by the environment.
    pub fn from_env() -> Self {
        Self::of(number_of_env("IRONLANCE_OUTBOX_DEAD_DAYS"), number_of_env("IRONLANCE_OUTBOX_MB"))
    }

    fn of(days: Option<i64>, megabytes: Option<u64>) -> Self {
        Self {
            dead_age: days.filter(|days| *days > 0).unwrap_or(DEAD_DAYS).saturating_mul(DAY),
            bytes: megabytes.filter(|size| *size > 0).unwrap_or(MEGABYTES).saturating_mul(MIB),
        }
    }
}

/// Keeps an outbox within its limits, without measuring it for each alert.
#[derive(Debug)]
pub struct Retention {
    /// The limits.
    pub limits: OutboxLimits,
    /// The measured size, and when it was measured.
    measured: Option<(u64, Instant)>,
    added: u64,
    /// Since when there are dead letters that are too old.
    too_old: Option<Instant>,
}

impl Retention {
    /// Has measured nothing yet.
    pub const fn new(limits: OutboxLimits) -> Self {
        Self { limits, measured: None, added: 0, too_old: None }
    }

    /// Makes room for `bytes`: removes the oldest dead letters first, and no alert that waits. Gives the number of those that
    /// were removed.
    pub fn make_room(&mut self, outbox: &Outbox, bytes: usize, now: Instant) -> Result<usize, OutboxError> {
        let bytes = bytes.try_into().unwrap_or(u64::MAX);
        self.added = self.added.saturating_add(bytes);
        let known = self.measured.filter(|(_, at)| now < *at + MEASURED_FOR && self.added < MIB);
        if known.is_some_and(|(size, _)| size.saturating_add(self.added) <= self.limits.bytes) {
            return Ok(0);
        }
        let mut size = outbox.size();
        let mut removed = 0;
        for id in outbox.ids(OutboxFolder::Dead).unwrap_or_default() {
            if size.saturating_add(bytes) <= self.limits.bytes {
                break;
            }
            let path = outbox.path(OutboxFolder::Dead, &id);
            let length = fs::symlink_metadata(&path).map_or(0, |meta| meta.len());
            if folder::remove(&path).is_ok() {
                size = size.saturating_sub(length);
                removed += 1;
            }
        }
        if size.saturating_add(bytes) > self.limits.bytes {
            (self.measured, self.added) = (None, 0);
            let (path, limit) = (outbox.dir().to_owned(), self.limits.bytes);
            return Err(OutboxError::Full { path, size, limit });
        }
        (self.measured, self.added) = (Some((size, now)), bytes);
        Ok(removed)
    }

    /// Removes dead letters that have been too old for a while; gives their number. `at` in seconds since 1970.
    pub fn expire(&mut self, outbox: &Outbox, at: i64, now: Instant) -> usize {
        let oldest = at.saturating_sub(self.limits.dead_age);
        let mut old = metadata(&outbox.dir().join("dead"));
        old.retain(|(_, meta)| meta.mtime() < oldest);
        if old.is_empty() {
            self.too_old = None;
            return 0;
        }
        if now < *self.too_old.get_or_insert(now) + EXPIRE_AFTER {
            return 0;
        }
        old.iter().filter(|(id, _)| outbox.discard(OutboxFolder::Dead, id).is_ok()).count()
    }
}

impl Outbox {
    /// The size of all alerts, batches and dead letters, in bytes.
    pub fn size(&self) -> u64 {
        let folders = ["new", "dead", "batch"].map(|name| self.dir().join(name));
        let sizes = folders.iter().flat_map(|folder| metadata(folder));
        sizes.map(|(_, meta)| meta.len()).sum()
    }
}

fn metadata(folder: &Path) -> Vec<(String, fs::Metadata)> {
    let names = folder::names(folder).unwrap_or_default().into_iter();
    names.filter_map(|name| fs::symlink_metadata(folder.join(&name)).ok().map(|meta| (name, meta))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> (tempfile::TempDir, Outbox) {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path()).unwrap();
        (dir, outbox)
    }

    #[test]
    fn limits_come_from_the_environment_and_nonsense_is_ignored() {
        assert_eq!(OutboxLimits::of(Some(2), None).dead_age, 2 * DAY);
        let by_default = OutboxLimits { dead_age: 30 * DAY, bytes: 512 * MIB };
        for nonsense in [(None, None), (Some(0), Some(0)), (Some(-1), None)] {
            assert_eq!(OutboxLimits::of(nonsense.0, nonsense.1), by_default);
        }
    }

    #[test]
    fn a_full_outbox_loses_its_oldest_dead_letters_and_nothing_that_waits() {
        let (_dir, outbox) = outbox();
        for (place, id) in [("dead", "2"), ("dead", "1"), ("new", "0")] {
            fs::write(outbox.dir().join(place).join(id), vec![0; 100]).unwrap();
        }
        let mut keeper = Retention::new(OutboxLimits { dead_age: DAY, bytes: 300 });
        assert_eq!(keeper.make_room(&outbox, 50, Instant::now()).unwrap(), 1);
        assert_eq!(outbox.ids(OutboxFolder::Dead).unwrap(), ["2"]);
        assert!(matches!(
            keeper.make_room(&outbox, 250, Instant::now()),
            Err(OutboxError::Full { size: 100, limit: 300, .. })
        ));
        assert_eq!(outbox.ids(OutboxFolder::New).unwrap(), ["0"]);
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_moment_costs_no_dead_letter() {
        let (_dir, outbox) = outbox();
        fs::write(outbox.dir().join("dead/1"), "x").unwrap();
        let mut keeper = Retention::new(OutboxLimits { dead_age: DAY, bytes: MIB });
        let (at, now) = (super::super::unix_time(), Instant::now());
        assert_eq!(keeper.expire(&outbox, at, now), 0);
        assert_eq!(keeper.expire(&outbox, at + 30 * DAY, now), 0, "not at first sight");
        assert_eq!(keeper.expire(&outbox, at, now + EXPIRE_AFTER), 0, "it was the clock");
        assert_eq!(keeper.expire(&outbox, at + 30 * DAY, now + EXPIRE_AFTER), 0);
        assert_eq!(keeper.expire(&outbox, at + 31 * DAY, now + EXPIRE_AFTER * 2), 1);
    }
}
