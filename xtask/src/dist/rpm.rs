//! A package for Fedora, SUSE and their relatives, by rpmbuild: cargo-generate-rpm knows neither links nor empty folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::product::Product;
use super::staging::StagingTree;
use super::{empty_folder, files_below, shell};
use crate::workspace::Workspace;

/// Makes `ironlance-VERSION-1.x86_64.rpm`.
pub(super) fn make(workspace: &Workspace, product: &Product, folder: &Path) -> anyhow::Result<PathBuf> {
    if workspace.command("rpmbuild", &["--version"]).output().is_err() {
        bail!("cannot find rpmbuild: it is in the package rpm on Debian, in rpm-build on Fedora");
    }
    let tree = StagingTree::new(folder.join("work/rpm"))?;
    tree.program(product, "usr")?;
    tree.service(workspace)?;
    tree.documents(workspace, "usr/share/doc/ironlance")?;
    let top = folder.join("work/rpmbuild");
    empty_folder(&top)?;
    let spec = top.join("ironlance.spec");
    fs::write(&spec, describe(workspace, &tree, product)?)
        .with_context(|| format!("cannot write {}", spec.display()))?;
    let script = format!(
        "chmod -R u=rwX,go=rX '{tree}' && rpmbuild --quiet -bb --target x86_64 --define '_topdir {top}' \
         --define '_rpmdir {folder}' --define '_rpmfilename %{{NAME}}-%{{VERSION}}-%{{RELEASE}}.%{{ARCH}}.rpm' \
         '{spec}'",
        tree = tree.root.display(),
        top = top.display(),
        folder = folder.display(),
        spec = spec.display()
    );
    shell(&top, &script, product.epoch)?;
    Ok(folder.join(product.name("-", "-1.x86_64.rpm")))
}

/// The spec, with a line for each file that it does not name itself.
fn describe(workspace: &Workspace, tree: &StagingTree, product: &Product) -> anyhow::Result<String> {
    let template = workspace.root.join("packaging/rpm/ironlance.spec");
    let spec =
        fs::read_to_string(&template).with_context(|| format!("cannot read {}", template.display()))?;
    let files = files_below(&tree.root)?;
    let listed = files.iter().filter(|file| file.starts_with("usr") && !file.starts_with("usr/share/doc"));
    let listed: Vec<String> = listed.map(|file| listed_as(file)).collect();
    Ok(spec
        .replace("@VERSION@", &product.version)
        .replace("@TREE@", &tree.root.display().to_string())
        .replace("@FILES@", &listed.join("\n")))
}

/// rpmbuild may pack a page.
fn listed_as(file: &Path) -> String {
    let ending = if file.starts_with("usr/share/man") { "*" } else { "" };
    format!("/{}{ending}", file.display())
}
