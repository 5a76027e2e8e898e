//! `/`: all programs, the listeners, and what happened lately.

use askama::Template;

use super::context::PageContext;
use super::filter::Filter;
use super::flash_message::FlashMessage;
use super::row::{ProgramRow, RowPlace};
use super::sections::{EventsSection, GroupRow, ListenersSection, SummarySection, groups, has_head};
use crate::view::DaemonView;

#[derive(Template)]
#[template(path = "index.html")]
pub(super) struct IndexPage<'a> {
    context: &'a PageContext<'a>,
    view: &'a DaemonView,
    /// The same page in the other language.
    other: String,
    refresh: String,
    message: &'a FlashMessage,
    filter: &'a Filter,
    /// Somebody is shown.
    some: bool,
    /// What of the view the live stream need not send.
    seen: String,
    summary: SummarySection<'a>,
    groups: Vec<Group<'a>>,
    listeners: ListenersSection<'a>,
    events: EventsSection<'a>,
}

struct Group<'a> {
    head: Option<GroupRow<'a>>,
    rows: Vec<ProgramRow<'a>>,
    /// None of its programs is shown.
    hidden: bool,
}

impl<'a> IndexPage<'a> {
    pub(super) fn new(
        context: &'a PageContext<'a>,
        view: &'a DaemonView,
        message: &'a FlashMessage,
        filter: &'a Filter,
        seen: String,
    ) -> Self {
        let groups = groups(view).map(|members| {
            let headed = has_head(members);
            let place = if headed { RowPlace::InGroup } else { RowPlace::Single };
            let row = |program| {
                ProgramRow::new(context, program, place).shown_if(filter.matches(program, context.messages))
            };
            let rows: Vec<ProgramRow<'_>> = members.iter().map(row).collect();
            let hidden = rows.iter().all(ProgramRow::is_hidden);
            Group { head: headed.then(|| GroupRow::new(context, members)), rows, hidden }
        });
        let groups: Vec<Group<'_>> = groups.collect();
        let other = context.messages.other.0;
        let query = format!("{}{}", filter.query_suffix(), context.choice.query_suffix());
        Self {
            context,
            view,
            other: format!("./?lang={other}{}", filter.query_suffix()),
            refresh: if query.is_empty() { "./".to_owned() } else { format!("./?{}", &query[1..]) },
            message,
            filter,
            some: groups.iter().any(|group| !group.hidden),
            seen,
            summary: SummarySection::new(context, view),
            groups,
            listeners: ListenersSection::new(context, view),
            events: EventsSection::new(context, view),
        }
    }
}
