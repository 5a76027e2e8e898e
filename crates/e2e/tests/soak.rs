//! A soak of the daemon: short here, as long as you like by `cargo xtask soak --seconds N`.

use std::env;
use std::time::Duration;

use ironlance_e2e::{Flavour, soak};

/// How long the short form is under load, in seconds.
const SHORT: u64 = 20;

#[test]
fn kill_9_of_children_listeners_and_clients_under_load_leaves_no_trace() {
    let seconds = env::var("IRONLANCE_SOAK_SECONDS").ok();
    let seconds = seconds.map_or(SHORT, |seconds| seconds.parse().expect("a number of seconds"));
    let deeds = soak::run(Flavour::Ours, Duration::from_secs(seconds)).unwrap();
    eprintln!("{seconds} s: {deeds:?}");
    assert!(deeds.kills > 0 && deeds.listeners > 0 && deeds.conversations > 0, "{deeds:?}");
    assert!(deeds.events > deeds.kills && deeds.lines > 0, "{deeds:?}");
}
