//! The bytes of a file of any type: bounded in size, and in time where it is a pipe or a device.
//!
//! A configuration may come from a pipe (`-c <(make-config)`). But a daemon that reads its configuration again must not
//! wait for ever for a writer.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// A pipe must be written to its end within this time.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is read of it at once (bytes).
const CHUNK: usize = 64 * 1024;

/// The first `most` bytes of what is at `path`.
///
/// Errors: those of the system; a pipe that is not written to its end within two seconds is `TimedOut`.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return read_in_time(file, most, PATIENCE);
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_in_time(mut file: File, most: u64, patience: Duration) -> io::Result<Vec<u8>> {
    let begin = Instant::now();
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    while (bytes.len() as u64) < most {
        wait(&file, patience.saturating_sub(begin.elapsed()))?;
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(bytes)
}

/// Waits until there is something to read, or the end. A pipe without a writer so far has no end.
fn wait(file: &File, left: Duration) -> io::Result<()> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "it is no regular file, and nothing comes from it");
    if left.is_zero() {
        return Err(late());
    }
    let timeout = Timespec::try_from(left).map_err(|_| late())?;
    match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&timeout)) {
        Ok(0) => Err(late()),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::thread;

    use super::*;

    fn fifo(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        path
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = fifo(folder.path());
        let text = "x".repeat(200_000);
        let (there, written) = (path.clone(), text.clone());
        let writer = thread::spawn(move || {
            OpenOptions::new().write(true).open(there).unwrap().write_all(written.as_bytes()).unwrap();
        });
        assert_eq!(read(&path, 1 << 20).unwrap(), text.as_bytes());
        writer.join().unwrap();
    }

    #[test]
    fn a_pipe_that_a_shell_hands_over_is_read() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"[supervisord]\n").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        assert_eq!(read(Path::new(&path), 100).unwrap(), b"[supervisord]\n");
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = fifo(folder.path());
        let error = read(&path, 100).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "it is no regular file, and nothing comes from it");
        // Nor is one that is held open.
        let mut holder = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        holder.write_all(b"[a]").unwrap();
        assert_eq!(read(&path, 100).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_device_without_end_is_cut_and_an_empty_one_is_empty() {
        assert_eq!(read(Path::new("/dev/zero"), 100_000).unwrap().len(), 100_000);
        assert!(read(Path::new("/dev/null"), 100).unwrap().is_empty());
    }

    #[test]
    fn a_folder_is_refused() {
        assert_eq!(read(Path::new("/"), 100).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
