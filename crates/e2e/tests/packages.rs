//! The Debian package: built from the binary under test, installed into a folder that stands for a machine, run there
//! as its unit would run it, removed and purged.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ironlance_e2e::daemon::{run_command, send};
use ironlance_e2e::implementation::{LISTENERS, SUPERVISORS, binary};
use ironlance_e2e::{Implementation, TIMEOUT, TestDir, until};
use rustix::process::Signal;

/// xtask may have to be built first.
const BUILD: Duration = Duration::from_secs(300);

/// A folder that stands for a machine without anything but a package database.
struct Machine {
    dir: TestDir,
}

impl Machine {
    fn new() -> Self {
        let dir = TestDir::new().unwrap();
        for folder in ["updates", "info", "parts", "triggers"] {
            fs::create_dir_all(dir.path("root/var/lib/dpkg").join(folder)).unwrap();
        }
        // What every Debian has.
        for folder in ["tmp", "run", "dev", "proc", "etc/systemd/system", "var/lib/systemd"] {
            fs::create_dir_all(dir.path("root").join(folder)).unwrap();
        }
        dir.write("root/var/lib/dpkg/status", "").unwrap();
        dir.write("root/var/lib/dpkg/available", "").unwrap();
        Self { dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path("root")
    }

    /// Builds the package by the code that builds the released one.
    fn package(&self) -> PathBuf {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let folder = self.dir.path("dist");
        let mut command = Command::new(cargo);
        command
            .args(["run", "--quiet", "--package", "xtask", "--", "dist", "--only", "deb", "--binary"])
            .arg(binary().unwrap())
            .arg("--folder")
            .arg(&folder)
            // A debug binary is large, and nobody downloads this one.
            .env("DPKG_DEB_COMPRESSOR_TYPE", "none")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.dir.path("dist.err")).unwrap());
        let mut child = command.spawn().unwrap();
        let status = until("cargo xtask dist", BUILD, || Ok(child.try_wait()?)).unwrap();
        let printed = fs::read_to_string(self.dir.path("dist.err")).unwrap();
        assert!(status.success(), "{printed}");
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        names.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb")).unwrap()
    }

    /// dpkg on this machine. Its scripts run outside, and are told the root (dpkg(1), script-chrootless).
    fn dpkg(&self, args: &[&str]) -> Output {
        let mut command = self.as_root("dpkg");
        command.arg(format!("--root={}", self.root().display()));
        command.args(["--force-script-chrootless", "--force-not-root", "--force-confold"]).args(args);
        let output = run_command(command).unwrap();
        assert!(output.status.success(), "dpkg {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// A command that may give files to root: as we are, or in a user namespace of its own.
    fn as_root(&self, program: &str) -> Command {
        if rustix::process::getuid().is_root() {
            return self.dir.command(program, Implementation::Ours).unwrap();
        }
        let mut command = self.dir.command("unshare", Implementation::Ours).unwrap();
        command.args(["--map-root-user", program]);
        command
    }

    /// A command on this machine, in an environment as its systemd gives it.
    fn inside(&self, line: &str) -> Command {
        let mut command = self.as_root("chroot");
        command.arg(self.root()).args(line.split_whitespace()).stdin(Stdio::null());
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env_remove("IRONLANCE_STATE").env_remove("HOME");
        command
    }

    /// The binary under test is no static one: what it needs of the C library is lent to the machine.
    fn lend_libraries(&self) {
        let output = Command::new("ldd").arg(binary().unwrap()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let words = text.split_whitespace().filter(|word| word.starts_with('/'));
        for library in words {
            let place = self.root().join(library.trim_start_matches('/'));
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(library, place).unwrap();
        }
        fs::write(self.root().join("dev/null"), "").unwrap();
    }

    /// Every file and folder of the machine but the package database.
    fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.root()).unwrap().display().to_string();
                if name == "var/lib/dpkg" {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                }
                found.insert(name);
            }
        }
        found
    }
}

/// What the unit starts.
fn exec_start(root: &Path) -> String {
    let unit = fs::read_to_string(root.join("usr/lib/systemd/system/supervisor.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart="));
    line.unwrap().to_owned()
}

