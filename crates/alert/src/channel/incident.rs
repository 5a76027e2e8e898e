//! A card taken apart for channels that tell each incident by itself: [`Incident`], an item with its words and its labels.
//! PagerDuty, Alertmanager and the web hook use it.

use std::collections::BTreeMap;

use ironlance_core::alerting::incident::Family;
use jiff::Timestamp;

use crate::card::{Card, CardItem, CardKind, ItemStatus};
use crate::render::card::{CardMessage, CardText, Detail, FactText, TailText};

/// One incident of a card.
#[derive(Clone, Debug)]
pub(super) struct Incident {
    /// The card with this item alone.
    card: Card,
    text: CardText,
}

impl Incident {
    /// The incidents of a card, without those items that are none: a program that was started or stopped.
    pub(super) fn all(message: &CardMessage<'_>) -> Vec<Self> {
        let is_incident = |item: &&CardItem| {
            !matches!(item.status, ItemStatus::Started | ItemStatus::Stopped | ItemStatus::Finished)
        };
        message.card.items.iter().filter(is_incident).map(|item| Self::new(message, item)).collect()
    }

    fn new(message: &CardMessage<'_>, item: &CardItem) -> Self {
        let kind = match message.card.kind {
            CardKind::Test => CardKind::Test,
            _ if is_over(item.status) => CardKind::Recovered,
            _ => CardKind::Firing,
        };
        let whole = message.card;
        let card = Card {
            kind,
            severity: item.severity,
            host: whole.host.clone(),
            supervisor: whole.supervisor.clone(),
            at: whole.at,
            timezone: whole.timezone.clone(),
            language: whole.language,
            receiver: whole.receiver.clone(),
            url: whole.url.clone(),
            items: vec![item.clone()],
            more: 0,
            marks: whole.marks.clone(),
            labels: whole.labels.clone(),
        };
        // The title of `Line` alone has no facts; an incident is told with its reason.
        let detail = message.detail.min(Detail::Plain);
        let text = CardMessage { card: &card, detail, late: message.late }.text();
        Self { card, text }
    }

    /// The item.
    pub(super) fn item(&self) -> &CardItem {
        // `new` made it of one.
        &self.card.items[0]
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        is_over(self.item().status)
    }

    /// What happened where, in a line.
    pub(super) fn summary(&self) -> String {
        self.text.title.clone()
    }

    /// What is known; the first is why.
    pub(super) fn facts(&self) -> &[FactText] {
        self.text.items.first().map_or(&[], |item| &item.facts)
    }

    /// Why, in a line.
    pub(super) fn why(&self) -> Option<&str> {
        self.facts().first().map(|fact| fact.value.as_str())
    }

    /// The last lines of its output.
    pub(super) fn tail(&self) -> Option<&TailText> {
        self.text.items.first()?.tail.as_ref()
    }

    /// What the reader has to know of the message.
    pub(super) fn notes(&self) -> &[String] {
        &self.text.notes
    }

    /// What names it at every host, for the time of the incident and beyond: `ironlance/HOST/IDENTIFIER/PROGRAM/FAMILY`.
    pub(super) fn key(&self) -> String {
        let item = self.item();
        format!("ironlance/{}/{}/{}/{}", self.card.host, self.card.supervisor, item.program, item.family)
    }

    /// Labels as Alertmanager knows them. What changes while it burns is none of them.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let item = self.item();
        let own = self.card.labels.iter().chain(&item.labels);
        let mut labels: BTreeMap<String, String> =
            own.map(|(name, value)| (label_name(name), value.clone())).collect();
        for (name, value) in [
            ("alertname", alert_name(item.family)),
            ("instance", &self.card.host),
            ("supervisor", &self.card.supervisor),
            ("group", &item.group),
            ("program", &item.program),
            ("cause", item.family.name()),
            ("severity", item.severity.name()),
        ] {
            labels.insert(name.to_owned(), value.to_owned());
        }
        // An empty label is none.
        labels.retain(|_, value| !value.is_empty());
        labels
    }

    /// Annotations as Alertmanager knows them.
    pub(super) fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::from([
            ("summary".to_owned(), self.summary()),
            ("phase".to_owned(), self.item().phase.to_string()),
        ]);
        let mut description: Vec<String> = self.why().map(str::to_owned).into_iter().collect();
        description.extend(self.facts().iter().skip(1).map(|fact| format!("{}: {}", fact.name, fact.value)));
        description.extend(self.notes().iter().cloned());
        annotations.insert("description".to_owned(), description.join("\n"));
        annotations.extend(self.tail().map(|tail| (tail.stream.clone(), tail.lines.join("\n"))));
        annotations.extend(self.item().runbook.clone().map(|url| ("runbook_url".to_owned(), url)));
        annotations.retain(|_, value| !value.is_empty());
        annotations
    }
}

