//! The harness of the end-to-end tests: real processes, the originals beside ours, waits with deadlines.
//!
//! Nothing here links the code under test: ours is a black box, as the originals are. A [`TestDir`] is a folder and
//! every process that runs in it; dropping it ends all of them.

pub mod browser;
pub mod ctl;
pub mod ctl_fixture;
pub mod daemon;
pub mod differential;
pub mod event;
pub mod fake_carrier;
pub mod fake_supervisor;
pub mod implementation;
pub mod listener;
pub mod mail_server;
pub mod mail_text;
pub mod mailer;
pub mod raw_http;
pub mod recorder;
pub mod redaction;
pub mod secure_page;
pub mod soak;
pub mod supervisord;
pub mod terminal;
mod terminal_screen;
pub mod test_dir;
pub mod transcript;
pub mod wait;
pub mod web_server;
pub mod xmlrpc;

pub use ctl::Ctl;
pub use ctl_fixture::CtlFixture;
pub use daemon::Daemon;
pub use differential::{ListenerScenario, Scenario, compare_ctl, compare_ctl_matrix, compare_daemons};
pub use event::WireEvent;
pub use fake_supervisor::{FakeAnswer, FakeSupervisor};
pub use implementation::Implementation;
pub use listener::Listener;
pub use mail_server::FakeMailServer;
pub use mail_text::MailText;
pub use mailer::Mailer;
pub use recorder::{RecordedEvent, Recorder};
pub use secure_page::SecurePage;
pub use supervisord::Supervisord;
pub use terminal::PseudoTerminal;
pub use test_dir::TestDir;
pub use transcript::Transcript;
pub use wait::{TIMEOUT, until};
pub use web_server::{ServerBehaviour, WebServer};
