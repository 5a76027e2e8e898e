//! Keeps secrets out of what is shown: command lines, URLs, headers and output are redacted by what stands before a value.
//!
//! A command line or a line of output goes in, the same text with [`PLACEHOLDER`] in the place of each secret comes out. What is
//! known to hold a secret stands in `names` (options, variables, headers, parameters) and in `url` (logins, query
//! parameters, web hooks). Where it is uncertain, more is hidden rather than less. This is for people to read: the
//! result of redacting a command line is no command line.

mod names;
mod split_words;
mod url;

pub use names::is_secret_name;
pub use url::{redact_mail_server, redact_url};

use names::{NextWord, next_word};
use split_words::{Word, quote, split};

/// What stands in the place of a secret.
pub const PLACEHOLDER: &str = "***";
/// Command lines within words of command lines are redacted to this depth; a deeper word is hidden.
const MAX_DEPTH: usize = 6;
/// Shorter values are not looked for in other texts: they would be found everywhere.
const MIN_SECRET_LENGTH: usize = 3;
/// The most characters of a program's name that are shown.
const MAX_PROGRAM_NAME: usize = 80;

/// `text`, which may be a command line, an error or any output, without the secrets that can be recognised.
pub fn redact(text: &str) -> String {
    Redactor { found: Vec::new(), depth: 0 }.text(text)
}

/// The words of a command line, each as it may be shown.
pub fn redact_words(words: &[String]) -> Vec<String> {
    let mut pass = Redactor { found: Vec::new(), depth: 0 };
    let words: Vec<Word> = words.iter().map(|word| Word::whole(word)).collect();
    pass.words(&words)
}

/// Whether a command line itself holds a secret: not an option without a value, nor what a variable or an expansion puts there.
pub fn has_secret(command: &str) -> bool {
    let mut pass = Redactor { found: Vec::new(), depth: 0 };
    pass.text(command);
    pass.found.iter().any(|secret| !secret.starts_with(['$', '`', '-']) && !secret.starts_with("%("))
}

/// The program of a command line and a mark for the rest: `/usr/bin/sendemail …`. Variables that are set before it are
/// left out.
pub fn program_only(command: &str) -> String {
    let words = split(command);
    let mut words = words.iter().skip_while(|word| is_assignment(&word.value));
    let Some(first) = words.next() else { return "…".to_owned() };
    // A word of several words is no name; what it begins with is.
    let name = first.value.split_whitespace().next().unwrap_or_default();
    let name: String =
        crate::text::escape::escape_controls(&redact(name)).chars().take(MAX_PROGRAM_NAME).collect();
    let is_all = words.next().is_none() && first.value.len() == name.len() && first.span.start == 0;
    if is_all { name } else { format!("{name} …") }
}

/// The secrets of one command line, so that they can be kept out of what the command says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Those that can be recognised.
    pub fn of(command: &str) -> Self {
        let mut pass = Redactor { found: Vec::new(), depth: 0 };
        pass.text(command);
        let mut found = pass.found;
        // What the shell puts there is not known here.
        found.retain(|secret| !secret.starts_with(['$', '`']));
        // A secret that is not quoted is cut by the shell, which then complains about the pieces.
        let operators = |c: char| "|&;<>(){}$`\"'\\".contains(c) || c.is_whitespace();
        let pieces: Vec<String> =
            found.iter().flat_map(|secret| secret.split(operators)).map(str::to_owned).collect();
        found.extend(pieces);
        found.retain(|secret| {
            secret.chars().count() >= MIN_SECRET_LENGTH && !PLACEHOLDER.contains(secret.as_str())
        });
        // The longest first: a shorter one may be a part of it.
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.dedup();
        Self(found)
    }

    /// `text` without these secrets and without what looks like one.
    pub fn hide(&self, text: &str) -> String {
        // Once more behind it: what stood in two pairs of quotation marks may have become one word.
        self.replaced(redact(&self.replaced(text.to_owned())))
    }

    fn replaced(&self, mut text: String) -> String {
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), PLACEHOLDER);
            }
        }
        text
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Whether a word of a command line sets a variable, `NAME=value`; before a command, it is not the command.
pub fn is_assignment(word: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

/// What the words so far mean for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing.
    Any,
    /// It is a secret.
    Secret,
    /// It is `user:password`.
    Login,
    /// The rest of the line is a secret, as behind `Authorization:`.
    Line,
}

