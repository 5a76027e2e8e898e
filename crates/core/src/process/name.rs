//! Names of processes and groups, kept apart so that one cannot stand where the other belongs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of one process, unique within its group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessName(pub String);

/// The name of a process group; a program outside any group is a group of its own name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupName(pub String);

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A process by group and name.
///
/// Shown as Supervisor shows it (`make_namespec` in its options.py): `NAME` where group and
/// process have the same name, else `GROUP:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Namespec {
    /// The group the process belongs to.
    pub group: GroupName,
    /// The process within that group.
    pub process: ProcessName,
}

impl Namespec {
    /// A process `process` of the group `group`.
    pub fn new(group: impl Into<String>, process: impl Into<String>) -> Self {
        Self { group: GroupName(group.into()), process: ProcessName(process.into()) }
    }

    /// `GROUP:NAME`, also where both are the same.
    pub fn qualified(&self) -> String {
        format!("{}:{}", self.group, self.process)
    }
}

impl fmt::Display for Namespec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.0 == self.process.0 {
            f.write_str(&self.process.0)
        } else {
            write!(f, "{}:{}", self.group, self.process)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_its_own_group_is_shown_by_its_bare_name() {
        assert_eq!(Namespec::new("web", "web").to_string(), "web");
        assert_eq!(Namespec::new("web", "web").qualified(), "web:web");
        assert_eq!(Namespec::new("shop", "web").to_string(), "shop:web");
    }
}
