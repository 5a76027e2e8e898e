//! The differential tests: one scenario, run by the originals and by ours side by side; what they did must agree.
//!
//! ```text
//!   compare_daemons       supervisord:    original │ ours
//!   compare_ctl_matrix    supervisorctl:  original │ ours, each on the original daemon and on ours
//!   compare_ctl           supervisorctl:  original │ ours, without a daemon, or on the original one
//!   ListenerScenario      a listener:     original │ ours, under a supervisord that the test plays
//! ```

mod compare;
mod listener;
mod scenario;
mod supervisorctl;

pub use compare::{compare_ctl, compare_ctl_matrix, compare_daemons, run_one};
pub use listener::ListenerScenario;
pub use scenario::Scenario;
pub use supervisorctl::{OUR_VERBS, SECTION};
