//! A card on its way to words: [`CardDraft`], made once for all cuts of it.

use ironlance_core::alerting::incident::{Family, Severity};

use super::Detail;
use super::chinese::Chinese;
use super::clean::clean;
use super::clock::CardClock;
use super::cut::{Cut, cuts, title_alone};
use super::english::English;
use super::merge::{ItemGroup, Standing, groups};
use super::text::{CardText, FactText, ItemText, LONGEST_TITLE, Link, TailText};
use super::words::{Headline, Label, Words, label_of};
use crate::card::{Card, CardItem, CardKind, Fact, ItemStatus, Language, Mark};

/// The lines of output that a plain message has.
const PLAIN_TAIL: usize = 10;
/// The lines of output of an item that are shown at most.
const LONGEST_TAIL: usize = 200;
/// Up to this number of items, each has its facts and output; more are a line each.
const DETAILED: usize = 3;
/// The names in a title.
const TITLE_NAMES: usize = 2;
/// The bytes of a link that is shown: what is longer is left out, as half a link leads nowhere.
const LONGEST_URL: usize = 1000;

/// A card with its items merged, its words and its clock.
pub(super) struct CardDraft<'a> {
    card: &'a Card,
    words: &'static dyn Words,
    clock: CardClock,
    /// What is told: problems and what is over, or the asides where there is nothing else.
    groups: Vec<ItemGroup<'a>>,
    /// Told as a note each.
    asides: Vec<ItemGroup<'a>>,
    late: Option<(u64, &'a str)>,
    host: String,
}

