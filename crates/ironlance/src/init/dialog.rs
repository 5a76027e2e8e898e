//! Builds an [`InitPlan`] from options and defaults, and from the user's answers for what no option gives.

use std::fs::{self, File};
use std::io::{self, StdinLock, StdoutLock, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ironlance_core::text::url_encoding;

use super::answers::{self, MailSettings, MailTransport, ProgramAnswer, ServerAnswer};
use super::args::Args;
use super::environment::InitEnv;
use super::paths::{self, ConfigPaths, Overwrite};
use super::prompt::{self, PromptText, Prompter};

/// Everything that a configuration is built from.
pub(super) struct InitPlan {
    pub(super) mail: MailSettings,
    /// A password that is to be written to the password file.
    pub(super) password: Option<String>,
    pub(super) programs: Vec<ProgramAnswer>,
    pub(super) paths: ConfigPaths,
}

/// The terminal, for questions.
struct Terminal {
    prompter: Prompter<StdinLock<'static>, StdoutLock<'static>>,
    /// Its descriptor, to turn the echo off.
    input: File,
}

impl Terminal {
    fn open() -> Result<Self> {
        let input = File::from(io::stdin().as_fd().try_clone_to_owned().context("cannot use the terminal")?);
        Ok(Self { prompter: Prompter::new(io::stdin().lock(), io::stdout().lock()), input })
    }

    fn password(&mut self, user: &str) -> Result<String, prompt::NoAnswer> {
        self.prompter.secret(&format!("Password of {user}"), &self.input)
    }
}

/// The plan from options, with a question for each missing one, or with the defaults if `is_silent`.
pub(super) fn plan(args: &Args, env: &InitEnv, overwrite: Overwrite, is_silent: bool) -> Result<InitPlan> {
    let mut terminal = match is_silent {
        true => require_options(args).map(|()| None)?,
        false => Some(begin()?),
    };
    let mail_to = match &args.mail_to {
        Some(given) => answers::mail_to(given)?,
        None => answer(
            &mut terminal,
            &PromptText {
                title: "Where do alerts go?",
                hint: "A mail address, or several with commas.",
                default: &env.default_address(),
            },
            answers::mail_to,
        )?,
    };
    let transport = match transport_from_args(args, env)? {
        Some(transport) => transport,
        None => answer(
            &mut terminal,
            &PromptText {
                title: "How is mail sent?",
                hint: "sendmail, a mail server (HOST[:PORT], or with a login smtps://USER@HOST[:PORT]), or file: into a \
                       file of this machine.",
                default: env.default_transport(),
            },
            |text| answers::transport(text, env.mailer.as_deref()),
        )?,
    };
    let login = Login::of(args, env, &transport, terminal.as_mut())?;
    let programs = match &mut terminal {
        Some(terminal) if args.program.is_empty() => terminal
            .prompter
            .ask(
                &PromptText {
                    title: "Which program is to be kept running?",
                    hint: "Its command line, or NAME=COMMAND; more can be added to the file later. Or none.",
                    // With a package's configuration there are programs to try a crash on already.
                    default: if env.packaged().is_some() { answers::NONE } else { answers::EXAMPLE },
                },
                answers::program,
            )?
            .into_iter()
            .collect(),
        _ => programs_from_args(args)?,
    };
    let paths = match (&args.output, &mut terminal) {
        (Some(file), _) => paths_for(file, env, overwrite)?,
        (None, None) => paths_for(&env.default_file(), env, overwrite)?,
        (None, Some(terminal)) => {
            let default = Some(env.default_file()).filter(|file| paths_for(file, env, overwrite).is_ok());
            let hint = match (env.packaged(), &default) {
                (Some(main), Some(_)) => {
                    &format!("{} includes it there; elsewhere it is a whole configuration.", main.display())
                }
                _ => "A file that is not there yet.",
            };
            terminal.prompter.ask(
                &PromptText {
                    title: "Where is the configuration to be written?",
                    hint,
                    default: &default.unwrap_or_else(|| "./supervisord.conf".into()).display().to_string(),
                },
                |text| paths_for(Path::new(text), env, overwrite),
            )?
        }
    };
    let transport = match transport {
        MailTransport::File(path) if path.as_os_str().is_empty() => MailTransport::File(paths.mail_file()),
        transport => transport,
    };
    let password_file =
        login.password_file.or_else(|| login.password.is_some().then(|| paths.password_file()));
    let mail = MailSettings { to: mail_to, from: sender(args, env, &transport)?, transport, password_file };
    Ok(InitPlan { mail, password: login.password, programs, paths })
}

/// Fails where nothing can be asked and an option is missing.
fn require_options(args: &Args) -> Result<()> {
    let has_transport = args.smtp.is_some() || args.sendmail.is_some() || args.mail_file.is_some();
    let missing = match (args.mail_to.is_some(), has_transport) {
        _ if args.yes => return Ok(()),
        (true, true) => return Ok(()),
        (false, true) => "--mail-to ADDRESS",
        (true, false) => "--smtp SERVER, --sendmail or --mail-file",
        (false, false) => "--mail-to ADDRESS, and --smtp SERVER, --sendmail or --mail-file",
    };
    bail!("cannot ask, as the input is no terminal: give {missing}; or --yes for the defaults (see --help)")
}

fn begin() -> Result<Terminal> {
    let mut terminal = Terminal::open()?;
    prompt::restore_terminal_on_signal(&terminal.input).context("cannot use the terminal")?;
    writeln!(
        terminal.prompter.output,
        "A supervisord.conf whose listeners mail when something fails. Enter takes what is in [].\n"
    )?;
    Ok(terminal)
}

/// The answer to a question; its default where nothing is asked.
fn answer<T>(
    terminal: &mut Option<Terminal>,
    question: &PromptText<'_>,
    mut read: impl FnMut(&str) -> Result<T>,
) -> Result<T> {
    match terminal {
        Some(terminal) => Ok(terminal.prompter.ask(question, read)?),
        None => read(question.default),
    }
}

fn transport_from_args(args: &Args, env: &InitEnv) -> Result<Option<MailTransport>> {
    if let Some(file) = &args.mail_file {
        let path = if file.as_os_str().is_empty() { file.clone() } else { env.host_env.cwd.join(file) };
        return Ok(Some(answers::file(path.to_str().context("cannot use a path that is not UTF-8")?)?));
    }
    Ok(match (&args.smtp, &args.sendmail) {
        (Some(server), _) => Some(MailTransport::Server(answers::server(server)?)),
        (None, Some(name)) if name == "sendmail" => Some(answers::transport(name, env.mailer.as_deref())?),
        (None, Some(command)) => Some(answers::sendmail(command)?),
        (None, None) => None,
    })
}

fn programs_from_args(args: &Args) -> Result<Vec<ProgramAnswer>> {
    let mut programs = Vec::new();
    for given in &args.program {
        programs.extend(answers::program(given)?);
    }
    answers::reject_duplicates(&programs)?;
    Ok(programs)
}

fn paths_for(file: &Path, env: &InitEnv, overwrite: Overwrite) -> Result<ConfigPaths, paths::PathError> {
    let paths = ConfigPaths::of(file, &env.host_env.cwd, &env.root, env.host_env.uid)?;
    paths::check_free(&paths.file, overwrite)?;
    Ok(paths)
}

/// How the user of a mail server logs in.
#[derive(Default)]
struct Login {
    /// The file that `--password-file` names.
    password_file: Option<PathBuf>,
    /// A password that was given in the URL or in the dialog.
    password: Option<String>,
}

impl Login {
    fn of(
        args: &Args,
        env: &InitEnv,
        transport: &MailTransport,
        terminal: Option<&mut Terminal>,
    ) -> Result<Self> {
        let (user, given) = match (transport, &args.password_file) {
            (MailTransport::Server(ServerAnswer { user: Some(_), .. }), Some(file)) => {
                let file = env.host_env.cwd.join(file);
                fs::read_to_string(&file)
                    .with_context(|| format!("cannot read the password file {}", file.display()))?;
                return Ok(Self { password_file: Some(file), password: None });
            }
            (MailTransport::Server(ServerAnswer { user: Some(user), password, .. }), None) => {
                (user, password)
            }
            (_, Some(_)) => bail!("cannot use --password-file without a user: give --smtp smtps://USER@HOST"),
            (_, None) => return Ok(Self::default()),
        };
        let password = match (given, terminal) {
            (Some(given), _) => given.clone(),
            (None, Some(terminal)) => terminal.password(user)?,
            (None, None) => bail!(
                "cannot log in to the mail server as {user} without a password: give --password-file FILE"
            ),
        };
        if password.is_empty() {
            bail!("cannot log in to the mail server as {user} with an empty password");
        }
        Ok(Self { password_file: None, password: Some(password) })
    }
}

/// The sender: a login that is an address is accepted by the server as one.
fn sender(args: &Args, env: &InitEnv, transport: &MailTransport) -> Result<String> {
    if let Some(from) = &args.mail_from {
        return answers::mail_from(from);
    }
    let user = match transport {
        MailTransport::Server(server) => server.user.as_deref().and_then(url_encoding::decode),
        MailTransport::Sendmail(_) | MailTransport::File(_) => None,
    };
    let address = user.filter(|user| user.contains('@') && answers::mail_from(user).is_ok());
    Ok(address.unwrap_or_else(|| format!("ironlance@{}", env.host_env.host_node_name)))
}

/// Asks for the password again after the server refused it; `None` for an empty one or no answer.
pub(super) fn ask_password_again(user: &str) -> Result<Option<String>> {
    let mut terminal = Terminal::open()?;
    writeln!(terminal.prompter.output, "The server refused the login of {user}. Enter alone gives up.")?;
    match terminal.password(user) {
        Ok(password) => Ok(Some(password).filter(|password| !password.is_empty())),
        Err(prompt::NoAnswer::EndOfInput) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
