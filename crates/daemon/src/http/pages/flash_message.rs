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

/// The tone of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// A success.
    #[default]
    Good,
    /// A failure, or a partial one.
    Warning,
}

impl Tone {
    /// As it is called in the style sheet, in URLs and in responses to a script.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warn",
        }
    }
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FlashMessage {
    pub(super) words: String,
    pub(super) tone: Tone,
}

impl FlashMessage {
    pub(super) fn good(words: impl Into<String>) -> Self {
        Self { words: words.into(), tone: Tone::Good }
    }

    pub(super) fn warning(words: impl Into<String>) -> Self {
        Self { words: words.into(), tone: Tone::Warning }
    }

    /// The message in a query.
    pub(super) fn of(fields: &Fields<'_>, choice: LanguageChoice) -> Self {
        // The original acts on `/?action=…`, so that any page with such an image URL can stop processes.
        if !matches!(fields.get_nonempty("action"), Some("refresh") | None) {
            return Self::warning(choice.language.messages().link_changes_nothing);
        }
        let words = fields.get("message").unwrap_or_default().chars().take(MAX_CHARS).collect();
        let tone = match fields.get("tone") {
            Some(tone) if tone == Tone::Warning.name() => Tone::Warning,
            _ => Tone::Good,
        };
        Self { words, tone }
    }

    /// The query fields for this message.
    pub(super) fn fields(&self) -> String {
        let words = encode(&self.words);
        match self.tone {
            Tone::Good => format!("message={words}"),
            Tone::Warning => format!("message={words}&tone={}", Tone::Warning.name()),
        }
    }

    /// Adds the tone for a script.
    pub(super) fn add_tone_to(&self, headers: &mut HeaderMap) {
        headers.insert(TONE_HEADER, HeaderValue::from_static(self.tone.name()));
    }
}
