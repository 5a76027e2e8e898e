//! `/program.html`: the page of one program, with the reason of its last exit.

use askama::Template;
use ironlance_core::ProcessState;
use ironlance_core::text::url_encoding::encode;

use super::context::PageContext;
use super::flash_message::FlashMessage;
use super::format;
use super::log_page::printable;
use super::row::{ProgramRow, RowPlace, oom_text};
use super::sections::{EventsSection, ListenersSection};
use super::settings::SettingsSection;
use crate::state::exit_record::ExitRecord;
use crate::view::{DaemonView, ProgramView};

#[derive(Template)]
#[template(path = "program.html")]
pub(super) struct ProgramPage<'a> {
    context: &'a PageContext<'a>,
    other: String,
    message: &'a FlashMessage,
    seen: String,
    shown: String,
    link: String,
    row: ProgramRow<'a>,
    listeners: ListenersSection<'a>,
    end: ExitSection<'a>,
    settings: SettingsSection<'a>,
    events: EventsSection<'a>,
}

impl<'a> ProgramPage<'a> {
    pub(super) fn new(
        context: &'a PageContext<'a>,
        view: &'a DaemonView,
        program: &'a ProgramView,
        user: Option<&str>,
        message: &'a FlashMessage,
        seen: String,
    ) -> Self {
        let link = encode(&program.namespec.qualified());
        Self {
            context,
            other: format!("program.html?processname={link}&lang={}", context.messages.other.0),
            message,
            seen,
            shown: program.namespec.to_string(),
            link,
            row: ProgramRow::new(context, program, RowPlace::Alone),
            listeners: ListenersSection::about(context, view, program),
            end: ExitSection::new(context, program),
            settings: SettingsSection::new(context, program.settings.as_ref().map(|own| own.program()), user),
            events: EventsSection::about(context, view, program),
        }
    }
}

/// The section about its last exit.
#[derive(Template)]
#[template(path = "exit.html")]
pub(super) struct ExitSection<'a> {
    context: &'a PageContext<'a>,
    title: &'static str,
    end: Option<&'a ExitRecord>,
    /// Why it could not be started.
    description: Option<String>,
    words: String,
    at: String,
    up: String,
    /// When the OOM killer ended a process of its control group.
    oom_window: Option<String>,
    stdout: String,
    stderr: String,
}

impl<'a> ExitSection<'a> {
    pub(super) fn new(context: &'a PageContext<'a>, program: &'a ProgramView) -> Self {
        let end = program.end.as_deref();
        let of = |make: &dyn Fn(&ExitRecord) -> String| end.map(make).unwrap_or_default();
        let never = end.is_none() && matches!(program.state, ProcessState::Fatal | ProcessState::Backoff);
        let failed = program.pid.is_none() && !program.description.is_empty();
        Self {
            context,
            title: if never { context.messages.start_failure_title } else { context.messages.exit_title },
            end,
            description: failed.then(|| (context.messages.exit_reason)(&program.description)),
            words: of(&|end| (context.messages.exit_reason)(&end.cause.status_text())),
            at: of(&|end| format::moment(context.clock, end.at, context.now)),
            oom_window: end.and_then(|end| end.cause.oom_window()).map(|window| oom_text(context, window)),
            up: of(&|end| format::span(end.up, context.messages.units)),
            stdout: of(&|end| printable(&end.stdout_tail)),
            stderr: of(&|end| printable(&end.stderr_tail)),
        }
    }
}
