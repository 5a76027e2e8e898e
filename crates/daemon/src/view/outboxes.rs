//! State folders of event listeners, known to the owner, and their outboxes, read outside of it.

use std::path::PathBuf;
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_host::state_folder::outbox_summary::{OutboxSummary, disk_problem};

/// A state folder, as the owner knows it; nothing in it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolderView {
    /// Where it is.
    pub path: PathBuf,
    /// The uid of its owner.
    pub uid: u32,
    /// The name of its owner.
    pub user: String,
    /// The processes of listeners that use it: those of ours, and those whose command line names one of ours.
    pub listeners: Vec<Namespec>,
    /// One of them is a listener of ours, which keeps alerts there. Without one the folder is reported only when
    /// something is wrong: another program of that user may keep alerts there.
    pub is_used: bool,
    /// Why alerts cannot be kept there.
    pub trouble: Option<String>,
}

/// A state folder and what waits in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxView {
    /// The folder.
    pub folder: StateFolderView,
    /// What its outbox holds.
    pub alerts: OutboxSummary,
}

/// Alerts that wait no longer than this are on their way.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

impl OutboxView {
    /// Whether it needs attention. `now` is since 1970.
    pub fn needs_attention(&self, now: Duration) -> bool {
        let OutboxSummary { waiting, oldest, dead, last_error } = &self.alerts;
        let late = oldest.is_some_and(|oldest| now.saturating_sub(oldest) > ON_ITS_WAY);
        self.folder.trouble.is_some() || *dead > 0 || (*waiting > 0 && (late || last_error.is_some()))
    }
}

impl StateFolderView {
    /// Reads the folder, and blocks for as long as the disk does. `None` where there is no outbox to report.
    pub fn read(mut self) -> Option<OutboxView> {
        let alerts = match OutboxSummary::read(&self.path, self.uid) {
            Ok(alerts) => {
                self.trouble = self.trouble.take().or_else(|| disk_problem(&self.path, self.uid));
                alerts
            }
            Err(why) => {
                self.trouble.get_or_insert(why);
                OutboxSummary::default()
            }
        };
        (self.is_used || !alerts.is_healthy()).then_some(OutboxView { folder: self, alerts })
    }

    /// The same for a folder that could not be read in time.
    pub fn timed_out(mut self) -> OutboxView {
        let why = format!("cannot read {}: it takes too long", self.path.display());
        self.trouble.get_or_insert(why);
        OutboxView { folder: self, alerts: OutboxSummary::default() }
    }
}

#[cfg(test)]
mod tests {
    use ironlance_host::state_folder::outbox_summary::LastError;

    use super::*;

    #[test]
    fn an_alert_on_its_way_is_well_and_one_that_was_refused_or_is_late_is_not() {
        let now = Duration::from_secs(1000);
        let folder = || StateFolderView {
            path: "/nonexistent/state".into(),
            uid: 0,
            user: "root".into(),
            listeners: Vec::new(),
            is_used: true,
            trouble: None,
        };
        let outbox = |age: u64, dead, error: bool| OutboxView {
            folder: folder(),
            alerts: OutboxSummary {
                waiting: usize::from(age > 0),
                oldest: (age > 0).then(|| now - Duration::from_secs(age)),
                dead,
                last_error: error.then(|| LastError { at: now, reason: "no".into() }),
            },
        };
        assert!(!outbox(0, 0, false).needs_attention(now) && !outbox(5, 0, false).needs_attention(now));
        assert!(!outbox(0, 0, true).needs_attention(now), "what has gone since is no trouble");
        for unwell in [outbox(61, 0, false), outbox(5, 0, true), outbox(0, 1, false), folder().timed_out()] {
            assert!(unwell.needs_attention(now), "{unwell:?}");
        }
        assert_eq!(folder().read().unwrap().alerts, OutboxSummary::default());
        assert_eq!(StateFolderView { is_used: false, ..folder() }.read(), None);
    }
}
