//! How a process is configured, shared with the configuration.

use std::fmt;
use std::rc::Rc;

use ironlance_config::{Group, Program};

/// One program of a group.
#[derive(Clone, PartialEq)]
pub struct ProgramSettings {
    group: Rc<Group>,
    index: usize,
}

impl ProgramSettings {
    /// The program at this place of its group; nothing where there is none.
    pub fn of(group: &Rc<Group>, index: usize) -> Option<Self> {
        (index < group.programs.len()).then(|| Self { group: Rc::clone(group), index })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.group.programs[self.index]
    }
}

/// Its environment and command may have passwords.
impl fmt::Debug for ProgramSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({}, {})", self.group.name, self.index)
    }
}
