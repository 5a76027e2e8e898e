//! From options, defaults and the answers of a person to all that a configuration is made of.

use std::fs::File;
use std::io::{self, StdinLock, StdoutLock, Write};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ironlance_net::percent;

use super::answers::{self, Mail, Program, Server, Way};
use super::args::Args;
use super::ask::{self, Ask, Question};
use super::place::{self, Over, Place};
use super::setting::Setting;

/// All that a configuration is made of.
pub(super) struct Wanted {
    pub(super) mail: Mail,
    /// A password that is to be written into the mail's password file.
    pub(super) password: Option<String>,
    pub(super) programs: Vec<Program>,
    pub(super) place: Place,
}

/// Everything by options and defaults.
pub(super) fn unasked(args: &Args, setting: &Setting, over: Over) -> Result<Wanted> {
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
        None => setting.default_address(),
    };
    let way = match given_way(args, setting)? {
        Some(way) => way,
        None => answers::way(setting.default_way(), setting.mailer.as_deref())?,
    };
    let place = place(&args.output.clone().unwrap_or_else(|| setting.default_file()), setting, over)?;
    finish(args, setting, Given { mail_to, way, programs: given_programs(args)?, place }, |user| {
        bail!("cannot log in to the mail server as {user} without a password: give --password-file FILE")
    })
}

fn given_way(args: &Args, setting: &Setting) -> Result<Option<Way>> {
    if let Some(file) = &args.mail_file {
        let path = if file.as_os_str().is_empty() { file.clone() } else { setting.machine.cwd.join(file) };
        return Ok(Some(answers::file(path.to_str().context("cannot use a path that is not UTF-8")?)?));
    }
    Ok(match (&args.smtp, &args.sendmail) {
        (Some(server), _) => Some(Way::Server(answers::server(server)?)),
        (None, Some(name)) if name == "sendmail" => Some(answers::way(name, setting.mailer.as_deref())?),
        (None, Some(command)) => Some(answers::sendmail(command)?),
        (None, None) => None,
    })
}

fn given_programs(args: &Args) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for given in &args.program {
        programs.extend(answers::program(given)?);
    }
    answers::no_doubles(&programs)?;
    Ok(programs)
}

fn place(file: &Path, setting: &Setting, over: Over) -> Result<Place, place::PlaceError> {
    let place = Place::of(file, &setting.machine.cwd, &setting.root, setting.machine.uid)?;
    place.free(over)?;
    Ok(place)
}

/// The same by asking for what no option answers.
pub(super) fn asked(args: &Args, setting: &Setting, over: Over) -> Result<Wanted> {
    let terminal = File::from(io::stdin().as_fd().try_clone_to_owned().context("cannot use the terminal")?);
    ask::leave_as_found(&terminal).context("cannot use the terminal")?;
    let mut ask: Ask<StdinLock<'_>, StdoutLock<'_>> = Ask::new(io::stdin().lock(), io::stdout().lock());
    writeln!(
        ask.output,
        "A supervisord.conf whose listeners mail when something fails. Enter takes what is in [].\n"
    )?;
    let mail_to = match &args.mail_to {
        Some(given) => answers::mail_to(given)?,
        None => ask.ask(
            &Question {
                title: "Where do alerts go?",
                hint: "A mail address, or several with commas.",
                default: &setting.default_address(),
            },
            answers::mail_to,
        )?,
    };
    let way = match given_way(args, setting)? {
        Some(way) => way,
        None => ask.ask(
            &Question {
                title: "How is mail sent?",
                hint: "sendmail, a mail server (HOST[:PORT], or with a login smtps://USER@HOST[:PORT]), or file: into a \
                       file of this machine.",
                default: setting.default_way(),
            },
            |text| answers::way(text, setting.mailer.as_deref()),
        )?,
    };
    let mut password = None;
    if let Way::Server(Server { user: Some(user), password: None, .. }) = &way
        && args.password_file.is_none()
    {
        password = Some(ask.secret(&format!("Password of {user}"), &terminal)?);
    }
    let programs = match args.program.is_empty() {
        false => given_programs(args)?,
        true => ask
            .ask(
                &Question {
                    title: "Which program is to be kept running?",
                    hint: "Its command line, or NAME=COMMAND; more can be added to the file later. Or none.",
                    // Beside what a package runs already, nobody needs something to try.
                    default: if setting.packaged().is_some() { answers::NONE } else { answers::EXAMPLE },
                },
                answers::program,
            )?
            .into_iter()
            .collect(),
    };
    let place = match &args.output {
        Some(file) => place(file, setting, over)?,
        None => {
            let default = Some(setting.default_file()).filter(|file| place(file, setting, over).is_ok());
            let hint = match (setting.packaged(), &default) {
                (Some(main), Some(_)) => {
                    &format!("{} includes it there; elsewhere it is a whole configuration.", main.display())
                }
                _ => "A file that is not there yet.",
            };
            ask.ask(
                &Question {
                    title: "Where is the configuration to be written?",
                    hint,
                    default: &default.unwrap_or_else(|| "./supervisord.conf".into()).display().to_string(),
                },
                |text| place(Path::new(text), setting, over),
            )?
        }
    };
    drop(ask);
    finish(args, setting, Given { mail_to, way, programs, place }, |user| match password {
        Some(password) if !password.is_empty() => Ok(password),
        Some(_) | None => bail!("cannot log in to the mail server as {user} with an empty password"),
    })
}

