//! `cargo xtask soak [--seconds N]`: children, listeners and clients of a loaded daemon are killed at random.

use anyhow::{Context, bail};

use crate::workshop::{self, Workshop};

/// Long enough for a leak of a descriptor or a kilobyte in a minute to be seen.
const SECONDS: u64 = 600;

/// The long form of crates/e2e/tests/soak.rs, on a binary as it is released.
pub(crate) fn run(shop: &Workshop, args: &[String]) -> anyhow::Result<()> {
    let seconds = match args {
        [] => SECONDS,
        [flag, seconds] if flag == "--seconds" => {
            seconds.parse().with_context(|| format!("cannot take {seconds:?} for a number of seconds"))?
        }
        _ => bail!("cannot take {args:?}: only --seconds N"),
    };
    shop.debian()?;
    let originals = shop.originals()?;
    workshop::run(shop.cargo(&["build", "--release", "--package", "ironlance"]))?;
    let mut soak = shop.cargo(&["test", "--package", "ironlance-e2e", "--test", "soak", "--", "--nocapture"]);
    soak.env("IRONLANCE_SOAK_SECONDS", seconds.to_string())
        .env("IRONLANCE_BIN", shop.target.join("release/ironlance"))
        .env("IRONLANCE_ORIGINALS", originals);
    workshop::run(soak)
}
