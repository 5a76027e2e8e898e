//! Paths as Python's os.path treats them: `~`, absolute, without `.` and `..`.

use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::host_env::HostEnv;

/// `os.path.expanduser`: `~` is `HOME`, else the home of the current user; `~name` that of a user. What is not
/// known stays as it is.
pub(crate) fn expand_user(text: &str, machine: &HostEnv) -> String {
    let Some(rest) = text.strip_prefix('~') else { return text.to_owned() };
    let (name, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = if name.is_empty() { own_home(machine) } else { home_of(User::from_name(name)) };
    let Some(home) = home else { return text.to_owned() };
    let path = format!("{}{tail}", home.trim_end_matches('/'));
    if path.is_empty() { "/".to_owned() } else { path }
}

fn own_home(machine: &HostEnv) -> Option<String> {
    let home = machine.environment.iter().find(|(name, _)| name == "HOME");
    home.map(|(_, value)| value.clone()).or_else(|| home_of(User::from_uid(Uid::from_raw(machine.uid))))
}

fn home_of(user: nix::Result<Option<User>>) -> Option<String> {
    let home = user.ok().flatten()?.dir;
    Some(home.to_string_lossy().into_owned())
}

/// Supervisor's `normalize_path`: `~` resolved, absolute, without `.` and `..`; links are not followed.
pub(crate) fn normalize(text: &str, machine: &HostEnv) -> PathBuf {
    PathBuf::from(without_dots(&absolute(&expand_user(text, machine), machine)))
}

/// The path from the root.
pub(crate) fn absolute(text: &str, machine: &HostEnv) -> String {
    if text.starts_with('/') { text.to_owned() } else { join(&machine.cwd.to_string_lossy(), text) }
}

/// `os.path.normpath` of an absolute path. Two slashes at its beginning, but not three, have a meaning of their own.
pub(crate) fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let root = if path.starts_with("//") && !path.starts_with("///") { "//" } else { "/" };
    format!("{root}{}", parts.join("/"))
}

/// `os.path.join`.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if name.starts_with('/') || folder.is_empty() {
        return name.to_owned();
    }
    let slash = if folder.ends_with('/') { "" } else { "/" };
    format!("{folder}{slash}{name}")
}

/// `os.path.dirname`: what is before the last slash.
pub(crate) fn parent(path: &str) -> &str {
    split(path).0
}

/// `os.path.split`: folder and name; slashes at the folder's end are taken away unless it is nothing else.
pub(crate) fn split(path: &str) -> (&str, &str) {
    let (head, name) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
    let folder = head.trim_end_matches('/');
    (if folder.is_empty() { head } else { folder }, name)
}

/// Whether there is such a folder; a relative path counts from the working directory.
pub(crate) fn is_folder(path: &str, machine: &HostEnv) -> bool {
    !path.is_empty() && resolve(path, machine).is_dir()
}

/// The path to give to the system.
pub(crate) fn resolve(path: &str, machine: &HostEnv) -> PathBuf {
    if Path::new(path).is_absolute() { PathBuf::from(path) } else { machine.cwd.join(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> HostEnv {
        HostEnv {
            environment: vec![("HOME".to_owned(), "/home/me/".to_owned())],
            cwd: PathBuf::from("/home"),
            host_node_name: "box".to_owned(),
            temp_dir: PathBuf::from("/tmp"),
            uid: 0,
        }
    }

    #[test]
    fn paths_are_normalized_as_python_does() {
        for (text, path) in [
            ("a/../b/./c//d", "/home/b/c/d"),
            ("~", "/home/me"),
            ("~/x", "/home/me/x"),
            ("~root/x", "/root/x"),
            ("~nobody-of-this-name/x", "/home/~nobody-of-this-name/x"),
            ("//a/../b", "//b"),
            ("///a", "/a"),
            ("/../..", "/"),
            ("", "/home"),
            ("/a/", "/a"),
        ] {
            assert_eq!(normalize(text, &machine()), PathBuf::from(path), "{text:?}");
        }
    }

    #[test]
    fn the_folder_of_a_path_is_what_is_before_its_last_slash() {
        for (path, folder) in
            [("/a/b", "/a"), ("/a", "/"), ("a", ""), ("a//b", "a"), ("//a", "//"), ("a/", "a")]
        {
            assert_eq!(parent(path), folder, "{path:?}");
        }
    }
}
