//! A tarball: for any Linux, under any prefix.

use std::path::{Path, PathBuf};

use super::product::Product;
use super::shell;
use super::staging::StagingTree;
use crate::workspace::Workspace;

/// Makes `ironlance-VERSION-x86_64-linux.tar.gz`, with one folder of that name in it.
pub(super) fn make(workspace: &Workspace, product: &Product, folder: &Path) -> anyhow::Result<PathBuf> {
    let name = product.name("-", "-x86_64-linux");
    let tree = StagingTree::new(folder.join("work").join(&name))?;
    tree.program(product, ".")?;
    tree.documents(workspace, "share/doc/ironlance")?;
    let unit = workspace.root.join("packaging/supervisor.service");
    tree.copy(&unit, "share/doc/ironlance/examples/supervisor.service", 0o644)?;
    let file = folder.join(format!("{name}.tar.gz"));
    pack(&folder.join("work"), &name, &file, product.epoch)?;
    Ok(file)
}

/// The same files always give the same bytes: sorted, of one time, of nobody, and gzip without a name.
fn pack(folder: &Path, what: &str, file: &Path, epoch: u64) -> anyhow::Result<()> {
    let script = format!(
        "tar --sort=name --mtime=@{epoch} --owner=0 --group=0 --numeric-owner --format=gnu -cf - '{what}' | \
         gzip -n -9 > '{}'",
        file.display()
    );
    shell(folder, &script, epoch)
}
