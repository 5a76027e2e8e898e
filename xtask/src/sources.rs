//! The sources of a crate as a tree of modules, `ModuleTree`: read by layering and lint, and never compiled.
//!
//! What is only compiled for tests is in the tree, marked as such, so that a file that no `mod` names can be told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cargo_metadata::Package;
use proc_macro2::TokenStream;
use syn::visit::{self, Visit};
use syn::{Item, UseTree, Visibility};

/// The names of a path, such as those of `crate::http::access`.
pub(crate) type ModulePath = Vec<String>;

/// The modules of one crate, by their paths; the root's path is empty.
#[derive(Default)]
pub(crate) struct ModuleTree {
    pub(crate) modules: BTreeMap<ModulePath, Module>,
}

/// One module; several of a file when some are written inside of it.
#[derive(Default)]
pub(crate) struct Module {
    /// Its file.
    pub(crate) file: PathBuf,
    /// Whether it is compiled for tests alone.
    pub(crate) is_test: bool,
    /// The types that it makes public, in whatever degree.
    pub(crate) public_types: Vec<String>,
    /// What its code names.
    code: Names,
    /// What its items for tests name.
    tests: Names,
}

/// What some code names.
#[derive(Default)]
struct Names {
    /// Paths, beginning with `crate`, `self`, `super` or a name of its own.
    paths: BTreeSet<ModulePath>,
    /// The names that `use` brings in, with the paths they stand for.
    imports: BTreeMap<String, ModulePath>,
}

impl ModuleTree {
    /// Reads a crate from its first file, such as `lib.rs` or `main.rs`.
    pub(crate) fn read(root: impl AsRef<Path>) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        tree.read_file(Vec::new(), root.as_ref(), false)?;
        Ok(tree)
    }

    /// Reads the library and the programs of a package.
    pub(crate) fn read_package(package: &Package) -> anyhow::Result<Vec<Self>> {
        let code = package.targets.iter().filter(|target| target.is_lib() || target.is_bin());
        code.map(|target| Self::read(&target.src_path)).collect()
    }

    fn read_file(&mut self, path: ModulePath, file: &Path, is_test: bool) -> anyhow::Result<()> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let syntax =
            syn::parse_file(&text).with_context(|| format!("cannot read {} as Rust", file.display()))?;
        self.read_module(path, file, is_test, &syntax.items)
    }

    fn read_module(
        &mut self,
        path: ModulePath,
        file: &Path,
        is_test: bool,
        items: &[Item],
    ) -> anyhow::Result<()> {
        let mut module = Module { file: file.to_owned(), is_test, ..Module::default() };
        for item in items {
            let is_test_item = is_for_tests(item);
            if let Item::Mod(child) = item {
                let child_path = [path.as_slice(), &[child.ident.to_string()]].concat();
                match &child.content {
                    Some((_, items)) => self.read_module(child_path, file, is_test || is_test_item, items)?,
                    None => {
                        let file = child_file(file, &child_path)?;
                        self.read_file(child_path, &file, is_test || is_test_item)?;
                    }
                }
            } else if is_test_item {
                module.tests.visit_item(item);
            } else {
                module.public_types.extend(public_type(item));
                module.code.visit_item(item);
            }
        }
        self.modules.insert(path, module);
        Ok(())
    }

    /// The modules that the code outside of tests imports from: (importing module, imported module), each once.
    pub(crate) fn imports(&self) -> BTreeSet<(&ModulePath, &ModulePath)> {
        let code = self.modules.iter().filter(|(_, module)| !module.is_test);
        code.flat_map(|(at, module)| {
            module.code.paths.iter().filter_map(move |path| Some((at, self.resolve(at, path, 0)?)))
        })
        .filter(|(at, found)| at != found)
        .collect()
    }

    /// The module that defines what a path in the module `at` names; `None` when that is none of this crate's.
    fn resolve(&self, at: &ModulePath, path: &[String], depth: usize) -> Option<&ModulePath> {
        /// Longer chains of re-exports do not exist; a circle of them must end.
        const DEEPEST: usize = 8;
        let mut here = at.clone();
        for (index, name) in path.iter().enumerate() {
            let child = [here.as_slice(), std::slice::from_ref(name)].concat();
            match name.as_str() {
                "crate" => here.clear(),
                "self" => {}
                "super" => drop(here.pop()?),
                _ if self.modules.contains_key(&child) => here = child,
                _ => {
                    // A re-export leads on to where the thing is defined.
                    let import = self.modules.get(&here)?.code.imports.get(name).filter(|_| depth < DEEPEST);
                    let defined = import.and_then(|import| {
                        self.resolve(&here, &[import, &path[index + 1..]].concat(), depth + 1)
                    });
                    return defined.or_else(|| (index > 0).then(|| self.key(&here))?);
                }
            }
        }
        self.key(&here)
    }

    fn key(&self, path: &ModulePath) -> Option<&ModulePath> {
        self.modules.get_key_value(path).map(|(path, _)| path)
    }
}

