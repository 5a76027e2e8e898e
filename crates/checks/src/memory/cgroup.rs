//! Parsers of /proc/PID/cgroup and of the files of a control group. The names of groups are not to be trusted.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::stat::number;

/// Where control groups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// The file that tells the memory of the group, by the text of /proc/PID/cgroup: of version 1 where its memory controller is
/// in use, else of version 2.
pub fn memory_file(text: &[u8]) -> Option<PathBuf> {
    let rows = || text.split(|byte| *byte == b'\n').filter_map(row);
    let is_memory =
        |controllers: &[u8]| controllers.split(|byte| *byte == b',').any(|name| name == b"memory");
    if let Some((_, path)) = rows().find(|(controllers, _)| is_memory(controllers)) {
        return Some(below("memory", path, "memory.usage_in_bytes"));
    }
    let (_, path) = rows().find(|(controllers, _)| controllers.is_empty())?;
    Some(below("", path, "memory.current"))
}

/// `ID:CONTROLLERS:PATH`: controllers and path.
fn row(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = line.splitn(3, |byte| *byte == b':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    // A path with `..` is outside of the groups that can be seen here.
    let is_seen = path.starts_with(b"/") && !path.split(|byte| *byte == b'/').any(|name| name == b"..");
    is_seen.then_some((controllers, path))
}

fn below(controller: &str, path: &[u8], file: &str) -> PathBuf {
    let path = OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path));
    PathBuf::from(ROOT).join(controller).join(path).join(file)
}

/// A number of bytes, as the files of a group give it.
pub fn bytes(text: &[u8]) -> Option<u64> {
    number(text.trim_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_group_of_the_memory_controller_is_found_in_both_versions() {
        let file = |text: &str| memory_file(text.as_bytes()).map(|path| path.display().to_string());
        let two = "/sys/fs/cgroup/system.slice/a:b.service/memory.current";
        assert_eq!(file("0::/system.slice/a:b.service\n").as_deref(), Some(two));
        let one = "/sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes";
        assert_eq!(file("5:cpu:/x\n4:hugetlb,memory:/docker/1\n0::/y\n").as_deref(), Some(one));
        assert_eq!(file("0::/\n").as_deref(), Some("/sys/fs/cgroup/memory.current"));
    }

    #[test]
    fn a_path_outside_and_another_form_are_refused() {
        for text in ["", "0::/../x\n", "0::x\n", "0:/x\n", "1:cpu:/x\n"] {
            assert_eq!(memory_file(text.as_bytes()), None, "{text}");
        }
        assert_eq!((bytes(b"4096\n"), bytes(b"max\n"), bytes(b"")), (Some(4096), None, None));
    }

    proptest! {
        #[test]
        fn no_text_leads_out_of_the_groups(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let file = memory_file(&text);
            prop_assert!(file.is_none_or(|file| file.starts_with(ROOT) && !file.iter().any(|name| name == "..")));
        }
    }
}
