//! A command that takes a card as JSON on its standard input (`command=`), or a short text, with the numbers as arguments
//! (`sms=command:…`): [`CommandChannel`]. It is run without a shell; what it needs most often is in its environment.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ironlance_core::redact::{Secrets, program_only};
use ironlance_core::text::shlex;

use super::running_command::{CommandFault, RunningCommand};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::card::{Card, CardKind};
use crate::render::card::CardMessage;

/// How long the command may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The characters of a short text in the GSM alphabet.
const ONE_PART: usize = 160;
/// The status that asks for another attempt later, of sysexits.h.
const EX_TEMPFAIL: i32 = 75;

/// A command. Its command line may hold a password: people are shown its program alone.
#[derive(Debug)]
pub(super) struct CommandChannel {
    command: String,
    /// The numbers that get a short text; none for a card.
    numbers: Vec<String>,
    secrets: Arc<Secrets>,
    timeout: Duration,
}

impl CommandChannel {
    /// A command line, which is split into words.
    pub(super) fn new(command: &str) -> Self {
        Self::sms(command, &[])
    }

    /// A command line that gets a short text for these numbers.
    pub(super) fn sms(command: &str, numbers: &[String]) -> Self {
        let secrets = Arc::new(Secrets::of(command));
        Self { command: command.to_owned(), numbers: numbers.to_vec(), secrets, timeout: TIMEOUT }
    }

    /// What the command reads.
    fn input(&self, message: &CardMessage<'_>) -> Vec<u8> {
        let mut input = if self.numbers.is_empty() {
            serde_json::to_vec(message.card).expect("a card has only strings for keys")
        } else {
            message.short(Some(ONE_PART)).into_bytes()
        };
        input.push(b'\n');
        input
    }

    /// A reason: what went wrong, the program, and the last line of its output.
    fn fault(&self, what: &str, line: &str) -> String {
        let colon = if line.is_empty() { "" } else { ": " };
        format!("{what} ({}){colon}{line}", program_only(&self.command))
    }
}

/// `IRONLANCE_…` of a card: about the card, and about its first incident.
fn environment(message: &CardMessage<'_>) -> Vec<(&'static str, String)> {
    let card = message.card;
    let mut variables = vec![
        ("IRONLANCE_STATUS", status(card).to_owned()),
        ("IRONLANCE_SEVERITY", card.severity.to_string()),
        ("IRONLANCE_HOST", card.host.clone()),
        ("IRONLANCE_RECEIVER", card.receiver.clone()),
        ("IRONLANCE_TITLE", message.text().title),
    ];
    if let Some(item) = card.items.first() {
        variables.push(("IRONLANCE_PROGRAM", item.program.clone()));
        variables.push(("IRONLANCE_FAMILY", item.family.to_string()));
        variables.push(("IRONLANCE_INCIDENT", item.incident.to_string()));
    }
    // A NUL byte ends a string of the environment: the command could not be started.
    variables.iter_mut().for_each(|(_, value)| value.retain(|c| c != '\0'));
    variables
}

/// The word for what sort of message a card is.
const fn status(card: &Card) -> &'static str {
    match card.kind {
        CardKind::Firing => "firing",
        CardKind::Worse => "worse",
        CardKind::Recovered => "recovered",
        CardKind::Reminder => "reminder",
        CardKind::Digest => "digest",
        CardKind::Held => "held",
        CardKind::Acknowledged => "acknowledged",
        CardKind::Test => "test",
    }
}

