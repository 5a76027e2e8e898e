//! Layering: which crate may depend on which, and that no import inside of a crate runs up.
//!
//! Inside of a crate an import is a path that a file names, by `use` or in its code; it leads to the file that defines the
//! thing, also through re-exports. Imports must not run in a circle: there is an order in which every file stands above
//! what it imports. What a module names of its own children is no import, as it puts them together. Some crates have
//! floors besides. Tests may import what they like.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;

use crate::metadata::{Metadata, Package};
use crate::sources::{ModulePath, ModuleTree};
use crate::workspace::Workspace;

/// A folder under crates/ and the crates of ours that it may depend on. The daemon may become PID 1 and
/// therefore knows neither alerts nor listeners; nothing depends on the end-to-end tests.
const LAYERS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("net", &[]),
    ("host", &[]),
    ("config", &["core", "host"]),
    ("rpc", &["core", "net"]),
    ("alert", &["core", "net"]),
    ("listeners", &["alert", "core", "host", "net", "rpc"]),
    ("daemon", &["config", "core", "host", "net", "rpc"]),
    ("ctl", &["config", "core", "host", "net", "rpc"]),
    ("ironlance", &["alert", "config", "core", "ctl", "daemon", "host", "listeners", "net", "rpc"]),
    ("e2e", &[]),
];

/// The names of our crates begin so.
const OURS: &str = "ironlance-";

/// Modules of a crate from the ground up: none may import from one that stands behind it in the list. Modules that are
/// not in the list may import all, and be imported by all. The daemon's state is at the ground: it has no I/O.
const FLOORS: &[(&str, &[&str])] = &[
    ("alert", &["outbox", "channel", "delivery", "submit"]),
    ("ctl", &["session", "verb", "shell"]),
    (
        "daemon",
        &[
            "state",
            "files",
            "child",
            "log",
            "http",
            "startup",
            "reload",
            "io",
            "supervisor",
            "generation",
            "command",
        ],
    ),
    ("listeners", &["probe", "rule", "options", "command"]),
];

/// Imports that may run up for now: the importing file and the imported one. The list may only shrink.
const TOLERATED: &[(&str, &str)] = &[];

/// Holds each crate's manifest to its row, and its files to an order.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let metadata = Metadata::read(workspace, "Cargo.toml")?;
    let mut faults = Vec::new();
    for package in metadata.members() {
        if let Some(name) = package.name.strip_prefix(OURS) {
            let dependencies = package.dependencies.iter().map(|dependency| dependency.name.as_str());
            faults.extend(crate_faults(name, dependencies));
        }
        faults.extend(import_faults(workspace, package)?);
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

/// What is wrong with the dependencies of a crate of ours.
fn crate_faults<'a>(name: &str, dependencies: impl Iterator<Item = &'a str>) -> Vec<String> {
    let Some((_, allowed)) = LAYERS.iter().find(|(folder, _)| *folder == name) else {
        return vec![format!(
            "crates/{name}: cannot say what it may depend on: no row in xtask/src/layering.rs"
        )];
    };
    dependencies
        .filter_map(|other| other.strip_prefix(OURS))
        .filter(|other| !allowed.contains(other))
        .map(|other| format!("crates/{name}: cannot depend on {OURS}{other}: see xtask/src/layering.rs"))
        .collect()
}

/// What is wrong with the imports of a package's files.
fn import_faults(workspace: &Workspace, package: &Package) -> anyhow::Result<Vec<String>> {
    let name = package.name.trim_start_matches(OURS);
    let mut faults = Vec::new();
    for root in package.roots() {
        let tree = ModuleTree::read(&root)?;
        let file = |path| workspace.relative(&tree.modules[path].file).display().to_string();
        let mut graph = Graph::new();
        for (from, to) in tree.imports().into_iter().filter(|(from, to)| !to.starts_with(from)) {
            let files = (file(from), file(to));
            if files.0 == files.1 || TOLERATED.contains(&(&files.0, &files.1)) {
                continue;
            }
            if runs_up(name, from, to) {
                faults.push(format!("{}: cannot import {}: it stands higher", files.0, files.1));
            }
            graph.entry(files.0).or_default().insert(files.1);
        }
        faults.extend(circles(&graph).iter().map(|circle| describe(circle, &graph)));
    }
    Ok(faults)
}

/// Whether an import runs up the floors of its crate.
fn runs_up(package: &str, from: &ModulePath, to: &ModulePath) -> bool {
    let floors = FLOORS.iter().find(|(name, _)| *name == package).map_or(&[][..], |(_, floors)| floors);
    let floor =
        |path: &ModulePath| floors.iter().position(|name| path.first().is_some_and(|first| first == name));
    floor(from).zip(floor(to)).is_some_and(|(from, to)| from < to)
}

/// Files, and the files that each imports from.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The sets of files that import each other, in whatever number of steps.
fn circles(graph: &Graph) -> Vec<BTreeSet<&String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|file| (file, reachable(graph, file))).collect();
    let mut circles: Vec<BTreeSet<&String>> = Vec::new();
    for (file, others) in &reached {
        if others.contains(file) && circles.iter().all(|circle| !circle.contains(file)) {
            let returns = |other: &&&String| reached.get(**other).is_some_and(|back| back.contains(file));
            circles.push(others.iter().filter(returns).copied().collect());
        }
    }
    circles
}

fn reachable<'a>(graph: &'a Graph, from: &'a String) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut todo = vec![from];
    while let Some(next) = todo.pop() {
        todo.extend(graph.get(next).into_iter().flatten().filter(|file| found.insert(*file)));
    }
    found
}

/// The circle with the imports that make it one.
fn describe(circle: &BTreeSet<&String>, graph: &Graph) -> String {
    let mut text = format!("{} files import each other in a circle:", circle.len());
    for from in circle {
        for to in graph[*from].iter().filter(|to| circle.contains(to)) {
            text.push_str(&format!("\n    {from} imports {to}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_may_not_know_alerts_and_a_new_crate_needs_a_row() {
        let faults =
            |name| crate_faults(name, ["ironlance-core", "ironlance-alert", "serde"].into_iter()).len();
        assert_eq!(faults("daemon"), 1);
        assert_eq!(faults("listeners"), 0);
        assert_eq!(faults("brand_new"), 1);
    }

    #[test]
    fn the_layers_make_no_circle() {
        for (index, (_, allowed)) in LAYERS.iter().enumerate() {
            let above: Vec<&str> = LAYERS[index..].iter().map(|(name, _)| *name).collect();
            // A row stands below all that it depends on.
            assert!(allowed.iter().all(|name| !above.contains(name)), "row {index}");
        }
    }

    #[test]
    fn files_that_import_each_other_are_one_circle_and_what_they_stand_on_is_not() {
        let mut graph = Graph::new();
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "a"), ("c", "ground"), ("top", "a")] {
            graph.entry(from.to_owned()).or_default().insert(to.to_owned());
        }
        let circles: Vec<Vec<&String>> = circles(&graph).into_iter().map(Vec::from_iter).collect();
        assert_eq!(circles, [vec!["a", "b", "c"]]);
    }

    #[test]
    fn an_import_may_not_run_up_the_floors_of_its_crate() {
        let path = |names: &str| names.split("::").map(str::to_owned).collect::<ModulePath>();
        assert!(runs_up("listeners", &path("rule::crash"), &path("options::filter")));
        assert!(!runs_up("listeners", &path("options::filter"), &path("rule::crash")));
        assert!(!runs_up("listeners", &path("rule::crash"), &path("text")));
        assert!(!runs_up("core", &path("rule"), &path("options")));
    }
}
