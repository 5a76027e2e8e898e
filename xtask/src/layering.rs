//! Layering: which crate may depend on which, and that no import inside of a crate runs up.
//!
//! Inside of a crate an import is a path that a file names, by `use` or in its code; it leads to the module that defines
//! the thing, also through re-exports. The modules of one parent, each with all that is in it, must import each other in
//! one direction only: then there is an order in which no import runs up. A parent and its children may name each other:
//! the parent puts them together, and defines what they share. Tests may import what they like.

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
        faults.extend(circles_of(workspace, package)?);
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

/// The circles of a package's modules, each as a fault.
fn circles_of(workspace: &Workspace, package: &Package) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for root in package.roots() {
        let tree = ModuleTree::read(&root)?;
        let file = |path| workspace.relative(&tree.modules[path].file).display().to_string();
        let mut levels: BTreeMap<&[String], Graph> = BTreeMap::new();
        let imports: Vec<Import> =
            tree.imports().into_iter().filter_map(|(from, to)| Import::new(from, to)).collect();
        for import in &imports {
            let files = (file(import.from), file(import.to));
            if !TOLERATED.contains(&(&files.0, &files.1)) {
                let (upper, lower) = import.siblings();
                levels.entry(import.parent()).or_default().entry(upper).or_default().insert(lower);
            }
        }
        for (parent, graph) in levels {
            for circle in circles(&graph) {
                let ties = imports.iter().filter(|import| import.parent() == parent && import.is_in(&circle));
                let ties: Vec<String> =
                    ties.map(|tie| format!("\n    {} imports {}", file(tie.from), file(tie.to))).collect();
                faults.push(format!(
                    "{}: modules cannot import each other in a circle:{}",
                    package.name,
                    ties.concat()
                ));
            }
        }
    }
    Ok(faults)
}

/// One module imports from another, and neither is the other's parent.
struct Import<'a> {
    from: &'a ModulePath,
    to: &'a ModulePath,
    /// How many names the two paths have in common.
    depth: usize,
}

impl<'a> Import<'a> {
    fn new(from: &'a ModulePath, to: &'a ModulePath) -> Option<Self> {
        let depth = from.iter().zip(to).take_while(|(one, other)| one == other).count();
        (depth < from.len().min(to.len())).then_some(Self { from, to, depth })
    }

    /// The module that both are in.
    fn parent(&self) -> &'a [String] {
        &self.from[..self.depth]
    }

    /// The modules directly in it that the two belong to.
    fn siblings(&self) -> (&'a String, &'a String) {
        (&self.from[self.depth], &self.to[self.depth])
    }

    fn is_in(&self, circle: &BTreeSet<&String>) -> bool {
        let (upper, lower) = self.siblings();
        circle.contains(upper) && circle.contains(lower)
    }
}

/// Modules beside each other, and those that each imports from.
type Graph<'a> = BTreeMap<&'a String, BTreeSet<&'a String>>;

/// The sets of modules that import each other, in whatever number of steps.
fn circles<'a>(graph: &Graph<'a>) -> Vec<BTreeSet<&'a String>> {
    let reached: BTreeMap<&String, BTreeSet<&'a String>> =
        graph.keys().map(|module| (*module, reachable(graph, module))).collect();
    let mut circles: Vec<BTreeSet<&String>> = Vec::new();
    for (module, others) in &reached {
        if others.contains(module) && circles.iter().all(|circle| !circle.contains(module)) {
            let returns = |other: &&&String| reached.get(**other).is_some_and(|back| back.contains(module));
            circles.push(others.iter().filter(returns).copied().collect());
        }
    }
    circles
}

fn reachable<'a>(graph: &Graph<'a>, from: &'a String) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut todo = vec![from];
    while let Some(next) = todo.pop() {
        todo.extend(graph.get(next).into_iter().flatten().copied().filter(|module| found.insert(*module)));
    }
    found
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
    fn modules_that_import_each_other_are_one_circle_and_what_they_stand_on_is_not() {
        let names = ["a", "b", "c", "ground", "top"].map(str::to_owned);
        let [a, b, c, ground, top] = &names;
        let mut graph = Graph::new();
        for (from, to) in [(a, b), (b, c), (c, a), (c, ground), (top, a)] {
            graph.entry(from).or_default().insert(to);
        }
        let circles: Vec<Vec<&String>> = circles(&graph).into_iter().map(Vec::from_iter).collect();
        assert_eq!(circles, [vec!["a", "b", "c"]]);
    }

    #[test]
    fn what_a_parent_and_its_child_import_of_each_other_is_no_tie() {
        let path = |names: &str| names.split("::").map(str::to_owned).collect::<ModulePath>();
        assert!(Import::new(&path("a"), &path("a::b")).is_none());
        assert!(Import::new(&path("a::b"), &path("a")).is_none());
        let (from, to) = (path("a::b::c"), path("a::d"));
        assert_eq!(Import::new(&from, &to).unwrap().siblings(), (&"b".to_owned(), &"d".to_owned()));
    }
}
