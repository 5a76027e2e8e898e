//! A stand-in for sendmail that keeps each mail as a file.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::test_dir::TestDir;
use crate::wait::{TIMEOUT, until};

/// The mailer: a command for `-s`, and the mails it was given.
#[derive(Debug)]
pub struct Mailer {
    command: String,
    folder: PathBuf,
}

impl Mailer {
    /// One that takes every mail and is silent.
    pub fn new(dir: &TestDir) -> anyhow::Result<Self> {
        Self::that(dir, "mailer", "exit 0")
    }

    /// One that keeps the mail and then goes on as the shell text says.
    pub fn that(dir: &TestDir, name: &str, then: &str) -> anyhow::Result<Self> {
        let folder = dir.path(&format!("{name}.mails"));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let place = folder.display();
        // Written under another name first: a file that ends in .mail is whole. Names sort by time.
        let text = format!("n={place}/$(date +%s%N).$$; cat >$n.part && mv $n.part $n.mail\n{then}");
        Ok(Self { command: dir.script(name, &text)?, folder })
    }

    /// The command line.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The mails so far, oldest first.
    pub fn mails(&self) -> anyhow::Result<Vec<String>> {
        read_mails(&self.folder)
    }

    /// Waits until there is this number of mails.
    pub fn wait(&self, count: usize) -> anyhow::Result<Vec<String>> {
        until(&format!("{count} mails at the mailer"), TIMEOUT, || {
            let mails = self.mails()?;
            Ok((mails.len() >= count).then_some(mails))
        })
    }
}

/// The `.mail` files of a folder in the order of their names.
pub(crate) fn read_mails(folder: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "mail"));
    paths.sort();
    let read = |path: &PathBuf| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    paths.iter().map(|path| read(path).with_context(|| format!("cannot read {}", path.display()))).collect()
}
