//! How many events there are of each type: those that wait, and those that were given up.

use std::fmt;

use crate::event::kind::EventKind;

/// Counts of events by their type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCounts([u64; EventKind::ALL.len()]);

impl EventCounts {
    /// One more of this type.
    pub const fn add(&mut self, kind: EventKind) {
        self.0[kind as usize] = self.0[kind as usize].saturating_add(1);
    }

    /// How many there are of all types together.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The types of which there is at least one, and how many there are, in the order of [`EventKind::ALL`].
    pub fn counts(&self) -> impl Iterator<Item = (EventKind, u64)> {
        EventKind::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

impl FromIterator<EventKind> for EventCounts {
    fn from_iter<I: IntoIterator<Item = EventKind>>(kinds: I) -> Self {
        let mut tally = Self::default();
        kinds.into_iter().for_each(|kind| tally.add(kind));
        tally
    }
}

impl fmt::Display for EventCounts {
    /// `3 TICK_5, 1 PROCESS_STATE_EXITED`; `none` where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (kind, count) in self.counts() {
            write!(f, "{comma}{count} {kind}")?;
            comma = ", ";
        }
        if comma.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_by_their_type_and_told_in_words() {
        let kinds = [EventKind::Tick5, EventKind::ProcessStateExited, EventKind::Tick5];
        let tally: EventCounts = kinds.into_iter().collect();
        assert_eq!(tally.total(), 3);
        assert_eq!(tally.to_string(), "1 PROCESS_STATE_EXITED, 2 TICK_5");
        assert_eq!(EventCounts::default().to_string(), "none");
    }
}
