//! `ironlance init`: four questions, and a supervisord.conf whose listeners have mailed already.

mod answers;
mod args;
mod ask;
mod interview;
mod place;
mod quote;
mod setting;
mod text;
mod trial;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use ironlance_config::Config;

use crate::import::machine::find_program;
use crate::import::secret::looks_secret;
use crate::usage;
use answers::Way;
use args::Args;
use interview::{Wanted, asked, password_again, unasked};
use place::{Over, Role, Written};
use quote::for_shell;
use setting::Setting;
use trial::Sent;

/// The exit status when nothing was written.
const NOTHING_WRITTEN: u8 = 2;
/// So often a password is asked for again.
const LOGINS: usize = 3;
/// The listener that sends the test alert.
const TESTED: &str = "crashmail";

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let args: Args = match usage::parse("ironlance init", args) {
        Ok(args) => args,
        Err(status) => return status,
    };
    match run(&args) {
        Ok(Sent::Yes) => ExitCode::SUCCESS,
        Ok(Sent::No | Sent::LoginRefused) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ironlance init: {error:#}");
            ExitCode::from(NOTHING_WRITTEN)
        }
    }
}

fn run(args: &Args) -> Result<Sent> {
    let setting = Setting::look().context("cannot tell where this program is")?;
    let over = if args.force { Over::Force } else { Over::Never };
    let is_silent = args.yes || !io::stdin().is_terminal();
    let wanted = if is_silent { unasked(args, &setting, over)? } else { asked(args, &setting, over)? };
    let config = write(&wanted, &setting, over)?;
    let mut out = io::stdout().lock();
    writeln!(out, "Wrote {}: no faults.", wanted.place.file.display())?;
    if wanted.password.is_some() {
        let file = wanted.mail.password_file.as_deref().unwrap_or(Path::new(""));
        writeln!(out, "The password is in {}, for its owner only.", file.display())?;
    }
    warn(&mut out, &config)?;
    if let (Role::Whole { .. }, Some(main)) = (&wanted.place.role, setting.packaged()) {
        let main = main.display();
        writeln!(
            out,
            "Mind: {main} is there as well, for a supervisord of its own; two may not share a socket."
        )?;
    }
    let mut sent = if args.no_test { Sent::Yes } else { try_out(&mut out, &setting, &config)? };
    for _ in 0..LOGINS {
        if is_silent || sent != Sent::LoginRefused || !log_in_anew(&wanted)? {
            break;
        }
        sent = try_out(&mut out, &setting, &config)?;
    }
    if !args.no_test {
        conclude(&mut out, &sent, &wanted)?;
    }
    next(&mut out, &setting, &wanted)?;
    Ok(sent)
}

/// Writes the files, the configuration only when supervisord would take it; gives it as supervisord sees it.
fn write(wanted: &Wanted, setting: &Setting, over: Over) -> Result<Config> {
    let Wanted { mail, password, programs, place } = wanted;
    let text = text::configuration(place, &setting.call(), mail, programs);
    let is_secret = programs.iter().any(|program| looks_secret(&program.command))
        || matches!(&mail.way, Way::Sendmail(command) if looks_secret(command));
    if let Role::Part { of } = &place.role {
        let doubles = match trial::doubles(of, &text, &place.file, &setting.machine) {
            Ok(doubles) => doubles,
            Err(faults) => bail!("cannot add to {}:\n{faults}", of.display()),
        };
        if !doubles.is_empty() {
            bail!("cannot add what is there already: {}; change it there", doubles.join(", "));
        }
    }
    let made = place.make_folders()?;
    let written = Written::new(&place.file, &text, if is_secret { 0o600 } else { 0o644 }, over)?;
    let shown = |faults: &dyn std::fmt::Display| {
        faults.to_string().replace(&written.path().display().to_string(), &place.file.display().to_string())
    };
    let main = match &place.role {
        Role::Whole { .. } => written.path(),
        Role::Part { of } => of,
    };
    let config = match trial::check(main, &setting.machine) {
        Ok(config) if config.groups.iter().all(|group| group.name.0 != TESTED) => bail!(
            "cannot add {}: {} does not include it; name a place for a whole configuration by --output",
            place.file.display(),
            main.display()
        ),
        Ok(config) => config,
        Err(faults) => bail!("cannot make a configuration of these answers:\n{}", shown(&faults)),
    };
    let secret = match (password, &mail.password_file) {
        (Some(password), Some(file)) => Some(Written::new(file, &format!("{password}\n"), 0o600, over)?),
        (Some(_) | None, _) => None,
    };
    written.settle()?;
    made.keep();
    if let Some(secret) = secret {
        secret.settle()?;
    }
    Ok(config)
}

/// Says which programs supervisord will not find.
fn warn(out: &mut impl Write, config: &Config) -> io::Result<()> {
    for program in config.groups.iter().flat_map(|group| &group.programs) {
        let words = ironlance_core::text::shlex::split(&program.command).unwrap_or_default();
        if let Some(first) = words.first().filter(|first| find_program(first).is_none()) {
            writeln!(
                out,
                "Mind: cannot find the program {first} of [program:{}]; a command of the shell needs sh -c '…'.",
                program.name.0
            )?;
        }
    }
    Ok(())
}

fn try_out(out: &mut impl Write, setting: &Setting, config: &Config) -> Result<Sent> {
    writeln!(out)?;
    trial::test_alert(config, TESTED, &setting.binary).context("cannot start crashmail")
}

