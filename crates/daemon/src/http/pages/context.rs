//! What all templates of a page share: [`PageContext`], with language, access and time.

use std::time::{Duration, SystemTime};

use ironlance_host::local_time::LocalClock;

use super::assets;
use super::csrf_token::CsrfToken;
use super::language::{LanguageChoice, Messages};
use super::usage_sampler::{Usage, UsageByPid};
use crate::http::access::Access;

/// The context in which the templates of one page are rendered.
pub(super) struct PageContext<'a> {
    pub(super) messages: &'static Messages,
    pub(super) choice: LanguageChoice,
    pub(super) clock: &'a LocalClock,
    /// Since 1970.
    pub(super) now: Duration,
    pub(super) usage: &'a UsageByPid,
    pub(super) asset_version: String,
    /// The relative path from the browser's URL to the pages: empty, or some `../`.
    pub(super) root: String,
    access: Access,
    /// The hidden fields of every form: HTML of our own making, which contains no input.
    pub(super) hidden_fields: String,
}

impl<'a> PageContext<'a> {
    pub(super) fn new(
        choice: LanguageChoice,
        access: Access,
        token: &CsrfToken,
        clock: &'a LocalClock,
        now: Duration,
        usage: &'a UsageByPid,
    ) -> Self {
        let language = match choice.explicit {
            true => format!("<input type=\"hidden\" name=\"lang\" value=\"{}\">", choice.language.tag()),
            false => String::new(),
        };
        let hidden_fields = match access {
            Access::Full => {
                format!("<input type=\"hidden\" name=\"token\" value=\"{}\">{language}", token.as_str())
            }
            Access::ReadOnly => String::new(),
        };
        let messages = choice.language.messages();
        let root = String::new();
        Self {
            messages,
            choice,
            clock,
            now,
            usage,
            asset_version: assets::version(),
            root,
            access,
            hidden_fields,
        }
    }

    /// The relative URL of the index page, without a query.
    pub(super) fn index_url(&self) -> &str {
        if self.root.is_empty() { "./" } else { &self.root }
    }

    /// The UTC offset of the times on the page, in seconds.
    pub(super) fn zone(&self) -> i32 {
        let now = SystemTime::UNIX_EPOCH.checked_add(self.now).unwrap_or(SystemTime::UNIX_EPOCH);
        self.clock.local(now).offset().seconds()
    }

    pub(super) fn can_change(&self) -> bool {
        self.access == Access::Full
    }

    /// CPU and memory of a process, if they are known.
    pub(super) fn usage(&self, pid: Option<u32>) -> Option<Usage> {
        self.usage.get(&pid?).copied()
    }
}
