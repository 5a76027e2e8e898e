//! Our daemon's page in a window: how a test gets there, and what it calls the parts of it.

use std::io::Write;
use std::net::TcpStream;

use anyhow::{Context, ensure};

use super::visit;
use super::window::BrowserWindow;
use crate::daemon::Daemon;
use crate::differential::run_one;
use crate::implementation::Implementation;
use crate::raw_http::{self, RawResponse};
use crate::wait::TIMEOUT;
use crate::web_server::closed_port;

/// A daemon of ours, and a window that shows its page.
pub struct StatusPage<'a> {
    /// The daemon.
    pub daemon: &'a Daemon,
    /// The window.
    pub window: &'a BrowserWindow<'a>,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

/// Starts our daemon with these sections and a server for the page, and opens a window to visit it.
///
/// `sections` may begin with more lines for `[inet_http_server]`.
pub fn on_page(sections: &str, play: impl Fn(&StatusPage) -> anyhow::Result<()>) -> anyhow::Result<()> {
    on_page_at("127.0.0.1", sections, play)
}

/// As [`on_page`], with a server that listens on this host, for example `*` for all.
pub fn on_page_at(
    host: &str,
    sections: &str,
    play: impl Fn(&StatusPage) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    run_one(Implementation::Ours, |scenario| {
        let port = closed_port()?;
        let daemon = scenario.daemon(&format!("[inet_http_server]\nport={host}:{port}\n{sections}"))?;
        visit(|window| play(&StatusPage { daemon: &daemon, window, port }))
    })
    .map(drop)
}

/// The row of a process, as a selector.
pub fn row(process: &str) -> String {
    format!("#programs tr[data-process='{process}']")
}

/// A cell in the row of a process, as a selector.
pub fn cell(process: &str, class: &str) -> String {
    format!("{} td.{class}", row(process))
}

/// The button in the row of a process, as a selector.
pub fn button(process: &str, what: &str) -> String {
    format!("{} td.actions button[value='{what}']", row(process))
}

impl StatusPage<'_> {
    /// The whole address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Goes there.
    pub fn go(&self, path: &str) -> anyhow::Result<()> {
        self.window.go(&self.url(path))
    }

    /// Goes there, and waits until what happens is seen at once.
    pub fn go_live(&self, path: &str) -> anyhow::Result<()> {
        self.go(path)?;
        self.window.wait_attribute("html", "data-live", "on")?;
        // Gone as soon as the page is loaded anew.
        self.window.run("window.since = 'the beginning'", &[]).map(drop)
    }

    /// The page has not been loaded anew since [`Self::go_live`].
    pub fn ensure_not_reloaded(&self) -> anyhow::Result<()> {
        ensure!(self.window.value("window.since")? == "the beginning", "the page was loaded anew");
        Ok(())
    }

    /// Presses a button that asks back before it does anything, and says yes.
    pub fn press_surely(&self, button: &str) -> anyhow::Result<()> {
        self.window.click(button)?;
        let asked = format!("{button}[data-sure]:not([aria-disabled])");
        self.window.wait(&format!("document.querySelector(\"{asked}\") !== null"))?;
        self.window.click(&asked)
    }

    /// Waits until the row of the process shows the state.
    pub fn wait_state(&self, process: &str, state: &str) -> anyhow::Result<()> {
        self.window.wait_attribute(&row(process), "data-state", state)
    }

    /// Sends a request without a browser: the first line, headers and the body as they are; `Connection: close` is
    /// added, and the length of a body.
    pub fn ask(&self, first: &str, headers: &[&str], body: &str) -> anyhow::Result<RawResponse> {
        ask(self.port, first, headers, body)
    }
}

/// As [`StatusPage::ask`], for any port of 127.0.0.1.
pub fn ask(port: u16, first: &str, headers: &[&str], body: &str) -> anyhow::Result<RawResponse> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("cannot reach the page")?;
    stream.set_read_timeout(Some(TIMEOUT)).context("cannot set a time limit")?;
    let mut request = format!("{first} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(&format!("{header}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).context("cannot ask")?;
    raw_http::exchange(stream)
}
