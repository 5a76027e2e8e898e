//! What can be completed: commands, their options and subcommands, and the verbs of supervisorctl; and how it stands in a
//! script of bash or zsh.

use ironlance_core::cli::help::HelpEntry;
use ironlance_core::event::kind::EventKind;
use ironlance_core::signal;
use ironlance_ctl::reference::Completion;

use crate::manual::verbs::{VerbHelp, verbs};
use crate::usage::CommandReference;

/// What a program writes to.
pub(super) const CHANNELS: &str = "stdout stderr";
/// One more than the highest signal (signal(7)).
const SIGNALS: i32 = 65;
/// The verbs behind which programs can stand, at some place.
const BEFORE_PROCESSES: [Completion; 3] =
    [Completion::Processes, Completion::SignalAndProcesses, Completion::ProcessAndChannel];

/// Everything that can be completed.
pub(super) struct Known<'c> {
    /// In the order of `ironlance --help`.
    pub(super) commands: &'c [CommandReference],
    /// The verbs of supervisorctl, by name.
    pub(super) verbs: Vec<VerbHelp>,
}

/// The notation of a shell with `case`.
pub(super) struct Dialect {
    /// The script around what is known; `@NAME@` stands for a part of it.
    pub(super) script: &'static str,
    /// What stands between the words of a pattern.
    pub(super) or: &'static str,
    /// A word that is offered, given with its meaning.
    pub(super) word: fn(&str, &str) -> String,
    /// What offers words.
    pub(super) offer: fn(&str) -> String,
}

impl<'c> Known<'c> {
    /// What the help of the commands and verbs has.
    pub(super) fn gather(commands: &'c [CommandReference]) -> Self {
        Self { commands, verbs: verbs() }
    }

    /// The whole script of a shell.
    pub(super) fn script(&self, dialect: &Dialect) -> String {
        let word = dialect.word;
        let commands = self.commands.iter().map(|command| word(command.command, command.about));
        let verbs = self.verbs.iter().map(|verb| word(verb.name, verb.text()));
        let subcommands = self.commands.iter().map(|command| {
            let entries = command.subcommands().into_iter();
            let words: Vec<_> = entries.map(|entry| word(&entry.term, &entry.text)).collect();
            dialect.offer(command.command, &words)
        });
        let of_commands: Vec<_> = self.commands.iter().map(|it| (it.command, it.options())).collect();
        let of_verbs: Vec<_> = self.verbs.iter().map(|verb| (verb.name, verb.options())).collect();
        let with_all = self.verbs.iter().filter(|verb| verb.takes_all()).map(|verb| verb.name);
        let before = |places: &[Completion]| {
            let verbs = self.verbs.iter().filter(|verb| places.contains(&verb.completes));
            dialect.pattern(&verbs.map(|verb| verb.name).collect::<Vec<_>>())
        };
        let marks = [
            ("@LINKS@", self.links()),
            ("@COMMANDS@", commands.collect::<Vec<_>>().join(" ")),
            ("@ACTIONS@", verbs.collect::<Vec<_>>().join(" ")),
            ("@SUBCOMMANDS@", subcommands.collect()),
            ("@OPTIONS@", dialect.options(&of_commands)),
            ("@TAKERS@", dialect.takers(&of_commands)),
            ("@ACTION_OPTIONS@", dialect.options(&of_verbs)),
            ("@VERB_TAKERS@", dialect.takers(&of_verbs)),
            ("@WITH_ALL@", dialect.pattern(&with_all.collect::<Vec<_>>())),
            ("@WITH_VERBS@", before(&[Completion::VerbNames])),
            ("@WITH_GROUPS@", before(&[Completion::Groups])),
            ("@WITH_PROCESSES@", before(&BEFORE_PROCESSES)),
            ("@WITH_SIGNAL@", before(&[Completion::SignalAndProcesses])),
            ("@WITH_CHANNEL@", before(&[Completion::ProcessAndChannel])),
            ("@WITH_EVENTS@", before(&[Completion::EventTypes])),
            ("@SIGNALS@", signals()),
            ("@CHANNELS@", CHANNELS.to_owned()),
            ("@EVENTS@", events()),
        ];
        marks.iter().fold(dialect.script.to_owned(), |script, (mark, text)| script.replace(mark, text))
    }

