//! supervisorctl of one implementation, run with arguments and a stdin: what it printed, and how it ended.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::daemon::run_command;
use crate::implementation::Implementation;
use crate::redaction::redact;
use crate::test_dir::TestDir;
use crate::wait::TIMEOUT;

/// The original's supervisorctl that stays, and forks for each command line: Python takes a tenth of a second to start.
const RESIDENT: &str = include_str!("../python/resident_ctl.py");

/// What one run said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CtlOutput {
    /// Its exit status, negative for a signal.
    pub status: i32,
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: Vec<u8>,
}

impl CtlOutput {
    /// Status and output as lines to be compared: pids, times, uptimes and folders are taken out, what is not UTF-8
    /// and control characters are escaped.
    pub fn lines(&self, folder: &Path) -> Vec<String> {
        let mut lines = vec![format!("[{}]", self.status)];
        for (mark, bytes) in [("|", &self.stdout), ("!", &self.stderr)] {
            lines.extend(shown(bytes, folder).into_iter().map(|line| format!("{mark} {line}")));
        }
        lines
    }

    /// Stdout as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Stderr as text.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// The bytes as lines; the last is marked when it lacks its end.
pub fn shown(bytes: &[u8], folder: &Path) -> Vec<String> {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    let Some(whole) = text.strip_suffix('\n') else {
        return if text.is_empty() { Vec::new() } else { plain_lines(&format!("{text}¶"), folder) };
    };
    plain_lines(whole, folder)
}

fn plain_lines(text: &str, folder: &Path) -> Vec<String> {
    let visible = |char: char| match char {
        '\n' => "\n".to_owned(),
        '\t' => "\t".to_owned(),
        char if char.is_control() => char.escape_default().to_string(),
        char => char.to_string(),
    };
    let text: String = redact(text, folder).chars().map(visible).collect();
    text.split('\n').map(str::to_owned).collect()
}

/// The supervisorctl of one implementation in a test directory.
pub struct Ctl {
    implementation: Implementation,
    resident: Option<Resident>,
    runs: usize,
}

impl Ctl {
    /// One that has not been started yet.
    pub fn new(implementation: Implementation) -> Self {
        Self { implementation, resident: None, runs: 0 }
    }

    /// Runs it with these arguments, these variables more, and these bytes on its stdin.
    pub fn run(
        &mut self,
        dir: &TestDir,
        args: &[&str],
        stdin: &[u8],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<CtlOutput> {
        self.runs += 1;
        let input = dir.path(&format!("ctl-{}.in", self.runs));
        fs::write(&input, stdin).context("cannot keep the stdin of supervisorctl")?;
        let output = match self.implementation {
            Implementation::Original => self.resident(dir)?.run(&input, args, variables),
            Implementation::Ours => ours(dir, &input, args, variables),
        };
        output.with_context(|| format!("{} supervisorctl {args:?}", self.implementation))
    }

    fn resident(&mut self, dir: &TestDir) -> anyhow::Result<&mut Resident> {
        match &mut self.resident {
            Some(resident) => Ok(resident),
            slot => Ok(slot.insert(Resident::start(dir)?)),
        }
    }
}

/// The command of the implementation's supervisorctl in the test directory, as a process of its own.
pub fn supervisorctl(
    dir: &TestDir,
    implementation: Implementation,
    args: &[&str],
) -> anyhow::Result<Command> {
    let mut command = dir.command(implementation.path("supervisorctl")?, implementation)?;
    command.args(args);
    Ok(command)
}

fn ours(dir: &TestDir, input: &Path, args: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<CtlOutput> {
    let mut command = supervisorctl(dir, Implementation::Ours, args)?;
    command.stdin(fs::File::open(input)?).envs(variables.iter().copied());
    let output = run_command(command)?;
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap_or_default();
    let status = output.status.code().unwrap_or(-signal);
    Ok(CtlOutput { status, stdout: output.stdout, stderr: output.stderr })
}

struct Resident {
    child: Child,
    answers: ChildStdout,
}

impl Resident {
    fn start(dir: &TestDir) -> anyhow::Result<Self> {
        let program = dir.write("resident_ctl.py", RESIDENT)?;
        let mut command = dir.command(Implementation::Original.path("python")?, Implementation::Original)?;
        command.arg(program).arg(Implementation::Original.path("supervisorctl")?);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the original's supervisorctl")?;
        let answers = child.stdout.take().context("cannot read from the original's supervisorctl")?;
        Ok(Self { child, answers })
    }

    fn run(&mut self, input: &Path, args: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<CtlOutput> {
        let (out, err): (PathBuf, PathBuf) = (input.with_extension("out"), input.with_extension("err"));
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for path in [input, &out, &err] {
            fields.push(path.as_os_str().as_encoded_bytes().to_vec());
        }
        fields.extend(variables.iter().map(|(name, value)| format!("{name}={value}").into_bytes()));
        fields.push(Vec::new());
        fields.extend(args.iter().map(|arg| arg.as_bytes().to_vec()));
        let words: Vec<String> = fields.iter().map(|field| hexadecimal(field)).collect();
        let stdin = self.child.stdin.as_mut().context("cannot ask the original's supervisorctl")?;
        stdin.write_all(format!("{}\n", words.join(" ")).as_bytes())?;
        let status = self.answer().with_context(|| {
            format!("{:?}", fs::read(&out).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        })?;
        Ok(CtlOutput { status, stdout: fs::read(out)?, stderr: fs::read(err)? })
    }

    /// The line with the status.
    fn answer(&mut self) -> anyhow::Result<i32> {
        let limit = Timespec { tv_sec: i64::try_from(TIMEOUT.as_secs())?, tv_nsec: 0 };
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let ready = poll(&mut [PollFd::new(&self.answers, PollFlags::IN)], Some(&limit))?;
            let mut chunk = [0; 64];
            let count = if ready == 0 { 0 } else { self.answers.read(&mut chunk)? };
            if count == 0 {
                bail!("waited {TIMEOUT:?} in vain for supervisorctl to end");
            }
            line.extend_from_slice(&chunk[..count]);
        }
        let text = String::from_utf8(line)?;
        text.trim().parse().with_context(|| format!("cannot read the status {text:?}"))
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        // Its children are ended by the test directory.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A lone dot for nothing, since blanks divide the fields.
fn hexadecimal(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return ".".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_shown_line_by_line_with_nothing_hidden() {
        let folder = Path::new("/tmp/x");
        assert_eq!(shown(b"", folder), Vec::<String>::new());
        assert_eq!(shown(b"a\n\nb\n", folder), ["a", "", "b"]);
        assert_eq!(shown(b"a\r\xff\x1b[m", folder), ["a\\r\\xff\\u{1b}[m¶"]);
        assert_eq!(shown(b"x RUNNING pid 7, uptime 1:02:03\n", folder), ["x RUNNING pid PID, uptime UP"]);
    }

    #[test]
    fn fields_have_no_blanks() {
        assert_eq!(hexadecimal("a é".as_bytes()), "6120c3a9");
        assert_eq!(hexadecimal(b""), ".");
    }
}
