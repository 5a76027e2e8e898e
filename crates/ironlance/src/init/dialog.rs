//! Builds an [`InitPlan`] from options and defaults, and from the user's answers for what no option gives.

use std::fs::File;
use std::io::{self, StdinLock, StdoutLock, Write};
use std::os::fd::AsFd;
use std::path::Path;

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

/// The plan from options and defaults alone.
pub(super) fn by_options(args: &Args, env: &InitEnv, overwrite: Overwrite) -> Result<InitPlan> {
    if !args.yes {
        let missing: Vec<&str> = [
            args.mail_to.is_none().then_some("--mail-to ADDRESS"),
            (args.smtp.is_none() && args.sendmail.is_none() && args.mail_file.is_none())
                .then_some("--smtp SERVER, --sendmail or --mail-file"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !missing.is_empty() {
            bail!(
                "cannot ask, as the input is no terminal: give {}; or --yes for the defaults (see --help)",
                missing.join(", and ")
            );
        }
    }
    let mail_to = match &args.mail_to {
        Some(given) => answers::mail_to(given)?,
        None => env.default_address(),
    };
    let transport = match transport_from_args(args, env)? {
        Some(transport) => transport,
        None => answers::transport(env.default_transport(), env.mailer.as_deref())?,
    };
    let paths = paths_for(&args.output.clone().unwrap_or_else(|| env.default_file()), env, overwrite)?;
    finish(args, env, Answers { mail_to, transport, programs: programs_from_args(args)?, paths }, |user| {
        bail!("cannot log in to the mail server as {user} without a password: give --password-file FILE")
    })
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
    paths.check_free(overwrite)?;
    Ok(paths)
}

/// The plan from options, with a question for each missing one.
pub(super) fn by_dialog(args: &Args, env: &InitEnv, overwrite: Overwrite) -> Result<InitPlan> {
    let terminal = File::from(io::stdin().as_fd().try_clone_to_owned().context("cannot use the terminal")?);
    prompt::restore_terminal_on_signal(&terminal).context("cannot use the terminal")?;
    let mut ask: Prompter<StdinLock<'_>, StdoutLock<'_>> =
        Prompter::new(io::stdin().lock(), io::stdout().lock());
    writeln!(
        ask.output,
        "A supervisord.conf whose listeners mail when something fails. Enter takes what is in [].\n"
    )?;
    let mail_to = match &args.mail_to {
        Some(given) => answers::mail_to(given)?,
        None => ask.ask(
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
        None => ask.ask(
            &PromptText {
                title: "How is mail sent?",
                hint: "sendmail, a mail server (HOST[:PORT], or with a login smtps://USER@HOST[:PORT]), or file: into a \
                       file of this machine.",
                default: env.default_transport(),
            },
            |text| answers::transport(text, env.mailer.as_deref()),
        )?,
    };
    let mut password = None;
    if let MailTransport::Server(ServerAnswer { user: Some(user), password: None, .. }) = &transport
        && args.password_file.is_none()
    {
        password = Some(ask.secret(&format!("Password of {user}"), &terminal)?);
    }
    let programs = match args.program.is_empty() {
        false => programs_from_args(args)?,
        true => ask
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
    };
    let paths = match &args.output {
        Some(file) => paths_for(file, env, overwrite)?,
        None => {
            let default = Some(env.default_file()).filter(|file| paths_for(file, env, overwrite).is_ok());
            let hint = match (env.packaged(), &default) {
                (Some(main), Some(_)) => {
                    &format!("{} includes it there; elsewhere it is a whole configuration.", main.display())
                }
                _ => "A file that is not there yet.",
            };
            ask.ask(
                &PromptText {
                    title: "Where is the configuration to be written?",
                    hint,
                    default: &default.unwrap_or_else(|| "./supervisord.conf".into()).display().to_string(),
                },
                |text| paths_for(Path::new(text), env, overwrite),
            )?
        }
    };
    drop(ask);
    finish(args, env, Answers { mail_to, transport, programs, paths }, |user| match password {
        Some(password) if !password.is_empty() => Ok(password),
        Some(_) | None => bail!("cannot log in to the mail server as {user} with an empty password"),
    })
}

struct Answers {
    mail_to: String,
    transport: MailTransport,
    programs: Vec<ProgramAnswer>,
    paths: ConfigPaths,
}

/// Resolves the sender and the password file; `ask_password` asks for a password if none was given.
fn finish(
    args: &Args,
    env: &InitEnv,
    given: Answers,
    ask_password: impl FnOnce(&str) -> Result<String>,
) -> Result<InitPlan> {
    let Answers { mail_to, transport, programs, paths } = given;
    let transport = match transport {
        MailTransport::File(path) if path.as_os_str().is_empty() => MailTransport::File(paths.mail_file()),
        transport => transport,
    };
    let user = match &transport {
        MailTransport::Server(server) => server.user.clone(),
        MailTransport::Sendmail(_) | MailTransport::File(_) => None,
    };
    // A login that is an address is accepted by the server as a sender.
    let decoded = user.as_deref().and_then(url_encoding::decode).filter(|user| user.contains('@'));
    let from = match &args.mail_from {
        Some(from) => answers::mail_from(from)?,
        None => decoded
            .filter(|user| answers::mail_from(user).is_ok())
            .unwrap_or_else(|| format!("ironlance@{}", env.host_env.host_node_name)),
    };
    let literal = match &transport {
        MailTransport::Server(server) => server.password.clone(),
        MailTransport::Sendmail(_) | MailTransport::File(_) => None,
    };
    let (password_file, password) = match (&args.password_file, user, literal) {
        (Some(_), None, _) => {
            bail!("cannot use --password-file without a user: give --smtp smtps://USER@HOST")
        }
        (Some(file), Some(_), _) => {
            let file = env.host_env.cwd.join(file);
            paths::can_read(&file)
                .with_context(|| format!("cannot read the password file {}", file.display()))?;
            (Some(file), None)
        }
        (None, None, _) => (None, None),
        (None, Some(_), Some(literal)) => (Some(paths.password_file()), Some(literal)),
        (None, Some(user), None) => (Some(paths.password_file()), Some(ask_password(&user)?)),
    };
    Ok(InitPlan {
        mail: MailSettings { to: mail_to, from, transport, password_file },
        password,
        programs,
        paths,
    })
}

/// Asks for the password again after the server refused it; `None` for an empty one or no answer.
pub(super) fn ask_password_again(user: &str) -> Result<Option<String>> {
    let terminal = File::from(io::stdin().as_fd().try_clone_to_owned().context("cannot use the terminal")?);
    let mut ask: Prompter<StdinLock<'_>, StdoutLock<'_>> =
        Prompter::new(io::stdin().lock(), io::stdout().lock());
    writeln!(ask.output, "The server refused the login of {user}. Enter alone gives up.")?;
    match ask.secret(&format!("Password of {user}"), &terminal) {
        Ok(password) => Ok(Some(password).filter(|password| !password.is_empty())),
        Err(prompt::NoAnswer::EndOfInput) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
