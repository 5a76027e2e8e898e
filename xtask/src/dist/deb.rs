//! A package for Debian and its relatives. Made by dpkg-deb, which is wherever such a package can be tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::product::Product;
use super::staging::StagingTree;
use super::{files_below, shell};
use crate::workspace::{Workspace, stdout_of};

/// What dpkg asks before it replaces them.
const CONFFILES: &str = "/etc/supervisor/supervisord.conf\n";

/// Who made the package.
const MAINTAINER: &str = "The ironlance developers <developers@ironlance.invalid>";

/// The scripts that dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Makes `ironlance_VERSION_amd64.deb`.
pub(super) fn make(workspace: &Workspace, product: &Product, folder: &Path) -> anyhow::Result<PathBuf> {
    let work = folder.join("work");
    let tree = StagingTree::new(work.join("deb"))?;
    tree.program(product, "usr")?;
    tree.service(workspace)?;
    tree.documents(workspace, "usr/share/doc/ironlance")?;
    let packaging = workspace.root.join("packaging/deb");
    tree.copy(&packaging.join("copyright"), "usr/share/doc/ironlance/copyright", 0o644)?;
    tree.copy(&workspace.root.join("CHANGELOG.md"), "usr/share/doc/ironlance/NEWS.md", 0o644)?;
    // Debian's form of a changelog; ours is for people, and lies beside it.
    let script = format!(
        "printf 'ironlance ({version}) stable; urgency=medium\\n\\n  * See NEWS.md.\\n\\n -- %s  %s\\n' '{MAINTAINER}' \
         \"$(date -u -R -d @{epoch})\" > usr/share/doc/ironlance/changelog\n\
         find usr/share/man usr/share/doc/ironlance/changelog -type f -exec gzip -n -9 {{}} +",
        version = product.version,
        epoch = product.epoch
    );
    shell(&tree.root, &script, product.epoch)?;
    control(&tree, product, &packaging)?;
    let file = folder.join(product.name("_", "_amd64.deb"));
    let script = format!(
        "chmod -R u=rwX,go=rX . && chmod 755 DEBIAN/p* && dpkg-deb --root-owner-group \
         -Z${{DPKG_DEB_COMPRESSOR_TYPE:-xz}} --build . '{}' >/dev/null",
        file.display()
    );
    shell(&tree.root, &script, product.epoch)?;
    Ok(file)
}

/// The folder DEBIAN: the metadata that dpkg reads.
fn control(tree: &StagingTree, product: &Product, packaging: &Path) -> anyhow::Result<()> {
    let size = stdout_of(Command::new("du").args(["-k", "-s", "--apparent-size"]).arg(&tree.root))?;
    let size = size.split_whitespace().next().unwrap_or_default();
    let sums = sums(tree)?;
    let template = packaging.join("control");
    let control =
        fs::read_to_string(&template).with_context(|| format!("cannot read {}", template.display()))?;
    let control = control.replace("@VERSION@", &product.version);
    let control = control
        .replace("@ARCHITECTURE@", "amd64")
        .replace("@MAINTAINER@", MAINTAINER)
        .replace("@SIZE@", size);
    tree.write("DEBIAN/control", &control, 0o644)?;
    tree.write("DEBIAN/conffiles", CONFFILES, 0o644)?;
    tree.write("DEBIAN/md5sums", &sums, 0o644)?;
    SCRIPTS.iter().try_for_each(|name| tree.copy(&packaging.join(name), &format!("DEBIAN/{name}"), 0o755))
}

fn sums(tree: &StagingTree) -> anyhow::Result<String> {
    let files = files_below(&tree.root)?;
    let files = files.iter().filter(|file| !file.starts_with("etc") && !tree.root.join(file).is_symlink());
    stdout_of(Command::new("md5sum").args(files).current_dir(&tree.root))
}
