//! `/`: all programs, the listeners, and what happened lately.

use askama::Template;

use super::filter::Filter;
use super::frame::Frame;
use super::message::Message;
use super::parts::{Events, GroupHead, Listeners, Summary, groups, has_head};
use super::row::{Place, Row};
use crate::view::DaemonView;

#[derive(Template)]
#[template(path = "index.html")]
pub(super) struct Index<'a> {
    frame: &'a Frame<'a>,
    view: &'a DaemonView,
    /// The same page in the other language.
    other: String,
    refresh: String,
    message: &'a Message,
    filter: &'a Filter,
    /// Somebody is shown.
    some: bool,
    /// What of the view the live stream need not send.
    seen: String,
    summary: Summary<'a>,
    groups: Vec<Group<'a>>,
    listeners: Listeners<'a>,
    events: Events<'a>,
}

struct Group<'a> {
    head: Option<GroupHead<'a>>,
    rows: Vec<Row<'a>>,
    /// None of its programs is shown.
    hidden: bool,
}

impl<'a> Index<'a> {
    pub(super) fn new(
        frame: &'a Frame<'a>,
        view: &'a DaemonView,
        message: &'a Message,
        filter: &'a Filter,
        seen: String,
    ) -> Self {
        let groups = groups(view).map(|members| {
            let headed = has_head(members);
            let place = if headed { Place::InGroup } else { Place::Single };
            let row = |program| Row::new(frame, program, place).shown_if(filter.lets(program, frame.words));
            let rows: Vec<Row<'_>> = members.iter().map(row).collect();
            let hidden = rows.iter().all(Row::is_hidden);
            Group { head: headed.then(|| GroupHead::new(frame, members)), rows, hidden }
        });
        let groups: Vec<Group<'_>> = groups.collect();
        let other = frame.words.other.0;
        let query = format!("{}{}", filter.more(), frame.choice.more());
        Self {
            frame,
            view,
            other: format!("./?lang={other}{}", filter.more()),
            refresh: if query.is_empty() { "./".to_owned() } else { format!("./?{}", &query[1..]) },
            message,
            filter,
            some: groups.iter().any(|group| !group.hidden),
            seen,
            summary: Summary::new(frame, view),
            groups,
            listeners: Listeners::new(frame, view),
            events: Events::new(frame, view),
        }
    }
}
