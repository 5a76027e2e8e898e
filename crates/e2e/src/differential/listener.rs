//! One command line, the same events and answers, the original and ours: what both did.

use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::event::WireEvent;
use crate::fake_supervisor::FakeSupervisor;
use crate::implementation::Implementation;
use crate::listener::Listener;
use crate::mail_server::{FakeMailServer, FakeMailServerOptions};
use crate::mailer::Mailer;
use crate::test_dir::TestDir;
use crate::transcript::{Transcript, comparable_part, redact_times, without_additions};
use crate::wait::{TIMEOUT, until};

/// A case for both. In an argument `{mailer}` stands for the recording mailer's command, `{smtp}` for host and
/// port of the mail server, `{dir}` for the folder of the implementation's test directory.
pub struct ListenerScenario<'a> {
    /// The command's name.
    pub command: &'a str,
    /// Its arguments.
    pub args: Vec<String>,
    /// What happens, in order.
    pub events: Vec<WireEvent>,
    /// Sets up the processes that supervisord tells of, and its answers.
    pub supervisor: Box<dyn Fn(&FakeSupervisor) + 'a>,
    /// Whether mail goes by SMTP: then a server is started.
    pub smtp: bool,
}

impl<'a> ListenerScenario<'a> {
    /// A command with arguments, divided at blanks; `␣` in an argument stands for a blank.
    pub fn new(command: &'a str, args: &str, events: &[WireEvent]) -> Self {
        let args = args.split_whitespace().map(|arg| arg.replace('␣', " ")).collect();
        let smtp = command.ends_with("batch") || command == "crashsms";
        Self { command, args, events: events.to_vec(), supervisor: Box::new(|_| {}), smtp }
    }

    /// With processes and answers of supervisord.
    #[must_use]
    pub fn with(mut self, supervisor: impl Fn(&FakeSupervisor) + 'a) -> Self {
        self.supervisor = Box::new(supervisor);
        self
    }

    /// Runs the original.
    pub fn original(&self) -> anyhow::Result<Transcript> {
        self.run(Implementation::Original, None)
    }

    /// Runs ours, until it has sent this number of mails, and no more.
    pub fn ours(&self, mails: usize) -> anyhow::Result<Transcript> {
        self.run(Implementation::Ours, Some(mails))
    }

    /// Runs both, and fails where they differ.
    pub fn compare(&self) -> anyhow::Result<Transcript> {
        let original = self.original()?;
        let ours = self.ours(original.mails.len())?;
        ensure!(
            original == ours,
            "{} {:?} differs\n--- original\n{original:#?}\n--- ours\n{ours:#?}",
            self.command,
            self.args
        );
        Ok(ours)
    }

    fn run(&self, implementation: Implementation, mails: Option<usize>) -> anyhow::Result<Transcript> {
        self.try_run(implementation, mails)
            .with_context(|| format!("{implementation}: {} {:?}", self.command, self.args))
    }

    fn try_run(&self, implementation: Implementation, mails: Option<usize>) -> anyhow::Result<Transcript> {
        // What surrounds the listener has a test directory of its own, so that the listener's is empty when all is done.
        let surroundings = TestDir::new()?;
        let dir = TestDir::new()?;
        let supervisor = FakeSupervisor::start(&surroundings)?;
        (self.supervisor)(&supervisor);
        let mailer = Mailer::new(&surroundings)?;
        let server = if self.smtp {
            Some(FakeMailServer::start(&surroundings, &FakeMailServerOptions::default())?)
        } else {
            None
        };
        let smtp = server.as_ref().map_or_else(String::new, |server| format!("127.0.0.1:{}", server.port()));
        let folder = dir.folder().display().to_string();
        let fill = |arg: &String| {
            arg.replace("{mailer}", mailer.command()).replace("{smtp}", &smtp).replace("{dir}", &folder)
        };
        let mut command = dir.command(implementation.path(self.command)?, implementation)?;
        command
            .args(self.args.iter().map(fill))
            .env("SUPERVISOR_SERVER_URL", supervisor.url())
            .env("SUPERVISOR_ENABLED", "1")
            .env("SUPERVISOR_PROCESS_NAME", self.command)
            .env("SUPERVISOR_GROUP_NAME", self.command);
        let mut listener = Listener::start(command, dir.path("stderr"))?;
        for event in &self.events {
            listener.handle(event)?;
        }
        let arrived = || -> anyhow::Result<Vec<String>> {
            match &server {
                Some(server) => Ok(server.mails()?.into_iter().map(|mail| mail.content).collect()),
                None => mailer.mails(),
            }
        };
        if let Some(count) = mails {
            let what = format!("{count} mails; stderr: {}", listener.stderr()?);
            until(&what, TIMEOUT, || Ok((arrived()?.len() >= count).then_some(())))?;
        }
        listener.ready()?;
        let code = listener.close()?;
        ensure!(
            implementation == Implementation::Original || code == Some(0),
            "ended with {code:?} at the end of input"
        );
        ensure!(listener.rest_of_stdout().is_empty(), "wrote more than the protocol to stdout");
        until("everything to be delivered", TIMEOUT, || Ok(dir.processes().is_empty().then_some(())))?;

        let places: Vec<PathBuf> = vec![dir.folder().to_owned(), surroundings.folder().to_owned()];
        let clean =
            |text: &str| places.iter().fold(text.to_owned(), |text, place| redact_times(&text, place));
        Ok(Transcript {
            stderr: clean(&without_additions(&listener.stderr()?)).replace(&smtp_word(&smtp), "SMTP"),
            mails: arrived()?.iter().map(|mail| clean(&comparable_part(mail))).collect(),
            actions: supervisor.actions(),
        })
    }
}

/// What to replace; a text that never occurs where there is no server.
fn smtp_word(smtp: &str) -> String {
    if smtp.is_empty() { "\0".to_owned() } else { smtp.to_owned() }
}
