//! The items of a card as lines: [`ItemGroup`]. Processes of one program that share a fate are one line.

use crate::card::{CardItem, ItemStatus};

use super::clean::clean;

/// One or more items that are told as one.
pub(super) struct ItemGroup<'a> {
    /// The items; the most severe and oldest first. Never empty.
    pub(super) items: Vec<&'a CardItem>,
    /// The name, clean: `shop:web`, `worker:*`.
    pub(super) name: String,
}

/// How an item is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is wrong, or runs again and was not told yet.
    Problem,
    /// It is over.
    Recovered,
    /// It ended for a reason outside of it, or it never was a problem: a line.
    Aside,
}

impl Standing {
    pub(super) const fn of(status: ItemStatus) -> Self {
        match status {
            ItemStatus::Firing | ItemStatus::UpAgain => Self::Problem,
            ItemStatus::Recovered => Self::Recovered,
            ItemStatus::StoppedByOperator
            | ItemStatus::Removed
            | ItemStatus::Shutdown
            | ItemStatus::Started
            | ItemStatus::Stopped
            | ItemStatus::Finished => Self::Aside,
        }
    }
}

impl<'a> ItemGroup<'a> {
    /// The item that stands for all.
    pub(super) fn lead(&self) -> &'a CardItem {
        self.items[0]
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::of(self.lead().status)
    }
}

/// The groups of some items, by severity, then by age.
pub(super) fn groups(items: &[CardItem]) -> Vec<ItemGroup<'_>> {
    let mut sorted: Vec<&CardItem> = items.iter().collect();
    sorted
        .sort_by_key(|item| (Standing::of(item.status) as u8, std::cmp::Reverse(item.severity), item.since));
    let mut groups: Vec<ItemGroup<'_>> = Vec::new();
    let mut by_program = std::collections::HashMap::new();
    for item in sorted {
        let Some(stem) = stem(item) else {
            groups.push(ItemGroup { items: vec![item], name: clean(&item.program) });
            continue;
        };
        let key = (&item.group, stem, item.family, item.phase, Standing::of(item.status) as u8);
        let index = *by_program.entry(key).or_insert_with(|| {
            groups.push(ItemGroup { items: Vec::new(), name: clean(&item.program) });
            groups.len() - 1
        });
        groups[index].items.push(item);
        if groups[index].items.len() == 2 {
            let words = stem.trim_end_matches(['_', '-', '.']);
            let stem = if words == item.group { "" } else { stem };
            groups[index].name = clean(&format!("{}:{stem}*", item.group));
        }
    }
    groups
}

/// What the name of a process has in common with the others of its program: all but the number at its end. None where it
/// has no number.
fn stem(item: &CardItem) -> Option<&str> {
    let name = item.program.strip_prefix(item.group.as_str())?.strip_prefix(':')?;
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.len() < name.len()).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::card::samples;

    #[test]
    fn processes_of_one_program_are_one_line_and_others_are_not() {
        let names = [
            "worker:worker_0",
            "db",
            "worker:worker_1",
            "shop:web",
            "shop:api",
            "n:00",
            "n:01",
            "g:a1",
            "g:a2",
        ];
        let items: Vec<CardItem> = names.iter().map(|name| samples::item(name)).collect();
        let groups = groups(&items);
        let names: Vec<(&str, usize)> =
            groups.iter().map(|group| (group.name.as_str(), group.items.len())).collect();
        assert_eq!(
            names,
            [("worker:*", 2), ("db", 1), ("shop:web", 1), ("shop:api", 1), ("n:*", 2), ("g:a*", 2)]
        );
    }

    #[test]
    fn the_worst_and_oldest_come_first_and_what_is_over_last() {
        let mut items: Vec<CardItem> = ["a", "b", "c", "d"].iter().map(|name| samples::item(name)).collect();
        items[0].status = ItemStatus::Recovered;
        items[3].severity = ironlance_core::alerting::incident::Severity::Critical;
        items[2].since -= 1;
        let names: Vec<String> = groups(&items).into_iter().map(|group| group.name).collect();
        assert_eq!(names, ["d", "c", "b", "a"]);
    }
}
