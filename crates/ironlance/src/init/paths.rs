//! [`ConfigPaths`]: where the configuration, the socket, the logs and the password go; and [`PendingFile`], which writes
//! a file atomically.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use thiserror::Error;

/// A unix socket's path has 107 octets at most (unix(7)).
const MAX_SOCKET_PATH: usize = 107;
/// Longer chains of links count as a loop, as in the kernel.
const MAX_LINKS: usize = 40;
/// Supervisord first creates its socket under a name with a dot and its pid appended.
const SOCKET_SUFFIX: usize = 12;

/// Why a file cannot be put in its place.
#[derive(Debug, Error)]
pub(super) enum PathError {
    /// It would overwrite a file.
    #[error("cannot write {}: it is there already; name another place by --output, or write over it by --force", .0.display())]
    Exists(PathBuf),
    /// It is a folder.
    #[error("cannot write {}: it is a folder; name a file in it", .0.display())]
    IsFolder(PathBuf),
    /// It is a device, a FIFO or a socket.
    #[error("cannot write {}: it is no regular file", .0.display())]
    NotAFile(PathBuf),
    /// The system refuses.
    #[error("cannot write {}: {}", .0.display(), .1)]
    Write(PathBuf, io::Error),
    /// The system refuses.
    #[error("cannot make the folder {}: {}", .0.display(), .1)]
    Folder(PathBuf, io::Error),
    /// The path is too long.
    #[error("cannot have a socket in {}: its path would be longer than {MAX_SOCKET_PATH} bytes; choose a shorter --output", .0.display())]
    TooLong(PathBuf),
    /// The path has characters with another meaning in a configuration.
    #[error("cannot use a path with %, a line break or what is not UTF-8 for a configuration: {0:?}")]
    Unusable(PathBuf),
}

/// The paths that a configuration contains, as values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigPaths {
    /// The configuration itself; absolute.
    pub(super) file: PathBuf,
    pub(super) role: ConfigRole,
    /// A folder.
    pub(super) logs: String,
    /// The same folder, absolute.
    log_folder: PathBuf,
    /// It belongs to root and is run as root.
    pub(super) is_root_owned: bool,
    /// Folders to be created, with their modes.
    folders: Vec<(PathBuf, u32)>,
}

/// How supervisord uses the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfigRole {
    /// It is a complete configuration.
    Standalone { socket: String, pidfile: String },
    /// It is included by a package's configuration, which is this file.
    Included { of: PathBuf },
}

/// The configuration that a package installs, and the folder of files that it includes; relative to the root folder.
const PACKAGED_CONFIG: &str = "etc/supervisor/supervisord.conf";
const PACKAGED_INCLUDES: &str = "etc/supervisor/conf.d";

/// The configuration of a package below `root`, if there is one and the user is root (`uid` 0).
pub(super) fn packaged(root: &Path, uid: u32) -> Option<PathBuf> {
    Some(root.join(PACKAGED_CONFIG)).filter(|file| uid == 0 && file.is_file())
}

/// The default path: where a package's configuration includes it, if there is one.
pub(super) fn default_file(root: &Path, uid: u32) -> PathBuf {
    match (uid, packaged(root, uid)) {
        (_, Some(_)) => root.join(PACKAGED_INCLUDES).join("alerts.conf"),
        (0, None) => root.join("etc/supervisord.conf"),
        (_, None) => PathBuf::from("./supervisord.conf"),
    }
}

/// Whether an existing file may be overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overwrite {
    Never,
    Force,
}

impl ConfigPaths {
    /// The paths for a configuration at `file`, relative to `cwd`. That of root in /etc uses the system's folders, which
    /// are below `root`.
    pub(super) fn of(file: &Path, cwd: &Path, root: &Path, uid: u32) -> Result<Self, PathError> {
        let says_folder = file.file_name().is_none() || file.as_os_str().as_encoded_bytes().ends_with(b"/");
        let file = cwd.join(file);
        let strange = |text: &str| text.contains('%') || text.contains(char::is_control);
        if file.to_str().is_none_or(strange) {
            return Err(PathError::Unusable(file));
        }
        if says_folder || file.is_dir() {
            return Err(PathError::IsFolder(file));
        }
        let file: PathBuf = file.components().collect();
        let here = file.parent().unwrap_or(Path::new("/")).to_owned();
        let below = |path: &str| root.join(path).display().to_string();
        let systems = if here == root.join(PACKAGED_INCLUDES) {
            packaged(root, uid).map(|of| ConfigRole::Included { of })
        } else {
            let (socket, pidfile) = (below("run/supervisor.sock"), below("run/supervisord.pid"));
            (uid == 0 && here == root.join("etc")).then_some(ConfigRole::Standalone { socket, pidfile })
        };
        if let Some(role) = systems {
            let logs = below("var/log/supervisor");
            let log_folder = PathBuf::from(&logs);
            let folders = vec![(log_folder.clone(), 0o750)];
            return Ok(Self { file, role, logs, log_folder, is_root_owned: uid == 0, folders });
        }
        let folder = here.join("supervisor");
        if folder.as_os_str().len() + "/supervisor.sock".len() + SOCKET_SUFFIX > MAX_SOCKET_PATH {
            return Err(PathError::TooLong(folder));
        }
        let under = |name: &str| format!("%(here)s/supervisor{name}");
        Ok(Self {
            file,
            role: ConfigRole::Standalone {
                socket: under("/supervisor.sock"),
                pidfile: under("/supervisord.pid"),
            },
            logs: under(""),
            log_folder: folder.clone(),
            is_root_owned: uid == 0,
            folders: vec![(here, 0o755), (folder, 0o700)],
        })
    }

