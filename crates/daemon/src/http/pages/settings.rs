//! The section with the configuration of a program, without values of its environment and without secrets in its
//! command.

use askama::Template;
use ironlance_config::{LogTarget, Program};
use ironlance_core::process::lifecycle::Autorestart;
use ironlance_core::redact::redact;
use ironlance_core::signal;

use super::context::PageContext;
use super::log_page::printable;

/// Longest command or list of names that is shown, in characters.
const MAX_CHARS: usize = 2000;

/// The list of settings.
#[derive(Template)]
#[template(path = "settings.html")]
pub(super) struct SettingsSection<'a> {
    context: &'a PageContext<'a>,
    lines: Vec<(&'static str, String)>,
}

impl<'a> SettingsSection<'a> {
    /// `user` is the name of the configured user, if there is one.
    pub(super) fn new(context: &'a PageContext<'a>, program: Option<&Program>, user: Option<&str>) -> Self {
        Self { context, lines: program.map(|program| lines(context, program, user)).unwrap_or_default() }
    }
}

fn lines(context: &PageContext<'_>, program: &Program, user: Option<&str>) -> Vec<(&'static str, String)> {
    let messages = context.messages;
    let names: Vec<&str> = program.environment.keys().map(String::as_str).collect();
    let log = |target: &LogTarget| match target {
        LogTarget::File(path) => path.display().to_string(),
        LogTarget::Auto => messages.log_auto.to_owned(),
        LogTarget::None => messages.log_none.to_owned(),
    };
    let stderr = if program.redirect_stderr {
        messages.log_with_stdout.to_owned()
    } else {
        log(&program.stderr.logfile)
    };
    let user = user.map(str::to_owned).or_else(|| program.uid.map(|uid| format!("uid {uid}")));
    let stop =
        format!("{}, {} {}", signal::name(program.stopsignal), program.stopwaitsecs, messages.units[3]);
    let lines = [
        (messages.command, Some(redact(&program.command))),
        (messages.directory, program.directory.as_ref().map(|folder| folder.display().to_string())),
        (messages.user, user),
        (messages.environment, (!names.is_empty()).then(|| names.join(", "))),
        (messages.autostart, Some(messages.yes_or_no[usize::from(!program.autostart)].to_owned())),
        (messages.autorestart, Some(messages.autorestarts[autorestart(program)].to_owned())),
        (messages.stop_with, Some(stop)),
        (messages.stdout_log, Some(log(&program.stdout.logfile))),
        (messages.stderr_log, Some(stderr)),
    ];
    let shown = |text: String| printable(&text.chars().take(MAX_CHARS).collect::<String>());
    lines.into_iter().filter_map(|(name, text)| Some((name, shown(text?)))).collect()
}

/// The index of its text.
const fn autorestart(program: &Program) -> usize {
    match program.autorestart {
        Autorestart::Never => 0,
        Autorestart::Unexpected => 1,
        Autorestart::Always => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use ironlance_config::{HostEnv, Overrides, load};
    use ironlance_host::local_time::LocalClock;

    use super::super::csrf_token::CsrfToken;
    use super::super::language::{LanguageChoice, PageLanguage};
    use super::super::usage_sampler::UsageByPid;
    use super::*;
    use crate::http::access::Access;

    #[test]
    fn what_is_configured_is_shown_without_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.conf");
        let text = format!(
            "[supervisord]\n[program:web]\ncommand=serve --password hunter2 --port 80 https://joe:hunter2@host/\n\
             directory={}\nenvironment=TOKEN=\"hunter2\",MODE=\"<live>\"\nautorestart=true\nstopsignal=QUIT\n\
             stdout_logfile=NONE\nredirect_stderr=true\n",
            folder.path().display()
        );
        fs::write(&file, text).unwrap();
        let config = load(&file, &Overrides::default(), &HostEnv::current()).unwrap();
        let (clock, usage, token) = (LocalClock::new(), UsageByPid::new(), CsrfToken::new().unwrap());
        for (language, part) in [(PageLanguage::English, "always"), (PageLanguage::Chinese, "总是")] {
            let choice = LanguageChoice { language, explicit: false };
            let context = PageContext::new(choice, Access::ReadOnly, &token, &clock, Duration::ZERO, &usage);
            let page = SettingsSection::new(&context, Some(&config.groups[0].programs[0]), Some("www-data"))
                .render()
                .unwrap();
            assert!(!page.contains("hunter2"), "{page}");
            let folder = folder.path().display().to_string();
            for part in ["--port 80", &folder, "MODE, TOKEN", "SIGQUIT, 10 ", "www-data", part] {
                assert!(page.contains(part), "{part} is not in {page}");
            }
            assert_eq!(SettingsSection::new(&context, None, None).render().unwrap(), "");
        }
    }
}
