//! Which files are not ours to remove, to rename or to empty: one rule for logs, the pidfile and sockets.

use std::fs;
use std::path::{Path, PathBuf};

/// So many links may lead from one to the next, as in the kernel.
const MOST_LINKS: usize = 40;

/// Whether this is a device, a FIFO, a socket or a folder, or a link to one, or leads into /dev or /proc, even if it is
/// a regular file that stdout was sent to. Such a thing is written to and otherwise left alone. What is not there is
/// not special.
pub(crate) fn is_special(path: &Path) -> bool {
    let mut at = path.to_owned();
    for _ in 0..MOST_LINKS {
        if is_of_the_system(&at) {
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

/// Where the kernel's files are. /dev/shm is a folder in memory like any other.
fn is_of_the_system(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/dev") && !path.starts_with("/dev/shm")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_regular_files_and_links_to_them_are_ours_to_remove() {
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
