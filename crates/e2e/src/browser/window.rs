//! A window of the browser: what a visitor sees and does in it.

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::session::{WebDriverError, WebDriverSession};
use crate::wait::{TIMEOUT, until};

/// The specification's name for what refers to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What may be otherwise a moment later, in a page that changes while it is looked at.
const PASSING: [&str; 4] =
    ["no such element", "stale element reference", "element click intercepted", "element not interactable"];

/// A key without a character of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// On to the next control.
    Tab,
    /// Does what has the focus.
    Enter,
    /// Presses what has the focus.
    Space,
}

impl Key {
    fn code(self) -> char {
        match self {
            Self::Tab => '\u{e004}',
            Self::Enter => '\u{e007}',
            Self::Space => ' ',
        }
    }
}

/// A window; it is closed when it is dropped.
pub struct BrowserWindow<'a> {
    session: &'a WebDriverSession,
    name: String,
    home: String,
}

impl<'a> BrowserWindow<'a> {
    pub(super) fn open(session: &'a WebDriverSession) -> anyhow::Result<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned).context("cannot find a window's name");
        let home = text(&session.get("/window")?)?;
        let name = text(&session.post("/window/new", &json!({"type": "window"}))?["handle"])?;
        session.post("/window", &json!({"handle": name}))?;
        // What is still in the log is of the visit before.
        session.post("/se/log", &json!({"type": "browser"}))?;
        Ok(Self { session, name, home })
    }

    /// Goes there, and waits until the page is loaded.
    pub fn go(&self, url: &str) -> anyhow::Result<()> {
        self.session.post("/url", &json!({"url": url})).map(drop)
    }

