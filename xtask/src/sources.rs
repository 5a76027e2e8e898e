//! The sources of a crate as a tree of modules, `ModuleTree`: read by layering and lint, and never compiled.
//!
//! What is only compiled for tests is in the tree, marked as such, so that a file that no `mod` names can be told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The names of a path, such as those of `crate::http::access`.
pub(crate) type ModulePath = Vec<String>;

/// The modules of one crate, by their paths; the root's path is empty.
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
    /// The paths that its code names, beginning with `crate`, `self`, `super` or a name of its own.
    paths: BTreeSet<ModulePath>,
    /// The names that `use` brings in, with the paths they stand for.
    imports: BTreeMap<String, ModulePath>,
}

impl ModuleTree {
    /// Reads a crate from its first file, `lib.rs` or `main.rs`.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self { modules: BTreeMap::new() };
        tree.read_file(Vec::new(), root, false)?;
        Ok(tree)
    }

    fn read_file(&mut self, path: ModulePath, file: &Path, is_test: bool) -> anyhow::Result<()> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let tokens = tokens_of(&text).with_context(|| format!("cannot read {} as Rust", file.display()))?;
        self.read_module(path, file, is_test, tokens)
    }

    fn read_module(
        &mut self,
        path: ModulePath,
        file: &Path,
        is_test: bool,
        tokens: TokenStream,
    ) -> anyhow::Result<()> {
        let mut module = Module { file: file.to_owned(), is_test, ..Module::default() };
        let mut children = Vec::new();
        for item in items(tokens) {
            if let Some(child) = ChildModule::of(&item) {
                children.push(child);
                continue;
            }
            if !item.is_test {
                module.public_types.extend(public_type(&item.tokens));
                module.scan(&item.tokens);
            }
        }
        for child in children {
            let is_test = is_test || child.is_test;
            let mut path = path.clone();
            path.push(child.name.clone());
            match child.body {
                Some(body) => self.read_module(path, file, is_test, body)?,
                None => {
                    let file = child_file(file, &path)?;
                    self.read_file(path, &file, is_test)?;
                }
            }
        }
        self.modules.insert(path, module);
        Ok(())
    }

    /// The files that the code outside of tests imports from: (importing module, imported module), each once.
    pub(crate) fn imports(&self) -> BTreeSet<(&ModulePath, &ModulePath)> {
        let code = self.modules.iter().filter(|(_, module)| !module.is_test);
        code.flat_map(|(at, module)| {
            module.paths.iter().filter_map(move |path| Some((at, self.resolve(at, path, 0)?)))
        })
        .filter(|(at, found)| at != found)
        .collect()
    }

    /// The module that defines what a path in the module `at` names; `None` when that is none of this crate's.
    fn resolve(&self, at: &ModulePath, path: &[String], depth: usize) -> Option<&ModulePath> {
        /// Longer chains of re-exports do not exist; a circle of them must end.
        const DEEPEST: usize = 8;
        let (first, mut rest) = path.split_first()?;
        let mut here = match first.as_str() {
            "crate" => Vec::new(),
            "self" => at.clone(),
            "super" => at[..at.len().checked_sub(1)?].to_vec(),
            name => {
                let child = [at.as_slice(), &[name.to_owned()]].concat();
                if !self.modules.contains_key(&child) {
                    let import = self.modules.get(at)?.imports.get(name)?;
                    return (depth < DEEPEST && import.first() != Some(first))
                        .then(|| self.resolve(at, &[import, rest].concat(), depth + 1))?;
                }
                child
            }
        };
        while let Some((name, after)) = rest.split_first() {
            let child = [here.as_slice(), std::slice::from_ref(name)].concat();
            if name == "super" {
                here.pop()?;
            } else if self.modules.contains_key(&child) {
                here = child;
            } else {
                // A re-export leads on to where the thing is defined.
                let import = self.modules.get(&here)?.imports.get(name).filter(|_| depth < DEEPEST);
                let defined = import.and_then(|import| self.resolve(&here, import, depth + 1));
                return defined.or_else(|| self.modules.get_key_value(&here).map(|(path, _)| path));
            }
            rest = after;
        }
        self.modules.get_key_value(&here).map(|(path, _)| path)
    }
}

