//! `[supervisord]`: the daemon itself, and the command line over it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ironlance_core::log_level::Level;

use crate::env_pairs::parse_env_pairs;
use crate::expansion::ExpansionNames;
use crate::ini::Section;
use crate::loader::context::{LoadContext, SectionScope};
use crate::loader::fault::ConfigFault;
use crate::path::{absolute, normalize, without_dots};
use crate::settings::{MainLogTarget, Overrides, Settings, UserRef};
use crate::value::number;
use crate::value::{self, InvalidValue};

/// The keys of the section.
pub(crate) const KEYS: [&str; 18] = [
    "minfds",
    "minprocs",
    "directory",
    "user",
    "umask",
    "logfile",
    "logfile_maxbytes",
    "logfile_backups",
    "loglevel",
    "pidfile",
    "identifier",
    "nodaemon",
    "silent",
    "childlogdir",
    "nocleanup",
    "strip_ansi",
    "environment",
    "profile_options",
];

/// The section's values; the user is not looked up yet.
pub(crate) struct PartialSettings {
    /// All but the user.
    pub(crate) settings: Settings,
    /// The user as given.
    user: Option<String>,
}

/// Reads the section, and lets the values of all sections use its environment.
pub(crate) fn read<'a>(
    context: &mut LoadContext<'a>,
    section: &'a Section,
    overrides: &Overrides,
) -> PartialSettings {
    let machine = context.host;
    let scope = SectionScope::new(section, ExpansionNames::default().with("here", context.here));
    let folder = |text: &str| value::existing_folder(text, machine);
    let file = |text: &str| value::file_in_folder(text, machine);

    let minfds = context.or(&scope, "minfds", 1024, value::count);
    let minprocs = context.or(&scope, "minprocs", 200, value::count);
    let directory = context.optional(&scope, "directory", folder).map(PathBuf::from);
    let user = context.optional(&scope, "user", owned);
    let umask = context.or(&scope, "umask", 0o022, value::umask);
    let logfile = context.or(&scope, "logfile", "supervisord.log".to_owned(), file);
    let logfile_maxbytes = context.or(&scope, "logfile_maxbytes", 50 << 20, value::bytes);
    let logfile_backups = context.or(&scope, "logfile_backups", 10, value::backups);
    let loglevel = context.or(&scope, "loglevel", Level::Info, value::level);
    let pidfile = context.or(&scope, "pidfile", "supervisord.pid".to_owned(), file);
    let identifier = context.or(&scope, "identifier", "supervisor".to_owned(), owned);
    let nodaemon = context.or(&scope, "nodaemon", false, value::boolean);
    let silent = context.or(&scope, "silent", false, value::boolean);
    let childlogdir = child_log_folder(context, &scope);
    let nocleanup = context.or(&scope, "nocleanup", false, value::boolean);
    let strip_ansi = context.or(&scope, "strip_ansi", false, value::boolean);
    let environment = environment(context, scope);

    // An empty option counts as none, an empty value does not.
    let given = |option: &Option<String>| option.clone().filter(|path| !path.is_empty());
    let logfile = given(&overrides.logfile).unwrap_or(logfile);
    let pidfile = given(&overrides.pidfile).unwrap_or(pidfile);
    let childlogdir = overrides.childlogdir.as_ref().unwrap_or(&childlogdir);
    let settings = Settings {
        minfds: overrides.minfds.unwrap_or(minfds),
        minprocs: overrides.minprocs.unwrap_or(minprocs),
        directory: overrides.directory.clone().or(directory),
        user: None,
        umask: overrides.umask.unwrap_or(umask),
        logfile: match logfile.as_str() {
            "syslog" => MainLogTarget::Syslog,
            path => MainLogTarget::File(normalize(path, machine)),
        },
        logfile_maxbytes: overrides.logfile_maxbytes.unwrap_or(logfile_maxbytes),
        logfile_backups: overrides.logfile_backups.unwrap_or(logfile_backups),
        loglevel: overrides.loglevel.unwrap_or(loglevel),
        pidfile: normalize(&pidfile, machine),
        identifier: overrides.identifier.clone().unwrap_or(identifier),
        nodaemon: overrides.nodaemon.unwrap_or(nodaemon),
        silent: overrides.silent.unwrap_or(silent),
        // Logs are made once the daemon has changed its folder; the name is meant from where it was started.
        childlogdir: PathBuf::from(without_dots(&absolute(&childlogdir.to_string_lossy(), machine))),
        nocleanup: overrides.nocleanup.unwrap_or(nocleanup),
        strip_ansi: overrides.strip_ansi.unwrap_or(strip_ansi),
        environment,
    };
    PartialSettings { settings, user }
}

impl PartialSettings {
    /// Looks up the user, which the original does after everything else.
    pub(crate) fn finish<'a>(
        mut self,
        context: &mut LoadContext<'a>,
        section: &'a Section,
        overrides: &Overrides,
    ) -> Settings {
        let Some(text) = overrides.user.as_deref().or(self.user.as_deref()) else { return self.settings };
        match value::user(text, context.accounts) {
            Ok(account) => {
                let name = number::integer(text).is_err().then(|| text.to_owned());
                self.settings.user = Some(UserRef { uid: account.uid, name });
            }
            Err(bad) if overrides.user.is_some() => context.record(ConfigFault {
                file: PathBuf::from("-u"),
                line: None,
                section: String::new(),
                key: String::new(),
                what: bad.what,
                original: bad.original,
            }),
            Err(bad) => {
                context.refuse(&SectionScope::new(section, ExpansionNames::default()), "user", bad);
            }
        }
        self.settings
    }
}

fn owned(text: &str) -> Result<String, InvalidValue> {
    Ok(text.to_owned())
}

/// The default is the folder for temporary files, which must exist as well.
fn child_log_folder<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>) -> PathBuf {
    let machine = context.host;
    let default = machine.temp_dir.to_string_lossy().into_owned();
    let text = match context.text(scope, "childlogdir") {
        Ok(text) => text.map_or(default, std::borrow::Cow::into_owned),
        Err(_) => return machine.temp_dir.clone(),
    };
    match value::existing_folder(&text, machine) {
        Ok(path) => path.into(),
        Err(bad) => {
            context.refuse(scope, "childlogdir", bad);
            machine.temp_dir.clone()
        }
    }
}

/// The original expands this value twice, and only the second time with the name of the host.
fn environment<'a>(context: &mut LoadContext<'a>, mut scope: SectionScope<'a>) -> BTreeMap<String, String> {
    let Ok(Some(once)) = context.text(&scope, "environment") else { return BTreeMap::new() };
    scope.names = scope.names.with("host_node_name", &context.host.host_node_name);
    let twice = context.expanded_again(&scope, "environment", once);
    match parse_env_pairs(&twice) {
        Ok(pairs) => {
            for (name, value) in &pairs {
                context.variables.set(name, value);
            }
            pairs
        }
        Err(bad) => {
            context.refuse(&scope, "environment", bad);
            BTreeMap::new()
        }
    }
}
