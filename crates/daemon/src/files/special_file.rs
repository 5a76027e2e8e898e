//! Which files the daemon must not remove, rename or truncate: [`is_special`], for logs, the pidfile and sockets.

use std::fs;
use std::path::{Path, PathBuf};

use super::safe_open::MAX_LINKS;

/// Whether this is a device, a FIFO, a socket or a folder, a link to one, or anything in /dev or /proc, even a regular
/// file to which stdout was redirected. A special file is only written to. A missing file is not special.
pub(crate) fn is_special(path: &Path) -> bool {
    let mut at = path.to_owned();
    for _ in 0..MAX_LINKS {
        if is_kernel_path(&at) {
            return true;
        }
        let Ok(found) = fs::symlink_metadata(&at) else { return false };
        if !found.is_symlink() {
            return !found.is_file();
        }
        let Ok(target) = fs::read_link(&at) else { return true };
        at = at.parent().map_or_else(PathBuf::new, Path::to_owned).join(target);
    }
    true
}

/// Whether the path is in a file system of the kernel. /dev/shm is a folder in memory like any other.
fn is_kernel_path(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/dev") && !path.starts_with("/dev/shm")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn all_but_regular_files_and_links_to_them_are_special() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("folder")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        for name in ["folder", "socket", "fifo"] {
            assert!(is_special(&at(name)), "{name}");
            symlink(name, at(&format!("to-{name}"))).unwrap();
            assert!(is_special(&at(&format!("to-{name}"))), "a link to {name}");
        }
        symlink("/dev/stdout", at("out")).unwrap();
        symlink("out", at("out-again")).unwrap();
        symlink("circle", at("circle")).unwrap();
        symlink("file", at("to-file")).unwrap();
        symlink("nothing", at("dangling")).unwrap();
        for special in ["out", "out-again", "circle"] {
            assert!(is_special(&at(special)), "{special}");
        }
        for ours in ["file", "to-file", "dangling", "nothing"] {
            assert!(!is_special(&at(ours)), "{ours}");
        }
        for special in ["/dev/null", "/dev/stdout", "/proc/self/fd/1", "/dev/../dev/null"] {
            assert!(is_special(Path::new(special)), "{special}");
        }
        assert!(!is_special(Path::new("/dev/shm/ironlance-there-is-none.log")));
    }
}
