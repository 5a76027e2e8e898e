//! The project's chores, so that everybody runs the same commands: `cargo xtask NAME`.

mod arrows;
mod bench;
mod check;
mod dist;
mod fuzz;
mod house;
mod soak;
mod test;
mod workshop;

use std::env;
use std::process::ExitCode;

use workshop::Workshop;

/// One chore: its name, what it is for, and the function that does it with the arguments after its name.
struct Chore {
    name: &'static str,
    about: &'static str,
    run: fn(&Workshop, &[String]) -> anyhow::Result<()>,
}

const CHORES: &[Chore] = &[
    Chore { name: "check", about: "everything a change must pass", run: check::run },
    Chore { name: "test", about: "gets the originals, builds us, runs all tests", run: test::run },
    Chore {
        name: "bench",
        about: "measures the originals and us in one run [--quick] [--only WORKLOAD] [--who CONTENDER]",
        run: bench::run,
    },
    Chore {
        name: "dist",
        about: "packages a static build [--binary PATH] [--folder DIR] [--only tarball|deb|rpm|docker]",
        run: dist::run,
    },
    Chore { name: "fuzz", about: "runs each fuzz target for a while [--seconds N]", run: fuzz::run },
    Chore {
        name: "soak",
        about: "kills children, listeners and clients of a loaded daemon [--seconds N]",
        run: soak::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let wanted = args.first().map(String::as_str);
    let Some(chore) = CHORES.iter().find(|chore| Some(chore.name) == wanted) else {
        eprintln!("usage: cargo xtask NAME");
        for Chore { name, about, .. } in CHORES {
            eprintln!("  {name:<6} {about}");
        }
        return ExitCode::from(2);
    };
    match Workshop::find().and_then(|shop| (chore.run)(&shop, &args[1..])) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {}: {error:#}", chore.name);
            ExitCode::FAILURE
        }
    }
}
