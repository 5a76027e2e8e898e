//! `[supervisorctl]`: the control program.

use crate::config::Notes;
use crate::ctl_settings::CtlSettings;
use crate::expansion::ExpansionNames;
use crate::ini::Section;
use crate::loader::context::{LoadContext, SectionScope};
use crate::path::normalize;

/// The keys of the section.
pub(crate) const KEYS: [&str; 5] = ["serverurl", "username", "password", "prompt", "history_file"];

const DEFAULT_URL: &str = "http://localhost:9001";
const DEFAULT_PROMPT: &str = "supervisor";

/// The settings; the notes are still with the context.
pub(crate) fn read<'a>(context: &mut LoadContext<'a>, section: &'a Section) -> CtlSettings {
    let machine = context.host;
    let plain = SectionScope::new(section, ExpansionNames::default());
    let placed = SectionScope::new(section, ExpansionNames::default().with("here", context.here));
    let mut take =
        |scope: &SectionScope<'a>, key: &str| context.optional(scope, key, |text| Ok(text.to_owned()));
    let url = take(&placed, "serverurl").unwrap_or_else(|| DEFAULT_URL.to_owned());
    let prompt = take(&plain, "prompt").unwrap_or_else(|| DEFAULT_PROMPT.to_owned());
    let username = take(&plain, "username");
    let password = take(&plain, "password");
    let history = take(&placed, "history_file").filter(|file| !file.is_empty());
    let serverurl = match url.strip_prefix("unix://") {
        Some(path) => format!("unix://{}", normalize(path, machine).display()),
        None => url,
    };
    let history_file = history.map(|file| normalize(&file, machine));
    CtlSettings { serverurl, prompt, username, password, history_file, notes: Notes::default() }
}
