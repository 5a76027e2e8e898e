//! The harness of the end-to-end tests: real processes, the originals beside us, waits with deadlines.
//!
//! Nothing here links the code under test: we are a black box, as the originals are. A [`Scene`] is a folder
//! and everything that runs in it; it ends all of that when it is dropped.

pub mod browser;
pub mod contest;
pub mod ctl;
pub mod ctl_quartet;
pub mod daemon;
pub mod duel;
pub mod event;
pub mod fake_supervisor;
pub mod flavour;
pub mod listener;
pub mod mail_server;
pub mod mail_text;
pub mod mailer;
pub mod patience;
pub mod raw_http;
pub mod recorder;
pub mod redaction;
pub mod scene;
pub mod secure_page;
pub mod soak;
pub mod stand;
pub mod supervisord;
pub mod terminal;
mod terminal_screen;
pub mod transcript;
pub mod web_server;
pub mod xmlrpc;

pub use contest::{Stage, alone, contest};
pub use ctl::Ctl;
pub use ctl_quartet::{Play, duet, quartet};
pub use daemon::Daemon;
pub use duel::Duel;
pub use event::Event;
pub use fake_supervisor::{Answer, FakeSupervisor};
pub use flavour::Flavour;
pub use listener::Listener;
pub use mail_server::MailServer;
pub use mail_text::Mail;
pub use mailer::Mailer;
pub use patience::{PATIENCE, until};
pub use recorder::{Recorded, Recorder};
pub use scene::Scene;
pub use secure_page::SecurePage;
pub use stand::Stand;
pub use supervisord::Supervisord;
pub use terminal::Terminal;
pub use transcript::Transcript;
pub use web_server::{Manner, WebServer};
