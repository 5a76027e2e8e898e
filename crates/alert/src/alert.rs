//! An alert: [`Alert`], one notification or, in a batch, many, for one receiver. The outbox stores it, a channel sends it.

use std::borrow::Cow;

use crate::card::Card;
use crate::notification::Notification;
use crate::receiver::{Format, Receiver};
use crate::render::card::{CardMessage, Detail};
use crate::render::{sms, wording};

/// An alert in the outbox: its content, and all that its delivery needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Unique among all alerts; the Message-ID is made of it, so a second delivery can be recognised.
    pub id: String,
    /// The listener that made it, such as `crashmail web:crashmail`; its successor may correct the transport.
    pub origin: String,
    /// The name of this host: the right side of the Message-ID.
    pub host: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Channel, addresses and format.
    pub receiver: Receiver,
    /// The subject line; a mail without one has no Subject header.
    pub subject: Option<String>,
    /// The content, in order; empty only while a batch is collected.
    pub entries: Vec<AlertEntry>,
}

/// One entry of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertEntry {
    /// Data, of which the receiver's format makes a text.
    Notification(Notification),
    /// A message of `watch`: the receiver's channel makes its dialect of it.
    Card(Box<Card>),
    /// A text as it is: of an older or newer version, or about a damaged file.
    Text {
        /// May be of several lines.
        text: String,
        /// The lines below `Details:`, without that line.
        details: Option<String>,
    },
}

impl From<Notification> for AlertEntry {
    fn from(notification: Notification) -> Self {
        Self::Notification(notification)
    }
}

impl AlertEntry {
    /// A text without details.
    pub const fn text(text: String) -> Self {
        Self::Text { text, details: None }
    }

    /// What people read, without the details.
    pub fn render(&self, format: Format) -> Cow<'_, str> {
        match self {
            Self::Notification(notification) => wording::entry(notification, format).into(),
            Self::Card(card) => match format {
                Format::Sms { max_length } => {
                    CardMessage { card, detail: Detail::Rich, late: None }.short(max_length).into()
                }
                Format::Mail | Format::Digest | Format::Card => card.summary().into(),
            },
            Self::Text { text, .. } => text.into(),
        }
    }

    /// The lines below `Details:`, without that line.
    pub fn details(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Notification(notification) => wording::details(&notification.details).map(Cow::from),
            Self::Card(_) => None,
            Self::Text { details, .. } => details.as_deref().map(Cow::from),
        }
    }

    /// The bytes that it takes in a mail.
    pub fn size(&self, format: Format) -> usize {
        self.render(format).len() + self.details().map_or(0, |details| details.len()) + 2
    }
}

#[cfg(test)]
impl Alert {
    /// An alert of the listener `test` that goes by this command, with one text.
    pub(crate) fn sample(command: &str, text: &str) -> Self {
        Self {
            id: crate::outbox::new_id(),
            origin: "test".into(),
            host: "web1".into(),
            created: crate::outbox::unix_time(),
            receiver: Receiver {
                name: String::new(),
                transport: crate::receiver::Transport::Sendmail { command: command.into() },
                from: None,
                to: vec!["ops@example.com".into()],
                format: Format::Mail,
            },
            subject: Some("subject".into()),
            entries: vec![AlertEntry::text(text.into())],
        }
    }

    /// An alert with a card.
    pub(crate) fn of_card(card: Card) -> Self {
        let mut alert = Self { entries: vec![AlertEntry::Card(Box::new(card))], ..Self::sample("true", "") };
        alert.receiver.format = Format::Card;
        alert
    }
}

impl Alert {
    /// The text that people read.
    pub fn text(&self) -> String {
        let format = self.receiver.format;
        let texts: Vec<Cow<'_, str>> = self.entries.iter().map(|entry| entry.render(format)).collect();
        let details: Vec<Cow<'_, str>> = self.entries.iter().filter_map(AlertEntry::details).collect();
        match format {
            Format::Mail | Format::Digest if !details.is_empty() => {
                format!("{}\n\nDetails:\n{}\n", texts.join("\n"), details.join("\n\n"))
            }
            Format::Sms { max_length: Some(limit) } => {
                sms::fit(&texts.iter().map(|text| &**text).collect::<Vec<_>>(), limit)
            }
            Format::Mail | Format::Digest | Format::Sms { .. } | Format::Card => texts.join("\n"),
        }
    }

    /// The bytes that all its entries take in a mail.
    pub fn size(&self) -> usize {
        self.entries.iter().map(|entry| entry.size(self.receiver.format)).sum()
    }
}