struct Given {
    mail_to: String,
    way: Way,
    programs: Vec<Program>,
    place: Place,
}

/// Settles the sender and where the password is; `ask_password` gives one where none was given so far.
fn finish(
    args: &Args,
    setting: &Setting,
    given: Given,
    ask_password: impl FnOnce(&str) -> Result<String>,
) -> Result<Wanted> {
    let Given { mail_to, way, programs, place } = given;
    let way = match way {
        Way::File(path) if path.as_os_str().is_empty() => Way::File(place.mail_file()),
        way => way,
    };
    let user = match &way {
        Way::Server(server) => server.user.clone(),
        Way::Sendmail(_) | Way::File(_) => None,
    };
    // A login that is an address is one that the server lets through as a sender.
    let decoded = user.as_deref().and_then(percent::decoded).filter(|user| user.contains('@'));
    let from = match &args.mail_from {
        Some(from) => answers::mail_from(from)?,
        None => decoded
            .filter(|user| answers::mail_from(user).is_ok())
            .unwrap_or_else(|| format!("ironlance@{}", setting.machine.host_node_name)),
    };
    let literal = match &way {
        Way::Server(server) => server.password.clone(),
        Way::Sendmail(_) | Way::File(_) => None,
    };
    let (password_file, password) = match (&args.password_file, user, literal) {
        (Some(_), None, _) => {
            bail!("cannot use --password-file without a user: give --smtp smtps://USER@HOST")
        }
        (Some(file), Some(_), _) => {
            let file = setting.machine.cwd.join(file);
            place::can_read(&file)
                .with_context(|| format!("cannot read the password file {}", file.display()))?;
            (Some(file), None)
        }
        (None, None, _) => (None, None),
        (None, Some(_), Some(literal)) => (Some(place.password_file()), Some(literal)),
        (None, Some(user), None) => (Some(place.password_file()), Some(ask_password(&user)?)),
    };
    Ok(Wanted { mail: Mail { to: mail_to, from, way, password_file }, password, programs, place })
}

/// Asks for the password once more after the server has refused it; an empty one, or no answer, gives up.
pub(super) fn password_again(user: &str) -> Result<Option<String>> {
    let terminal = File::from(io::stdin().as_fd().try_clone_to_owned().context("cannot use the terminal")?);
    let mut ask: Ask<StdinLock<'_>, StdoutLock<'_>> = Ask::new(io::stdin().lock(), io::stdout().lock());
    writeln!(ask.output, "The server refused the login of {user}. Enter alone gives up.")?;
    match ask.secret(&format!("Password of {user}"), &terminal) {
        Ok(password) => Ok(Some(password).filter(|password| !password.is_empty())),
        Err(ask::NoAnswer::Ended) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
