//! Files where they are to be on a machine.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::product::Product;
use super::{empty_folder, files_below};
use crate::workspace::Workspace;

/// A folder that stands for `/`, or for `/usr/local`.
pub(super) struct StagingTree {
    /// The folder.
    pub(super) root: PathBuf,
}

/// Where the completions of a shell are found under `share`. All but zsh look for a file of the command's name.
const COMPLETIONS: [(&str, &str, &str); 2] =
    [("bash", "share/bash-completion/completions", ""), ("fish", "share/fish/vendor_completions.d", ".fish")];

impl StagingTree {
    /// An empty one.
    pub(super) fn new(root: PathBuf) -> anyhow::Result<Self> {
        empty_folder(&root)?;
        Ok(Self { root })
    }

    /// Puts the program, its links, pages and completions under a prefix such as `usr`.
    pub(super) fn program(&self, product: &Product, prefix: &str) -> anyhow::Result<()> {
        self.links(product, prefix)?;
        for page in files_below(&product.pages)? {
            let path = format!("{prefix}/share/man/{}", page.display());
            self.copy(&product.pages.join(&page), &path, 0o644)?;
        }
        for (shell, folder, ending) in COMPLETIONS {
            let folder = format!("{prefix}/{folder}");
            self.copy(&product.scripts.join(shell), &format!("{folder}/ironlance{ending}"), 0o644)?;
            for link in &product.links {
                self.link(&format!("ironlance{ending}"), &format!("{folder}/{link}{ending}"))?;
            }
        }
        let zsh = format!("{prefix}/share/zsh/site-functions/_ironlance");
        self.copy(&product.scripts.join("zsh"), &zsh, 0o644)
    }

    /// Puts the program and its links in `bin` under a prefix, and nothing else.
    pub(super) fn links(&self, product: &Product, prefix: &str) -> anyhow::Result<()> {
        self.copy(&product.binary, &format!("{prefix}/bin/ironlance"), 0o755)?;
        product.links.iter().try_for_each(|link| self.link("ironlance", &format!("{prefix}/bin/{link}")))
    }

    /// Puts what a machine with systemd needs: the configuration, the folder of programs, the unit, the log's folder.
    pub(super) fn service(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let packaging = workspace.root.join("packaging");
        self.copy(&packaging.join("supervisord.conf"), "etc/supervisor/supervisord.conf", 0o644)?;
        self.folder("etc/supervisor/conf.d")?;
        self.folder("var/log/supervisor")?;
        let unit = "usr/lib/systemd/system/supervisor.service";
        self.copy(&packaging.join("supervisor.service"), unit, 0o644)
    }

    /// Puts licences, what there is to read, and the sample configuration into a folder. The links in the README lead
    /// on to the rest there as they do in the sources.
    pub(super) fn documents(&self, workspace: &Workspace, folder: &str) -> anyhow::Result<()> {
        for name in ["LICENSE-MIT", "LICENSE-APACHE", "README.md"] {
            let file = workspace.root.join(name);
            if file.exists() {
                self.copy(&file, &format!("{folder}/{name}"), 0o644)?;
            }
        }
        let docs = workspace.root.join("docs");
        for page in files_below(&docs)? {
            self.copy(&docs.join(&page), &format!("{folder}/docs/{}", page.display()), 0o644)?;
        }
        let sample = workspace.root.join("crates/config/sample/supervisord.conf");
        self.copy(&sample, &format!("{folder}/examples/supervisord.conf"), 0o644)
    }

    /// An empty folder.
    pub(super) fn folder(&self, path: &str) -> anyhow::Result<()> {
        let folder = self.root.join(path);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))
    }

    /// A copy of a file.
    pub(super) fn copy(&self, from: &Path, path: &str, mode: u32) -> anyhow::Result<()> {
        let to = self.create_parent(path)?;
        fs::copy(from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        set_mode(&to, mode)
    }

    /// A new file.
    pub(super) fn write(&self, path: &str, text: &str, mode: u32) -> anyhow::Result<()> {
        let to = self.create_parent(path)?;
        fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))?;
        set_mode(&to, mode)
    }

    fn link(&self, target: &str, path: &str) -> anyhow::Result<()> {
        let to = self.create_parent(path)?;
        symlink(target, &to).with_context(|| format!("cannot make the link {}", to.display()))
    }

    /// The path, its folder being there.
    fn create_parent(&self, path: &str) -> anyhow::Result<PathBuf> {
        let to = self.root.join(path);
        let folder = to.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(to)
    }
}

fn set_mode(file: &Path, mode: u32) -> anyhow::Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot change the mode of {}", file.display()))
}
