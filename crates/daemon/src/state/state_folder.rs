//! The state folder of a listener as of its last start: [`ListenerStateFolder`].

use std::ffi::OsStr;
use std::rc::Rc;

use ironlance_host::state_folder::{self, StateFolder, UserIdentity};

/// The state folder that a process was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenerStateFolder {
    pub(crate) folder: StateFolder,
    pub(crate) owner: Rc<UserIdentity>,
    /// The listener is our own binary, which keeps alerts there.
    pub(crate) is_our_binary: bool,
    /// The command line names our binary, as that of a script that calls it does.
    pub(crate) names_our_binary: bool,
}

impl ListenerStateFolder {
    /// Why its alerts cannot be kept; only of a listener that is our own binary.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.folder.problem.as_deref().filter(|_| self.is_our_binary)
    }

    /// The variable for the listener's environment.
    pub(crate) fn variable(&self) -> Option<(&'static str, &OsStr)> {
        self.folder.granted.then(|| (state_folder::VARIABLE, self.folder.path.as_os_str()))
    }
}