impl Module {
    /// Collects the paths and imports of an item, whatever is inside of it.
    fn scan(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(word) if word == "use" => {
                    let end = tokens[at..].iter().position(is_semicolon).map_or(tokens.len(), |end| at + end);
                    self.scan_use(&[], &tokens[at + 1..end]);
                    at = end;
                }
                TokenTree::Ident(_) => {
                    let (path, length) = path_at(&tokens[at..]);
                    if path.len() > 1 {
                        self.paths.insert(path);
                    }
                    at += length;
                }
                TokenTree::Group(group) => {
                    self.scan(&group.stream().into_iter().collect::<Vec<_>>());
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    /// Takes a use tree apart; `before` is the path that leads to it.
    fn scan_use(&mut self, before: &[String], tokens: &[TokenTree]) {
        for part in tokens.split(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',')) {
            let (mut path, length) = path_at(part);
            path.splice(0..0, before.iter().cloned());
            match part.get(length..) {
                Some([TokenTree::Group(group), ..]) => {
                    self.scan_use(&path, &group.stream().into_iter().collect::<Vec<_>>());
                }
                Some([TokenTree::Ident(word), TokenTree::Ident(name)]) if word == "as" => {
                    self.import(name.to_string(), path);
                }
                _ => {
                    if path.last().is_some_and(|last| last == "self") {
                        path.pop();
                    }
                    if let Some(last) = path.last().cloned() {
                        self.import(last, path);
                    }
                }
            }
        }
    }

    fn import(&mut self, name: String, path: ModulePath) {
        self.paths.insert(path.clone());
        self.imports.insert(name, path);
    }
}

/// One item of a module, up to its semicolon or its braces.
struct Item {
    is_test: bool,
    tokens: Vec<TokenTree>,
}

/// Divides the tokens of a module into items. Attributes and doc comments stand before their item.
fn items(tokens: TokenStream) -> Vec<Item> {
    let mut items = Vec::new();
    let mut item = Item { is_test: false, tokens: Vec::new() };
    for token in tokens {
        let is_attribute =
            matches!(item.tokens.last(), Some(TokenTree::Punct(mark)) if mark.as_char() == '#');
        let is_end = match &token {
            TokenTree::Group(group) if is_attribute => {
                item.is_test |= group.stream().to_string().replace(' ', "").starts_with("cfg(test)");
                false
            }
            // `use a::{b, c};` and `const A: [u8; 2] = {…};` go on after their braces.
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !goes_on(&item.tokens),
            token => is_semicolon(token),
        };
        item.tokens.push(token);
        if is_end {
            items.push(std::mem::replace(&mut item, Item { is_test: false, tokens: Vec::new() }));
        }
    }
    items
}

/// Whether an item ends with a semicolon, and not with its first braces.
fn goes_on(tokens: &[TokenTree]) -> bool {
    let words = tokens.iter().filter_map(|token| match token {
        TokenTree::Ident(word) => Some(word.to_string()),
        _ => None,
    });
    let first = words.into_iter().find(|word| !["pub", "unsafe", "extern"].contains(&word.as_str()));
    let is_constant_function =
        tokens.iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"));
    first.is_some_and(|word| {
        ["use", "static"].contains(&word.as_str()) || (word == "const" && !is_constant_function)
    })
}

/// A `mod` item.
struct ChildModule {
    name: String,
    is_test: bool,
    /// Its tokens, when they are written in the same file.
    body: Option<TokenStream>,
}

impl ChildModule {
    fn of(item: &Item) -> Option<Self> {
        let at =
            item.tokens.iter().position(|token| matches!(token, TokenTree::Ident(word) if word == "mod"))?;
        let [TokenTree::Ident(name), end] = &item.tokens[at + 1..] else { return None };
        let body = match end {
            TokenTree::Group(group) => Some(group.stream()),
            end if is_semicolon(end) => None,
            _ => return None,
        };
        Some(Self { name: name.to_string(), is_test: item.is_test, body })
    }
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

/// The name of a type that an item makes public.
fn public_type(tokens: &[TokenTree]) -> Option<String> {
    let words: Vec<String> = tokens
        .iter()
        .skip_while(|token| !matches!(token, TokenTree::Ident(_)))
        .map(TokenTree::to_string)
        .collect();
    let mut words = words.iter().map(String::as_str);
    if words.next() != Some("pub") {
        return None;
    }
    let mut words = words.skip_while(|word| word.starts_with('(') || *word == "unsafe");
    let kind = words.next()?;
    ["struct", "enum", "trait", "type", "union"].contains(&kind).then(|| words.next().map(str::to_owned))?
}

/// The path at the start, and the number of its tokens.
fn path_at(tokens: &[TokenTree]) -> (ModulePath, usize) {
    let mut path = Vec::new();
    let mut at = 0;
    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
        path.push(word.to_string());
        at += 1;
        let is_colon = |at| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
        if !(is_colon(at) && is_colon(at + 1)) {
            break;
        }
        at += 2;
    }
    (path, at)
}

fn is_semicolon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(mark) if mark.as_char() == ';')
}

/// The tokens of a file.
pub(crate) fn tokens_of(text: &str) -> anyhow::Result<TokenStream> {
    text.parse().map_err(|error| anyhow!("{error}"))
}

/// Every `.rs` file of a folder and of those in it.
pub(crate) fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
