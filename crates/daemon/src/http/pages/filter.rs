//! The filter of the program table: [`Filter`] matches programs whose name and state contain all words. The page's
//! script filters in the same way.

use ironlance_core::text::url_encoding::encode;

use super::condition::{UNEXPECTED, has_failed};
use super::language::Messages;
use super::query::Fields;

use crate::view::ProgramView;

/// At most this much of the filter is used, in characters.
const MAX_CHARS: usize = 100;

/// A filter.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) text: String,
    words: Vec<String>,
}

impl Filter {
    /// The filter of a query, from `?filter=`.
    pub(super) fn of(fields: &Fields<'_>) -> Self {
        let text: String = fields.get("filter").unwrap_or_default().trim().chars().take(MAX_CHARS).collect();
        let words = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
        Self { text, words }
    }

    pub(super) const fn is_active(&self) -> bool {
        !self.words.is_empty()
    }

    /// `&filter=…`, to append to a query; empty without a filter.
    pub(super) fn query_suffix(&self) -> String {
        if self.is_active() { format!("&filter={}", encode(&self.text)) } else { String::new() }
    }

    /// Whether a program is shown.
    pub(super) fn matches(&self, program: &ProgramView, messages: &Messages) -> bool {
        if !self.is_active() {
            return true;
        }
        let (name, state) = (program.namespec.qualified(), program.state);
        let end = if has_failed(program) { UNEXPECTED } else { "" };
        let text = format!("{name} {} {} {end}", state.name(), (messages.states)(state)).to_lowercase();
        self.words.iter().all(|word| text.contains(word))
    }
}
