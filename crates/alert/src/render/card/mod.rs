//! The words of a card in the language of its reader, cut to what a channel takes: [`CardMessage::fit`] gives [`CardText`].
//!
//! A channel lays a [`CardText`] out in its dialect and escapes each string; what it may hold is decided here. All strings
//! are clean (`clean`): one line without control characters.

mod chinese;
pub mod clean;
mod clock;
mod cut;
mod draft;
mod english;
mod merge;
mod text;
mod words;

use serde::{Deserialize, Serialize};

use super::sms;
use crate::card::Card;
use draft::CardDraft;

pub use text::{CardText, FactText, ItemText, Link, TailText};

/// How rich a message is. A carrier that refuses one form gets the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// All that the channel can show.
    #[default]
    Rich,
    /// Title, facts and ten lines of output without markup, half the size.
    Plain,
    /// The title alone.
    Line,
}

impl Detail {
    /// The next plainer form.
    pub const fn plainer(self) -> Option<Self> {
        match self {
            Self::Rich => Some(Self::Plain),
            Self::Plain => Some(Self::Line),
            Self::Line => None,
        }
    }
}

/// A card as it is sent at this attempt.
#[derive(Clone, Copy, Debug)]
pub struct CardMessage<'a> {
    /// The card.
    pub card: &'a Card,
    /// How rich it is to be.
    pub detail: Detail,
    /// It comes late: by this number of seconds, for this reason.
    pub late: Option<(u64, &'a str)>,
}

impl CardMessage<'_> {
    /// The fullest form that fits: `render` lays a text out, `fits` measures the result.
    ///
    /// Cut are, in this order: lines of output from the top, problems beyond the third (which become names), facts but why
    /// and now, names (which become a number), and the first problems. Where nothing fits, the last form has the title alone.
    pub fn fit<T>(&self, render: impl Fn(&CardText) -> T, fits: impl Fn(&T) -> bool) -> T {
        let draft = CardDraft::new(self.card, self.late);
        cut::fit(&draft.cuts(self.detail), |cut| render(&draft.text(cut)), fits)
    }

    /// A short message: what a mail has as its subject, since when, and the number of the incident. Cut to `limit`
    /// characters of the GSM alphabet where there is a limit.
    pub fn short(&self, limit: Option<usize>) -> String {
        let text = CardMessage { detail: Detail::Rich, ..*self }.text();
        let end =
            text.items.first().map(|item| format!(" {} #{}", item.time, item.incident)).unwrap_or_default();
        let whole = format!("{}{end}", text.subject);
        limit.map_or_else(|| whole.clone(), |limit| sms::fit(&[&whole], limit))
    }

    /// All of it, as far as its detail goes.
    pub fn text(&self) -> CardText {
        self.fit(CardText::clone, |_| true)
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
