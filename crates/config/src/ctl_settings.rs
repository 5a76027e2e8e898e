//! `[supervisorctl]`: where the control program finds its daemon.

use std::fmt;
use std::path::PathBuf;

use crate::config::Notes;

/// The settings of the control program.
#[derive(Clone, PartialEq, Eq)]
pub struct CtlSettings {
    /// `http://…` or `unix:///path`.
    pub serverurl: String,
    /// What stands before the cursor.
    pub prompt: String,
    /// The user name to give.
    pub username: Option<String>,
    /// The password to give.
    pub password: Option<String>,
    /// Where what was typed is kept; absolute.
    pub history_file: Option<PathBuf>,
    /// Notes about the section.
    pub notes: Notes,
}

/// The password is not shown.
impl fmt::Debug for CtlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("serverurl", &self.serverurl)
            .field("prompt", &self.prompt)
            .field("username", &self.username)
            .field("history_file", &self.history_file)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}
