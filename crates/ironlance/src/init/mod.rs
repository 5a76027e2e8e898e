//! `ironlance init`: asks four questions, writes a supervisord.conf with listeners that mail, and sends a test alert.

mod answers;
mod args;
mod config_text;
mod dialog;
mod environment;
mod escape;
mod paths;
mod prompt;
mod verify;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use ironlance_config::{Config, Overrides, load};
use ironlance_core::redact::has_secret;

use crate::import::path_search::find_program;
use crate::usage;
use answers::MailTransport;
pub(crate) use args::Args;
use dialog::{InitPlan, ask_password_again};
use environment::InitEnv;
use escape::for_shell;
use paths::{ConfigRole, Overwrite, PendingFile};
use verify::TestAlertResult;

/// The exit status when nothing was written.
const NOTHING_WRITTEN: u8 = 2;
/// Attempts to enter a password again.
const MAX_LOGINS: usize = 3;
/// The listener that sends the test alert.
const TESTED_LISTENER: &str = "crashmail";

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    usage::run(args, NOTHING_WRITTEN, |args: Args| {
        Ok(match run(&args)? {
            TestAlertResult::Sent => ExitCode::SUCCESS,
            TestAlertResult::Failed | TestAlertResult::LoginRefused => ExitCode::FAILURE,
        })
    })
}

fn run(args: &Args) -> Result<TestAlertResult> {
    let env = InitEnv::detect().context("cannot tell where this program is")?;
    let overwrite = if args.force { Overwrite::Force } else { Overwrite::Never };
    let is_silent = args.yes || !io::stdin().is_terminal();
    let plan = dialog::plan(args, &env, overwrite, is_silent)?;
    let config = write(&plan, &env, overwrite)?;
    let mut out = io::stdout().lock();
    writeln!(out, "Wrote {}: no faults.", plan.paths.file.display())?;
    if plan.password.is_some() {
        let file = plan.mail.password_file.as_deref().unwrap_or(Path::new(""));
        writeln!(out, "The password is in {}, for its owner only.", file.display())?;
    }
    warn_missing_programs(&mut out, &config)?;
    if let (ConfigRole::Standalone { .. }, Some(main)) = (&plan.paths.role, env.packaged()) {
        let main = main.display();
        writeln!(
            out,
            "Mind: {main} is there as well, for a supervisord of its own; two may not share a socket."
        )?;
    }
    let mut sent =
        if args.no_test { TestAlertResult::Sent } else { send_test_alert(&mut out, &env, &config)? };
    for _ in 0..MAX_LOGINS {
        if is_silent || sent != TestAlertResult::LoginRefused || !retry_login(&plan)? {
            break;
        }
        sent = send_test_alert(&mut out, &env, &config)?;
    }
    if !args.no_test {
        print_result(&mut out, &sent, &plan)?;
    }
    print_next_steps(&mut out, &env, &plan)?;
    Ok(sent)
}

/// Writes the files, the configuration only if supervisord would accept it; returns it as loaded.
fn write(plan: &InitPlan, env: &InitEnv, overwrite: Overwrite) -> Result<Config> {
    let InitPlan { mail, password, programs, paths } = plan;
    let text = config_text::configuration(paths, &env.command_prefix(), mail, programs);
    let is_secret = programs.iter().any(|program| has_secret(&program.command))
        || matches!(&mail.transport, MailTransport::Sendmail(command) if has_secret(command));
    if let ConfigRole::Included { of } = &paths.role {
        let doubles = match verify::duplicate_sections(of, &text, &paths.file, &env.host_env) {
            Ok(doubles) => doubles,
            Err(faults) => bail!("cannot add to {}:\n{faults}", of.display()),
        };
        if !doubles.is_empty() {
            bail!("cannot add what is there already: {}; change it there", doubles.join(", "));
        }
    }
    let made = paths.make_folders()?;
    let written = PendingFile::new(&paths.file, &text, if is_secret { 0o600 } else { 0o644 }, overwrite)?;
    let shown = |faults: &dyn std::fmt::Display| {
        faults.to_string().replace(&written.path().display().to_string(), &paths.file.display().to_string())
    };
    let main = match &paths.role {
        ConfigRole::Standalone { .. } => written.path(),
        ConfigRole::Included { of } => of,
    };
    let config = match load(main, &Overrides::default(), &env.host_env) {
        Ok(config) if config.groups.iter().all(|group| group.name.0 != TESTED_LISTENER) => bail!(
            "cannot add {}: {} does not include it; name a place for a whole configuration by --output",
            paths.file.display(),
            main.display()
        ),
        Ok(config) => config,
        Err(faults) => bail!("cannot make a configuration of these answers:\n{}", shown(&faults)),
    };
    let secret = match (password, &mail.password_file) {
        (Some(password), Some(file)) => {
            Some(PendingFile::new(file, &format!("{password}\n"), 0o600, overwrite)?)
        }
        (Some(_) | None, _) => None,
    };
    written.commit()?;
    made.keep();
    if let Some(secret) = secret {
        secret.commit()?;
    }
    Ok(config)
}

