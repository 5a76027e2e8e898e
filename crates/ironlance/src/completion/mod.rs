//! `ironlance completion`: the scripts that make a shell complete the commands, made of the help of all commands.

mod bash;
mod fish;
mod known;
mod zsh;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use known::Known;

use crate::usage::{self, CommandReference};

/// Prints what makes a shell complete all commands: verbs, options, and programs as they are at that moment
#[derive(Debug, Parser)]
#[command(
    name = "ironlance completion",
    after_help = "bash: ironlance completion bash > /etc/bash_completion.d/ironlance\n\
        zsh:  ironlance completion zsh > /usr/local/share/zsh/site-functions/_ironlance\n\
        fish: ironlance completion fish > ~/.config/fish/conf.d/ironlance.fish"
)]
pub(crate) struct Args {
    /// Which
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    /// bash, from 4.2
    Bash,
    /// zsh
    Zsh,
    /// fish, from 3.0
    Fish,
}

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String], commands: &[CommandReference]) -> ExitCode {
    usage::run(args, 1, |args: Args| {
        let known = Known::gather(commands);
        let script = match args.shell {
            Shell::Bash => known.script(&bash::BASH),
            Shell::Zsh => known.script(&zsh::ZSH),
            Shell::Fish => fish::script(&known),
        };
        io::stdout().write_all(script.as_bytes()).context("cannot print the script")?;
        Ok(ExitCode::SUCCESS)
    })
}
