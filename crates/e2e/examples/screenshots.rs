//! Takes the pictures of the page for the documents: `cargo run -p ironlance-e2e --example screenshots -- FOLDER`.

use std::env;
use std::path::Path;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let folder = env::args_os().nth(1).context("say into which folder the pictures go")?;
    ironlance_e2e::browser::pictures::take(Path::new(&folder))
}
