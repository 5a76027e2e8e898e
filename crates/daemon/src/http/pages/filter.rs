//! Which programs are shown: those whose name and state have all the words that somebody typed. The page's script filters
//! in the same way.

use super::condition::{UNEXPECTED, has_failed};
use super::language::Messages;
use super::query::{Fields, encode};

use crate::view::ProgramView;

/// So much of what was typed is looked at, in characters.
const LENGTH: usize = 100;

/// What was typed.
#[derive(Debug, Default)]
pub(super) struct Filter {
    text: String,
    words: Vec<String>,
}

impl Filter {
    /// What `?filter=` asks for.
    pub(super) fn of(fields: &Fields<'_>) -> Self {
        let text: String = fields.get("filter").unwrap_or_default().trim().chars().take(LENGTH).collect();
        let words = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
        Self { text, words }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn is_active(&self) -> bool {
        !self.words.is_empty()
    }

    /// `&filter=…`, to stand behind a query; nothing where nothing is filtered.
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