const fn is_over(status: ItemStatus) -> bool {
    match status {
        ItemStatus::Firing | ItemStatus::UpAgain => false,
        ItemStatus::Recovered
        | ItemStatus::StoppedByOperator
        | ItemStatus::Removed
        | ItemStatus::Shutdown
        | ItemStatus::Started
        | ItemStatus::Stopped
        | ItemStatus::Finished => true,
    }
}

/// The name of an alert for a family.
const fn alert_name(family: Family) -> &'static str {
    match family {
        Family::Down => "ProgramDown",
        Family::Health => "ProgramUnhealthy",
        Family::Memory => "ProgramMemory",
        Family::Cpu => "ProgramCpu",
        Family::Heartbeat => "ProgramSilent",
        Family::Listener => "ListenerFailed",
        Family::Supervisor => "SupervisorGone",
        Family::Delivery => "AlertDeliveryFailed",
    }
}

/// A name that Prometheus takes for a label.
fn label_name(name: &str) -> String {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let first = if name.starts_with(is_first) { "" } else { "_" };
    let rest = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    first.chars().chain(rest).collect()
}

/// A moment, seconds since 1970, as RFC 3339 has it.
pub(super) fn rfc3339(at: i64) -> String {
    Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Language;
    use crate::render::card::samples;

    #[test]
    fn an_incident_has_words_labels_and_a_key() {
        let mut card = samples::all(Language::English)[0].1.clone();
        card.labels.insert("cost-centre".into(), "7".into());
        card.labels.insert("severity".into(), "mine".into());
        let message = CardMessage { card: &card, detail: Detail::Rich, late: None };
        let incidents = Incident::all(&message);
        let incident = &incidents[0];
        assert_eq!(incident.key(), "ironlance/web1/supervisor/shop:web/down");
        assert_eq!(incident.summary(), "shop:web crashed on web1");
        assert_eq!(incident.why(), Some("killed by SIGKILL, by the kernel: out of memory"));
        let labels = incident.labels();
        let label = |name: &str| labels.get(name).map(String::as_str);
        assert_eq!((label("cost_centre"), label("severity")), (Some("7"), Some("error")));
        assert_eq!((label("alertname"), label("cause")), (Some("ProgramDown"), Some("down")));
        assert!(incident.annotations()["stderr"].starts_with("Traceback"));
    }

    #[test]
    fn what_is_no_incident_is_left_out_and_each_other_item_stands_alone() {
        let mut card = samples::card(
            CardKind::Firing,
            Language::English,
            vec![samples::item("web"), samples::item("cron"), samples::item("db")],
        );
        card.items[1].status = ItemStatus::Started;
        card.items[2].status = ItemStatus::StoppedByOperator;
        let message = CardMessage { card: &card, detail: Detail::Line, late: None };
        let all = Incident::all(&message);
        let told: Vec<_> = all.iter().map(|one| (one.item().program.as_str(), one.is_over())).collect();
        assert_eq!(told, [("web", false), ("db", true)]);
        assert!(all[0].why().is_some());
    }

    #[test]
    fn moments_and_label_names_are_those_of_prometheus() {
        assert_eq!(rfc3339(1_764_467_291), "2025-11-30T01:48:11Z");
        assert_eq!(rfc3339(i64::MAX), "1970-01-01T00:00:00Z");
        assert_eq!(
            (label_name("9-a"), label_name(""), label_name("_ok")),
            ("_9_a".into(), "_".into(), "_ok".into())
        );
    }
}
