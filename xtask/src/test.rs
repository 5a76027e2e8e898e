//! `cargo xtask test [--fast] [ARGS]`: fetches and builds whatever the tests need; a part that is missing is a failure.

use crate::workspace::{self, Workspace};

/// The end-to-end tests that `--fast` runs: real processes of ours, in seconds, without the originals and without a
/// browser.
const FAST_END_TO_END: [&str; 8] = [
    "daemon_files",
    "daemon_shutdown",
    "docs",
    "events_stream",
    "http_host_names",
    "listener_warnings",
    "outbox_visibility",
    "stop_reasons",
];

/// Runs all tests; the arguments go to `cargo test`.
///
/// The binary is built in the same profile as the tests: one set of dependencies to compile.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    workspace.install_packages()?;
    let originals = workspace.originals()?;
    workspace::run(workspace.cargo(&["build", "--package", "ironlance"]))?;
    let mut tests = workspace.cargo(&["test", "--workspace", "--no-fail-fast"]);
    tests
        .args(args)
        .env("IRONLANCE_BIN", workspace.target.join("debug/ironlance"))
        .env("IRONLANCE_ORIGINALS", originals);
    workspace::run(tests)
}

/// Unit and property tests of every crate, then [`FAST_END_TO_END`].
pub(crate) fn run_fast(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    let unit = ["test", "--quiet", "--workspace", "--exclude", "ironlance-e2e", "--no-fail-fast"];
    let mut tests = workspace.cargo(&unit);
    tests.args(["--lib", "--bins", "--tests"]).args(args);
    workspace::run(tests)?;
    workspace::run(workspace.cargo(&["build", "--package", "ironlance"]))?;
    let mut tests = workspace.cargo(&["test", "--quiet", "--package", "ironlance-e2e", "--no-fail-fast"]);
    for name in FAST_END_TO_END {
        tests.args(["--test", name]);
    }
    tests.args(args).env("IRONLANCE_BIN", workspace.target.join("debug/ironlance"));
    workspace::run(tests)
}