    /// The names that are links, with spaces between them.
    fn links(&self) -> String {
        let links = self.commands.iter().filter(|command| command.is_link());
        links.map(|command| command.command).collect::<Vec<_>>().join(" ")
    }
}

/// Names, and the options of each.
type OptionsByName<'k> = [(&'k str, Vec<&'k HelpEntry>)];

impl Dialect {
    /// A row that offers words behind a name; none where there are none.
    fn offer(&self, name: &str, words: &[String]) -> String {
        if words.is_empty() {
            String::new()
        } else {
            format!("    {name}) {} ;;\n", (self.offer)(&words.join(" ")))
        }
    }

    fn options(&self, rows: &OptionsByName<'_>) -> String {
        let row = |(name, options): &(&str, Vec<&HelpEntry>)| {
            let named = options.iter().flat_map(|option| option.spellings().map(|name| (name, &option.text)));
            let words: Vec<String> = named.map(|(name, text)| (self.word)(&name, text)).collect();
            self.offer(name, &words)
        };
        rows.iter().map(row).collect()
    }

    /// The options that a value follows: a row of `NAME:OPTION` for each spelling of one.
    fn takers(&self, rows: &OptionsByName<'_>) -> String {
        let mut text = String::new();
        for (name, options) in rows {
            let takers =
                options.iter().filter(|option| option.takes_value).flat_map(|option| option.spellings());
            let takers: Vec<String> = takers.map(|word| format!("{name}:{word}")).collect();
            if !takers.is_empty() {
                text.push_str(&format!("    {}) return 0 ;;\n", takers.join(self.or)));
            }
        }
        text
    }

    fn pattern(&self, words: &[&str]) -> String {
        if words.is_empty() { "''".to_owned() } else { words.join(self.or) }
    }
}

/// The types of events, with spaces between them.
pub(super) fn events() -> String {
    EventKind::ALL.map(EventKind::name).join(" ")
}

/// The names of signals as people write them, with spaces between them.
pub(super) fn signals() -> String {
    let names = (1..SIGNALS).filter_map(|number| Some(signal::name(number).strip_prefix("SIG")?.to_owned()));
    names.collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(name: &str) -> VerbHelp {
        verbs().into_iter().find(|verb| verb.name == name).unwrap()
    }

    #[test]
    fn the_options_of_a_verb_are_known_and_whether_a_value_follows() {
        let options = |name: &str| {
            let verb = verb(name);
            let options = verb.options().into_iter();
            options.map(|option| (option.long.clone().unwrap(), option.takes_value)).collect::<Vec<_>>()
        };
        let waiting = [("timeout", true), ("no-wait", false), ("wait", false)];
        let waiting = waiting.map(|(long, takes)| (long.to_owned(), takes));
        for verb in ["start", "stop", "restart"] {
            assert_eq!(options(verb), waiting);
        }
        for verb in ["status", "why", "listeners", "events"] {
            assert_eq!(options(verb), [("json".to_owned(), false)]);
        }
        assert_eq!(options("tail"), []);
    }

    #[test]
    fn what_stands_behind_a_verb_is_known() {
        for (name, behind, all) in [
            ("start", Completion::Processes, true),
            ("fg", Completion::Processes, false),
            ("update", Completion::Groups, true),
            ("add", Completion::Groups, false),
            ("help", Completion::VerbNames, false),
            ("reload", Completion::Nothing, false),
            ("signal", Completion::SignalAndProcesses, true),
            ("tail", Completion::ProcessAndChannel, false),
            ("events", Completion::EventTypes, false),
        ] {
            let verb = verb(name);
            assert_eq!((verb.completes, verb.takes_all()), (behind, all), "{name}");
        }
    }

    #[test]
    fn signals_and_events_are_listed_once_each() {
        assert!(
            signals().starts_with("HUP INT QUIT ") && signals().ends_with(" SYS RTMIN RTMAX"),
            "{}",
            signals()
        );
        assert!(events().starts_with("EVENT PROCESS_STATE "));
    }
}
