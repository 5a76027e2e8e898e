//! A card in words: [`CardText`], what channels lay out. Made by `draft`, with the common layout without markup.

use ironlance_core::alerting::incident::Severity;

/// The characters of a title.
pub(super) const LONGEST_TITLE: usize = 200;

/// The words of a message. Every string is one clean line and not escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardText {
    /// A coloured dot for the title.
    pub symbol: &'static str,
    /// The colour of a bar, as `#rrggbb`.
    pub color: &'static str,
    /// What happened where: `shop:web crashed on web1`. At most 200 characters.
    pub title: String,
    /// The title of a mail, with the host and the reason: `[web1] shop:web crashed: killed by SIGKILL`.
    pub subject: String,
    /// All of it is over: no one is mentioned.
    pub is_over: bool,
    /// Between a name and its value.
    pub colon: &'static str,
    /// What it is about: up to three with facts and output, or of a storm a line each.
    pub items: Vec<ItemText>,
    /// The names and the number of those that are not shown: `also: shop:api, cron, +586 more`.
    pub names: Option<String>,
    /// What the reader has to know of the message, and what ended by itself.
    pub notes: Vec<String>,
    /// The page of the supervisor.
    pub page: Option<Link>,
    /// How it is acknowledged: `ack: ironlance alerts ack 42`.
    pub ack: Option<String>,
    /// Where it comes from and why the reader gets it.
    pub signature: String,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemText {
    /// The number of the incident.
    pub incident: u64,
    /// The programs that it is about: `db`, `worker:* (38)`.
    pub heading: String,
    /// What happened, with the reason where no facts give it: `could not be started: exit status 1, 4 tries`.
    pub sentence: String,
    /// The same with the time since when: `crashed: exit status 1 (09:48:02)`.
    pub dated_sentence: String,
    /// Its condition in a word or two: `crash loop`, `recovered`.
    pub condition: String,
    /// Since when: `09:48:02`.
    pub time: String,
    /// How much it matters.
    pub severity: Severity,
    /// The word for that.
    pub severity_word: &'static str,
    /// It is over.
    pub is_over: bool,
    /// What is known; the first is why. Empty in a storm.
    pub facts: Vec<FactText>,
    /// The last lines of its output.
    pub tail: Option<TailText>,
    /// `runbook=` of the program.
    pub runbook: Option<Link>,
}

/// A fact in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactText {
    /// Its name for machines, the same in every language: `ran_for`.
    pub key: &'static str,
    /// Its name for people: `ran for`.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// The last lines of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailText {
    /// What stands above them: `Last lines of stderr`.
    pub heading: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The lines, oldest first. Never empty.
    pub lines: Vec<String>,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it leads to.
    pub label: &'static str,
    /// The address.
    pub url: String,
}

impl CardText {
    /// Whether each item has a part of its own, so that it needs its name above.
    pub fn has_headings(&self) -> bool {
        self.items.len() > 1 || self.names.is_some()
    }

    /// The text without markup: a line each for title, facts, output, notes, links.
    pub fn plain(&self) -> String {
        let mut lines = vec![format!("{} {}", self.symbol, self.title)];
        self.push_body(&mut lines);
        lines.join("\n")
    }

    /// The same without the title, for channels that have a place for it.
    pub fn plain_body(&self) -> String {
        let mut lines = Vec::new();
        self.push_body(&mut lines);
        lines.join("\n")
    }

    fn push_body(&self, lines: &mut Vec<String>) {
        for item in &self.items {
            if self.has_headings() || item.facts.is_empty() {
                lines.push(item.line());
            }
            lines.extend(item.facts.iter().map(|fact| format!("{}{}{}", fact.name, self.colon, fact.value)));
            if let Some(tail) = &item.tail {
                lines.push(format!("{}{}", tail.heading, self.colon.trim_end()));
                lines.extend(tail.lines.iter().map(|line| format!("  {line}")));
            }
            lines.extend(item.runbook.iter().map(|link| format!("{}{}{}", link.label, self.colon, link.url)));
        }
        lines.extend(self.names.clone());
        lines.extend(self.notes.iter().cloned());
        lines.extend(self.page.iter().map(|link| format!("{}{}{}", link.label, self.colon, link.url)));
        lines.extend(self.ack.clone());
    }

    /// The title alone, with the punctuation of ASCII: what every carrier takes.
    pub fn line(&self) -> String {
        let mut line = String::with_capacity(self.title.len());
        for character in self.title.chars() {
            match character {
                '：' => line.push_str(": "),
                '，' | '、' => line.push_str(", "),
                '（' => line.push_str(" ("),
                '）' => line.push(')'),
                '…' => line.push_str("..."),
                '<' | '>' | '&' | '*' | '_' | '`' | '[' | ']' => line.push(' '),
                other => line.push(other),
            }
        }
        line.chars().take(LONGEST_TITLE).collect()
    }
}

impl ItemText {
    /// Name, what happened, and since when: `db could not be started: exit status 1 (09:48:02)`.
    pub fn line(&self) -> String {
        format!("{} {}", self.heading, self.dated_sentence)
    }
}
