//! From a configured command to the file that is executed: [`resolve`], called before each start (`get_execv_args` and
//! `check_execv_args` of the original).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ironlance_core::redact::redact;
use ironlance_core::{text::python, text::shlex};
use rustix::fs::{Access, access};
use thiserror::Error;

/// The default PATH (options.py, `get_path`).
const DEFAULT_PATH: [&str; 3] = ["/bin", "/usr/bin", "/usr/local/bin"];

/// A command that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedCommand {
    /// The file for execve.
    pub file: PathBuf,
    /// The arguments, the program's own name first.
    pub argv: Vec<String>,
}

/// Why a command cannot be run, in the original's words: they become `spawnerr`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The quotes do not match.
    #[error("can't parse command {}: {why}", python::repr(&redact(command)))]
    Unparsable {
        /// The whole command.
        command: String,
        /// The fault that shlex finds.
        why: String,
    },
    /// It has no words.
    #[error("command is empty")]
    Empty,
    /// No such file.
    #[error("can't find command {}", python::repr(.0))]
    NotFound(String),
    /// It is a folder.
    #[error("command at {} is a directory", python::repr(.0))]
    Directory(String),
    /// It has no execute permission.
    #[error("command at {} is not executable", python::repr(.0))]
    NotExecutable(String),
    /// It may be executed, but not by this user.
    #[error("no permission to run command {}", python::repr(.0))]
    NoPermission(String),
}

/// Splits a command as Python's shlex does and finds its file in the folders of `path`, see [`search_path`]. A name
/// with a slash is relative to the daemon's working folder.
pub fn resolve(command: &str, path: &[String]) -> Result<ResolvedCommand, CommandError> {
    let argv = shlex::split(command)
        .map_err(|fault| CommandError::Unparsable { command: command.to_owned(), why: fault.to_string() })?;
    let Some(program) = argv.first() else { return Err(CommandError::Empty) };
    let file = if program.contains('/') { PathBuf::from(program) } else { find_in_path(program, path) };
    check_executable(&file)?;
    Ok(ResolvedCommand { file, argv })
}

/// The folders of a PATH: the program's own if its `environment=` has one, else the daemon's, else the default.
pub fn search_path(program: Option<&str>, daemon: Option<&str>) -> Vec<String> {
    let split = |path: &str| path.split(':').map(str::to_owned).collect();
    match (program, daemon) {
        (Some(path), _) => split(path),
        (None, Some(path)) if !path.is_empty() => split(path),
        (None, _) => DEFAULT_PATH.map(str::to_owned).to_vec(),
    }
}

/// The first that exists, even if it is a folder, as in the original. Without one, the bare name, which
/// [`check_executable`] then refuses.
fn find_in_path(program: &str, path: &[String]) -> PathBuf {
    let mut places = path.iter().map(|folder| Path::new(folder).join(program));
    places.find(|place| fs::metadata(place).is_ok()).unwrap_or_else(|| PathBuf::from(program))
}

fn check_executable(file: &Path) -> Result<(), CommandError> {
    let name = || file.display().to_string();
    // A bare name that was not found must not be taken for a file in the working folder.
    let known =
        if file.as_os_str().as_encoded_bytes().contains(&b'/') { fs::metadata(file).ok() } else { None };
    let Some(metadata) = known else { return Err(CommandError::NotFound(name())) };
    if metadata.is_dir() {
        return Err(CommandError::Directory(name()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(CommandError::NotExecutable(name()));
    }
    access(file, Access::EXEC_OK).map_err(|_| CommandError::NoPermission(name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Vec<String> {
        search_path(None, None)
    }

    #[test]
    fn a_bare_name_is_looked_for_in_the_path_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("first");
        let second = folder.path().join("second");
        fs::create_dir_all(first.join("tool")).unwrap();
        fs::create_dir_all(&second).unwrap();
        fs::copy("/bin/true", second.join("tool")).unwrap();
        let path = |folders: &[&Path]| -> Vec<String> {
            folders.iter().map(|folder| folder.display().to_string()).collect()
        };
        let resolved = resolve("tool 'a b' c", &path(&[folder.path(), &second, &first])).unwrap();
        assert_eq!(resolved.file, second.join("tool"));
        assert_eq!(resolved.argv, ["tool", "a b", "c"]);
        // What comes first is taken, even if it is a folder.
        let refused = resolve("tool", &path(&[&first, &second])).unwrap_err();
        assert_eq!(refused, CommandError::Directory(first.join("tool").display().to_string()));
        // An empty folder of the PATH is the working folder, but a bare name is not looked up there otherwise.
        assert_eq!(resolve("Cargo.toml", &[]).unwrap_err(), CommandError::NotFound("Cargo.toml".into()));
    }

    #[test]
    fn what_cannot_be_run_is_refused_in_the_words_of_the_original() {
        let words = |command: &str| resolve(command, &usual()).unwrap_err().to_string();
        assert_eq!(words("cat 'a"), "can't parse command \"cat 'a\": No closing quotation");
        let secret = "can't parse command 'mailer --password *** \"x': No closing quotation";
        assert_eq!(words("mailer --password hunter2 \"x"), secret, "it stands in the log and on the page");
        assert_eq!(words(""), "command is empty");
        assert_eq!(words("  "), "command is empty");
        assert_eq!(words("no-such-tool x"), "can't find command 'no-such-tool'");
        assert_eq!(words("/no/such"), "can't find command '/no/such'");
        assert_eq!(words("/etc"), "command at '/etc' is a directory");
        assert_eq!(words("/etc/passwd"), "command at '/etc/passwd' is not executable");
    }

    #[test]
    fn the_path_of_a_program_goes_before_that_of_the_daemon() {
        assert_eq!(search_path(Some("/a:/b"), Some("/c")), ["/a", "/b"]);
        assert_eq!(search_path(Some(""), Some("/c")), [""]);
        assert_eq!(search_path(None, Some("/c:")), ["/c", ""]);
        assert_eq!(search_path(None, Some("")), DEFAULT_PATH);
        assert_eq!(search_path(None, None), DEFAULT_PATH);
    }
}
