//! What a scenario runs and notes of a supervisorctl.

use anyhow::ensure;

use super::scenario::Scenario;
use crate::ctl::CtlOutput;
use crate::daemon::{BASE, Daemon, write_config};
use crate::implementation::Implementation;

/// The section that supervisorctl needs.
pub const SECTION: &str = "[supervisorctl]\nserverurl=unix://{dir}/s.sock\n";

/// What the original's supervisorctl says when an exception reaches its loop: the class, the reason, its file and line.
/// Ours says the reason. Both are noted as this; what ours says is looked at where it matters.
const ERROR_PREFIX: &str = "error: ";

/// What both say when name and password are wrong.
const REFUSED: &str = "Server requires authentication";

/// The heading of the verbs that the original does not have.
pub const OUR_VERBS: &str = "ironlance commands (type help <topic>):";

impl Scenario {
    /// Starts the daemon on the usual sections and these; supervisorctl will find it by the same file.
    pub fn start(&self, sections: &str) -> anyhow::Result<Daemon> {
        Daemon::start_on(&self.dir, self.daemon, &format!("{BASE}{SECTION}{sections}"), &[])
    }

    /// Writes another configuration for the same daemon.
    pub fn rewrite(&self, sections: &str) -> anyhow::Result<()> {
        write_config(&self.dir, &format!("{BASE}{SECTION}{sections}")).map(drop)
    }

    /// Runs supervisorctl with these arguments as they are, and notes nothing. `{dir}` in them is the folder.
    pub fn run_raw(
        &mut self,
        args: &[&str],
        stdin: &[u8],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<CtlOutput> {
        let folder = self.dir.folder().display().to_string();
        let args: Vec<String> = args.iter().map(|arg| arg.replace("{dir}", &folder)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = self.ctl.run(&self.dir, &args, stdin, variables)?;
        if self.implementation == Implementation::Ours {
            for trace in ["Traceback", ".py", "panicked", "src/"] {
                let printed = format!("{}{}", output.text(), output.stderr_text());
                ensure!(!printed.contains(trace), "supervisorctl {args:?} shows its inside: {printed}");
            }
        }
        Ok(output)
    }

    /// Runs it on the test directory's configuration, and notes nothing.
    pub fn run_unrecorded(&mut self, args: &[&str], stdin: &[u8]) -> anyhow::Result<CtlOutput> {
        let config = self.dir.path("supervisord.conf").display().to_string();
        self.run_raw(&[&["-c", config.as_str()], args].concat(), stdin, &[])
    }

    /// Runs a command line, divided at blanks, and notes it with what it said.
    pub fn run(&mut self, line: &str) -> anyhow::Result<()> {
        self.run_args(&words(line))
    }

    /// Runs these arguments, and notes them with what it said.
    pub fn run_args(&mut self, args: &[&str]) -> anyhow::Result<()> {
        let output = self.run_unrecorded(args, b"")?;
        self.note_output(&args.join(" "), &output);
        Ok(())
    }

    /// Runs several lines, each alone.
    pub fn run_each(&mut self, lines: &[&str]) -> anyhow::Result<()> {
        lines.iter().try_for_each(|line| self.run(line))
    }

    /// Runs a line about all processes: they are told of in the order in which they are done, and the last gives the
    /// status.
    pub fn run_unordered(&mut self, line: &str) -> anyhow::Result<()> {
        let mut output = self.run_unrecorded(&words(line), b"")?;
        let mut lines: Vec<&[u8]> = output.stdout.split_inclusive(|byte| *byte == b'\n').collect();
        lines.sort_unstable();
        output.stdout = lines.concat();
        output.status = output.status.min(1);
        self.note_output(line, &output);
        Ok(())
    }

    /// Runs a line of which the pids, each alone in a line, are taken out.
    pub fn run_pids(&mut self, line: &str) -> anyhow::Result<()> {
        let mut output = self.run_unrecorded(&words(line), b"")?;
        let pid = |line: &str| match line.parse::<u32>() {
            Ok(1..) => "PID\n".to_owned(),
            _ => format!("{line}\n"),
        };
        output.stdout = output.text().lines().map(pid).collect::<String>().into_bytes();
        self.note_output(line, &output);
        Ok(())
    }

    /// Runs a shell whose stdin is this script, and notes what it said.
    pub fn shell(&mut self, args: &[&str], script: &[u8]) -> anyhow::Result<()> {
        let output = self.run_unrecorded(args, script)?;
        let typed = String::from_utf8_lossy(script);
        self.note_output(&format!("{} <<< {:?}", args.join(" "), typed), &output);
        Ok(())
    }

    /// Notes a run.
    pub fn note_output(&mut self, line: &str, output: &CtlOutput) {
        self.note(format!("$ supervisorctl {line}"));
        let mut before = String::new();
        let lines = without_our_verbs(output.lines(self.dir.folder()));
        for line in lines.into_iter().filter(|line| !is_rest_of_error(line)) {
            // The original tries once more when it is refused, and reports that as an error.
            if before.ends_with(REFUSED) && line.contains("ProtocolError") {
                continue;
            }
            self.notes.push(neutral(&line, self.implementation));
            before = line;
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').filter(|word| !word.is_empty()).collect()
}

/// A line without what must differ: where the command lies, and how trouble is worded.
fn neutral(line: &str, implementation: Implementation) -> String {
    let bin = implementation.bin().map(|bin| bin.display().to_string()).unwrap_or_default();
    let line = line.replace(&bin, "BIN");
    match line.find(ERROR_PREFIX) {
        // Also behind a prompt.
        Some(at) if line[..at].ends_with([' ', '>']) => format!("{}{ERROR_PREFIX}…", &line[..at]),
        _ => line,
    }
}

/// Without the second list of `help`, which is ours: a heading, a line under it, verbs, and an empty line.
fn without_our_verbs(lines: Vec<String>) -> Vec<String> {
    let mut kept = Vec::with_capacity(lines.len());
    let mut is_ours = false;
    for line in lines {
        is_ours |= line == format!("| {OUR_VERBS}");
        if !is_ours {
            kept.push(line);
        } else if line == "| " {
            is_ours = false;
        }
    }
    kept
}

/// Whether the original's trouble had a reason of several lines, and this is the last of them.
fn is_rest_of_error(line: &str) -> bool {
    let place = line.split_once(": file: ").and_then(|(_, place)| place.split_once(".py line: "));
    place.is_some() && !line.contains(ERROR_PREFIX)
}
