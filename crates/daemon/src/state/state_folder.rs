//! The state folder of a listener, as it was found at its last start.

use std::ffi::OsStr;
use std::rc::Rc;

use ironlance_host::state_folder::{self, StateFolder, UserIdentity};

/// The state folder that a process was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenerStateFolder {
    pub(crate) folder: StateFolder,
    pub(crate) owner: Rc<UserIdentity>,
    /// It is a listener of ours, and so keeps alerts there.
    pub(crate) is_our_binary: bool,
    /// It is one of ours, or its command line names one, as that of a script that calls it does.
    pub(crate) names_our_binary: bool,
}

impl ListenerStateFolder {
    /// Why its alerts cannot be kept. Whether a listener that is not ours keeps any is its own business.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.folder.problem.as_deref().filter(|_| self.is_our_binary)
    }

    /// What the listener is to be told in its environment.
    pub(crate) fn variable(&self) -> Option<(&'static str, &OsStr)> {
        self.folder.granted.then(|| (state_folder::VARIABLE, self.folder.path.as_os_str()))
    }
}
