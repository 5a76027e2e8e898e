//! State folders of event listeners: which one a listener uses, making one for a user that has none, and what waits there.
//!
//! A listener of ours keeps its alerts in the folder `outbox` of its state folder. It finds the state folder by itself
//! (docs/alerts.md, "The outbox"); supervisord finds it by the same rule, so that it can create it and show what waits:
//!
//! ```text
//!   environment= has IRONLANCE_STATE ──────────────────────▶ that folder, as it is
//!   by rule: root's, XDG_STATE_HOME, home ──holds an outbox─▶ that folder
//!        │ none there                                                     ▲
//!        ├─ BASE/users/NAME holds an outbox ───────────────▶ BASE/users/NAME  (handed over in IRONLANCE_STATE)
//!        ├─ the user can make it ─────────────────────────────────────────┘
//!        └─ the user cannot: made by supervisord, as root ─▶ BASE/users/NAME
//! ```
//!
//! `BASE` is supervisord's own state folder.

mod access;
mod grant;
mod locate;
pub mod outbox_summary;
mod user;

pub use locate::{StateFolder, StateFolderEnv, VARIABLE, locate, own_state_folder, predict};
pub use user::UserIdentity;
