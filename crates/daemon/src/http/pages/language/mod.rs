//! The texts of the pages in all languages: [`Messages`]. A text that is missing in a language is a compile error.

use hyper::HeaderMap;
use hyper::header::ACCEPT_LANGUAGE;
use ironlance_core::ProcessState;
use ironlance_core::event::kind::EventKind;
use ironlance_core::listener::problem::ListenerProblem;
use ironlance_core::listener::protocol::ListenerState;
use ironlance_core::process::lifecycle::DaemonState;

use super::action_scope::{ActionScope, FormAction};
use super::query::Fields;

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageLanguage {
    English,
    Chinese,
}

impl PageLanguage {
    /// Its tag in `lang=` (RFC 5646).
    pub(super) const fn tag(self) -> &'static str {
        self.messages().tag
    }

    pub(super) const fn messages(self) -> &'static Messages {
        match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
        }
    }

    /// The language of a tag such as `zh-Hans-CN`.
    fn of_tag(tag: &str) -> Option<Self> {
        let main = tag.split('-').next().unwrap_or_default();
        [Self::English, Self::Chinese].into_iter().find(|known| known.tag().eq_ignore_ascii_case(main))
    }
}

/// The language of a page, and whether the URL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LanguageChoice {
    pub(super) language: PageLanguage,
    /// Chosen by `?lang=`; links keep it.
    pub(super) explicit: bool,
}

impl LanguageChoice {
    /// The language of the query, else the browser's favourite, else English.
    pub(super) fn of(fields: &Fields<'_>, headers: &HeaderMap) -> Self {
        match fields.get("lang").and_then(PageLanguage::of_tag) {
            Some(language) => Self { language, explicit: true },
            None => Self { language: accepted(headers), explicit: false },
        }
    }

    /// `&lang=zh`, to append to a query.
    pub(super) fn query_suffix(self) -> String {
        if self.explicit { format!("&lang={}", self.language.tag()) } else { String::new() }
    }

    /// `?lang=zh`, to append to a path.
    pub(super) fn query(self) -> String {
        self.query_suffix().replace('&', "?")
    }
}

/// At most this many languages of a browser are looked at.
const MAX_LANGUAGES: usize = 16;

/// The language with the highest weight in Accept-Language (RFC 9110, section 12.5.4); the first of several.
fn accepted(headers: &HeaderMap) -> PageLanguage {
    let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best = (0.0, PageLanguage::English);
    for entry in header.split(',').take(MAX_LANGUAGES) {
        let (tag, rest) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = rest.trim().strip_prefix("q=").map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        if let Some(language) = PageLanguage::of_tag(tag.trim())
            && weight > best.0
        {
            best = (weight, language);
        }
    }
    best.1
}

/// Text with a count.
pub(super) type TextWithCount = fn(usize) -> String;
/// Text with a name.
pub(super) type About = fn(&str) -> String;

