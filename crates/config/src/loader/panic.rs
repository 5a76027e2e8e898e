//! A panic of the reader becomes a fault of the file: the daemon that reloads a configuration must go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ironlance_core::text::panic_message::panic_message;

use crate::loader::fault::{ConfigFault, ConfigFaults};

/// What `read` gives; where it panics, a fault of `file` that says so.
pub(crate) fn catch_panic<T>(
    file: &Path,
    read: impl FnOnce() -> Result<T, ConfigFaults>,
) -> Result<T, ConfigFaults> {
    // What `read` has changed is its own and is gone with it.
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|panic| Err(ConfigFaults(vec![fault(file, panic_message(&*panic))])))
}

fn fault(file: &Path, words: &str) -> ConfigFault {
    let original = format!("could not read config file {}", file.display());
    ConfigFault {
        file: PathBuf::from(file),
        line: None,
        section: String::new(),
        key: String::new(),
        what: format!("cannot read the file, by a fault of ours that should be reported: {words}"),
        original,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_reader_is_a_fault_of_that_file() {
        let cause = "of a number";
        let ConfigFaults(found) =
            catch_panic::<()>(Path::new("/etc/s.conf"), || panic!("what becomes {cause}")).unwrap_err();
        assert_eq!(
            found[0].to_string(),
            "/etc/s.conf: cannot read the file, by a fault of ours that should be reported: what becomes of a number"
        );
        assert_eq!(found[0].original, "could not read config file /etc/s.conf");
        assert_eq!(catch_panic(Path::new("x"), || Ok(1)), Ok(1));
    }
}
