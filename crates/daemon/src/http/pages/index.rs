//! `/`: the page with all programs, the listeners and the recent events.

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
    /// Whether any program is shown.
    some: bool,
    /// The fingerprint of the view, for the live stream.
    seen: String,
    summary: SummarySection<'a>,
    groups: Vec<Group<'a>>,
    listeners: ListenersSection<'a>,
    events: EventsSection<'a>,
}

struct Group<'a> {
    head: Option<GroupRow<'a>>,
    rows: Vec<ProgramRow<'a>>,
    /// Whether all its programs are filtered out.
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
                let mut row = ProgramRow::new(context, program, place);
                row.is_hidden = !filter.matches(program, context.messages);
                row
            };
            let rows: Vec<ProgramRow<'_>> = members.iter().map(row).collect();
            let hidden = rows.iter().all(|row| row.is_hidden);
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
