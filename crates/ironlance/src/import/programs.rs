//! Findings about what is run: programs that do not exist, and limits that the system does not allow.

use ironlance_config::ini::Section;
use ironlance_config::value::shown;
use rustix::process::{Resource, getrlimit};

use super::inspect::ConfigView;
use super::path_search::find_program;
use super::report::{FindingKind, Findings};

/// Adds the findings about commands and limits.
pub(super) fn examine(view: &ConfigView<'_>, found: &mut Findings) {
    for section in view.runners() {
        if !found.is_full(FindingKind::Attention) {
            command(view, section, found);
        }
    }
    if let Some(section) = view.outline.ini.section("supervisord") {
        limit(view, section, ("minfds", Resource::Nofile), found);
        limit(view, section, ("minprocs", Resource::Nproc), found);
        if view.outline.ini.get(section, "profile_options").is_some_and(|entry| !entry.value.is_empty()) {
            let text = "asks for Python's profiler, of which there is none here: ignored";
            found.about(view.outline, section, "profile_options", text);
        }
    }
}

fn command(view: &ConfigView<'_>, section: &Section, found: &mut Findings) {
    let words = view.words(section);
    let Some(program) = words.first().filter(|word| !word.contains("%(")) else { return };
    let directory = view.value(section, "directory").filter(|_| program.contains('/'));
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
    found.about(view.outline, section, "command", &text);
}

fn limit(view: &ConfigView<'_>, section: &Section, (key, resource): (&str, Resource), found: &mut Findings) {
    // Root can raise its own limits.
    let hard = getrlimit(resource).maximum.filter(|_| view.host_env.uid != 0);
    let wanted = view.value(section, key).and_then(|text| text.trim().parse::<u64>().ok());
    if let (Some(hard), Some(wanted)) = (hard, wanted)
        && wanted > hard
    {
        let text =
            format!("asks for {wanted}, and this user can have {hard}: supervisord would refuse to start");
        found.about(view.outline, section, key, &text);
    }
}
