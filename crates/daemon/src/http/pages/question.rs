//! What is asked before many processes are stopped at once: how many, and whether listeners, which raise the alarms, are
//! among them.

use askama::Template;

use super::frame::Frame;
use super::message::Message;
use super::row::is_up;
use crate::view::{DaemonView, ProgramView};

/// What would end many processes, or much of what is known of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Stop,
    /// It ends those that run, and starts the others as well.
    Restart,
    /// It ends none, but what they wrote is gone.
    Clear,
}

/// Who it would be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    /// The group; nothing for all.
    pub(super) group: Option<&'a str>,
    pub(super) processes: usize,
    /// So many of them are listeners.
    pub(super) listeners: usize,
}

impl<'a> Asked<'a> {
    /// Who of a group, or of all; nothing where nothing has to be asked: it would end one process or none.
    pub(super) fn about(view: &DaemonView, group: Option<&'a str>, ending: Ending) -> Option<Self> {
        let is_member = |program: &&ProgramView| group.is_none_or(|group| program.namespec.group.0 == group);
        let members: Vec<_> = view.programs.iter().filter(is_member).collect();
        let is_meant = |program: &&&ProgramView| match ending {
            Ending::Stop => is_up(program.state),
            Ending::Restart => true,
            Ending::Clear => program.has_stdout || program.has_stderr,
        };
        let (mut processes, mut listeners) = (0, 0);
        for program in members.iter().filter(is_meant) {
            processes += 1;
            listeners += usize::from(program.is_listener);
        }
        let is_small = group.is_some() && members.len() < 2;
        (processes > 0 && !is_small).then_some(Self { group, processes, listeners })
    }
}

/// The page that asks who has no script.
#[derive(Template)]
#[template(path = "question.html")]
pub(super) struct Question<'a> {
    frame: &'a Frame<'a>,
    other: String,
    message: Message,
    words: String,
    /// What is done, as the button says it and as the form does.
    deed: (&'static str, &'static str),
    group: Option<&'a str>,
}

impl<'a> Question<'a> {
    pub(super) fn new(frame: &'a Frame<'a>, asked: Asked<'a>, ending: Ending) -> Self {
        let words = frame.words;
        Self {
            frame,
            other: format!("./?lang={}", words.other.0),
            message: Message::default(),
            words: (words.really)(ending, asked),
            deed: match ending {
                Ending::Stop => (words.stop, "stop"),
                Ending::Restart => (words.restart, "restart"),
                Ending::Clear => (words.clear, "clear"),
            },
            group: asked.group,
        }
    }
}
