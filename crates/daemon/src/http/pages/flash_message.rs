//! The message at the top of a page, such as the outcome of an action: [`FlashMessage`].

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use ironlance_core::text::url_encoding::encode;

use super::language::LanguageChoice;
use super::query::Fields;

/// Longest message in a URL, in characters: a forged link must not fill the page.
pub(super) const MAX_CHARS: usize = 500;
/// Tells a script whether the message is a warning.
const TONE_HEADER: HeaderName = HeaderName::from_static("message-tone");

/// What the tone of a warning is called in the style sheet, in URLs and in responses to a script.
const WARNING: &str = "warn";

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FlashMessage {
    pub(super) words: String,
    /// It is about a failure, or a partial one.
    is_warning: bool,
}

impl FlashMessage {
    pub(super) fn good(words: impl Into<String>) -> Self {
        Self { words: words.into(), is_warning: false }
    }

    pub(super) fn warning(words: impl Into<String>) -> Self {
        Self { words: words.into(), is_warning: true }
    }

    /// The message in a query.
    pub(super) fn of(fields: &Fields<'_>, choice: LanguageChoice) -> Self {
        // The original acts on `/?action=…`, so that any page with such an image URL can stop processes.
        if !matches!(fields.get_nonempty("action"), Some("refresh") | None) {
            return Self::warning(choice.language.messages().link_changes_nothing);
        }
        let words = fields.get("message").unwrap_or_default().chars().take(MAX_CHARS).collect();
        Self { words, is_warning: fields.get("tone") == Some(WARNING) }
    }

    /// The class of the style sheet.
    pub(super) const fn tone(&self) -> &'static str {
        if self.is_warning { WARNING } else { "good" }
    }

    /// The query fields for this message.
    pub(super) fn fields(&self) -> String {
        let words = encode(&self.words);
        let tone = if self.is_warning { format!("&tone={WARNING}") } else { String::new() };
        format!("message={words}{tone}")
    }

    /// Adds the tone for a script.
    pub(super) fn add_tone_to(&self, headers: &mut HeaderMap) {
        headers.insert(TONE_HEADER, HeaderValue::from_static(self.tone()));
    }
}
