//! `[group:x]`: programs that are started, stopped and shown together.

use std::collections::{BTreeMap, HashSet};

use ironlance_core::GroupName;

use crate::expansion::ExpansionNames;
use crate::group::{Group, GroupKind};
use crate::ini::Section;
use crate::loader::context::{LoadContext, SectionScope};
use crate::section::process;
use crate::section::program::group_name;
use crate::value::{self, InvalidValue};

/// The keys of the section.
pub(crate) const KEYS: [&str; 2] = ["programs", "priority"];

/// The group; the sections that it takes in are added to `taken`.
pub(crate) fn read<'a>(
    context: &mut LoadContext<'a>,
    section: &'a Section,
    shared: &BTreeMap<String, String>,
    taken: &mut HashSet<&'a str>,
) -> Group {
    let scope = SectionScope::new(section, ExpansionNames::default().with("here", context.here));
    let name = group_name(context, &scope);
    let names = context.text(&scope, "programs").ok().flatten().unwrap_or_default();
    let priority = context.or(&scope, "priority", 999, value::integer);
    let mut programs = Vec::new();
    // The original's messages name the section it looked at last.
    let mut looked_at = section;
    for program in value::list(&names) {
        if context.is_full() {
            break;
        }
        match member(context.ini.section(&format!("program:{program}")), fcgi(context, program)) {
            Member::One(member) => {
                taken.insert(&member.name);
                looked_at = member;
                programs.extend(process::read(context, member, &name, shared));
            }
            Member::None => {
                let original =
                    format!("[{}] names unknown program or fcgi-program {program}", looked_at.name);
                context.refuse(&scope, "programs", InvalidValue::new("find the program", program, original));
            }
            Member::Two => {
                let original = format!(
                    "[{}] name {program} is ambiguous (exists as program and fcgi-program)",
                    looked_at.name
                );
                let what = "tell whether the program or the fcgi-program is meant";
                context.refuse(&scope, "programs", InvalidValue::new(what, program, original));
            }
        }
    }
    Group { name: GroupName(name), priority, programs, kind: GroupKind::Programs }
}

enum Member<'a> {
    One(&'a Section),
    None,
    Two,
}

fn fcgi<'a>(context: &LoadContext<'a>, program: &str) -> Option<&'a Section> {
    context.ini.section(&format!("fcgi-program:{program}"))
}

fn member<'a>(program: Option<&'a Section>, fcgi: Option<&'a Section>) -> Member<'a> {
    match (program, fcgi) {
        (Some(_), Some(_)) => Member::Two,
        (Some(one), None) | (None, Some(one)) => Member::One(one),
        (None, None) => Member::None,
    }
}
