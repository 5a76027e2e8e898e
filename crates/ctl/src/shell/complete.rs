//! Tab completion in the shell: verbs, groups and processes as they are now.

use std::cell::RefCell;
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_core::event::kind::EventKind;
use ironlance_rpc::{Client, ProcessInfo};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use crate::verb::api::{Completion, HelpGroup, Verb};
use crate::verb::table::{VERBS, find};

/// The time limit for the list of processes after Tab.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Word delimiters as in the original: those of Python's readline without characters that names may have.
const DELIMITERS: &str = " \t\n`~!@#$%^&()=+[{]}\\|;'\",<>/?";

/// The completer. It fetches the processes once per command, at the first Tab.
pub(super) struct TabCompleter {
    client: Option<Client>,
    names: RefCell<Option<Vec<Namespec>>>,
}

impl TabCompleter {
    /// A completer that calls `client` at the first Tab.
    pub(super) fn new(client: Option<Client>) -> Self {
        Self { client, names: RefCell::default() }
    }

    /// All processes; empty where supervisord does not answer.
    fn names(&self) -> Vec<Namespec> {
        self.names.borrow_mut().get_or_insert_with(|| self.ask().unwrap_or_default()).clone()
    }

    fn ask(&self) -> Option<Vec<Namespec>> {
        let infos = self.client.as_ref()?.all_process_info_within(TIMEOUT).ok()?;
        Some(infos.iter().map(ProcessInfo::namespec).collect())
    }
}

impl Completer for TabCompleter {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..pos).unwrap_or(line);
        let start = before.rfind(|c| DELIMITERS.contains(c)).map_or(0, |at| at + 1);
        Ok((start, candidates(line, &before[start..], || self.names())))
    }
}

// No hints, colours or validation.
impl Helper for TabCompleter {}
impl Highlighter for TabCompleter {}
impl Validator for TabCompleter {}
impl Hinter for TabCompleter {
    type Hint = String;
}

/// The completions of `text`, a word of `line`; sorted, each with a space after it.
pub(super) fn candidates(line: &str, text: &str, names: impl FnOnce() -> Vec<Namespec>) -> Vec<String> {
    let mut words = line.split_whitespace();
    let offers = match words.next() {
        None => verbs(),
        Some(_) if words.next().is_none() && !line.ends_with(' ') => verbs(),
        Some(verb) => match find(verb).map_or(Completion::Nothing, |verb| verb.completes) {
            Completion::Nothing => Vec::new(),
            Completion::VerbNames => verbs(),
            Completion::EventTypes => EventKind::ALL.iter().map(|kind| kind.name().to_owned()).collect(),
            Completion::Groups => names().into_iter().map(|name| name.group.0).collect(),
            // The same names for all three, as in the original.
            Completion::Processes | Completion::SignalAndProcesses | Completion::ProcessAndChannel => {
                names().into_iter().flat_map(|name| processes(name, text)).collect()
            }
        },
    };
    let mut offers: Vec<String> =
        offers.into_iter().filter(|offer| offer.starts_with(text)).map(|offer| offer + " ").collect();
    offers.sort();
    offers.dedup();
    offers
}

fn verbs() -> Vec<String> {
    let is_known = |verb: &&Verb| verb.help_group != HelpGroup::Unlisted || !verb.help.is_empty();
    VERBS.iter().filter(is_known).map(|verb| verb.name.to_owned()).collect()
}

/// A process by its bare name where that suffices, else with its group, and the whole group.
fn processes(Namespec { group, process }: Namespec, text: &str) -> Vec<String> {
    let (group, process) = (group.0, process.0);
    if text.contains(':') || group != process {
        vec![format!("{group}:{process}"), format!("{group}:*")]
    } else {
        vec![process]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(line: &str) -> Vec<String> {
        let name = |group: &str, process: &str| Namespec::new(group, process);
        let start = line.rfind(|c| DELIMITERS.contains(c)).map_or(0, |at| at + 1);
        candidates(line, &line[start..], || {
            vec![name("cat", "cat"), name("shop", "web-1"), name("shop", "web-2")]
        })
    }

    #[test]
    fn the_first_word_is_a_verb() {
        assert_eq!(offers("sta"), ["start ", "status "]);
        assert_eq!(offers("he"), ["help "]);
        assert!(offers("").contains(&"stop ".to_owned()));
        assert!(!offers("").contains(&"EOF ".to_owned()));
        assert!(offers("nope").is_empty());
    }

    #[test]
    fn behind_a_verb_come_the_names_that_it_takes() {
        assert_eq!(offers("start "), ["cat ", "shop:* ", "shop:web-1 ", "shop:web-2 "]);
        assert_eq!(offers("start shop:web-"), ["shop:web-1 ", "shop:web-2 "]);
        assert_eq!(offers("start cat:"), ["cat:* ", "cat:cat "]);
        assert_eq!(offers("stop cat s"), ["shop:* ", "shop:web-1 ", "shop:web-2 "]);
        assert_eq!(offers("update "), ["cat ", "shop "]);
        assert_eq!(offers("help sta"), ["start ", "status "]);
        assert_eq!(offers("signal HUP c"), ["cat "]);
        assert_eq!(offers("tail c"), ["cat "]);
        assert_eq!(offers("events TICK_6"), ["TICK_60 "]);
        assert!(offers("version ").is_empty());
        assert!(offers("nope ").is_empty());
    }
}
