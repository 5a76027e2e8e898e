//! What a new configuration changes in the groups that are active.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;

use ironlance_core::GroupName;

use crate::group::{Group, GroupKind};
use crate::program::{LogTarget, OutputConfig, Program};

/// The groups that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDiff {
    /// Only in the new configuration; in its order.
    pub added: Vec<GroupName>,
    /// In both, and not the same; in the order of the new one.
    pub changed: Vec<GroupName>,
    /// Only active; in the order of the active ones.
    pub removed: Vec<GroupName>,
}

/// Compares the active groups with those of a new configuration, as the original's `diff_to_active` does.
///
/// Of a FastCGI socket only the URL counts. A log file that is AUTO in the new configuration is no change.
pub fn diff(active: &[&Group], new: &[&Group]) -> GroupDiff {
    let active_names = by_name(active);
    let new_names = by_name(new);
    let mut diff = GroupDiff::default();
    for group in new {
        match active_names.get(&group.name) {
            None => diff.added.push(group.name.clone()),
            Some(active) if same_group(active, group) => {}
            Some(_) => diff.changed.push(group.name.clone()),
        }
    }
    let gone = active.iter().filter(|group| !new_names.contains_key(&group.name));
    diff.removed = gone.map(|group| group.name.clone()).collect();
    diff
}

fn by_name<'g>(groups: &[&'g Group]) -> HashMap<&'g GroupName, &'g Group> {
    groups.iter().map(|group| (&group.name, *group)).collect()
}

fn same_group(active: &Group, new: &Group) -> bool {
    active.priority == new.priority
        && same_kind(&active.kind, &new.kind)
        && active.programs.len() == new.programs.len()
        && active.programs.iter().zip(&new.programs).all(|(active, new)| same_program(active, new))
}

fn same_kind(active: &GroupKind, new: &GroupKind) -> bool {
    match (active, new) {
        (GroupKind::Programs, GroupKind::Programs) => true,
        (GroupKind::FastCgi(active), GroupKind::FastCgi(new)) => active.url == new.url,
        (
            GroupKind::Listeners { events, buffer_size, result_handler },
            GroupKind::Listeners {
                events: new_events,
                buffer_size: new_buffer_size,
                result_handler: new_result_handler,
            },
        ) => {
            events.len() == new_events.len()
                && events.iter().all(|event| new_events.contains(event))
                && buffer_size == new_buffer_size
                && result_handler == new_result_handler
        }
        (GroupKind::Programs | GroupKind::FastCgi(_) | GroupKind::Listeners { .. }, _) => false,
    }
}

/// The active process has the file that was made for AUTO, so any file but AUTO is another one.
fn same_program(active: &Program, new: &Program) -> bool {
    let as_active = |output: &OutputConfig, active: &OutputConfig| match output.logfile {
        LogTarget::Auto => OutputConfig { logfile: active.logfile.clone(), ..output.clone() },
        LogTarget::None | LogTarget::File(_) => output.clone(),
    };
    let stdout = as_active(&new.stdout, &active.stdout);
    let stderr = as_active(&new.stderr, &active.stderr);
    let new = Program { stdout, stderr, ..new.clone() };
    *active == new && spelling(active) == spelling(&new)
}

/// The paths letter by letter: `/tmp` and `/tmp/` are equal as paths, but not in the original.
fn spelling(program: &Program) -> [Option<&OsStr>; 3] {
    [program.directory.as_deref().map(Path::as_os_str), file(&program.stdout), file(&program.stderr)]
}

fn file(output: &OutputConfig) -> Option<&OsStr> {
    match &output.logfile {
        LogTarget::File(path) => Some(path.as_os_str()),
        LogTarget::None | LogTarget::Auto => None,
    }
}

#[cfg(test)]
mod tests;
