//! Faults that keep a user of keyboard or screen reader from using a page, as far as a script can tell.

use anyhow::Context;

use super::window::BrowserWindow;

/// Looks at the page; gives a sentence for each hindrance, none for a good page.
pub fn violations(window: &BrowserWindow) -> anyhow::Result<Vec<String>> {
    let found = window.run(include_str!("accessibility.js"), &[])?;
    let found = found.as_array().context("cannot read the list of hindrances")?;
    Ok(found.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
}
