//! A package for Fedora, SUSE and their relatives, by rpmbuild: cargo-generate-rpm knows neither links nor empty folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::product::Product;
use super::tree::Tree;
use super::{fresh, shell};
use crate::workshop::Workshop;

/// Makes `ironlance-VERSION-1.x86_64.rpm`.
pub(super) fn make(shop: &Workshop, product: &Product, folder: &Path) -> anyhow::Result<PathBuf> {
    if shop.command("rpmbuild", &["--version"]).output().is_err() {
        bail!("cannot find rpmbuild: it is in the package rpm on Debian, in rpm-build on Fedora");
    }
    let tree = Tree::new(folder.join("work/rpm"))?;
    tree.program(product, "usr")?;
    tree.service(shop)?;
    tree.papers(shop, "usr/share/doc/ironlance")?;
    let top = folder.join("work/rpmbuild");
    fresh(&top)?;
    let spec = top.join("ironlance.spec");
    fs::write(&spec, describe(shop, &tree, product)?)
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
fn describe(shop: &Workshop, tree: &Tree, product: &Product) -> anyhow::Result<String> {
    let template = shop.root.join("packaging/rpm/ironlance.spec");
    let spec =
        fs::read_to_string(&template).with_context(|| format!("cannot read {}", template.display()))?;
    let files = tree.files()?;
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
