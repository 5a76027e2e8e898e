//! `/program.html`: one program, and why it last ended.

use askama::Template;
use ironlance_core::ProcessState;

use super::figures;
use super::frame::Frame;
use super::message::Message;
use super::parts::{Events, Listeners};
use super::query::encode;
use super::row::{Place, Row, near_memory};
use super::settings::Settings;
use super::tail::harmless;
use crate::view::{DaemonView, EndView, ProgramView};

#[derive(Template)]
#[template(path = "program.html")]
pub(super) struct Program<'a> {
    frame: &'a Frame<'a>,
    other: String,
    message: &'a Message,
    seen: String,
    shown: String,
    link: String,
    row: Row<'a>,
    listeners: Listeners<'a>,
    end: End<'a>,
    settings: Settings<'a>,
    events: Events<'a>,
}

impl<'a> Program<'a> {
    pub(super) fn new(
        frame: &'a Frame<'a>,
        view: &'a DaemonView,
        program: &'a ProgramView,
        user: Option<&str>,
        message: &'a Message,
        seen: String,
    ) -> Self {
        let link = encode(&program.namespec.qualified());
        Self {
            frame,
            other: format!("program.html?processname={link}&lang={}", frame.words.other.0),
            message,
            seen,
            shown: program.namespec.to_string(),
            link,
            row: Row::new(frame, program, Place::Alone),
            listeners: Listeners::about(frame, view, program),
            end: End::new(frame, program),
            settings: Settings::new(frame, program.settings.as_ref().map(|own| own.program()), user),
            events: Events::about(frame, view, program),
        }
    }
}

/// Why it last ended.
#[derive(Template)]
#[template(path = "end.html")]
pub(super) struct End<'a> {
    frame: &'a Frame<'a>,
    title: &'static str,
    end: Option<&'a EndView>,
    /// Why there was nothing that could end.
    description: Option<String>,
    words: String,
    at: String,
    up: String,
    /// When somebody was killed for want of memory.
    near_memory: Option<String>,
    stdout: String,
    stderr: String,
}

impl<'a> End<'a> {
    pub(super) fn new(frame: &'a Frame<'a>, program: &'a ProgramView) -> Self {
        let end = program.end.as_ref();
        let of = |make: &dyn Fn(&EndView) -> String| end.map(make).unwrap_or_default();
        let never = end.is_none() && matches!(program.state, ProcessState::Fatal | ProcessState::Backoff);
        let failed = program.pid.is_none() && !program.description.is_empty();
        Self {
            frame,
            title: if never { frame.words.why_not_title } else { frame.words.why_title },
            end,
            description: failed.then(|| (frame.words.ended)(&program.description)),
            words: of(&|end| (frame.words.ended)(&end.words)),
            at: of(&|end| figures::moment(frame.clock, end.at, frame.now)),
            near_memory: end.and_then(|end| end.near_memory).map(|window| near_memory(frame, window)),
            up: of(&|end| figures::span(end.up, frame.words.units)),
            stdout: of(&|end| harmless(&end.stdout_tail)),
            stderr: of(&|end| harmless(&end.stderr_tail)),
        }
    }
}
