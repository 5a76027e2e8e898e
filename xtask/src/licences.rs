//! Licences, sources and versions of the packages that we depend on, from what cargo knows of them.
//!
//! Our own check: cargo-deny does as much and more, and takes longer to install than all of this does to build.
//! Advisories are left to it: their database is a repository that not every machine can reach.

use anyhow::bail;

use crate::metadata::{Metadata, Package};
use crate::workspace::{FUZZ_MANIFEST, Workspace};

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

/// The one place that packages may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Holds both workspaces to the rules.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for manifest in ["Cargo.toml", FUZZ_MANIFEST] {
        let metadata = Metadata::read(workspace, manifest)?;
        faults.extend(metadata.external().flat_map(external_faults));
        for package in metadata.members() {
            let wild = package.dependencies.iter().filter(|one| one.req == "*" && one.path.is_none());
            faults
                .extend(wild.map(|one| format!("{}: cannot take any version of {}", package.name, one.name)));
        }
    }
    faults.sort();
    faults.dedup();
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

fn external_faults(package: &Package) -> Vec<String> {
    let mut faults = Vec::new();
    let license = package.license.as_deref().unwrap_or_default();
    if !is_allowed(license) {
        faults.push(format!("{} {}: cannot take the licence {license:?}", package.name, package.version));
    }
    if package.source.as_deref() != Some(REGISTRY) {
        faults.push(format!("{} {}: cannot come from {:?}", package.name, package.version, package.source));
    }
    faults
}

/// Whether an SPDX expression can be met with what is allowed. `AND` binds more strongly than `OR`; the slash of old
/// manifests is an `OR`. An exception (`WITH`) gives rights, and takes none.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest) && rest.is_empty()
}

fn any(rest: &mut &[&str]) -> bool {
    let mut allowed = all(rest);
    while let Some(("OR", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        *rest = after;
        allowed |= all(rest);
    }
    allowed
}

fn all(rest: &mut &[&str]) -> bool {
    let mut allowed = one(rest);
    while let Some(("AND", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        *rest = after;
        allowed &= one(rest);
    }
    allowed
}

fn one(rest: &mut &[&str]) -> bool {
    let Some((word, after)) = rest.split_first() else { return false };
    *rest = after;
    if *word == "(" {
        let allowed = any(rest);
        let is_closed = rest.split_off_first().is_some_and(|word| *word == ")");
        return allowed && is_closed;
    }
    if let ["WITH", _, after @ ..] = *rest {
        *rest = after;
    }
    ALLOWED.contains(word)
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
}
