//! Selecting processes by the names on a command line: NAME, GROUP:NAME, GROUP:*, and patterns.

use ironlance_core::Namespec;
use ironlance_core::text::glob::Pattern;

use crate::struct_view::Selector;

/// The characters that make a name a pattern.
const MAGIC: [char; 3] = ['*', '?', '['];

/// Whether `name` is a pattern: it has `*`, `?` or `[`, and is not `GROUP:*`.
pub(crate) fn is_pattern(name: &str) -> bool {
    match Selector::parse(name) {
        Selector::Group(group) => group.contains(MAGIC),
        Selector::Process { group, name } => group.contains(MAGIC) || name.contains(MAGIC),
    }
}

/// The indexes in `all` that `name` selects, in the order of `all`.
///
/// A literal name comes first. Only if no process has it, it is a pattern (`*`, `?`, `[a-z]`, `[!a-z]`): with a colon for
/// group and process, without one for the group, the process or `GROUP:NAME`.
pub(crate) fn select(name: &str, all: &[Namespec]) -> Vec<usize> {
    let found = positions(all, |namespec| is_literally(Selector::parse(name), namespec));
    if !found.is_empty() || !is_pattern(name) {
        return found;
    }
    match name.split_once(':') {
        Some((group, process)) => {
            let process = if process.is_empty() { "*" } else { process };
            let (group, process) = (Pattern::parse(group), Pattern::parse(process));
            positions(all, |namespec| {
                group.matches(&namespec.group.0) && process.matches(&namespec.process.0)
            })
        }
        None => {
            let name = Pattern::parse(name);
            positions(all, |namespec| {
                name.matches(&namespec.group.0)
                    || name.matches(&namespec.process.0)
                    || name.matches(&namespec.to_string())
            })
        }
    }
}

/// Suggestions for a name that no process has: processes of that name in a group, or the processes of a group.
pub(crate) fn similar_names(name: &str, all: &[Namespec]) -> Vec<String> {
    let (group, process) =
        name.split_once(':').map_or((None, name), |(group, process)| (Some(group), process));
    let mut found: Vec<String> = Vec::new();
    if group.is_none() && all.iter().any(|namespec| namespec.group.0 == name) {
        found.push(format!("{name}:*"));
    }
    let same = all.iter().filter(|namespec| !process.is_empty() && namespec.process.0 == process);
    found.extend(same.map(ToString::to_string));
    found
}

/// The most names that are suggested.
const MAX_SUGGESTIONS: usize = 5;

/// The line with suggestions for a name, if there are any.
pub(crate) fn suggestion(name: &str, all: &[Namespec]) -> Option<String> {
    let found = similar_names(name, all);
    let more = if found.len() > MAX_SUGGESTIONS { ", …" } else { "" };
    let shown: Vec<String> = found.into_iter().take(MAX_SUGGESTIONS).collect();
    (!shown.is_empty()).then(|| format!("did you mean {}{more}?", shown.join(", ")))
}

/// `names` without the processes in `left_out`: a name that selects some of them is replaced by the others.
pub(crate) fn without(names: &[&str], left_out: &[String], all: &[Namespec]) -> Vec<String> {
    let is_left_out = |at: &usize| left_out.iter().any(|name| *name == all[*at].to_string());
    let rest = |name: &str| -> Vec<String> {
        let selected = if name == "all" { (0..all.len()).collect() } else { select(name, all) };
        if !selected.iter().any(is_left_out) {
            return vec![name.to_owned()];
        }
        selected.into_iter().filter(|at| !is_left_out(at)).map(|at| all[at].to_string()).collect()
    };
    names.iter().flat_map(|name| rest(name)).collect()
}

/// `names` with each pattern replaced by the processes it selects. Other names, and patterns without a match, stay, so
/// that messages about them are the original's. A process occurs once for each name that selects it.
pub(crate) fn expand(names: &[&str], all: &[Namespec]) -> Vec<String> {
    let processes = |name: &str| -> Vec<String> {
        let found = if is_pattern(name) { select(name, all) } else { Vec::new() };
        if found.is_empty() {
            return vec![name.to_owned()];
        }
        found.into_iter().map(|at| all[at].to_string()).collect()
    };
    names.iter().flat_map(|name| processes(name)).collect()
}