/// Puts another password in the place of the one that was refused; `false` where there is none.
fn log_in_anew(wanted: &Wanted) -> Result<bool> {
    let (Way::Server(server), Some(file), true) =
        (&wanted.mail.way, &wanted.mail.password_file, wanted.password.is_some())
    else {
        return Ok(false);
    };
    let Some(password) = password_again(server.user.as_deref().unwrap_or_default())? else {
        return Ok(false);
    };
    Written::new(file, &format!("{password}\n"), 0o600, Over::Force)?.settle()?;
    Ok(true)
}

fn conclude(out: &mut impl Write, sent: &Sent, wanted: &Wanted) -> io::Result<()> {
    match (sent, &wanted.mail.way) {
        (Sent::Yes, Way::File(file)) => writeln!(
            out,
            "Alerts go into {} until its listeners are told of a mailer: look, the test alert is there.",
            file.display()
        ),
        (Sent::Yes, Way::Sendmail(_) | Way::Server(_)) => {
            writeln!(out, "Look into the mailbox: the subject is \"test alert of crashmail on …\".")
        }
        (Sent::No | Sent::LoginRefused, _) => writeln!(
            out,
            "\nThe configuration is written all the same. Mend the mail options of its listeners, and try them\n\
             by putting --test-alert behind the command."
        ),
    }
}

/// Three commands to go on with.
fn next(out: &mut impl Write, setting: &Setting, wanted: &Wanted) -> io::Result<()> {
    let file = for_shell(&wanted.place.main().display().to_string());
    let control = setting.line("supervisorctl");
    let third = match wanted.programs.first() {
        Some(program) => format!(
            "kill -9 $({control} -c {file} pid {name})    # a crash on purpose: the alert follows",
            name = program.name
        ),
        None => format!("{} list    # alerts that wait for the mail server", setting.line("outbox")),
    };
    let first = match wanted.place.role {
        Role::Whole { .. } => format!("{} -c {file}    # start", setting.line("supervisord")),
        Role::Part { .. } => format!("{control} -c {file} update    # takes it over; what runs goes on"),
    };
    writeln!(out, "\nNext:\n  {first}\n  {control} -c {file} status    # what runs\n  {third}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    use answers::{Mail, program, server};
    use ironlance_config::HostEnv;
    use place::Place;
    use tempfile::TempDir;

    /// A machine of root's with the configuration of our package.
    fn packaged(include: &str) -> (TempDir, Setting) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/supervisor");
        fs::create_dir_all(folder.join("conf.d")).unwrap();
        // The package makes this folder as well; on this machine it must not depend on an installed one.
        let logs = root.path().join("var/log/supervisor");
        fs::create_dir_all(&logs).unwrap();
        let text = include_str!("../../../../packaging/supervisord.conf")
            .replace("/etc/supervisor/conf.d/*.conf", include)
            .replace("/var/log/supervisor", logs.to_str().unwrap());
        fs::write(folder.join("supervisord.conf"), text).unwrap();
        let machine = HostEnv {
            environment: Vec::new(),
            cwd: root.path().to_owned(),
            host_node_name: "box".to_owned(),
            temp_dir: root.path().to_owned(),
            uid: 0,
        };
        let setting = Setting {
            machine,
            root: root.path().to_owned(),
            binary: PathBuf::from("/opt/ironlance"),
            mailer: None,
            has_server: true,
        };
        (root, setting)
    }

    fn wanted(setting: &Setting) -> Wanted {
        let way = Way::Server(server("mail").unwrap());
        let mail = Mail { to: "ops@x".into(), from: "me@x".into(), way, password_file: None };
        let place = Place::of(&setting.default_file(), Path::new("/"), &setting.root, 0).unwrap();
        let programs = program("web=/bin/sleep 9").unwrap().into_iter().collect();
        Wanted { mail, password: None, programs, place }
    }

    #[test]
    fn beside_a_package_only_programs_and_listeners_are_written_and_the_whole_is_checked() {
        let (_root, setting) = packaged("%(here)s/conf.d/*.conf");
        let wanted = wanted(&setting);
        let config = write(&wanted, &setting, Over::Never).unwrap();
        let names: Vec<&str> = config.groups.iter().map(|group| group.name.0.as_str()).collect();
        assert_eq!(names, ["crashmail", "fatalmailbatch", "web"]);
        assert_eq!(config.servers.len(), 1);
        let text = fs::read_to_string(&wanted.place.file).unwrap();
        let sections: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
        assert_eq!(
            sections,
            ["[program:web]", "[eventlistener:crashmail]", "[eventlistener:fatalmailbatch]"]
        );
        let folder = wanted.place.file.parent().unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing is left behind");
        // What it wrote itself is no hindrance.
        write(&wanted, &setting, Over::Force).unwrap();
        let mut said = Vec::new();
        next(&mut said, &setting, &wanted).unwrap();
        let said = String::from_utf8(said).unwrap();
        let main = setting.packaged().unwrap();
        assert!(
            said.contains(&format!("-c {} update", main.display())) && !said.contains("supervisord -c"),
            "{said}"
        );
    }

    #[test]
    fn what_the_package_s_configuration_does_not_include_or_has_already_is_refused() {
        let (_root, setting) = packaged("elsewhere/*.conf");
        let error = write(&wanted(&setting), &setting, Over::Never).unwrap_err().to_string();
        assert!(error.contains("does not include it"), "{error}");
        let (_root, setting) = packaged("%(here)s/conf.d/*.conf");
        let wanted = wanted(&setting);
        let theirs = wanted.place.file.with_file_name("web.conf");
        fs::write(&theirs, "[program:web]\ncommand=/bin/true\n").unwrap();
        let error = write(&wanted, &setting, Over::Never).unwrap_err().to_string();
        assert!(error.contains(&format!("[program:web] in {}", theirs.display())), "{error}");
        assert!(!wanted.place.file.exists());
    }
}
