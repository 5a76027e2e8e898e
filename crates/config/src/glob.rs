//! File name patterns of `[include]`, as Python's glob without recursion expands them.

use std::fs;

use ironlance_core::text::glob::Pattern;

use crate::host_env::HostEnv;
use crate::path::{join, resolve, split};

/// No path is longer (limits.h, `PATH_MAX`), and what matches one is not shorter than half of its pattern.
const LONGEST: usize = 2 * 4096;

/// The most names that all patterns of a configuration are held against. `/proc` leads back to `/` by many ways, so that
/// a pattern of some stars has no end.
pub(crate) const MAX_EXAMINED: usize = 200_000;

/// There are more names than MAX_EXAMINED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyFiles;

/// The paths that match, in no order. A relative pattern counts from the working directory. `left` is how many names
/// may still be looked at.
pub(crate) fn glob(pattern: &str, machine: &HostEnv, left: &mut usize) -> Result<Vec<String>, TooManyFiles> {
    if pattern.len() > LONGEST {
        return Ok(Vec::new());
    }
    if !has_magic(pattern) {
        let there = match split(pattern) {
            (folder, "") => resolve(folder, machine).is_dir(),
            _ => exists(pattern, machine),
        };
        return Ok(if there { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let (folder, name) = split(pattern);
    let folders = if has_magic(folder) { glob(folder, machine, left)? } else { vec![folder.to_owned()] };
    let mut found = Vec::new();
    for folder in folders {
        if has_magic(name) {
            found.extend(matching(&folder, name, machine, left)?.iter().map(|name| join(&folder, name)));
            continue;
        }
        *left = left.checked_sub(1).ok_or(TooManyFiles)?;
        if name.is_empty() && resolve(&folder, machine).is_dir() {
            found.push(format!("{folder}/"));
        } else if !name.is_empty() && exists(&join(&folder, name), machine) {
            found.push(join(&folder, name));
        }
    }
    Ok(found)
}

fn has_magic(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

fn exists(path: &str, machine: &HostEnv) -> bool {
    fs::symlink_metadata(resolve(path, machine)).is_ok()
}

/// The names in a folder that match; those with a leading dot only where the pattern has one.
fn matching(
    folder: &str,
    pattern: &str,
    machine: &HostEnv,
    left: &mut usize,
) -> Result<Vec<String>, TooManyFiles> {
    *left = left.checked_sub(1).ok_or(TooManyFiles)?;
    let folder = if folder.is_empty() { "." } else { folder };
    let Ok(entries) = fs::read_dir(resolve(folder, machine)) else { return Ok(Vec::new()) };
    let matcher = Pattern::parse(pattern);
    let mut found = Vec::new();
    // What cannot be read is no name; a folder that gives nothing but errors would have no end.
    for entry in entries.map_while(Result::ok) {
        *left = left.checked_sub(1).ok_or(TooManyFiles)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_shown = pattern.starts_with('.') || !name.starts_with('.');
        if is_shown && matcher.matches(&name) {
            found.push(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_may_be_patterns_and_hidden_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap().to_owned();
        for file in ["a/x.conf", "b/x.conf", "b/.y.conf", "b/z.ini"] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let machine = HostEnv {
            environment: Vec::new(),
            cwd: folder.path().to_owned(),
            host_node_name: String::new(),
            temp_dir: "/tmp".into(),
            uid: 0,
        };
        let sorted = |pattern: &str| {
            let mut found = glob(pattern, &machine, &mut 100).unwrap();
            found.sort();
            found
        };
        assert_eq!(
            sorted(&format!("{root}/*/*.conf")),
            [format!("{root}/a/x.conf"), format!("{root}/b/x.conf")]
        );
        assert_eq!(sorted("*/x.conf"), ["a/x.conf", "b/x.conf"]);
        assert_eq!(sorted("b/.*"), ["b/.y.conf"]);
        assert_eq!(sorted("*/"), ["a/", "b/"]);
        assert_eq!(sorted("b/z.ini"), ["b/z.ini"]);
        assert_eq!(sorted("nothing/*"), Vec::<String>::new());
        assert_eq!(glob("*/*", &machine, &mut 4), Err(TooManyFiles));
        assert_eq!(glob("*/x.conf", &machine, &mut 4), Err(TooManyFiles));
    }
}
