//! Supervisor's own end-to-end tests, with our binary in the place of `python -m supervisor.supervisord`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, ensure};
use ironlance_e2e::implementation::SUPERVISORS;
use ironlance_e2e::{Implementation, TestDir};

/// How many of them run side by side: they mostly wait.
const SHARDS: usize = 6;

/// How many there are.
const TESTS: usize = 27;

/// The one fixture that the package lacks.
const HELLO: &str = "i=1\nwhile [ $i -lt 500 ]; do\n    echo \"The Øresund bridge ends in Malmö - $i\"\n    i=$((i+1))\n    sleep 1\ndone\n";

#[test]
fn supervisors_own_end_to_end_tests_pass_on_our_binary() {
    let passed = run(Implementation::Ours).unwrap();
    assert_eq!(passed, TESTS);
}

fn run(implementation: Implementation) -> anyhow::Result<usize> {
    let dir = TestDir::new()?;
    copy_tests(&dir)?;
    let python = Implementation::Original.path("python")?;
    let executable = wrapper(&dir, implementation, &python)?;
    let driver = dir.write("supervisors_own.py", include_str!("../python/supervisors_own.py"))?;
    let outputs = thread::scope(|scope| {
        let shards: Vec<_> = (0..SHARDS)
            .map(|index| {
                let (python, driver, executable, dir) = (&python, &driver, &executable, &dir);
                scope.spawn(move || -> anyhow::Result<_> {
                    // A folder each: a supervisord that starts removes the automatic logs of all others in its folder.
                    let cwd = dir.path(&format!("shard{index}"));
                    fs::create_dir(&cwd)?;
                    let mut command = dir.command(python, Implementation::Original)?;
                    command.arg(driver).arg(dir.folder()).arg(executable);
                    command
                        .args([index.to_string(), SHARDS.to_string()])
                        .env("TMPDIR", &cwd)
                        .current_dir(&cwd)
                        .stdin(Stdio::null());
                    command.output().context("cannot run the tests")
                })
            })
            .collect();
        shards.into_iter().map(|shard| shard.join().unwrap()).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let mut passed = 0;
    for output in outputs {
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{text}");
        passed += text.lines().filter(|line| line.ends_with("... ok")).count();
    }
    Ok(passed)
}

/// Copies the package of tests to the folder `own`; what it keeps in /tmp it keeps in the test directory then.
fn copy_tests(dir: &TestDir) -> anyhow::Result<()> {
    let python = Implementation::Original.path("python")?;
    let mut command = Command::new(python);
    let output =
        command.args(["-c", "import supervisor.tests; print(supervisor.tests.__path__[0])"]).output()?;
    let package = String::from_utf8(output.stdout)?;
    copy(Path::new(package.trim()), &dir.path("own"), &format!("{}/", dir.folder().display()))?;
    dir.write("own/fixtures/hello.sh", HELLO)?;
    Ok(())
}

fn copy(from: &Path, to: &Path, tmp: &str) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "__pycache__" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, tmp)?;
        } else {
            let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
            // Two of the tests have the same socket, and they run side by side here.
            let own = if entry.file_name() == "issue-836.conf" {
                text.replace("issue-565", "issue-836")
            } else {
                text
            };
            fs::write(&target, own.replace("/tmp/", tmp))?;
        }
    }
    Ok(())
}

/// A command that looks like Python to the tests, and starts ours for what we stand in for.
fn wrapper(dir: &TestDir, implementation: Implementation, python: &Path) -> anyhow::Result<String> {
    let mut text = String::from("case \"$1 $2\" in\n");
    for name in SUPERVISORS {
        if implementation == Implementation::Ours {
            let ours = Implementation::Ours.path(name)?;
            text.push_str(&format!("\"-m supervisor.{name}\") shift 2; exec {} \"$@\";;\n", ours.display()));
        }
    }
    text.push_str(&format!("esac\nexec {} \"$@\"\n", python.display()));
    dir.script("python-or-ours", &text)?;
    Ok(dir.path("python-or-ours").display().to_string())
}
