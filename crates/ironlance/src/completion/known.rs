//! What can be completed: commands, their options and subcommands, and the verbs of supervisorctl.

use ironlance_core::cli::help::{HelpEntry, HelpSection};
use ironlance_core::event::kind::EventKind;
use ironlance_core::signal;
use ironlance_ctl::reference::Completion;

use crate::manual::verbs::{VerbHelp, verbs};
use crate::usage::CommandReference;

/// What a program writes to.
pub(super) const CHANNELS: &str = "stdout stderr";
/// One more than the highest signal (signal(7)).
const SIGNALS: i32 = 65;

/// Everything that can be completed.
pub(super) struct Known {
    /// In the order of `ironlance --help`.
    pub(super) commands: Vec<Command>,
    /// By name.
    pub(super) actions: Vec<Action>,
}

/// A command.
pub(super) struct Command {
    /// Its name as a link, and behind `ironlance`.
    pub(super) name: String,
    /// What it is for.
    pub(super) about: String,
    /// Whether there is a link of this name.
    pub(super) is_link: bool,
    /// Its options.
    pub(super) options: Vec<HelpEntry>,
    /// What it can be told to do.
    pub(super) subcommands: Vec<(String, String)>,
}

/// A verb of supervisorctl.
pub(super) struct Action {
    /// How it is called.
    pub(super) name: String,
    /// What it does, in its simplest form.
    pub(super) text: String,
    /// What may stand behind it.
    pub(super) behind: Completion,
    /// Whether `all` may stand there too.
    pub(super) all: bool,
    /// Its own options.
    pub(super) options: Vec<HelpEntry>,
}

impl Known {
    /// Gathers what the help of the commands and verbs has.
    pub(super) fn gather(commands: &[CommandReference]) -> Self {
        let commands = commands.iter().map(Command::of).collect();
        let actions = verbs().iter().map(Action::of).collect();
        Self { commands, actions }
    }

    /// A script with what is known in the places of its marks: `own` is what only this shell writes so, and `or` stands
    /// between the words of a pattern.
    pub(super) fn fill(&self, script: &str, or: &str, own: &[(&str, String)]) -> String {
        let pattern = |words: &[&str]| if words.is_empty() { "''".to_owned() } else { words.join(or) };
        let behind = |what: &[Completion]| pattern(&self.actions_before(what));
        let shared = [
            ("@LINKS@", self.links()),
            ("@WITH_ALL@", pattern(&self.actions_before_all())),
            ("@WITH_VERBS@", behind(&[Completion::VerbNames])),
            ("@WITH_GROUPS@", behind(&[Completion::Groups])),
            ("@WITH_PROCESSES@", behind(&BEFORE_PROCESSES)),
            ("@WITH_SIGNAL@", behind(&[Completion::SignalAndProcesses])),
            ("@WITH_CHANNEL@", behind(&[Completion::ProcessAndChannel])),
            ("@WITH_EVENTS@", behind(&[Completion::EventTypes])),
            ("@SIGNALS@", signals()),
            ("@CHANNELS@", CHANNELS.to_owned()),
            ("@EVENTS@", events()),
        ];
        let marks = shared.iter().chain(own);
        marks.fold(script.to_owned(), |script, (mark, text)| script.replace(mark, text))
    }

    /// The verbs behind which one of these can stand.
    pub(super) fn actions_before(&self, behind: &[Completion]) -> Vec<&str> {
        let actions = self.actions.iter().filter(|action| behind.contains(&action.behind));
        actions.map(|action| action.name.as_str()).collect()
    }

    /// The verbs behind which `all` can stand.
    pub(super) fn actions_before_all(&self) -> Vec<&str> {
        let actions = self.actions.iter().filter(|action| action.all);
        actions.map(|action| action.name.as_str()).collect()
    }

    /// The names that are links, with spaces between them.
    pub(super) fn links(&self) -> String {
        let links = self.commands.iter().filter(|command| command.is_link);
        links.map(|command| command.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// For each command that has options with a value: `COMMAND:OPTION` for each spelling of one.
    pub(super) fn takers(&self) -> impl Iterator<Item = Vec<String>> {
        self.commands.iter().map(Command::takers).filter(|takers| !takers.is_empty())
    }

    /// The same for verbs: `VERB:OPTION`.
    pub(super) fn verb_takers(&self) -> impl Iterator<Item = Vec<String>> {
        self.actions
            .iter()
            .map(|action| takers(&action.name, &action.options))
            .filter(|takers| !takers.is_empty())
    }
}

/// The verbs behind which programs can stand, at some place.
pub(super) const BEFORE_PROCESSES: [Completion; 3] =
    [Completion::Processes, Completion::SignalAndProcesses, Completion::ProcessAndChannel];

/// The types of events, with spaces between them.
pub(super) fn events() -> String {
    EventKind::ALL.map(EventKind::name).join(" ")
}

/// The names of signals as people write them, with spaces between them.
pub(super) fn signals() -> String {
    let names = (1..SIGNALS).filter_map(|number| Some(signal::name(number).strip_prefix("SIG")?.to_owned()));
    names.collect::<Vec<String>>().join(" ")
}

fn takers(name: &str, options: &[HelpEntry]) -> Vec<String> {
    let takers = options.iter().filter(|option| option.takes_value).flat_map(HelpEntry::spellings);
    takers.map(|word| format!("{name}:{word}")).collect()
}

impl Command {
    fn takers(&self) -> Vec<String> {
        takers(&self.name, &self.options)
    }

    fn of(command: &CommandReference) -> Self {
        let entries = || command.help.sections.iter().flat_map(HelpSection::entries);
        let subcommands = command.help.sections.iter().filter(|section| section.title == "Commands");
        let subcommands = subcommands.flat_map(HelpSection::entries);
        Self {
            name: command.command.to_owned(),
            about: command.about.to_owned(),
            is_link: command.is_link(),
            options: entries().filter(|entry| entry.term.starts_with('-')).cloned().collect(),
            subcommands: subcommands.map(|entry| (entry.term.clone(), entry.text.clone())).collect(),
        }
    }
}

impl Action {
    fn of(verb: &VerbHelp) -> Self {
        let text = verb.forms.first().map(|form| form.text.clone()).unwrap_or_default();
        let all = verb.forms.iter().any(|form| form.term.ends_with(" all"));
        let options = verb.forms.iter().chain(&verb.ours).filter(|form| form.long.is_some());
        let options = options.cloned().collect();
        Self { name: verb.name.to_owned(), text, behind: verb.completes, all, options }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(name: &str) -> Action {
        let verbs = verbs();
        Action::of(verbs.iter().find(|verb| verb.name == name).unwrap())
    }

    #[test]
    fn the_options_of_a_verb_are_known_and_whether_a_value_follows() {
        let options = |name: &str| {
            let options = action(name).options.into_iter();
            options.map(|option| (option.long.unwrap(), option.takes_value)).collect::<Vec<_>>()
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
        for (verb, behind, all) in [
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
            let action = action(verb);
            assert_eq!((action.behind, action.all), (behind, all), "{verb}");
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
