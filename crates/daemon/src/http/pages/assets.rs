//! The style sheet, the script and the icon, compiled into the binary. Their URLs contain a hash of their contents.

/// A compiled-in file.
#[derive(Clone, Copy)]
pub(super) struct Asset {
    /// Its content type.
    pub(super) content_type: &'static str,
    pub(super) text: &'static str,
}

const STYLE: &str = include_str!("../../../templates/page.css");
const SCRIPT: &str = include_str!("../../../templates/page.js");
const ICON: &str = include_str!("../../../templates/icon.svg");

/// The version in the URLs of all assets: a hash of their contents.
pub(super) fn version() -> String {
    const SUM: u64 = sum(sum(sum(SEED, STYLE), SCRIPT), ICON);
    format!("{SUM:016x}")
}

/// The asset at a path without its leading slash.
pub(super) fn find(path: &str) -> Option<Asset> {
    let (content_type, text) = match path {
        // The second is the path of the original's style sheet.
        "assets/page.css" | "stylesheets/supervisor.css" => ("text/css;charset=utf-8", STYLE),
        "assets/page.js" => ("text/javascript;charset=utf-8", SCRIPT),
        "assets/icon.svg" => ("image/svg+xml", ICON),
        _ => return None,
    };
    Some(Asset { content_type, text })
}

/// FNV-1a (draft-eastlake-fnv), computed at compile time.
const fn sum(seed: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let (mut sum, mut at) = (seed, 0);
    while at < bytes.len() {
        sum = (sum ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    sum
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;