/// Warns about programs that supervisord will not find.
fn warn_missing_programs(out: &mut impl Write, config: &Config) -> io::Result<()> {
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

fn send_test_alert(out: &mut impl Write, env: &InitEnv, config: &Config) -> Result<TestAlertResult> {
    writeln!(out)?;
    verify::test_alert(config, TESTED_LISTENER, &env.binary).context("cannot start crashmail")
}

/// Replaces a refused password by another one; `false` if the user gives none.
fn retry_login(plan: &InitPlan) -> Result<bool> {
    let (MailTransport::Server(server), Some(file), true) =
        (&plan.mail.transport, &plan.mail.password_file, plan.password.is_some())
    else {
        return Ok(false);
    };
    let Some(password) = ask_password_again(server.user.as_deref().unwrap_or_default())? else {
        return Ok(false);
    };
    PendingFile::new(file, &format!("{password}\n"), 0o600, Overwrite::Force)?.commit()?;
    Ok(true)
}

fn print_result(out: &mut impl Write, sent: &TestAlertResult, plan: &InitPlan) -> io::Result<()> {
    match (sent, &plan.mail.transport) {
        (TestAlertResult::Sent, MailTransport::File(file)) => writeln!(
            out,
            "Alerts go into {} until its listeners are told of a mailer: look, the test alert is there.",
            file.display()
        ),
        (TestAlertResult::Sent, MailTransport::Sendmail(_) | MailTransport::Server(_)) => {
            writeln!(out, "Look into the mailbox: the subject is \"test alert of crashmail on …\".")
        }
        (TestAlertResult::Failed | TestAlertResult::LoginRefused, _) => writeln!(
            out,
            "\nThe configuration is written all the same. Mend the mail options of its listeners, and try them\n\
             by putting --test-alert behind the command."
        ),
    }
}

/// Prints three commands to go on with.
fn print_next_steps(out: &mut impl Write, env: &InitEnv, plan: &InitPlan) -> io::Result<()> {
    let file = for_shell(&plan.paths.main().display().to_string());
    let control = env.command_line("supervisorctl");
    let third = match plan.programs.first() {
        Some(program) => format!(
            "kill -9 $({control} -c {file} pid {name})    # a crash on purpose: the alert follows",
            name = program.name
        ),
        None => format!("{} list    # alerts that wait for the mail server", env.command_line("outbox")),
    };
    let first = match plan.paths.role {
        ConfigRole::Standalone { .. } => format!("{} -c {file}    # start", env.command_line("supervisord")),
        ConfigRole::Included { .. } => {
            format!("{control} -c {file} update    # takes it over; what runs goes on")
        }
    };
    writeln!(out, "\nNext:\n  {first}\n  {control} -c {file} status    # what runs\n  {third}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    use answers::{MailSettings, program, server};
    use ironlance_config::HostEnv;
    use paths::ConfigPaths;
    use tempfile::TempDir;

    /// A machine of root's with the configuration of our package.
    fn packaged(include: &str) -> (TempDir, InitEnv) {
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
        let host_env = HostEnv {
            environment: Vec::new(),
            cwd: root.path().to_owned(),
            host_node_name: "box".to_owned(),
            temp_dir: root.path().to_owned(),
            uid: 0,
        };
        let env = InitEnv {
            host_env,
            root: root.path().to_owned(),
            binary: PathBuf::from("/opt/ironlance"),
            mailer: None,
            has_server: true,
        };
        (root, env)
    }

    fn plan(env: &InitEnv) -> InitPlan {
        let transport = MailTransport::Server(server("mail").unwrap());
        let mail = MailSettings { to: "ops@x".into(), from: "me@x".into(), transport, password_file: None };
        let paths = ConfigPaths::of(&env.default_file(), Path::new("/"), &env.root, 0).unwrap();
        let programs = program("web=/bin/sleep 9").unwrap().into_iter().collect();
        InitPlan { mail, password: None, programs, paths }
    }

    #[test]
    fn beside_a_package_only_programs_and_listeners_are_written_and_the_whole_is_checked() {
        let (_root, env) = packaged("%(here)s/conf.d/*.conf");
        let plan = plan(&env);
        let config = write(&plan, &env, Overwrite::Never).unwrap();
        let names: Vec<&str> = config.groups.iter().map(|group| group.name.0.as_str()).collect();
        assert_eq!(names, ["crashmail", "fatalmailbatch", "web"]);
        assert_eq!(config.servers.len(), 1);
        let text = fs::read_to_string(&plan.paths.file).unwrap();
        let sections: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
        assert_eq!(
            sections,
            ["[program:web]", "[eventlistener:crashmail]", "[eventlistener:fatalmailbatch]"]
        );
        let folder = plan.paths.file.parent().unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing is left behind");
        // A file that it wrote itself is no duplicate.
        write(&plan, &env, Overwrite::Force).unwrap();
        let mut said = Vec::new();
        print_next_steps(&mut said, &env, &plan).unwrap();
        let said = String::from_utf8(said).unwrap();
        let main = env.packaged().unwrap();
        assert!(
            said.contains(&format!("-c {} update", main.display())) && !said.contains("supervisord -c"),
            "{said}"
        );
    }

    #[test]
    fn what_the_package_s_configuration_does_not_include_or_has_already_is_refused() {
        let (_root, env) = packaged("elsewhere/*.conf");
        let error = write(&plan(&env), &env, Overwrite::Never).unwrap_err().to_string();
        assert!(error.contains("does not include it"), "{error}");
        let (_root, env) = packaged("%(here)s/conf.d/*.conf");
        let plan = plan(&env);
        let theirs = plan.paths.file.with_file_name("web.conf");
        fs::write(&theirs, "[program:web]\ncommand=/bin/true\n").unwrap();
        let error = write(&plan, &env, Overwrite::Never).unwrap_err().to_string();
        assert!(error.contains(&format!("[program:web] in {}", theirs.display())), "{error}");
        assert!(!plan.paths.file.exists());
    }
}