/// The texts of one language, in the order of the page.
pub(super) struct Messages {
    pub(super) tag: &'static str,
    /// The other language: its tag, and its name in itself.
    pub(super) other: (&'static str, &'static str),
    pub(super) skip_to_content: &'static str,
    pub(super) page: &'static str,
    pub(super) supervisor: &'static str,
    pub(super) daemon_pid: &'static str,
    pub(super) up_for: &'static str,
    pub(super) refresh: &'static str,
    pub(super) live: &'static str,
    pub(super) not_live: &'static str,
    pub(super) connection_lost: &'static str,
    /// `{time}` is replaced by the time.
    pub(super) connection_lost_since: &'static str,
    pub(super) no_such_page: &'static str,
    pub(super) main_log: &'static str,
    pub(super) programs: &'static str,
    pub(super) no_programs: &'static str,
    pub(super) filter: &'static str,
    pub(super) filter_hint: &'static str,
    pub(super) no_match: &'static str,
    pub(super) name: &'static str,
    pub(super) state: &'static str,
    pub(super) pid: &'static str,
    pub(super) uptime: &'static str,
    pub(super) cpu: &'static str,
    pub(super) cpu_hint: &'static str,
    pub(super) memory: &'static str,
    pub(super) memory_hint: &'static str,
    pub(super) restarts: &'static str,
    pub(super) actions: &'static str,
    pub(super) group: &'static str,
    pub(super) listener: &'static str,
    pub(super) start: &'static str,
    pub(super) stop: &'static str,
    pub(super) restart: &'static str,
    pub(super) clear: &'static str,
    pub(super) log: &'static str,
    pub(super) start_of: About,
    pub(super) stop_of: About,
    pub(super) restart_of: About,
    pub(super) clear_of: About,
    pub(super) log_of: About,
    pub(super) stderr_of: About,
    pub(super) start_all: &'static str,
    pub(super) stop_all: &'static str,
    pub(super) restart_all: &'static str,
    pub(super) confirm: fn(FormAction, ActionScope<'_>) -> String,
    pub(super) press_again: &'static str,
    pub(super) cancel: &'static str,
    pub(super) running_of: fn(usize, usize) -> String,
    pub(super) states: fn(ProcessState) -> &'static str,
    pub(super) exited_unexpectedly: &'static str,
    pub(super) daemon_states: fn(DaemonState) -> &'static str,
    pub(super) listeners: &'static str,
    pub(super) current_event: &'static str,
    pub(super) last_result: &'static str,
    pub(super) pending: &'static str,
    pub(super) pending_hint: &'static str,
    pub(super) dropped: &'static str,
    pub(super) merged: &'static str,
    pub(super) answered: &'static str,
    pub(super) listener_states: fn(Option<ListenerState>) -> &'static str,
    pub(super) listener_problem: fn(&ListenerProblem) -> String,
    /// A count, and since when.
    pub(super) alerts_wait: fn(usize, &str) -> String,
    pub(super) alerts_dead: TextWithCount,
    pub(super) no_state_folder: About,
    /// A count, out of a total.
    pub(super) listeners_unwell: fn(usize, usize) -> String,
    pub(super) recent: &'static str,
    pub(super) no_events: &'static str,
    pub(super) no_events_among: TextWithCount,
    pub(super) event_names: fn(EventKind) -> &'static str,
    pub(super) exit_reason: About,
    pub(super) expected: &'static str,
    pub(super) unexpected: &'static str,
    pub(super) stopped_on_request: &'static str,
    pub(super) stopped_by: About,
    /// The exit reason, and the requester of the signal.
    pub(super) signal_by: fn(&str, &str) -> String,
    pub(super) requested_by: &'static str,
    pub(super) oom_nearby: About,
    pub(super) out_of_memory: &'static str,
    pub(super) after_uptime: About,
    pub(super) previous_exit: About,
    pub(super) exit_title: &'static str,
    pub(super) start_failure_title: &'static str,
    pub(super) never_exited: &'static str,
    pub(super) settings: &'static str,
    pub(super) command: &'static str,
    pub(super) directory: &'static str,
    pub(super) user: &'static str,
    pub(super) environment: &'static str,
    pub(super) autostart: &'static str,
    pub(super) autorestart: &'static str,
    pub(super) yes_or_no: [&'static str; 2],
    /// Never, after an unexpected exit, always.
    pub(super) autorestarts: [&'static str; 3],
    pub(super) stop_with: &'static str,
    pub(super) stdout_log: &'static str,
    pub(super) stderr_log: &'static str,
    pub(super) log_auto: &'static str,
    pub(super) log_none: &'static str,
    pub(super) log_with_stdout: &'static str,
    pub(super) when: &'static str,
    pub(super) how: &'static str,
    pub(super) uptime_at_exit: &'static str,
    pub(super) last_stdout: &'static str,
    pub(super) last_stderr: &'static str,
    pub(super) nothing_written: &'static str,
    pub(super) all_programs: &'static str,
    pub(super) search: &'static str,
    pub(super) pause: &'static str,
    pub(super) resume: &'static str,
    pub(super) show_more: &'static str,
    pub(super) empty_log: &'static str,
    pub(super) truncated: &'static str,
    pub(super) no_name: &'static str,
    pub(super) no_file: About,
    /// Day, hour, minute, second.
    pub(super) units: [&'static str; 4],
    pub(super) read_only: &'static str,
    pub(super) link_changes_nothing: &'static str,
    pub(super) no_such_process: About,
    pub(super) not_answering: &'static str,
    pub(super) stale_token: &'static str,
    pub(super) cross_site: &'static str,
    pub(super) not_understood: &'static str,
    pub(super) unreachable: &'static str,
    pub(super) too_many: &'static str,
    pub(super) starting: About,
    pub(super) stopping: About,
    pub(super) restarting: About,
    pub(super) cleared: About,
    pub(super) already_started: About,
    pub(super) not_running: About,
    pub(super) cannot: fn(&str, &str) -> String,
    pub(super) starting_many: TextWithCount,
    pub(super) stopping_many: TextWithCount,
    pub(super) restarting_many: &'static str,
    pub(super) cleared_many: TextWithCount,
    pub(super) failed_many: fn(usize, &str) -> String,
    pub(super) no_such_file: &'static str,
    pub(super) not_executable: &'static str,
    pub(super) spawn_error: &'static str,
    pub(super) shutting_down: &'static str,
}

mod chinese;
mod english;

use chinese::CHINESE;
use english::ENGLISH;

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(query: &str, accept: &str) -> LanguageChoice {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, accept.parse().unwrap());
        LanguageChoice::of(&Fields::parse(query), &headers)
    }

    #[test]
    fn the_browser_says_which_language_and_the_address_overrides_it() {
        use PageLanguage::{Chinese, English};
        for (query, accept, language) in [
            ("", "", English),
            ("", "zh", Chinese),
            ("", "zh-CN,zh;q=0.9,en;q=0.8", Chinese),
            ("", "en-US,en;q=0.9,zh-CN;q=0.8", English),
            ("", "de-DE,de;q=0.9,zh;q=0.5,en;q=0.3", Chinese),
            ("", "fr", English),
            ("", "zh;q=0, *", English),
            ("", ";;q=,,zh;q=x", English),
            ("lang=zh", "en", Chinese),
            ("lang=en", "zh", English),
            ("lang=tlh", "zh", Chinese),
        ] {
            assert_eq!(choose(query, accept).language, language, "{query} {accept}");
        }
    }

    #[test]
    fn links_keep_what_the_address_has_chosen_and_nothing_else() {
        assert_eq!(choose("lang=zh", "en").query_suffix(), "&lang=zh");
        assert_eq!(choose("lang=en", "zh").query(), "?lang=en");
        assert_eq!(choose("", "zh").query_suffix() + &choose("", "zh").query(), "");
    }
}
