//! `[eventlistener:x]`: a pool of processes that subscribe to events.

use std::collections::BTreeMap;

use ironlance_core::GroupName;
use ironlance_core::event::kind::EventKind;
use ironlance_core::listener::pool::ResultHandler;

use crate::expansion::ExpansionNames;
use crate::group::{Group, GroupKind};
use crate::ini::Section;
use crate::loader::context::{LoadContext, SectionScope};
use crate::section::factory::{HANDLER, factory, result_handler as handler_of};
use crate::section::process;
use crate::value::{self, InvalidValue};

/// The keys that the section knows beside those of a program.
pub(crate) const KEYS: [&str; 3] = ["buffer_size", "events", "result_handler"];

/// The pool.
pub(crate) fn read<'a>(
    context: &mut LoadContext<'a>,
    section: &'a Section,
    shared: &BTreeMap<String, String>,
) -> Group {
    let scope = SectionScope::new(section, ExpansionNames::default().with("here", context.here));
    let name = scope.label().to_owned();
    if value::breaks_tokens(&name) {
        let name = value::shown(&name);
        context.warn_at(
            &scope,
            "",
            &format!(
                "has a blank in its name, which stands in the header of its events: it can read none: {name}"
            ),
        );
    }
    // Listeners are started first and stopped last.
    let priority = context.or(&scope, "priority", -1, value::integer);
    let buffer_size = buffer_size(context, &scope);
    let result_handler = result_handler(context, &scope);
    let events = events(context, &scope);
    redirect(context, &scope);
    let programs = process::read(context, section, &name, shared);
    let kind = GroupKind::Listeners { events, buffer_size, result_handler };
    Group { name: GroupName(name), priority, programs, kind, built_in: false }
}

fn buffer_size<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>) -> Option<usize> {
    let section = &scope.section.name;
    context.optional(scope, "buffer_size", |text| {
        let size = value::integer(text)?;
        let original = || format!("[{section}] section sets invalid buffer_size ({size})");
        match size {
            1.. => Ok(usize::try_from(size).unwrap_or(usize::MAX)),
            ..1 => Err(InvalidValue::new("keep fewer than one event", text, original())),
        }
    })
}

fn result_handler<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>) -> String {
    let section = &scope.section.name;
    let given =
        context.optional(scope, "result_handler", |text| Ok((factory(text, section)?, text.to_owned())));
    let Some((_, name)) = given else { return HANDLER.to_owned() };
    if handler_of(&name) == ResultHandler::AcceptAll {
        context.warn_at(
            scope,
            "result_handler",
            &format!("names Python code, which cannot be loaded: {name}; every RESULT counts as acceptance"),
        );
    }
    name
}

/// Each event once, in the order of the file.
fn events<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>) -> Vec<EventKind> {
    let Ok(text) = context.text(scope, "events") else { return Vec::new() };
    let text = text.unwrap_or_default();
    let section = &scope.section.name;
    if text.is_empty() {
        let original = format!("[{section}] section requires an \"events\" line");
        context.refuse(
            scope,
            "events",
            InvalidValue { what: "cannot listen to no events".to_owned(), original },
        );
    }
    let mut kinds = Vec::new();
    for name in value::list(&text) {
        if context.is_full() {
            break;
        }
        let upper = name.to_uppercase();
        match EventKind::from_name(&upper) {
            Some(kind) if kinds.contains(&kind) => {}
            Some(kind) => kinds.push(kind),
            None => {
                let original = format!("Unknown event type {upper} in [{section}] events");
                context.refuse(scope, "events", InvalidValue::new("find the event type", name, original));
            }
        }
    }
    kinds
}

/// A listener's stdout is for the protocol alone.
fn redirect<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>) {
    if context.or(scope, "redirect_stderr", false, value::boolean) {
        let section = &scope.section.name;
        let original = format!(
            "[{section}] section sets redirect_stderr=true but this is not allowed because it will interfere with \
             the eventlistener protocol"
        );
        let what = "cannot mix the stderr of an event listener into its protocol on stdout: true".to_owned();
        context.refuse(scope, "redirect_stderr", InvalidValue { what, original });
    }
}
