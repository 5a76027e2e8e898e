//! The script for bash.

use super::known::Dialect;

/// How bash completes.
pub(super) const BASH: Dialect = Dialect {
    script: include_str!("ironlance.bash"),
    or: " | ",
    word: |name, _| name.to_owned(),
    offer: |words| format!("echo '{words}'"),
};
