//! The owner after a fault of its own: it must still be able to stop everything in order.

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ironlance_config::MainLogTarget as Target;
use rustix::fs::{OFlags, fcntl_setfl};

use super::*;
use crate::io::output::{Output, OutputRole};

/// An owner with one program, which writes to the pipe that is given back, and the folder of its files.
fn owner() -> (tempfile::TempDir, Supervisor, ProcessId, std::io::PipeWriter) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("supervisord.conf");
    fs::write(
        &file,
        format!(
            "[supervisord]\nnodaemon=true\nsilent=true\nlogfile={0}/log\npidfile={0}/pid\nchildlogdir={0}\n\
             [program:a]\ncommand=cat\nautostart=false\nstdout_logfile={0}/a.log\n",
            folder.path().display()
        ),
    )
    .unwrap();
    let config = config::load(&file, &Overrides::default(), &HostEnv::current()).unwrap();
    let log = MainLog::open(&config.settings, "test").unwrap();
    let mut owner = Supervisor::new(Startup {
        config,
        overrides: Overrides::default(),
        surroundings: HostEnv::current(),
        log,
        nofile_of_children: None,
        reports: ExecErrorPipe::new().unwrap(),
        sockets: Vec::new(),
        legacy: InheritedPools::default(),
        doors: mpsc::unbounded_channel().0,
        pidfile: None,
    })
    .unwrap();
    let group = Rc::clone(&owner.configured_groups[0]);
    owner.add_group(&group);
    let id = owner.table.processes().next().unwrap().0;
    let (ours, theirs) = std::io::pipe().unwrap();
    fcntl_setfl(&ours, OFlags::NONBLOCK).unwrap();
    let log = crate::log::rotating_file::RotatingFile::open(&folder.path().join("a.log"), 0, 0).unwrap();
    let wish = &group.programs[0].stdout;
    let output = Output::new(ours.into(), OutputChannel::Stdout, wish, Some(log), None, OutputRole::Program);
    owner.table.process_mut(id).unwrap().stdout = Some(Box::new(output));
    (folder, owner, id, theirs)
}

#[test]
fn after_a_panic_in_the_middle_of_reading_pipes_are_read_on() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let (folder, mut owner, id, mut program) = owner();
    owner.panic_on = Some(b"boom");
    program.write_all(b"boom").unwrap();
    catch_unwind(AssertUnwindSafe(|| owner.drain(id))).unwrap_err();
    owner.emergency_stop("a test");
    program.write_all(b"last words\n").unwrap();
    owner.drain(id);
    assert!(owner.output_mut(id, OutputChannel::Stdout).unwrap().fd().is_some(), "the pipe is still open");
    assert_eq!(fs::read_to_string(folder.path().join("a.log")).unwrap(), "last words\n");
    assert!(
        matches!(&owner.settings.logfile, Target::File(path) if fs::read_to_string(path).unwrap().contains("a test"))
    );
}