#[test]
fn the_package_is_installed_started_asked_removed_and_purged() {
    let machine = Machine::new();
    let package = machine.package();
    let package = package.to_str().unwrap();
    let before = machine.files();
    machine.dpkg(&["--install", package]);
    let root = machine.root();
    for name in SUPERVISORS.iter().chain(&LISTENERS) {
        assert_eq!(fs::read_link(root.join("usr/bin").join(name)).unwrap(), Path::new("ironlance"), "{name}");
    }
    let program = fs::metadata(root.join("usr/bin/ironlance")).unwrap();
    assert_eq!(program.permissions().mode() & 0o7777, 0o755);
    for file in [
        "usr/share/man/man8/supervisord.8.gz",
        "usr/share/man/man5/supervisord.conf.5.gz",
        "usr/share/bash-completion/completions/supervisorctl",
        "usr/share/doc/ironlance/examples/supervisord.conf",
        "usr/share/doc/ironlance/docs/supervisorctl.md",
        "usr/share/doc/ironlance/docs/zh/README.md",
        "etc/supervisor/supervisord.conf",
    ] {
        assert!(root.join(file).is_file(), "{file}");
    }

    run_as_the_unit_does(&machine);

    // Removed: the configuration stays, and so do the logs.
    machine.dpkg(&["--remove", "ironlance"]);
    assert!(
        !root.join("usr/bin/supervisord").exists() && root.join("etc/supervisor/supervisord.conf").exists()
    );
    assert!(root.join("var/log/supervisor/supervisord.log").exists());
    fs::remove_file(root.join("etc/supervisor/conf.d/listener.conf")).unwrap();
    machine.dpkg(&["--purge", "ironlance"]);
    let left: Vec<String> = machine.files().difference(&before).cloned().collect();
    assert_eq!(left, Vec::<String>::new());
}

/// The package's own configuration with one program more; then the machine is as before, but for logs.
fn run_as_the_unit_does(machine: &Machine) {
    let root = machine.root();
    let borrowed = machine.files();
    machine.lend_libraries();
    let lent: Vec<String> = machine.files().difference(&borrowed).cloned().collect();
    fs::write(
        root.join("etc/supervisor/conf.d/listener.conf"),
        "[eventlistener:crashmail]\ncommand=crashmail -m you@example.com\nevents=PROCESS_STATE_EXITED\n",
    )
    .unwrap();
    let line = exec_start(&root);
    let check = run_command(machine.inside(&line.replace(" -n ", " --check "))).unwrap();
    assert!(check.status.success() && check.stderr.is_empty(), "{check:?}");

    let mut daemon = machine.inside(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = || {
        let output = run_command(machine.inside("/usr/bin/supervisorctl status")).unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let running = until("the listener to run", TIMEOUT, || {
        assert_eq!(daemon.try_wait()?, None, "supervisord has ended");
        Ok(Some(status()).filter(|text| text.contains("RUNNING")))
    });
    let running = running.unwrap();
    assert!(running.starts_with("crashmail "), "{running}");
    send(i64::from(daemon.id()), Signal::TERM).unwrap();
    let end = until("supervisord to end", TIMEOUT, || Ok(daemon.try_wait()?)).unwrap();
    assert!(end.success(), "{end}");
    let log = fs::read_to_string(root.join("var/log/supervisor/supervisord.log")).unwrap();
    assert!(log.contains("stopped: crashmail"), "{log}");
    give_back(&root, &lent);
}

fn give_back(root: &Path, lent: &[String]) {
    // Folders come before what is in them.
    for name in lent.iter().rev() {
        let path = root.join(name);
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_configuration_that_was_there_before_is_kept() {
    let machine = Machine::new();
    let root = machine.root();
    let theirs = "; theirs\n[supervisord]\n";
    machine.dir.write("root/etc/supervisor/supervisord.conf", theirs).unwrap();
    machine.dir.write("root/etc/supervisor/conf.d/web.conf", "; a program\n").unwrap();
    let package = machine.package();
    machine.dpkg(&["--install", package.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(root.join("etc/supervisor/supervisord.conf")).unwrap(), theirs);
    machine.dpkg(&["--purge", "ironlance"]);
    // What people put there is theirs.
    assert!(root.join("etc/supervisor/conf.d/web.conf").exists());
}