impl DeliveryChannel for CommandChannel {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let message = outgoing.message()?;
        let words = shlex::split(&self.command).unwrap_or_default();
        let Some((program, arguments)) = words.split_first() else {
            return Err(DeliveryError::unreachable(self.fault("cannot split the command into words", "")));
        };
        let mut command = Command::new(program);
        command.args(arguments).args(&self.numbers).envs(environment(&message));
        let running =
            RunningCommand::start(&mut command, &self.input(&message), &self.secrets).map_err(|error| {
                DeliveryError::unreachable(self.fault(&format!("cannot start the command: {error}"), ""))
            })?;
        progress.step(&format!("started {}", program_only(&self.command)));
        let (status, line) = running.finish(self.timeout);
        let fault = match status.map(|status| (status.code(), status.signal())) {
            Ok((Some(0), _)) => {
                return Ok(Receipt { answer: "exit status 0".to_owned(), ..Receipt::default() });
            }
            Ok((Some(EX_TEMPFAIL), _)) => {
                return Err(DeliveryError::deferred(self.fault("the command asks to come later", &line)));
            }
            Ok((Some(code), _)) => format!("the command ended with status {code}"),
            Ok((None, signal)) => format!("the command was ended by signal {}", signal.unwrap_or_default()),
            Err(CommandFault::Wait(error)) => format!("cannot wait for the command: {error}"),
            Err(CommandFault::Late) => {
                format!("the command did not end within {} s", self.timeout.as_secs())
            }
        };
        Err(DeliveryError::unreachable(self.fault(&fault, &line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Alert;
    use crate::card::Language;
    use crate::render::card::samples;
    use std::fs;

    fn sample() -> Card {
        samples::all(Language::English).remove(0).1
    }

    fn send(script: &str, timeout: Duration) -> Result<Receipt, DeliveryError> {
        let command = format!("/bin/sh -c '{script}' sh");
        let alert = Alert::of_card(sample());
        CommandChannel { timeout, ..CommandChannel::new(&command) }.send(&(&alert).into(), &mut ())
    }

    #[test]
    fn the_command_gets_the_card_and_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let script = format!("cat >{}; env >{}", path("card").display(), path("env").display());
        assert_eq!(send(&script, TIMEOUT).unwrap().answer, "exit status 0");
        let card: Card = serde_json::from_slice(&fs::read(path("card")).unwrap()).unwrap();
        assert_eq!(card, sample());
        let environment = fs::read_to_string(path("env")).unwrap();
        for line in [
            "IRONLANCE_STATUS=firing",
            "IRONLANCE_SEVERITY=error",
            "IRONLANCE_PROGRAM=shop:web",
            "IRONLANCE_FAMILY=down",
            "IRONLANCE_INCIDENT=42",
            "IRONLANCE_HOST=web1",
            "IRONLANCE_RECEIVER=ops",
        ] {
            assert!(environment.lines().any(|other| other == line), "{line} in {environment}");
        }
        assert!(environment.contains("IRONLANCE_TITLE=shop:web crashed"), "{environment}");
    }

    #[test]
    fn a_command_for_sms_gets_a_short_text_and_the_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sms");
        let script = format!("/bin/sh -c '{{ echo \"$@\"; cat; }} >{}' sh", path.display());
        let alert = Alert::of_card(sample());
        let mut channel = CommandChannel::sms(&script, &["+491".into(), "+492".into()]);
        channel.send(&(&alert).into(), &mut ()).unwrap();
        let written = fs::read_to_string(path).unwrap();
        assert!(written.starts_with("+491 +492\n[web1] shop:web crashed: killed by SIGKILL"), "{written}");
        assert!(written.lines().nth(1).unwrap().len() <= ONE_PART, "{written}");
    }

    #[test]
    fn an_exit_status_has_an_outcome() {
        assert_eq!(
            send("echo no >&2; exit 75", TIMEOUT),
            Err(DeliveryError::deferred("the command asks to come later (/bin/sh …): no"))
        );
        let failed = |words: &str| Err(DeliveryError::unreachable(words));
        assert_eq!(send("exit 3", TIMEOUT), failed("the command ended with status 3 (/bin/sh …)"));
        assert_eq!(send("kill -9 $$", TIMEOUT), failed("the command was ended by signal 9 (/bin/sh …)"));
        let late = send("sleep 100", Duration::from_millis(100));
        assert_eq!(late, failed("the command did not end within 0 s (/bin/sh …)"));
        let alert = Alert::of_card(sample());
        let missing = CommandChannel::new("/nonexistent/x").send(&(&alert).into(), &mut ());
        assert!(matches!(missing, Err(DeliveryError::Unreachable { .. })));
    }
}