/// One way through a text.
struct Redactor {
    /// The secrets that were hidden.
    found: Vec<String>,
    depth: usize,
}

impl Redactor {
    /// A text of words with blanks between them, which stay as they are.
    fn text(&mut self, text: &str) -> String {
        let words = split(text);
        let shown = self.words(&words);
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for (word, shown) in words.iter().zip(shown) {
            out.push_str(&text[end..word.span.start]);
            if shown == word.value {
                out.push_str(&text[word.span.clone()]);
            } else {
                out.push_str(&quote(&shown));
            }
            end = word.span.end;
        }
        out + &text[end..]
    }

    fn words(&mut self, words: &[Word]) -> Vec<String> {
        let mut shown = Vec::with_capacity(words.len());
        let mut program = String::new();
        let mut next = Next::Any;
        for (index, word) in words.iter().enumerate() {
            if next == Next::Line && word.begins_line {
                next = Next::Any;
            }
            names::note_program(&word.value, &mut program);
            // An option in the place of a secret may have a secret of its own behind it.
            let before = index.checked_sub(1).map_or("", |at| words[at].value.as_str());
            let after = next_word(before, &word.value, &program);
            let text = match next {
                Next::Secret if names::is_port(before, &word.value, &program) => word.value.clone(),
                // `password = x`
                Next::Secret if word.value == "=" || word.value == ":" => {
                    shown.push(word.value.clone());
                    continue;
                }
                Next::Secret | Next::Line => self.hidden(&word.value),
                Next::Login => self.login(&word.value),
                Next::Any => self.word(&word.value, &program),
            };
            shown.push(text);
            next = match after {
                _ if next == Next::Line => Next::Line,
                NextWord::Plain => Next::Any,
                NextWord::Secret => Next::Secret,
                NextWord::Login => Next::Login,
                NextWord::Header => Next::Line,
                // A name alone says nothing yet, unless an equals sign comes.
                NextWord::Name if words.get(index + 1).is_some_and(|word| word.value == "=") => Next::Secret,
                NextWord::Name => Next::Any,
            };
        }
        shown
    }

    fn hidden(&mut self, secret: &str) -> String {
        if !secret.is_empty() && secret != PLACEHOLDER {
            self.found.push(secret.to_owned());
        }
        PLACEHOLDER.to_owned()
    }

    fn login(&mut self, word: &str) -> String {
        match word.split_once([':', '%']) {
            Some((user, password)) => format!("{user}:{}", self.hidden(password)),
            None => word.to_owned(),
        }
    }

    /// A word by itself.
    fn word(&mut self, word: &str, program: &str) -> String {
        if let Some(place) = names::value_at(word, program) {
            let hidden = self.hidden(&word[place.clone()]);
            return format!("{}{hidden}{}", &word[..place.start], &word[place.end..]);
        }
        if word.contains(char::is_whitespace) {
            // A command line, a header or a sentence within a word.
            if self.depth >= MAX_DEPTH {
                return self.hidden(word);
            }
            self.depth += 1;
            let shown = self.text(word);
            self.depth -= 1;
            return shown;
        }
        let word = url::redact(word, &mut |secret| self.hidden(secret));
        self.parameters(&word)
    }

    /// `…&token=x&…`, `{"token":"x"}`, `token:x` within a word.
    fn parameters(&mut self, word: &str) -> String {
        let mut out = String::with_capacity(word.len());
        let mut rest = word;
        while let Some(at) = rest.find(['=', ':']) {
            let (before, behind) = (&rest[..at], &rest[at + 1..]);
            out.push_str(&rest[..=at]);
            rest = behind;
            let is_url = behind.starts_with("//");
            if !is_url && names::is_secret_name(names::last_name(before)) {
                let quoted = rest.starts_with(['"', '\'']);
                let start = usize::from(quoted);
                let ends = |c: char| if quoted { rest.starts_with(c) } else { c == '&' || c == '"' };
                let end = rest[start..].find(ends).map_or(rest.len(), |end| start + end);
                out.push_str(&rest[..start]);
                if end > start {
                    out.push_str(&self.hidden(&rest[start..end]));
                }
                rest = &rest[end..];
            }
        }
        out + rest
    }
}

#[cfg(test)]
mod tests;
