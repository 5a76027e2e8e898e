//! `cargo xtask TASK`: the project's tasks, the same commands on every machine.

mod bench;
mod check;
mod dist;
mod fuzz;
mod layering;
mod licences;
mod lint;
mod metadata;
mod soak;
mod sources;
mod test;
mod workspace;

use std::env;
use std::process::ExitCode;

use workspace::Workspace;

/// One task: its name, what it is for, and the function that does it with the arguments after its name.
struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace, &[String]) -> anyhow::Result<()>,
}

const TASKS: &[Task] = &[
    Task { name: "check", about: "everything a change must pass [STEP ...]", run: check::run },
    Task {
        name: "test",
        about: "gets the originals, builds us, runs all tests [--fast: about a minute, without the originals]",
        run: test::run,
    },
    Task {
        name: "bench",
        about: "measures the originals and us in one run [--quick] [--only WORKLOAD] [--who CONTENDER]",
        run: bench::run,
    },
    Task {
        name: "dist",
        about: "packages a static build [--binary PATH] [--folder DIR] [--only tarball|deb|rpm|docker]",
        run: dist::run,
    },
    Task { name: "fuzz", about: "runs each fuzz target for a while [--seconds N]", run: fuzz::run },
    Task {
        name: "soak",
        about: "kills children, listeners and clients of a loaded daemon [--seconds N]",
        run: soak::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let wanted = args.first().map(String::as_str);
    let Some(task) = TASKS.iter().find(|task| Some(task.name) == wanted) else {
        eprintln!("usage: cargo xtask NAME");
        for Task { name, about, .. } in TASKS {
            eprintln!("  {name:<6} {about}");
        }
        return ExitCode::from(2);
    };
    match Workspace::find().and_then(|workspace| (task.run)(&workspace, &args[1..])) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {}: {error:#}", task.name);
            ExitCode::FAILURE
        }
    }
}
