//! `cargo xtask TASK`: the project's tasks, the same commands on every machine.

mod bench;
mod check;
mod dist;
mod fuzz;
mod layering;
mod licences;
mod lint;
mod soak;
mod sources;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use workspace::Workspace;

/// The project's tasks.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Everything that a change must pass
    Check {
        /// Only these steps
        #[arg(value_parser = check::STEPS.map(|step| step.name))]
        steps: Vec<String>,
    },
    /// Gets the originals, builds us, runs all tests
    Test {
        /// About a minute, without the originals
        #[arg(long)]
        fast: bool,
        /// What `cargo test` gets
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measures the originals and us in one run
    Bench(bench::Options),
    /// Packages a static build
    Dist(dist::Options),
    /// Runs each fuzz target for a while
    Fuzz {
        /// For each target. Long enough to notice a parser that panics on the first odd byte, short enough to be run often
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// Kills children, listeners and clients of a loaded daemon
    Soak {
        /// Long enough for a leak of a descriptor or a kilobyte in a minute to be seen
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Check { steps } => check::run(&workspace, &steps),
        Task::Test { fast: true, args } => test::run_fast(&workspace, &args),
        Task::Test { fast: false, args } => test::run(&workspace, &args),
        Task::Bench(options) => bench::run(&workspace, &options),
        Task::Dist(options) => dist::run(&workspace, options),
        Task::Fuzz { seconds } => fuzz::run(&workspace, seconds),
        Task::Soak { seconds } => soak::run(&workspace, seconds),
    }
}