fn is_literally(target: Selector<'_>, namespec: &Namespec) -> bool {
    match target {
        Selector::Group(group) => group == namespec.group.0,
        Selector::Process { group, name } => group == namespec.group.0 && name == namespec.process.0,
    }
}

fn positions(all: &[Namespec], is_meant: impl Fn(&Namespec) -> bool) -> Vec<usize> {
    (0..all.len()).filter(|at| is_meant(&all[*at])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_its_group_is_found_with_it() {
        let all = [("shop", "web_0"), ("shop", "web_1"), ("cat", "cat"), ("other", "web_0")];
        let all: Vec<Namespec> = all.iter().map(|(group, process)| Namespec::new(*group, *process)).collect();
        let of = |name: &str| suggestion(name, &all);
        assert_eq!(of("web_0").unwrap(), "did you mean shop:web_0, other:web_0?");
        assert_eq!(of("shop").unwrap(), "did you mean shop:*?");
        assert_eq!(of("shap:web_1").unwrap(), "did you mean shop:web_1?");
        assert_eq!((of("dog"), of("x:"), of("")), (None, None, None));
        let many: Vec<Namespec> = (0..9).map(|at| Namespec::new(format!("g{at}"), "w")).collect();
        assert_eq!(suggestion("w", &many).unwrap(), "did you mean g0:w, g1:w, g2:w, g3:w, g4:w, …?");
    }

    fn house() -> Vec<Namespec> {
        [("web", "web"), ("shop", "web1"), ("shop", "web2"), ("shop", "db"), ("odd*", "odd*")]
            .map(|(group, process)| Namespec::new(group, process))
            .to_vec()
    }

    fn selected(name: &str) -> Vec<String> {
        let all = house();
        select(name, &all).into_iter().map(|at| all[at].to_string()).collect()
    }

    #[test]
    fn literal_names_mean_what_they_mean_to_the_original() {
        assert_eq!(selected("web"), ["web"]);
        assert_eq!(selected("shop:web1"), ["shop:web1"]);
        assert_eq!(selected("shop:*"), ["shop:web1", "shop:web2", "shop:db"]);
        assert_eq!(selected("shop:"), ["shop:web1", "shop:web2", "shop:db"]);
        assert_eq!(selected("shop"), Vec::<String>::new());
        assert_eq!(selected("web1"), Vec::<String>::new());
    }

    #[test]
    fn a_pattern_means_whose_group_name_or_whole_name_fits() {
        assert_eq!(selected("web*"), ["web", "shop:web1", "shop:web2"]);
        assert_eq!(selected("web[12]"), ["shop:web1", "shop:web2"]);
        assert_eq!(selected("sh?p"), ["shop:web1", "shop:web2", "shop:db"]);
        assert_eq!(selected("s*:web?"), ["shop:web1", "shop:web2"]);
        assert_eq!(selected("s*:"), ["shop:web1", "shop:web2", "shop:db"]);
        assert_eq!(selected("nobody*"), Vec::<String>::new());
    }

    #[test]
    fn a_name_that_somebody_has_is_no_pattern() {
        assert_eq!(selected("odd*"), ["odd*"]);
        assert_eq!(selected("od*"), ["odd*"]);
    }

    #[test]
    fn only_patterns_are_replaced_and_strangers_stay() {
        let expanded = expand(&["web", "shop:*", "web?", "x*"], &house());
        assert_eq!(expanded, ["web", "shop:*", "shop:web1", "shop:web2", "x*"]);
    }

    #[test]
    fn a_group_without_one_of_its_processes_is_the_others() {
        let left_out = ["shop:web2".to_owned()];
        let rest = |names: &[&str]| without(names, &left_out, &house());
        assert_eq!(rest(&["web", "shop:*", "x"]), ["web", "shop:web1", "shop:db", "x"]);
        assert_eq!(rest(&["shop:web2"]), Vec::<String>::new());
        assert_eq!(rest(&["all"]), ["web", "shop:web1", "shop:db", "odd*"]);
        assert_eq!(without(&["all"], &[], &house()), ["all"]);
    }
}
