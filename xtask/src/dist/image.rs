//! What a container image is built of: a folder with a Dockerfile and a tree.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::product::Product;
use super::staging::StagingTree;
use crate::workspace::Workspace;

/// Makes the folder `docker`.
pub(super) fn make(workspace: &Workspace, product: &Product, folder: &Path) -> anyhow::Result<PathBuf> {
    let packaging = workspace.root.join("packaging/docker");
    let context = StagingTree::new(folder.join("docker"))?;
    context.copy(&packaging.join("Dockerfile"), "Dockerfile", 0o644)?;
    let tree = StagingTree::new(context.root.join("root"))?;
    tree.links(product, "usr")?;
    tree.copy(&packaging.join("supervisord.conf"), "etc/supervisor/supervisord.conf", 0o644)?;
    tree.copy(&packaging.join("passwd"), "etc/passwd", 0o644)?;
    tree.copy(&packaging.join("group"), "etc/group", 0o644)?;
    // An image keeps no empty folders of a context without a file in them, and these must be there.
    for path in ["etc/supervisor/conf.d", "run", "tmp", "var/log/supervisor", "var/lib/ironlance"] {
        tree.write(&format!("{path}/.keep"), "", 0o644)?;
    }
    // Programs may run as any user.
    let tmp = tree.root.join("tmp");
    fs::set_permissions(&tmp, fs::Permissions::from_mode(0o1777)).context("cannot open /tmp of the image")?;
    Ok(context.root)
}
