//! One command line, the same events and answers, the original and ours: what both did.

use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::event::Event;
use crate::fake_supervisor::FakeSupervisor;
use crate::flavour::Flavour;
use crate::listener::Listener;
use crate::mail_server::{MailServer, Setup};
use crate::mailer::Mailer;
use crate::patience::{PATIENCE, until};
use crate::scene::Scene;
use crate::transcript::{Transcript, gist, redact, without_additions};

/// A case for both. In an argument `{mailer}` stands for the recording mailer's command, `{smtp}` for host and
/// port of the mail server, `{dir}` for the folder of the flavour's scene.
pub struct Duel<'a> {
    /// The command's name.
    pub command: &'a str,
    /// Its arguments.
    pub args: Vec<String>,
    /// What happens, in order.
    pub events: Vec<Event>,
    /// Sets up the processes that supervisord tells of, and its answers.
    pub supervisor: Box<dyn Fn(&FakeSupervisor) + 'a>,
    /// Whether mail goes by SMTP: then a server is started.
    pub smtp: bool,
}

impl<'a> Duel<'a> {
    /// A command with arguments, divided at blanks; `␣` in an argument stands for a blank.
    pub fn new(command: &'a str, args: &str, events: &[Event]) -> Self {
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
        self.run(Flavour::Original, None)
    }

    /// Runs ours, until it has sent so many mails, and no more.
    pub fn ours(&self, mails: usize) -> anyhow::Result<Transcript> {
        self.run(Flavour::Ours, Some(mails))
    }

    /// Runs both, and fails where they differ.
    pub fn agree(&self) -> anyhow::Result<Transcript> {
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

    fn run(&self, flavour: Flavour, mails: Option<usize>) -> anyhow::Result<Transcript> {
        self.play(flavour, mails).with_context(|| format!("{flavour}: {} {:?}", self.command, self.args))
    }

    fn play(&self, flavour: Flavour, mails: Option<usize>) -> anyhow::Result<Transcript> {
        // What surrounds the listener has a scene of its own, so that the listener's is empty when all is done.
        let surroundings = Scene::new()?;
        let scene = Scene::new()?;
        let supervisor = FakeSupervisor::start(&surroundings)?;
        (self.supervisor)(&supervisor);
        let mailer = Mailer::new(&surroundings)?;
        let server =
            if self.smtp { Some(MailServer::start(&surroundings, &Setup::default())?) } else { None };
        let smtp = server.as_ref().map_or_else(String::new, |server| format!("127.0.0.1:{}", server.port()));
        let folder = scene.folder().display().to_string();
        let fill = |arg: &String| {
            arg.replace("{mailer}", mailer.command()).replace("{smtp}", &smtp).replace("{dir}", &folder)
        };
        let mut command = scene.command(flavour.path(self.command)?, flavour)?;
        command
            .args(self.args.iter().map(fill))
            .env("SUPERVISOR_SERVER_URL", supervisor.url())
            .env("SUPERVISOR_ENABLED", "1")
            .env("SUPERVISOR_PROCESS_NAME", self.command)
            .env("SUPERVISOR_GROUP_NAME", self.command);
        let mut listener = Listener::start(command, scene.path("stderr"))?;
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
            until(&what, PATIENCE, || Ok((arrived()?.len() >= count).then_some(())))?;
        }
        listener.ready()?;
        let code = listener.close()?;
        ensure!(flavour == Flavour::Original || code == Some(0), "ended with {code:?} at the end of input");
        ensure!(listener.rest_of_stdout().is_empty(), "wrote more than the protocol to stdout");
        until("everything to be delivered", PATIENCE, || Ok(scene.processes().is_empty().then_some(())))?;

        let places: Vec<PathBuf> = vec![scene.folder().to_owned(), surroundings.folder().to_owned()];
        let clean = |text: &str| places.iter().fold(text.to_owned(), |text, place| redact(&text, place));
        Ok(Transcript {
            stderr: clean(&without_additions(&listener.stderr()?)).replace(&smtp_word(&smtp), "SMTP"),
            mails: arrived()?.iter().map(|mail| clean(&gist(mail))).collect(),
            actions: supervisor.actions(),
        })
    }
}

/// What to replace; a text that never occurs where there is no server.
fn smtp_word(smtp: &str) -> String {
    if smtp.is_empty() { "\0".to_owned() } else { smtp.to_owned() }
}
