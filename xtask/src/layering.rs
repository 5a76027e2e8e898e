//! Layering: which crate may depend on which, and that no import inside of a crate runs up.
//!
//! Inside of a crate an import is a path that a file names, by `use` or in its code; it leads to the file that defines the
//! thing, also through re-exports. Imports must not run in a circle: there is an order in which every file stands above
//! what it imports. What a module names of its own children is no import, as it puts them together. Some crates have
//! floors besides. Tests may import what they like.

use anyhow::bail;
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::sources::{ModulePath, ModuleTree};
use crate::workspace::{MAIN_MANIFEST, Workspace};

/// A folder under crates/ and the crates of ours that it may depend on. The daemon may become PID 1 and
/// therefore knows neither alerts nor listeners; nothing depends on the end-to-end tests.
const LAYERS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("net", &[]),
    ("host", &["core"]),
    ("config", &["core", "host"]),
    ("rpc", &["core", "net"]),
    ("alert", &["core", "host", "net"]),
    ("checks", &["alert", "core", "net", "rpc"]),
    ("listeners", &["alert", "checks", "core", "host", "net", "rpc"]),
    ("watch", &["alert", "checks", "config", "core", "host", "net", "rpc"]),
    ("daemon", &["config", "core", "host", "net", "rpc"]),
    ("ctl", &["config", "core", "host", "net", "rpc"]),
    (
        "ironlance",
        &["alert", "checks", "config", "core", "ctl", "daemon", "host", "listeners", "net", "rpc", "watch"],
    ),
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
    ("listeners", &["rule", "options", "command"]),
    ("watch", &["machine", "store", "source", "checks", "command"]),
];

/// Holds each crate's manifest to its row, and its files to an order.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for package in workspace.metadata(MAIN_MANIFEST)?.workspace_packages() {
        if let Some(name) = package.name.strip_prefix(OURS) {
            faults.extend(crate_faults(name, package.dependencies.iter().map(|one| one.name.as_str())));
        }
        for tree in ModuleTree::read_package(package)? {
            faults.extend(import_faults(workspace, package.name.trim_start_matches(OURS), &tree));
        }
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
fn import_faults(workspace: &Workspace, package: &str, tree: &ModuleTree) -> Vec<String> {
    let mut faults = Vec::new();
    let mut graph = Graph::new();
    for (from, to) in tree.imports().into_iter().filter(|(from, to)| !to.starts_with(from)) {
        let [from_file, to_file] =
            [from, to].map(|path| workspace.relative(&tree.modules[path].file).to_str().unwrap_or_default());
        if from_file == to_file {
            continue;
        }
        if runs_up(package, from, to) {
            faults.push(format!("{from_file}: cannot import {to_file}: it stands higher"));
        }
        graph.add_edge(from_file, to_file, ());
    }
    faults.extend(circles(&graph));
    faults
}

/// Whether an import runs up the floors of its crate.
fn runs_up(package: &str, from: &ModulePath, to: &ModulePath) -> bool {
    let floors = FLOORS.iter().find(|(name, _)| *name == package).map_or(&[][..], |(_, floors)| floors);
    let floor =
        |path: &ModulePath| floors.iter().position(|name| path.first().is_some_and(|first| first == name));
    floor(from).zip(floor(to)).is_some_and(|(from, to)| from < to)
}

/// Files, and the files that each imports from.
type Graph<'a> = DiGraphMap<&'a str, ()>;

/// Describes each set of files that import each other in whatever number of steps, with the imports that make it one.
fn circles(graph: &Graph<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    for circle in tarjan_scc(graph).iter().filter(|circle| circle.len() > 1) {
        let mut text = format!("{} files import each other in a circle:", circle.len());
        for (from, to, ()) in
            graph.all_edges().filter(|(from, to, ())| circle.contains(from) && circle.contains(to))
        {
            text.push_str(&format!("\n    {from} imports {to}"));
        }
        texts.push(text);
    }
    texts
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
        let edges = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "ground"), ("top", "a")];
        let found = circles(&Graph::from_edges(edges));
        let circle =
            "3 files import each other in a circle:\n    a imports b\n    b imports c\n    c imports a";
        assert_eq!(found, [circle]);
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