impl Module {
    /// The names with which its paths begin, in tests too: those of other crates are among them.
    pub(crate) fn first_names(&self) -> impl Iterator<Item = &String> {
        self.code.paths.iter().chain(&self.tests.paths).filter_map(|path| path.first())
    }
}

impl Names {
    /// Takes a use tree apart; `path` leads to it.
    fn add_use(&mut self, mut path: ModulePath, tree: &UseTree) {
        let name = match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                return self.add_use(path, &part.tree);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.add_use(path.clone(), tree));
            }
            UseTree::Name(part) => {
                path.push(part.ident.to_string());
                None
            }
            UseTree::Rename(part) => {
                path.push(part.ident.to_string());
                Some(part.rename.to_string())
            }
            UseTree::Glob(_) => None,
        };
        path.pop_if(|last| last == "self");
        if let Some(name) = name.or_else(|| path.last().cloned()) {
            self.paths.insert(path.clone());
            self.imports.insert(name, path);
        }
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.paths.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    /// What a macro or an attribute is given has a syntax of its own: paths in it are known by their colons.
    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        let text = tokens.to_string().replace(" :: ", "::");
        let words = text.split(|char: char| !(char.is_alphanumeric() || char == '_' || char == ':'));
        self.paths.extend(
            words
                .filter(|word| word.contains("::"))
                .map(|word| word.split("::").map(str::to_owned).collect()),
        );
    }
}

/// Whether an item is compiled for tests alone.
fn is_for_tests(item: &Item) -> bool {
    let attributes = match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => return false,
    };
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .any(|attribute| attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test"))
}

/// The name of a type that an item makes public.
fn public_type(item: &Item) -> Option<String> {
    let (visibility, name) = match item {
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        Item::Union(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    (!matches!(visibility, Visibility::Inherited)).then(|| name.to_string())
}

/// The file of the module `path`, which the file of its parent declares.
fn child_file(parent: &Path, path: &[String]) -> anyhow::Result<PathBuf> {
    let name = path.last().map_or("", String::as_str);
    let is_in_its_folder = path.len() == 1 || parent.file_stem().is_some_and(|stem| stem == "mod");
    let folder = if is_in_its_folder { parent.with_file_name("") } else { parent.with_extension("") };
    let places = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    let file = places.into_iter().find(|place| place.is_file());
    file.ok_or_else(|| anyhow!("{}: cannot find the file of `mod {name};`", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate of these files.
    fn tree(files: &[(&str, &str)]) -> ModuleTree {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        ModuleTree::read(folder.path().join("lib.rs")).unwrap()
    }

    fn imports(tree: &ModuleTree) -> Vec<String> {
        tree.imports().iter().map(|(from, to)| format!("{} {}", from.join("::"), to.join("::"))).collect()
    }

    #[test]
    fn imports_are_found_in_uses_code_and_macros_and_lead_through_re_exports() {
        let tree = tree(&[
            ("lib.rs", "mod a; mod b; mod c { pub fn f() { assert!(super::a::inner::X > 0); } } mod d;"),
            ("a/mod.rs", "pub mod inner; pub use inner::{X as Y, self};"),
            ("a/inner.rs", "pub const X: u8 = 1;"),
            ("b.rs", "use crate::a::Y; use serde::Serialize; type T = Vec<crate::c::C>;"),
            (
                "d.rs",
                "#[cfg(test)] use crate::b; #[cfg(test)] mod tests { use crate::c; } fn a(a: u8) { a; }",
            ),
        ]);
        assert_eq!(imports(&tree), ["a a::inner", "b a::inner", "b c", "c a::inner"]);
    }

    #[test]
    fn a_crate_is_named_where_a_path_begins_with_it_and_not_where_its_name_is_a_word() {
        let text = "use rustls; /// log\nfn log(log: u8) { serde::y!(a::b); let md5 = 1; } #[derive(thiserror::Error)] \
                    struct S; #[cfg(test)] fn t() { tempfile::tempdir(); }";
        let tree = tree(&[("lib.rs", text)]);
        let names: Vec<&String> = tree.modules[&Vec::new()].first_names().collect();
        assert_eq!(names, ["a", "rustls", "serde", "thiserror", "tempfile"]);
    }

    #[test]
    fn modules_know_their_public_types_and_whether_they_are_for_tests() {
        let tree = tree(&[
            ("lib.rs", "pub struct A; enum B {} pub(crate) trait C {} pub fn d() {} #[cfg(test)] mod tests;"),
            ("tests.rs", "mod inner { pub type T = u8; }"),
        ]);
        let modules: Vec<(String, bool, String)> = tree
            .modules
            .iter()
            .map(|(path, module)| (path.join("::"), module.is_test, module.public_types.join(" ")))
            .collect();
        let expected = [("", false, "A C"), ("tests", true, ""), ("tests::inner", true, "T")];
        assert_eq!(
            modules,
            expected.map(|(path, is_test, types)| (path.to_owned(), is_test, types.to_owned()))
        );
    }
}
