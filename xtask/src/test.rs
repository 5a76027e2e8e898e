//! `cargo xtask test`: whatever the tests need is fetched and built first; a part that is missing is a failure.

use std::time::Instant;

use crate::workshop::{self, Workshop};

/// The binary is built in the same profile as the tests: one set of dependencies to compile.
pub(crate) fn run(shop: &Workshop, args: &[String]) -> anyhow::Result<()> {
    let began = Instant::now();
    shop.debian()?;
    let originals = shop.originals()?;
    workshop::run(shop.cargo(&["build", "--package", "ironlance"]))?;
    let mut tests = shop.cargo(&["test", "--workspace", "--no-fail-fast"]);
    tests
        .args(args)
        .env("IRONLANCE_BIN", shop.target.join("debug/ironlance"))
        .env("IRONLANCE_ORIGINALS", originals);
    workshop::run(tests)?;
    eprintln!("xtask: all tests passed after {} s", began.elapsed().as_secs());
    Ok(())
}
