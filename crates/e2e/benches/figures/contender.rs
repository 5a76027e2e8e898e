//! Who is measured: the originals, our binary, and our binary linked statically.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use ironlance_e2e::implementation::binary;
use ironlance_e2e::{FakeSupervisor, Implementation, TestDir};

/// A program that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Original,
    Dynamic(PathBuf),
    Static(PathBuf),
}

impl Contender {
    /// The original first: the others are compared with it. The static binary is left out when there is none.
    pub(crate) fn all() -> anyhow::Result<Vec<Self>> {
        let mut all = vec![Self::Original, Self::Dynamic(binary()?)];
        all.extend(env::var_os("IRONLANCE_STATIC_BIN").map(|path| Self::Static(path.into())));
        Ok(all)
    }

    /// A command line for supervisord's configuration.
    pub(crate) fn command_line(&self, name: &str) -> anyhow::Result<String> {
        Ok(match self {
            Self::Original => Implementation::Original.path(name)?.display().to_string(),
            Self::Dynamic(path) | Self::Static(path) => format!("{} {name}", path.display()),
        })
    }

    /// A listener that is asked for by a fake supervisord; `wrapper` runs it when not empty.
    pub(crate) fn listener(
        &self,
        dir: &TestDir,
        supervisor: &FakeSupervisor,
        wrapper: &[&str],
        name: &str,
        args: &[&str],
    ) -> anyhow::Result<Command> {
        let line = self.command_line(name)?;
        let mut words = wrapper.iter().copied().chain(line.split(' ')).chain(args.iter().copied());
        let program = words.next().unwrap_or_default();
        let mut command = dir.command(program, Implementation::Original)?;
        command
            .args(words)
            .env("SUPERVISOR_SERVER_URL", supervisor.url())
            .env("SUPERVISOR_ENABLED", "1")
            .env("SUPERVISOR_PROCESS_NAME", name)
            .env("SUPERVISOR_GROUP_NAME", name);
        Ok(command)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Original => "original",
            Self::Dynamic(_) => "ours",
            Self::Static(_) => "ours, static",
        })
    }
}

/// The six listeners with ordinary arguments.
pub(crate) const LISTENERS: &[(&str, &[&str])] = &[
    ("crashmail", &["-a", "-m", "x@y", "-s", "cat"]),
    ("crashmailbatch", &["-t", "x@y", "-f", "z@y"]),
    ("fatalmailbatch", &["-t", "x@y", "-f", "z@y"]),
    ("crashsms", &["-t", "x@y", "-f", "z@y"]),
    ("httpok", &["-p", "web", "-t", "5", "http://127.0.0.1:9/"]),
    ("memmon", &["-a", "200MB"]),
];
