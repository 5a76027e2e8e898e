//! Chromium, as a visitor of our pages: Debian's own, driven through its chromedriver.
//!
//! A test that visits gets a window of its own in a browser that all tests of its program share, one after the other.

mod accessibility;
mod driver_process;
pub mod page;
pub mod pictures;
mod session;
mod window;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::{env, fs, process};

use anyhow::Context;

pub use accessibility::violations;
pub use session::WebDriverError;
pub use window::{BrowserWindow, Key};

use driver_process::DriverProcess;
use session::WebDriverSession;

/// A running browser; it ends, with its folder, when this is dropped or when the program ends that started it.
pub struct Browser {
    session: WebDriverSession,
    // After the session in the struct: what the session talks to goes last.
    _driver_process: DriverProcess,
}

impl Browser {
    /// Starts chromedriver and a headless Chromium.
    pub fn start() -> anyhow::Result<Self> {
        let driver_process = DriverProcess::start()?;
        let session = WebDriverSession::start(driver_process.port()?, driver_process.folder())?;
        Ok(Self { session, _driver_process: driver_process })
    }

    /// Opens a window of its own for a visit; a failed one leaves a picture of what was seen.
    pub fn visit(&self, play: impl FnOnce(&BrowserWindow) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let window = BrowserWindow::open(&self.session)?;
        let outcome = play(&window);
        outcome.map_err(|error| {
            let seen = window.url().unwrap_or_default();
            error.context(format!("visiting {seen} (picture in {:?})", keep(&window)))
        })
    }
}

/// The browser of this program, once a test needed one.
static SHARED: Mutex<Option<Browser>> = Mutex::new(None);

/// A visit in the program's one browser, once the present visit is over.
pub fn visit(play: impl FnOnce(&BrowserWindow) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let browser = match shared.take() {
        Some(browser) => browser,
        None => Browser::start()?,
    };
    browser.visit(play)?;
    // After a failure the next one starts a fresh browser.
    *shared = Some(browser);
    Ok(())
}

/// Keeps a picture of a failed visit where it outlives the browser.
fn keep(window: &BrowserWindow) -> anyhow::Result<PathBuf> {
    let name = format!("e2e-page-{}-{}.png", process::id(), window.name());
    let path = env::temp_dir().join(name);
    fs::write(&path, window.picture()?).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
