//! What a page has to say beside what it shows: what came of a button, and whether that is good.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::language::LanguageChoice;
use super::query::{Fields, encode};

/// A message in an address is cut here (characters): whoever makes it up shall not fill the page.
pub(super) const MESSAGE: usize = 500;
/// Tells a script that the words it gets are a warning.
const TONE: HeaderName = HeaderName::from_static("message-tone");

/// How something is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// It was done.
    #[default]
    Good,
    /// It was not, or not all of it.
    Warning,
}

impl Tone {
    /// In the style response, in addresses and in answers to a script.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warn",
        }
    }
}

/// Something that is said.
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

    /// What the address of a page has it say.
    pub(super) fn of(fields: &Fields<'_>, choice: LanguageChoice) -> Self {
        // The original acts on `/?action=…`, and so would every page that names such an address as a picture.
        if !matches!(fields.filled("action"), Some("refresh") | None) {
            return Self::warning(choice.language.messages().link_changes_nothing);
        }
        let words = fields.get("message").unwrap_or_default().chars().take(MESSAGE).collect();
        let tone = match fields.get("tone") {
            Some(tone) if tone == Tone::Warning.name() => Tone::Warning,
            _ => Tone::Good,
        };
        Self { words, tone }
    }

    /// The fields by which an address has a page say this.
    pub(super) fn fields(&self) -> String {
        let words = encode(&self.words);
        match self.tone {
            Tone::Good => format!("message={words}"),
            Tone::Warning => format!("message={words}&tone={}", Tone::Warning.name()),
        }
    }

    /// Tells its tone to a script.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(TONE, HeaderValue::from_static(self.tone.name()));
    }
}
