//! An alert: what is said to people, made of one entry or, in a batch, of many.

use serde::{Deserialize, Serialize};

use crate::receiver::Receiver;

/// What a listener wants said; where it goes is the outbox's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The subject line; a mail without one has no Subject header.
    pub subject: Option<String>,
    /// How the entries become a text.
    pub format: Format,
    /// What is said, in order; never empty.
    pub entries: Vec<AlertEntry>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertEntry {
    /// The text, in the original's words; may be of several lines.
    pub text: String,
    /// The lines below `Details:`, without that line; none for a brief alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// How the entries of an alert become the text that people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The texts, a line each; then the details, if any entry has some.
    Mail,
    /// The texts only, cut to a short message of so many GSM-7 characters when a limit is given.
    Sms {
        /// Characters of the GSM 7-bit alphabet that fit; of UCS-2, 70 for each 160 of these.
        max_length: Option<usize>,
    },
}

/// An alert in the outbox: a draft, and all that its delivery needs.
///
/// As JSON it is the header of an alert file; the entries have records of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Unique among all alerts; the Message-ID is made of it, so a second delivery can be recognised.
    pub id: String,
    /// Which listener says it, such as `crashmail web:crashmail`; its successor may correct the transport.
    pub origin: String,
    /// The name of this host: the right side of the Message-ID.
    pub host: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// How and to whom it goes.
    #[serde(rename = "route")]
    pub receiver: Receiver,
    /// See [`Draft::subject`].
    pub subject: Option<String>,
    /// See [`Draft::format`].
    #[serde(rename = "form")]
    pub format: Format,
    /// See [`Draft::entries`].
    #[serde(skip)]
    pub entries: Vec<AlertEntry>,
}

impl Alert {
    /// The text that people read.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.entries.iter().map(|entry| entry.text.as_str()).collect();
        let details: Vec<&str> = self.entries.iter().filter_map(|entry| entry.details.as_deref()).collect();
        match self.format {
            Format::Mail if details.is_empty() => texts.join("\n"),
            Format::Mail => format!("{}\n\nDetails:\n{}\n", texts.join("\n"), details.join("\n\n")),
            Format::Sms { max_length: None } => texts.join("\n"),
            Format::Sms { max_length: Some(limit) } => crate::render::sms::fit(&texts, limit),
        }
    }
}
