//! [`ProcDir`], the folder /proc: its pids, and the files of a process, each by one read() into a reused buffer.

use std::fmt::Write as _;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::io::{Errno, read};

use super::stat::{Stat, resident_pages};
use super::{MemoryError, smaps};

/// Bytes; longer than any stat (comm is at most 64 bytes, 50 numbers) or smaps_rollup (some 25 lines).
const MAX_FILE: usize = 4096;
/// Bytes for one getdents64(): some 1,000 entries.
const ENTRIES: usize = 32 * 1024;

/// A folder like /proc.
pub(super) struct ProcDir {
    root: PathBuf,
    dir: OwnedFd,
    page: u64,
    /// The path below the root that was asked for last.
    path: String,
    buffer: Vec<u8>,
}

impl ProcDir {
    pub(super) fn open(root: &Path) -> Result<Self, MemoryError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(CWD, root, flags, Mode::empty())
            .map_err(|source| MemoryError::Unreadable { path: root.to_owned(), source })?;
        Ok(Self {
            root: root.to_owned(),
            dir,
            page: rustix::param::page_size() as u64,
            path: String::new(),
            buffer: vec![0; MAX_FILE],
        })
    }

    /// Every process there is at the time of the walk.
    pub(super) fn pids(&self) -> Result<Vec<u32>, MemoryError> {
        let mut pids = Vec::new();
        let mut space = vec![MaybeUninit::uninit(); ENTRIES];
        let mut entries = RawDir::new(&self.dir, &mut space);
        while let Some(entry) = entries.next() {
            let entry =
                entry.map_err(|source| MemoryError::Unreadable { path: self.root.clone(), source })?;
            pids.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
        }
        Ok(pids)
    }

    /// Resident memory in bytes, from statm. The stat file may lag behind: each processor has a counter of its own.
    pub(super) fn rss(&mut self, pid: u32) -> Result<u64, MemoryError> {
        let page = self.page;
        let pages = self.file(pid, "statm", resident_pages)?;
        Ok(pages.saturating_mul(page))
    }

    /// Proportional memory in bytes.
    pub(super) fn pss(&mut self, pid: u32) -> Result<u64, MemoryError> {
        self.file(pid, "smaps_rollup", smaps::pss_bytes)
    }

    pub(super) fn stat(&mut self, pid: u32) -> Result<Stat, MemoryError> {
        self.file(pid, "stat", Stat::parse)
    }

    fn file<T>(
        &mut self,
        pid: u32,
        name: &str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, MemoryError> {
        self.path.clear();
        let _ = write!(self.path, "{pid}/{name}");
        match self.read() {
            Ok(length) => parse(&self.buffer[..length])
                .ok_or_else(|| MemoryError::Malformed(self.root.join(&self.path))),
            Err(Errno::SRCH) => Err(MemoryError::Gone(pid)),
            Err(Errno::NOENT) if !self.has(pid) => Err(MemoryError::Gone(pid)),
            Err(source) => Err(MemoryError::Unreadable { path: self.root.join(&self.path), source }),
        }
    }

    fn read(&mut self) -> Result<usize, Errno> {
        let file = openat(&self.dir, &self.path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        read(&file, self.buffer.as_mut_slice())
    }

    fn has(&self, pid: u32) -> bool {
        rustix::fs::statat(&self.dir, pid.to_string(), rustix::fs::AtFlags::empty()).is_ok()
    }
}
