//! `[program:x]`: a program that is a group of its own.

use std::collections::BTreeMap;

use ironlance_core::GroupName;

use crate::group::{Group, GroupKind};
use crate::ini::{Section, is_space};
use crate::loader::context::{LoadContext, SectionScope};
use crate::section::process;
use crate::template::ExpansionNames;
use crate::value;

/// The group of the section's processes.
pub(crate) fn read<'a>(
    reading: &mut LoadContext<'a>,
    section: &'a Section,
    shared: &BTreeMap<String, String>,
) -> Group {
    let page = SectionScope::new(section, ExpansionNames::default().with("here", reading.here));
    let name = group_name(reading, &page);
    let priority = reading.or(&page, "priority", 999, value::integer);
    let programs = process::read(reading, section, &name, shared);
    Group { name: GroupName(name), priority, programs, kind: GroupKind::Programs }
}

/// The name of a group, from the section's.
pub(crate) fn group_name<'a>(reading: &mut LoadContext<'a>, page: &SectionScope<'a>) -> String {
    if page.label().contains(is_space) {
        reading.warn_at(page, "", &format!("{}: {}", process::UNREADABLE, value::shown(page.label())));
    }
    value::name(page.label()).unwrap_or_else(|bad| {
        reading.refuse(page, "", bad);
        page.label().to_owned()
    })
}