    /// The file for a given password, beside the configuration.
    pub(super) fn password_file(&self) -> PathBuf {
        self.file.with_extension("smtp-password")
    }

    /// The default file that alerts are appended to.
    pub(super) fn mail_file(&self) -> PathBuf {
        self.log_folder.join("alerts.txt")
    }

    /// The configuration that supervisord is started with.
    pub(super) fn main(&self) -> &Path {
        match &self.role {
            ConfigRole::Standalone { .. } => &self.file,
            ConfigRole::Included { of } => of,
        }
    }

    /// Creates the missing folders.
    pub(super) fn make_folders(&self) -> Result<CreatedFolders, PathError> {
        let mut made = CreatedFolders(Vec::new());
        for (folder, mode) in &self.folders {
            let missing: Vec<_> = folder.ancestors().take_while(|above| !above.exists()).collect();
            made.0.extend(missing.into_iter().rev().map(Path::to_owned));
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(*mode);
            builder.create(folder).map_err(|error| PathError::Folder(folder.clone(), error))?;
        }
        Ok(made)
    }
}

/// Folders that were created, outermost first; dropping this removes those that are empty.
#[derive(Debug)]
pub(super) struct CreatedFolders(Vec<PathBuf>);

impl CreatedFolders {
    /// Leaves them in place when this is dropped.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for CreatedFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // A folder that is not empty stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Fails where a file exists already and may not be overwritten: only a regular file may, also through a link.
pub(super) fn check_free(file: &Path, overwrite: Overwrite) -> Result<(), PathError> {
    match file.metadata() {
        Ok(there) if there.is_dir() => Err(PathError::IsFolder(file.to_owned())),
        Ok(there) if !there.is_file() => Err(PathError::NotAFile(file.to_owned())),
        _ if overwrite == Overwrite::Never && file.symlink_metadata().is_ok() => {
            Err(PathError::Exists(file.to_owned()))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PathError::Write(file.to_owned(), error))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The target of a chain of links, whether it exists or not.
fn follow_links(file: &Path) -> io::Result<PathBuf> {
    let mut file = file.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&file) {
            Ok(next) => file = file.parent().unwrap_or(Path::new("/")).join(next),
            // It is no link, or does not exist.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(file);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many links"))
}

/// A file that is written beside its target and not yet moved there.
#[derive(Debug)]
pub(super) struct PendingFile {
    /// Beside the target, so that supervisord can be tried with it.
    file: NamedTempFile,
    /// A second copy beside the file that the target links to, if that is in another folder.
    away: Option<NamedTempFile>,
    target: PathBuf,
    /// The target, or the file that it links to.
    end: PathBuf,
    overwrite: Overwrite,
}

impl PendingFile {
    /// Writes a text beside its target, with these permissions.
    pub(super) fn new(target: &Path, text: &str, mode: u32, overwrite: Overwrite) -> Result<Self, PathError> {
        let failed = |error| PathError::Write(target.to_owned(), error);
        check_free(target, overwrite)?;
        let end = follow_links(target).map_err(failed)?;
        let file = beside(target, text, mode).map_err(failed)?;
        let away = match end.parent() == target.parent() {
            true => None,
            false => Some(beside(&end, text, mode).map_err(failed)?),
        };
        Ok(Self { file, away, target: target.to_owned(), end, overwrite })
    }

    /// Its current path.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Moves it to its target, whole or not at all.
    pub(super) fn commit(self) -> Result<(), PathError> {
        let Self { file, away, target, end, overwrite } = self;
        let file = away.unwrap_or(file);
        let settled = match overwrite {
            Overwrite::Force => file.persist(&end),
            Overwrite::Never => file.persist_noclobber(&end),
        };
        match settled {
            Ok(_) => Ok(()),
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(PathError::Exists(target))
            }
            Err(refused) => Err(PathError::Write(target, refused.error)),
        }
    }
}

/// Writes a text to a temporary file beside another file, with these permissions.
///
/// Errors do not contain the path of the temporary file.
fn beside(target: &Path, text: &str, mode: u32) -> io::Result<NamedTempFile> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    let name = target.file_name().unwrap_or_default();
    // The suffix is that of the target, so that an include matches it too.
    let suffix = target.extension().map(|end| format!(".{}", end.display())).unwrap_or_default();
    let mut builder = tempfile::Builder::new();
    let create = |path: &Path| File::options().write(true).create_new(true).mode(0o600).open(path);
    let mut file = builder.prefix(name).suffix(&suffix).make_in(folder, create)?;
    file.as_file_mut().write_all(text.as_bytes())?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn root_in_etc_uses_the_folders_of_the_system_and_others_one_beside_the_file() {
        let root = tempfile::tempdir().unwrap();
        let of =
            |file: &str, cwd: &str, uid| ConfigPaths::of(Path::new(file), Path::new(cwd), root.path(), uid);
        let below = |path: &str| root.path().join(path).display().to_string();
        let system = of(&below("etc/supervisord.conf"), "/x", 0).unwrap();
        let ConfigRole::Standalone { socket, .. } = &system.role else { panic!("not whole") };
        assert_eq!((socket, &system.logs), (&below("run/supervisor.sock"), &below("var/log/supervisor")));
        let mine = of("s.conf", "/home/joe", 1000).unwrap();
        assert_eq!(
            (mine.file.as_path(), mine.logs.as_str()),
            (Path::new("/home/joe/s.conf"), "%(here)s/supervisor")
        );
        assert_eq!(mine.password_file(), Path::new("/home/joe/s.smtp-password"));
        for folder in ["/", "", ".", "new/", &below("")] {
            assert!(matches!(of(folder, "/", 0), Err(PathError::IsFolder(_))), "{folder}");
        }
        let long = "x".repeat(90);
        assert!(matches!(of("s.conf", &format!("/{long}"), 0), Err(PathError::TooLong(_))));
        assert!(matches!(of("100%/s.conf", "/", 0), Err(PathError::Unusable(_))));
    }

    #[test]
    fn where_a_package_has_its_configuration_root_adds_a_file_that_it_includes() {
        let root = tempfile::tempdir().unwrap();
        let default = |uid| default_file(root.path(), uid);
        assert_eq!(
            (default(0), default(1)),
            (root.path().join("etc/supervisord.conf"), "./supervisord.conf".into())
        );
        let main = root.path().join(PACKAGED_CONFIG);
        fs::create_dir_all(root.path().join(PACKAGED_INCLUDES)).unwrap();
        fs::write(&main, "").unwrap();
        let part = root.path().join("etc/supervisor/conf.d/alerts.conf");
        assert_eq!((default(0), default(1)), (part.clone(), "./supervisord.conf".into()));
        let of = |uid| ConfigPaths::of(&part, Path::new("/x"), root.path(), uid).unwrap();
        assert_eq!(
            (of(0).role.clone(), of(0).main()),
            (ConfigRole::Included { of: main.clone() }, main.as_path())
        );
        assert_eq!(of(0).password_file(), part.with_file_name("alerts.smtp-password"));
        assert!(
            matches!(of(1000).role, ConfigRole::Standalone { .. }),
            "whoever is not root has one of their own"
        );
    }

    #[test]
    fn nothing_is_written_over_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("s.conf");
        PendingFile::new(&target, "one", 0o600, Overwrite::Never).unwrap().commit().unwrap();
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(
            PendingFile::new(&target, "two", 0o600, Overwrite::Never),
            Err(PathError::Exists(_))
        ));
        assert_eq!(fs::read_to_string(&target).unwrap(), "one");
        let late = PendingFile::new(&folder.path().join("new"), "two", 0o600, Overwrite::Never).unwrap();
        fs::write(folder.path().join("new"), "theirs").unwrap();
        assert!(late.commit().is_err());
        PendingFile::new(&target, "two", 0o644, Overwrite::Force).unwrap().commit().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn by_force_a_link_s_file_is_written_and_nothing_but_a_file() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let write = |name: &str| PendingFile::new(&at(name), "new", 0o600, Overwrite::Force)?.commit();
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/mine"), "old").unwrap();
        for (link, target, written) in
            [("over", "far/mine", "far/mine"), ("twice", "over", "far/mine"), ("none", "far/yet", "far/yet")]
        {
            symlink(target, at(link)).unwrap();
            write(link).unwrap();
            assert_eq!(fs::read_to_string(at(written)).unwrap(), "new");
            assert_eq!(fs::read_link(at(link)).unwrap(), Path::new(target));
            fs::write(at(written), "old").unwrap();
        }
        let _socket = UnixListener::bind(at("socket")).unwrap();
        for (link, target) in [("to-socket", "socket"), ("to-folder", "far"), ("circle", "circle")] {
            symlink(target, at(link)).unwrap();
        }
        for name in ["socket", "to-socket"] {
            assert!(matches!(write(name), Err(PathError::NotAFile(_))), "{name}");
        }
        for name in ["far", "to-folder"] {
            assert!(matches!(write(name), Err(PathError::IsFolder(_))), "{name}");
        }
        assert!(matches!(write("circle"), Err(PathError::Write(..))));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 8, "nothing is left behind");
    }

    #[test]
    fn folders_that_were_made_for_nothing_go_again_and_others_stay() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a/b/s.conf");
        let paths = ConfigPaths::of(&file, Path::new("/"), root.path(), 1).unwrap();
        drop(paths.make_folders().unwrap());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        paths.make_folders().unwrap().keep();
        drop(paths.make_folders().unwrap());
        assert!(root.path().join("a/b/supervisor").is_dir());
    }
}
