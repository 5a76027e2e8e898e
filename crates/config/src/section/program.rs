//! `[program:x]`: a program that is a group of its own.

use std::collections::BTreeMap;

use ironlance_core::GroupName;

use crate::expansion::ExpansionNames;
use crate::group::{Group, GroupKind};
use crate::ini::{Section, is_space};
use crate::loader::context::{LoadContext, SectionScope};
use crate::section::process;
use crate::value;

/// The group of the section's processes.
pub(crate) fn read<'a>(
    context: &mut LoadContext<'a>,
    section: &'a Section,
    shared: &BTreeMap<String, String>,
) -> Group {
    let scope = SectionScope::new(section, ExpansionNames::default().with("here", context.here));
    let name = group_name(context, &scope);
    let priority = context.or(&scope, "priority", 999, value::integer);
    let programs = process::read(context, section, &name, shared);
    Group { name: GroupName(name), priority, programs, kind: GroupKind::Programs, built_in: false }
}

/// The name of a group, from the section's.
pub(crate) fn group_name<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>) -> String {
    if scope.label().contains(is_space) {
        context.warn_at(scope, "", &format!("{}: {}", process::UNREADABLE, value::shown(scope.label())));
    }
    value::name(scope.label()).unwrap_or_else(|bad| {
        context.refuse(scope, "", bad);
        scope.label().to_owned()
    })
}
