//! A disk for tests: [`TestDisk`] fails, cuts, kills or loses power at any operation.
//!
//! Names reach the disk in order, as on a journalling file system: after a power cut a prefix of the changes since the last
//! sync of a folder is there. The content of a file is there only if it was synced; else the file is empty.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::Disk;

/// A change of names.
#[derive(Clone, Debug)]
enum Change {
    /// A file is made or emptied; with its content, once that was synced.
    Write(PathBuf, Vec<u8>),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What happens at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process dies before it.
    Kill,
    /// It fails; a write leaves half of the content.
    Fail,
}

/// What decides, by the number of an operation.
type FaultPlan = Box<dyn FnMut(usize) -> Option<Fault>>;

#[derive(Debug, Default)]
struct Content {
    /// As the processes see it.
    files: Files,
    /// What a power cut leaves.
    durable: Files,
    /// What is on its way from the one to the other.
    changes: Vec<Change>,
}

/// The panic by which a process dies.
struct Killed;

/// The disk, shared by the processes that use it.
#[derive(Clone, Default)]
pub(super) struct TestDisk {
    content: Rc<RefCell<Content>>,
    operations: Rc<Cell<usize>>,
    /// Called before each operation with its number.
    fault: Rc<RefCell<Option<FaultPlan>>>,
}

impl TestDisk {
    /// From now on this decides what happens at each operation.
    pub(super) fn set_fault(&self, fault: impl FnMut(usize) -> Option<Fault> + 'static) {
        *self.fault.borrow_mut() = Some(Box::new(fault));
    }

    /// The number of operations so far.
    pub(super) fn operations(&self) -> usize {
        self.operations.get()
    }

    /// Runs a process; `None` where it was killed.
    pub(super) fn run<T>(&self, process: impl FnOnce() -> T) -> Option<T> {
        match panic::catch_unwind(AssertUnwindSafe(process)) {
            Ok(result) => Some(result),
            Err(panic) if panic.is::<Killed>() => None,
            Err(panic) => panic::resume_unwind(panic),
        }
    }

    /// Switches the power off: of the changes, the first ones are on the disk.
    pub(super) fn cut_power(&self, survives: impl FnOnce(usize) -> usize) {
        let content = &mut *self.content.borrow_mut();
        let count = survives(content.changes.len() + 1);
        content.flush(count);
        content.changes.clear();
        content.files = content.durable.clone();
    }

    /// Takes all files out of a folder, for good.
    pub(super) fn take_all(&self, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let content = &mut *self.content.borrow_mut();
        let taken: Vec<_> = content.files.extract_if(.., |path, _| path.parent() == Some(folder)).collect();
        if !taken.is_empty() {
            content.changes.extend(taken.iter().map(|(path, _)| Change::Remove(path.clone())));
            content.flush(content.changes.len());
        }
        taken
    }

    /// Replaces the content of a file, as damage does.
    pub(super) fn damage(&self, path: &Path) {
        self.content.borrow_mut().files.insert(path.to_owned(), b"?".to_vec());
    }

    fn begin(&self) -> io::Result<()> {
        let number = self.operations.get();
        self.operations.set(number + 1);
        let fault = self.fault.borrow_mut().as_mut().and_then(|fault| fault(number));
        match fault {
            None => Ok(()),
            // No message and no backtrace, unlike `panic!`.
            Some(Fault::Kill) => panic::resume_unwind(Box::new(Killed)),
            Some(Fault::Fail) => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}

impl Content {
    fn flush(&mut self, count: usize) {
        for change in self.changes.drain(..count) {
            match change {
                Change::Write(path, content) => drop(self.durable.insert(path, content)),
                Change::Rename(from, to) => {
                    if let Some(content) = self.durable.remove(&from) {
                        self.durable.insert(to, content);
                    }
                }
                Change::Remove(path) => drop(self.durable.remove(&path)),
            }
        }
    }

    fn write(&mut self, path: &Path, content: &[u8]) {
        self.files.insert(path.to_owned(), content.to_vec());
        self.changes.push(Change::Write(path.to_owned(), Vec::new()));
    }
}

impl Disk for TestDisk {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.content.borrow().files.get(path).cloned())
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let content = self.content.borrow();
        let inside = content.files.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.content.borrow().files.contains_key(path))
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let began = self.begin();
        let length = if began.is_ok() { content.len() } else { content.len() / 2 };
        self.content.borrow_mut().write(path, &content[..length]);
        began
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.begin()?;
        let content = &mut *self.content.borrow_mut();
        let Some(synced) = content.files.get(path) else {
            content.flush(content.changes.len());
            return Ok(());
        };
        if let Some(durable) = content.durable.get_mut(path) {
            durable.clone_from(synced);
        }
        for change in &mut content.changes {
            if let Change::Write(written, durable) = change
                && written == path
            {
                durable.clone_from(synced);
            }
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin()?;
        let content = &mut *self.content.borrow_mut();
        let moved = content.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        content.files.insert(to.to_owned(), moved);
        content.changes.push(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.begin()?;
        let content = &mut *self.content.borrow_mut();
        content.files.remove(path).ok_or(io::ErrorKind::NotFound)?;
        content.changes.push(Change::Remove(path.to_owned()));
        Ok(())
    }
}
