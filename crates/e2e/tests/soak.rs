//! A soak of the daemon: short here, as long as you like by `cargo xtask soak --seconds N`.

use std::env;
use std::time::Duration;

use ironlance_e2e::{Implementation, soak};

/// How long the short form is under load, in seconds.
const SHORT: u64 = 20;

#[test]
fn kill_9_of_children_listeners_and_clients_under_load_leaves_no_trace() {
    let seconds = env::var("IRONLANCE_SOAK_SECONDS").ok();
    let seconds = seconds.map_or(SHORT, |seconds| seconds.parse().expect("a number of seconds"));
    let summary = soak::run(Implementation::Ours, Duration::from_secs(seconds)).unwrap();
    eprintln!("{seconds} s: {summary:?}");
    assert!(summary.kills > 0 && summary.listeners > 0 && summary.conversations > 0, "{summary:?}");
    assert!(summary.events > summary.kills && summary.lines > 0, "{summary:?}");
}