impl<'a> CardDraft<'a> {
    pub(super) fn new(card: &'a Card, late: Option<(u64, &'a str)>) -> Self {
        let (mut groups, mut asides): (Vec<_>, Vec<_>) =
            groups(&card.items).into_iter().partition(|group| group.standing() != Standing::Aside);
        if groups.is_empty() {
            std::mem::swap(&mut groups, &mut asides);
        }
        let clock = CardClock::new(&card.timezone, card.at);
        Self { card, words: words(card.language), clock, groups, asides, late, host: clean(&card.host) }
    }

    /// The cuts of this card, from the mildest on.
    pub(super) fn cuts(&self, detail: Detail) -> Vec<Cut> {
        let longest = if self.is_detailed() {
            let lines = |item: &CardItem| item.tail.as_ref().map_or(0, |tail| tail.lines.len());
            self.groups.iter().map(|group| lines(group.lead())).max().unwrap_or_default().min(LONGEST_TAIL)
        } else {
            0
        };
        match detail {
            Detail::Rich => cuts(self.groups.len(), longest),
            Detail::Plain => cuts(self.groups.len(), longest.min(PLAIN_TAIL)),
            Detail::Line => vec![title_alone()],
        }
    }

    fn is_detailed(&self) -> bool {
        self.groups.len() <= DETAILED
    }

    /// Whether all that it is about is over.
    fn is_over(&self) -> bool {
        self.groups.iter().all(|group| group.standing() != Standing::Problem)
    }

    /// The words, cut.
    pub(super) fn text(&self, cut: &Cut) -> CardText {
        let (symbol, color) = self.appearance();
        let shown = cut.items.min(self.groups.len());
        let (items, rest) = self.groups.split_at(shown);
        let names: Vec<String> = rest.iter().take(cut.names).map(|group| self.heading(group)).collect();
        let hidden = rest.len() - names.len() + self.card.more;
        let list = self.words.list(&names, hidden);
        let notes = if cut.surroundings { self.notes() } else { Vec::new() };
        let page = self.card.url.as_deref().filter(|_| cut.surroundings);
        CardText {
            symbol,
            color,
            title: shorten(&self.in_kind(&self.title(Some(&self.host)))),
            subject: shorten(&self.words.on_host(&self.host, &self.in_kind(&self.subject()))),
            is_over: self.is_over(),
            colon: self.words.colon(),
            items: items.iter().map(|group| self.item(group, cut)).collect(),
            names: (cut.surroundings && hidden + names.len() > 0).then(|| self.words.also(&list)),
            notes,
            page: page.and_then(|url| self.link(Label::Page, url)),
            ack: cut.surroundings.then(|| self.ack()).flatten(),
            signature: self.signature(),
        }
    }

    fn appearance(&self) -> (&'static str, &'static str) {
        match (self.card.kind, self.card.severity) {
            (CardKind::Digest, _) => ("🌙", "#5c6bc0"),
            (CardKind::Acknowledged, _) => ("🔵", "#1976d2"),
            _ if self.is_over() => ("🟢", "#2e7d32"),
            (_, Severity::Info | Severity::Warning) => ("🟠", "#ed6c02"),
            (_, Severity::Error | Severity::Critical) => ("🔴", "#d32f2f"),
        }
    }

    fn in_kind(&self, title: &str) -> String {
        if self.card.kind == CardKind::Test { self.words.test(title) } else { title.to_owned() }
    }

    /// The title with its place; without one where it stands before it.
    fn title(&self, place: Option<&str>) -> String {
        let lead = &self.groups[0];
        let headline = |headline: &Headline<'_>| self.words.headline(headline, place);
        match self.card.kind {
            CardKind::Digest => {
                let window = self.card.marks.iter().find_map(|mark| match mark {
                    Mark::Quiet { window } => Some(clean(window)),
                    _ => None,
                });
                let open = self.standing(Standing::Problem).map(|group| group.items.len()).sum();
                let count = self.groups.iter().map(|group| group.items.len()).sum::<usize>() + self.card.more;
                headline(&Headline::Quiet { window: &window.unwrap_or_default(), count, open })
            }
            CardKind::Acknowledged => {
                let by = self.card.marks.iter().find_map(|mark| match mark {
                    Mark::AcknowledgedBy { by, .. } => Some(clean(by)),
                    _ => None,
                });
                let list = self.title_list(self.groups.iter(), |_| None);
                headline(&Headline::Acknowledged { list: &list, by: &by.unwrap_or_default() })
            }
            CardKind::Reminder if !self.is_over() => {
                let list = self.title_list(self.standing(Standing::Problem), |group| {
                    let name = self.heading(group);
                    Some(self.words.with_note(&name, &self.words.duration(self.lasted(group.lead()))))
                });
                headline(&Headline::Still { down: self.all_down(), list: &list })
            }
            _ if self.standing(Standing::Problem).next().is_some() => self.problems(place),
            _ if lead.standing() == Standing::Aside => {
                let event = self.words.status(lead.lead().status, lead.lead().family).unwrap_or_default();
                let list = self.title_list(self.groups.iter(), |_| None);
                headline(&Headline::Event { name: &list, event })
            }
            _ if self.groups.len() == 1 && self.card.more == 0 => headline(&Headline::Recovered {
                name: &self.heading(lead),
                down: lead.lead().family == Family::Down,
                seconds: self.lasted(lead.lead()),
            }),
            _ => {
                let count = self.groups.iter().map(|group| group.items.len()).sum::<usize>() + self.card.more;
                headline(&Headline::AllRecovered {
                    count,
                    list: &self.title_list(self.groups.iter(), |_| None),
                })
            }
        }
    }

    fn problems(&self, place: Option<&str>) -> String {
        let problems: Vec<&ItemGroup<'a>> = self.standing(Standing::Problem).collect();
        if let [group] = problems[..]
            && self.card.more == 0
        {
            let lead = group.lead();
            let verb = self.words.verb(lead.family, lead.phase);
            return self.words.headline(&Headline::Problem { name: &self.heading(group), verb }, place);
        }
        let count = problems.iter().map(|group| group.items.len()).sum::<usize>() + self.card.more;
        let list = self.title_list(problems.into_iter(), |group| {
            let lead = group.lead();
            let condition = self.words.condition(lead.family, lead.phase);
            Some(self.words.with_condition(&self.heading(group), condition))
        });
        let headline = Headline::Problems { count, down: self.all_down(), list: &list };
        self.words.headline(&headline, place)
    }

    /// The title of a mail: of one problem with why and how it stands.
    fn subject(&self) -> String {
        let title = self.title(None);
        let is_one = self.groups.len() == 1 && self.card.more == 0;
        let lead = self.groups[0].lead();
        if !is_one || self.groups[0].standing() != Standing::Problem || self.card.kind == CardKind::Reminder {
            return title;
        }
        let mut details: Vec<String> = self.reasons(lead).take(1).collect();
        details.extend(self.words.status(lead.status, lead.family).map(str::to_owned));
        self.words.sentence(&title, &details)
    }

    fn standing(&self, standing: Standing) -> impl Iterator<Item = &ItemGroup<'a>> {
        self.groups.iter().filter(move |group| group.standing() == standing)
    }

    /// Whether every problem is a program that is down.
    fn all_down(&self) -> bool {
        self.standing(Standing::Problem).all(|group| group.lead().family == Family::Down)
    }

    /// The first names of some groups for a title, and the number of the others.
    fn title_list<'g>(
        &self,
        groups: impl Iterator<Item = &'g ItemGroup<'a>>,
        text: impl Fn(&ItemGroup<'a>) -> Option<String>,
    ) -> String
    where
        'a: 'g,
    {
        let groups: Vec<_> = groups.collect();
        // One more name is not longer than that it is missing.
        let shown = if groups.len() <= TITLE_NAMES + 1 { groups.len() } else { TITLE_NAMES };
        let names = groups.iter().take(shown).map(|group| text(group).unwrap_or_else(|| self.heading(group)));
        let hidden = groups.iter().skip(shown).map(|group| group.items.len()).sum::<usize>() + self.card.more;
        self.words.list(&names.collect::<Vec<_>>(), hidden)
    }

    fn heading(&self, group: &ItemGroup<'_>) -> String {
        match group.items.len() {
            1 => group.name.clone(),
            count => self.words.with_note(&group.name, &count.to_string()),
        }
    }

    /// For how long it was or is wrong, in seconds.
    fn lasted(&self, item: &CardItem) -> u64 {
        u64::try_from(item.until.unwrap_or(self.card.at).saturating_sub(item.since)).unwrap_or_default()
    }

    /// The facts that say why, in short.
    fn reasons<'i>(&'i self, item: &'i CardItem) -> impl Iterator<Item = String> + 'i {
        item.facts.iter().enumerate().filter_map(|(index, fact)| {
            let is_reason = index == 0 && !matches!(fact, Fact::RunningSince { .. } | Fact::StateNow(_));
            let is_reason = is_reason || matches!(fact, Fact::GaveUp { .. });
            is_reason.then(|| self.words.short_fact(fact, &self.clock))
        })
    }

    fn item(&self, group: &ItemGroup<'_>, cut: &Cut) -> ItemText {
        let item = group.lead();
        let is_detailed = self.is_detailed();
        let tail = item.tail.as_ref().filter(|tail| is_detailed && cut.tail > 0 && !tail.lines.is_empty());
        let begin = |tail: &crate::card::CardTail| tail.lines.len().saturating_sub(cut.tail);
        let (sentence, time) = (self.sentence(group, is_detailed), self.clock.time(item.since));
        ItemText {
            incident: item.incident,
            heading: self.heading(group),
            condition: match group.standing() {
                Standing::Problem => self.words.condition(item.family, item.phase),
                _ => self.words.status(item.status, item.family).unwrap_or_default(),
            }
            .to_owned(),
            dated_sentence: self.words.with_note(&sentence, &time),
            sentence,
            time,
            severity: item.severity,
            severity_word: self.words.severity(item.severity),
            is_over: group.standing() != Standing::Problem,
            facts: if is_detailed { self.facts(item, cut.all_facts) } else { Vec::new() },
            tail: tail.map(|tail| TailText {
                heading: self.words.last_lines(&tail.stream),
                stream: clean(&tail.stream),
                lines: tail.lines[begin(tail)..].iter().map(|line| clean(line)).collect(),
            }),
            runbook: item
                .runbook
                .as_deref()
                .filter(|_| is_detailed && cut.all_facts)
                .and_then(|url| self.link(Label::Runbook, url)),
        }
    }

    /// What happened to an item, without its name. With facts below it, the reason is one of them.
    fn sentence(&self, group: &ItemGroup<'_>, has_facts: bool) -> String {
        let item = group.lead();
        let mut details = Vec::new();
        let verb = match group.standing() {
            Standing::Problem => self.words.verb(item.family, item.phase).to_owned(),
            Standing::Recovered => {
                let condition = self.words.condition(item.family, item.phase);
                return self.words.with_note(&self.words.recovered_after(self.lasted(item)), condition);
            }
            Standing::Aside => {
                return self.words.status(item.status, item.family).unwrap_or_default().to_owned();
            }
        };
        if !has_facts {
            details.extend(self.reasons(item).take(2));
        }
        let again = group.items.iter().filter(|item| item.status == ItemStatus::UpAgain).count();
        if group.items.len() > 1 && again > 0 {
            details.push(self.words.some_again(again));
        } else if !has_facts {
            details.extend(self.words.status(item.status, item.family).map(str::to_owned));
        }
        if !has_facts && !item.also.is_empty() {
            details.push(format!("{} {}", self.words.label(Label::AlsoAffected), self.also(item)));
        }
        self.words.sentence(&verb, &details)
    }

    fn also(&self, item: &CardItem) -> String {
        let shown: Vec<String> = item.also.iter().take(10).map(|name| clean(name)).collect();
        self.words.list(&shown, item.also.len() - shown.len())
    }

    fn facts(&self, item: &CardItem, all: bool) -> Vec<FactText> {
        let fact =
            |label: Label, value: String| FactText { key: label.key(), name: self.words.label(label), value };
        let mut facts: Vec<FactText> = Vec::new();
        for (index, known) in item.facts.iter().enumerate() {
            let label = label_of(known);
            let label =
                if index == 0 && matches!(label, Label::Note | Label::Tries) { Label::Why } else { label };
            if all || index == 0 || label == Label::Now {
                facts.push(fact(label, self.words.fact(known, &self.clock)));
            }
        }
        if all && !item.facts.iter().any(|known| matches!(known, Fact::EndedAt(_))) {
            facts.push(fact(Label::Since, self.clock.full(item.since)));
        }
        if all && item.times > 1 && !item.facts.iter().any(|known| matches!(known, Fact::Ends { .. })) {
            facts.push(fact(Label::Times, item.times.to_string()));
        }
        if all && item.until.is_some() {
            facts.push(fact(Label::Lasted, self.words.duration(self.lasted(item))));
        }
        if all && !item.also.is_empty() {
            facts.push(fact(Label::AlsoAffected, self.also(item)));
        }
        facts
    }

    fn notes(&self) -> Vec<String> {
        let is_digest = self.card.kind == CardKind::Digest;
        let marks = self.card.marks.iter().filter(|mark| !(is_digest && matches!(mark, Mark::Quiet { .. })));
        let mut notes: Vec<String> = marks.take(10).map(|mark| self.words.mark(mark, &self.clock)).collect();
        notes.extend(self.asides.iter().take(10).map(|group| {
            let status = self.words.status(group.lead().status, group.lead().family).unwrap_or_default();
            self.words.with_condition(&self.heading(group), status)
        }));
        notes.extend(self.late.map(|(seconds, reason)| self.words.late(seconds, reason)));
        notes
    }

    fn link(&self, label: Label, url: &str) -> Option<Link> {
        let is_web = url.starts_with("http://") || url.starts_with("https://");
        let is_plain = url.chars().all(|c| c.is_ascii_graphic() && !"<>\"'`\\".contains(c));
        (is_web && is_plain && url.len() <= LONGEST_URL)
            .then(|| Link { label: self.words.label(label), url: url.to_owned() })
    }

    /// The command that acknowledges what is wrong, of the first problem.
    fn ack(&self) -> Option<String> {
        let problem = self.standing(Standing::Problem).next()?;
        let is_told = !matches!(self.card.kind, CardKind::Acknowledged | CardKind::Test);
        is_told.then(|| self.words.acknowledge(problem.lead().incident))
    }

    fn signature(&self) -> String {
        let ids: Vec<String> = self
            .groups
            .iter()
            .take(DETAILED)
            .map(|group| format!("{}#{}", self.host, group.lead().incident))
            .collect();
        let ids = self.words.list(&ids, self.groups.len().saturating_sub(DETAILED) + self.card.more);
        self.words.signature(&self.host, &clean(&self.card.supervisor), &ids, &clean(&self.card.receiver))
    }
}

/// The words of a language.
fn words(language: Language) -> &'static dyn Words {
    match language {
        Language::English => &English,
        Language::Chinese => &Chinese,
    }
}

/// A title that is too long, cut.
fn shorten(title: &str) -> String {
    if title.chars().count() <= LONGEST_TITLE {
        return title.to_owned();
    }
    title.chars().take(LONGEST_TITLE - 1).chain(['…']).collect()
}
