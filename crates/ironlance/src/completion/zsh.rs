//! The script for zsh.

use super::known::Dialect;

/// How zsh completes: each word is `'name:what it is'`, quoted.
pub(super) const ZSH: Dialect = Dialect {
    script: include_str!("ironlance.zsh"),
    or: "|",
    word: |name, text| {
        let word = format!("{}:{text}", name.replace(':', "\\:"));
        format!("'{}'", word.replace('\'', "'\\''"))
    },
    offer: |words| format!("found=({words})"),
};