    /// Loads the page anew.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.session.post("/refresh", &json!({})).map(drop)
    }

    /// The address in the address line.
    pub fn url(&self) -> anyhow::Result<String> {
        Ok(self.session.get("/url")?.as_str().unwrap_or_default().to_owned())
    }

    /// The page as it is now, as HTML.
    pub fn source(&self) -> anyhow::Result<String> {
        Ok(self.session.get("/source")?.as_str().unwrap_or_default().to_owned())
    }

    /// Runs a script in the page, with these as its `arguments`; gives what it returns.
    pub fn run(&self, script: &str, arguments: &[Value]) -> anyhow::Result<Value> {
        self.session.post("/execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// Waits until the JavaScript expression is true.
    pub fn wait(&self, expression: &str) -> anyhow::Result<()> {
        until(expression, TIMEOUT, || Ok((self.value(expression)? == Value::Bool(true)).then_some(())))
    }

    /// The value of a JavaScript expression.
    pub fn value(&self, expression: &str) -> anyhow::Result<Value> {
        self.run(&format!("return ({expression})"), &[])
    }

    /// How many elements the selector finds.
    pub fn count(&self, selector: &str) -> anyhow::Result<u64> {
        let script = "return document.querySelectorAll(arguments[0]).length";
        self.run(script, &[selector.into()])?.as_u64().context("cannot count")
    }

    /// The text of the first element that the selector finds, as it is seen; nothing where there is none.
    pub fn text(&self, selector: &str) -> anyhow::Result<Option<String>> {
        let script = "return document.querySelector(arguments[0])?.innerText";
        Ok(self.run(script, &[selector.into()])?.as_str().map(str::to_owned))
    }

    /// Waits until the text of the first element that the selector finds is as it should be; gives it.
    pub fn wait_text(&self, selector: &str, wanted: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let mut last = None;
        until(&format!("the text of {selector}"), TIMEOUT, || {
            last = self.text(selector)?;
            Ok(last.clone().filter(|text| wanted(text)))
        })
        .with_context(|| format!("the last was {last:?}"))
    }

    /// An attribute of the first element that the selector finds.
    pub fn attribute(&self, selector: &str, name: &str) -> anyhow::Result<Option<String>> {
        let script = "return document.querySelector(arguments[0])?.getAttribute(arguments[1])";
        Ok(self.run(script, &[selector.into(), name.into()])?.as_str().map(str::to_owned))
    }

    /// Waits until the attribute of the first element that the selector finds is this.
    pub fn wait_attribute(&self, selector: &str, name: &str, value: &str) -> anyhow::Result<()> {
        let mut last = None;
        until(&format!("{name} of {selector} to be {value}"), TIMEOUT, || {
            last = self.attribute(selector, name)?;
            Ok((last.as_deref() == Some(value)).then_some(()))
        })
        .with_context(|| format!("the last was {last:?}"))
    }

    /// Clicks on the element as a visitor would: it must be there, to be seen, and not covered.
    pub fn click(&self, selector: &str) -> anyhow::Result<()> {
        self.with_element(selector, "click", &json!({}))
    }

    /// Types into the element.
    pub fn write(&self, selector: &str, text: &str) -> anyhow::Result<()> {
        self.with_element(selector, "value", &json!({"text": text}))
    }

    fn with_element(&self, selector: &str, command: &str, body: &Value) -> anyhow::Result<()> {
        let mut last = None;
        let act = || -> anyhow::Result<()> {
            let found =
                self.session.post("/element", &json!({"using": "css selector", "value": selector}))?;
            let id = found[ELEMENT].as_str().context("cannot find the element's name")?;
            self.session.post(&format!("/element/{id}/{command}"), body).map(drop)
        };
        until(&format!("{selector} for {command}"), TIMEOUT, || match act() {
            Ok(()) => Ok(Some(())),
            Err(error) => {
                let code = error.downcast_ref::<WebDriverError>().map(|refusal| refusal.code.clone());
                if !code.is_some_and(|code| PASSING.contains(&code.as_str())) {
                    return Err(error);
                }
                last = Some(format!("{error:#}"));
                Ok(None)
            }
        })
        .with_context(|| last.unwrap_or_default())
    }

    /// Presses a key, and lets it go.
    pub fn press(&self, key: Key) -> anyhow::Result<()> {
        let actions = ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.code()}));
        let keyboard = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.session.post("/actions", &keyboard).map(drop)
    }

    /// A command of the Chrome DevTools protocol.
    pub fn devtools(&self, command: &str, params: &Value) -> anyhow::Result<Value> {
        self.session.post("/goog/cdp/execute", &json!({"cmd": command, "params": params}))
    }

    /// From now on pages run no scripts; [`Self::run`] still does.
    pub fn without_scripts(&self) -> anyhow::Result<()> {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({"value": true})).map(drop)
    }

    /// From now on the visitor reads this language, for example `zh-CN,zh`; the browser weighs them itself.
    pub fn read_language(&self, accept: &str) -> anyhow::Result<()> {
        let agent = self.value("navigator.userAgent")?;
        let language = json!({"userAgent": agent, "acceptLanguage": accept});
        self.devtools("Emulation.setUserAgentOverride", &language).map(drop)
    }

    /// From now on the visitor likes it dark, or light.
    pub fn prefer_colours(&self, scheme: &str) -> anyhow::Result<()> {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &features).map(drop)
    }

    /// From now on this is a phone with a screen of this size in CSS pixels.
    pub fn be_phone(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 2, "mobile": true});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen).map(drop)
    }

    /// From now on the window has this size in CSS pixels.
    pub fn be_screen(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen).map(drop)
    }

    /// What the browser's console got since this was last asked: the level and the text.
    pub fn console(&self) -> anyhow::Result<Vec<String>> {
        let log = self.session.post("/se/log", &json!({"type": "browser"}))?;
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let entries = log.as_array().into_iter().flatten();
        Ok(entries.map(|entry| format!("{}: {}", text(entry, "level"), text(entry, "message"))).collect())
    }

    /// The status that the page came with.
    pub fn status(&self) -> anyhow::Result<u64> {
        let status = self.value("performance.getEntriesByType('navigation')[0].responseStatus")?;
        status.as_u64().context("cannot tell the status")
    }

    /// Fails when the page has opened a box that the visitor must answer.
    pub fn ensure_no_alert(&self) -> anyhow::Result<()> {
        match self.session.get("/alert/text") {
            Ok(text) => bail!("the page says {text}"),
            Err(error) => {
                let code = error.downcast_ref::<WebDriverError>().map(|refusal| refusal.code.as_str());
                ensure!(code == Some("no such alert"), "{error:#}");
                Ok(())
            }
        }
    }

    /// What the window shows, as PNG.
    pub fn picture(&self) -> anyhow::Result<Vec<u8>> {
        let picture = self.session.get("/screenshot")?;
        BASE64_STANDARD.decode(picture.as_str().unwrap_or_default()).context("cannot read the picture")
    }

    /// The window's name in the driver.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for BrowserWindow<'_> {
    fn drop(&mut self) {
        // A browser that is gone has no windows.
        let _ = self.session.delete("/window");
        let _ = self.session.post("/window", &json!({"handle": self.home}));
    }
}
