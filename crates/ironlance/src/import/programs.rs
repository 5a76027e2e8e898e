//! What is run: programs that are not there, limits that the system does not give.

use ironlance_config::ini::Section;
use ironlance_config::value::shown;
use rustix::process::{Resource, getrlimit};

use super::finding::{Findings, Weight};
use super::look::Look;
use super::machine::find_program;

/// What is found about commands and limits.
pub(super) fn examine(look: &Look<'_>, found: &mut Findings) {
    for section in look.runners() {
        if !found.is_full(Weight::Attention) {
            command(look, section, found);
        }
    }
    if let Some(section) = look.outline.ini.section("supervisord") {
        limit(look, section, ("minfds", Resource::Nofile), found);
        limit(look, section, ("minprocs", Resource::Nproc), found);
        if look.outline.ini.get(section, "profile_options").is_some_and(|entry| !entry.value.is_empty()) {
            let text = "asks for Python's profiler, of which there is none here: ignored";
            found.about(look.outline, section, "profile_options", Weight::Attention, text);
        }
    }
}

fn command(look: &Look<'_>, section: &Section, found: &mut Findings) {
    let words = look.words(section);
    let Some(program) = words.first().filter(|word| !word.contains("%(")) else { return };
    let directory = look.text(section, "directory").filter(|_| program.contains('/'));
    let there = directory.map(|directory| format!("{directory}/{program}"));
    if [Some(program.clone()), there].into_iter().flatten().any(|name| find_program(&name).is_some()) {
        return;
    }
    let text = match program.contains('/') {
        true => format!("cannot find a program here: {}", shown(program)),
        false => format!(
            "cannot find {} in the PATH of this shell; supervisord may be started with another",
            shown(program)
        ),
    };
    found.about(look.outline, section, "command", Weight::Attention, &text);
}

fn limit(look: &Look<'_>, section: &Section, (key, resource): (&str, Resource), found: &mut Findings) {
    // Root raises its own limits.
    let hard = getrlimit(resource).maximum.filter(|_| look.machine.uid != 0);
    let wanted = look.text(section, key).and_then(|text| text.trim().parse::<u64>().ok());
    if let (Some(hard), Some(wanted)) = (hard, wanted)
        && wanted > hard
    {
        let text =
            format!("asks for {wanted}, and this user can have {hard}: supervisord would refuse to start");
        found.about(look.outline, section, key, Weight::Attention, &text);
    }
}
