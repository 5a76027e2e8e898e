//! The disk as the commit sees it: [`Disk`], one method a system call, so that a test can fail or cut each of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use ironlance_host::own_file;

/// More than this is not read of a file, in bytes: the state of ten thousand incidents has a few MiB.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// What a commit does with files. Each call is one step: a kill comes before it or after it.
pub(super) trait Disk {
    /// The content of a file; `None` where there is none.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// The names in a folder, sorted; none where it does not exist.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Whether a file is there.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Writes a file of mode 0600, in the place of one of that name. Its content may be lost by a power cut until it is
    /// synced.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// Makes the content of a file, or the names in a folder, outlive a power cut.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Renames a file, over one of that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The disk of this host.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostDisk;

impl Disk for HostDisk {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = match own_file::open(path, OpenOptions::new().read(true)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let length = file.metadata()?.len();
        if length > MAX_FILE {
            let reason = format!("it has {length} bytes, more than {MAX_FILE}");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        let mut content = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        own_file::open(path, OpenOptions::new().write(true).create(true).truncate(true))?.write_all(content)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
