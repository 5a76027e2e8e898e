//! Layering: which crate may depend on which, checked against the manifests.

use std::fs;

use anyhow::{Context, bail};

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

/// Our crates' names in a manifest begin so.
const OURS: &str = "ironlance-";

/// Holds each crate's manifest to its row.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let crates = workspace.root.join("crates");
    let mut faults = Vec::new();
    for entry in crates.read_dir().with_context(|| format!("cannot list {}", crates.display()))? {
        let folder = entry?.path();
        if !folder.is_dir() {
            continue;
        }
        let manifest = folder.join("Cargo.toml");
        let text =
            fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        faults.extend(faults_of(&name, &text));
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

/// What is wrong with the manifest of the crate in the folder `name`.
fn faults_of(name: &str, manifest: &str) -> Vec<String> {
    let Some((_, allowed)) = LAYERS.iter().find(|(folder, _)| *folder == name) else {
        return vec![format!(
            "crates/{name}: cannot say what it may depend on: no row in xtask/src/layering.rs"
        )];
    };
    let forbidden = |other: &&str| !allowed.contains(other);
    our_dependencies(manifest)
        .filter(forbidden)
        .map(|other| format!("crates/{name}: cannot depend on {OURS}{other}: see xtask/src/layering.rs"))
        .collect()
}

/// The crates of ours that a manifest names as any kind of dependency, without the common prefix.
fn our_dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    manifest.lines().map(str::trim).filter_map(move |line| {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section.ends_with("dependencies");
            // The long form: [dependencies.ironlance-core]
            return section.rsplit_once("dependencies.").and_then(|(_, name)| name.strip_prefix(OURS));
        }
        let name = line.strip_prefix(OURS).filter(|_| inside)?;
        name.split(['.', ' ', '=']).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_dependency_is_seen() {
        let manifest = "[package]\nname = \"ironlance-x\"\n[dependencies]\nironlance-core.workspace = true\n\
            serde = \"1\"\n[dev-dependencies]\nironlance-net = { path = \"..\" }\n[dependencies.ironlance-rpc]\n\
            [target.'cfg(unix)'.build-dependencies]\nironlance-alert={}\n[lints]\nironlance-no = 1\n";
        assert_eq!(our_dependencies(manifest).collect::<Vec<_>>(), ["core", "net", "rpc", "alert"]);
    }

    #[test]
    fn the_daemon_may_not_know_alerts_and_a_new_crate_needs_a_row() {
        let manifest = "[dependencies]\nironlance-core.workspace = true\nironlance-alert.workspace = true\n";
        assert_eq!(faults_of("daemon", manifest).len(), 1);
        assert_eq!(faults_of("alert", manifest).len(), 1);
        assert!(faults_of("listeners", manifest).is_empty());
        assert_eq!(faults_of("brand_new", "").len(), 1);
    }

    #[test]
    fn the_layers_make_no_circle() {
        for (index, (_, allowed)) in LAYERS.iter().enumerate() {
            let above: Vec<&str> = LAYERS[index..].iter().map(|(name, _)| *name).collect();
            // A row stands below all that it depends on.
            assert!(allowed.iter().all(|name| !above.contains(name)), "row {index}");
        }
    }
}
