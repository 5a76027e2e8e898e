//! `ironlance demo`, as the README lets a newcomer run it, where there is neither Python nor Supervisor.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ironlance_e2e::flavour::{LISTENERS, binary};
use ironlance_e2e::{Scene, until};

/// The demo's time, its patience with late mails, and the orderly end of supervisord.
const LIMIT: Duration = Duration::from_secs(90);

#[test]
fn the_demo_shows_a_mail_of_each_listener_and_leaves_nothing_behind() {
    let scene = Scene::new().unwrap();
    let story = scene.path("story");
    let tools = tools(&scene).unwrap();
    let mut demo = Command::new(binary().unwrap())
        .args(["demo", "--seconds", "25"])
        .current_dir(scene.folder())
        .env_remove("IRONLANCE_ORIGINALS")
        .env("PATH", tools.path())
        .env("TMPDIR", scene.folder())
        .env("IRONLANCE_E2E", scene.folder())
        .stdin(Stdio::null())
        .stdout(fs::File::create(&story).unwrap())
        .spawn()
        .unwrap();
    let ended = until("the demo to end", LIMIT, || Ok(demo.try_wait()?));
    if ended.is_err() {
        let _ = demo.kill();
        let _ = demo.wait();
    }
    let story = fs::read_to_string(&story).unwrap();
    assert!(ended.unwrap().success(), "{story}");
    for name in LISTENERS {
        assert!(story.contains(&format!("| From: {name} ")), "no mail of {name}: {story}");
    }
    assert!(story.contains("turned a delivery away (421)"), "{story}");
    assert!(story.contains("none came twice: yes"), "{story}");
    assert!(!story.contains('\x1b'), "colours are for terminals: {story}");
    drop(tools);
    let left: Vec<_> =
        fs::read_dir(scene.folder()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["story"]);
    assert!(scene.processes().is_empty(), "processes of the demo are left");
}

/// A folder with all that the demo may need of the system: a shell and two commands for its scripts.
fn tools(scene: &Scene) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir_in(scene.folder())?;
    for name in ["sh", "cat", "sleep"] {
        symlink(found(name), folder.path().join(name))?;
    }
    Ok(folder)
}

fn found(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| Path::new("/bin").join(name))
}
