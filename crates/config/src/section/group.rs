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
        let found = ["program", "fcgi-program"].map(|sort| context.ini.section(&format!("{sort}:{program}")));
        match found {
            [Some(member), None] | [None, Some(member)] => {
                taken.insert(&member.name);
                looked_at = member;
                programs.extend(process::read(context, member, &name, shared));
            }
            [None, None] => {
                let original =
                    format!("[{}] names unknown program or fcgi-program {program}", looked_at.name);
                context.refuse(&scope, "programs", InvalidValue::new("find the program", program, original));
            }
            [Some(_), Some(_)] => {
                let original = format!(
                    "[{}] name {program} is ambiguous (exists as program and fcgi-program)",
                    looked_at.name
                );
                let what = "tell whether the program or the fcgi-program is meant";
                context.refuse(&scope, "programs", InvalidValue::new(what, program, original));
            }
        }
    }
    Group { name: GroupName(name), priority, programs, kind: GroupKind::Programs, built_in: false }
}
