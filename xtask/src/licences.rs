//! Licences, sources and versions of the packages that we depend on, from what cargo knows of them.
//!
//! Our own check: cargo-deny does as much and more, and takes longer to install than all of this does to build.
//! Advisories are left to it: their database is a repository that not every machine can reach.

use std::collections::BTreeSet;

use anyhow::bail;
use cargo_metadata::Package;
use cargo_metadata::semver::VersionReq;
use spdx::{Expression, ParseMode};

use crate::workspace::{FUZZ_MANIFEST, MAIN_MANIFEST, Workspace};

/// The licences that a package of others may be under.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    // libFuzzer, which is in no program that we give out.
    "NCSA",
    "Unicode-3.0",
    "Zlib",
];

/// Holds both workspaces to the rules.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut faults = BTreeSet::new();
    for manifest in [MAIN_MANIFEST, FUZZ_MANIFEST] {
        faults.extend(workspace.metadata(manifest)?.packages.iter().flat_map(faults_of));
    }
    if !faults.is_empty() {
        bail!("{}", Vec::from_iter(faults).join("\n"));
    }
    Ok(())
}

/// What is wrong with a package; the licence of ours is ours to choose.
fn faults_of(package: &Package) -> Vec<String> {
    let Some(source) = &package.source else {
        let wild =
            package.dependencies.iter().filter(|one| one.req == VersionReq::STAR && one.path.is_none());
        return wild
            .map(|one| format!("{}: cannot take any version of {}", package.name, one.name))
            .collect();
    };
    let mut faults = Vec::new();
    let license = package.license.as_deref().unwrap_or_default();
    if !is_allowed(license) {
        faults.push(format!("{} {}: cannot take the licence {license:?}", package.name, package.version));
    }
    if !source.is_crates_io() {
        faults.push(format!("{} {}: cannot come from {source}", package.name, package.version));
    }
    faults
}

/// Whether an SPDX expression can be met with what is allowed; the slash of old manifests is an `OR`. An exception
/// (`WITH`) gives rights, and takes none.
fn is_allowed(expression: &str) -> bool {
    Expression::parse_mode(expression, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|one| one.license.id().is_some_and(|id| ALLOWED.contains(&id.name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_allowed_when_some_choice_of_it_is() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "Unlicense OR MIT",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "GPL-2.0 AND GPL-3.0 OR MIT",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT AND (GPL-3.0 OR LGPL-2.1)", "(MIT", "MIT MIT"] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }

    #[test]
    fn a_package_is_refused_for_its_licence_its_source_and_versions_left_open() {
        let package = |license: &str, source: Option<&str>, req: &str| {
            let dependency = serde_json::json!({
                "name": "b", "req": req, "kind": null, "optional": false, "uses_default_features": true,
                "features": [],
            });
            let package = serde_json::json!({
                "name": "a", "version": "1.0.0", "id": "a", "license": license, "source": source,
                "dependencies": [dependency], "targets": [], "features": {}, "manifest_path": "Cargo.toml",
            });
            faults_of(&serde_json::from_value(package).unwrap())
        };
        let registry = Some("registry+https://github.com/rust-lang/crates.io-index");
        assert_eq!(package("MIT", registry, "*"), [""; 0]);
        assert_eq!(package("GPL-3.0", registry, "1"), ["a 1.0.0: cannot take the licence \"GPL-3.0\""]);
        let git = "git+https://example.org/a";
        assert_eq!(package("MIT", Some(git), "1"), [format!("a 1.0.0: cannot come from {git}")]);
        assert_eq!(package("", None, "1"), [""; 0]);
        assert_eq!(package("", None, "*"), ["a: cannot take any version of b"]);
    }
}
