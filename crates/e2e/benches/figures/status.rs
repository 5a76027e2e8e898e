//! How long a person waits for `supervisorctl status`, from exec to the end.

use std::process::Stdio;
use std::time::Instant;

use anyhow::ensure;
use ironlance_e2e::{Implementation, TestDir};

use crate::contender::Contender;
use crate::daemon::{Daemon, Plan, sleepers};
use crate::{Effort, Figure, Figures};

/// Each contender's supervisorctl with its own daemon, over the unix socket; the output goes to a pipe.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let many = if effort == Effort::Full { 1000 } else { 100 };
    let mut figures = Vec::new();
    for (count, times) in [(10, 40), (many, 15)] {
        let dir = TestDir::new()?;
        let sections = sleepers('p', count, "");
        let plan = Plan { sections: &sections, settings: "minfds=4000\n", ..Plan::default() };
        let daemon = Daemon::start(&dir, contender, &plan)?;
        daemon.wait_count(count, "RUNNING")?;
        dir.write(
            "ctl.conf",
            &format!("[supervisorctl]\nserverurl=unix://{}\n", dir.path("s.sock").display()),
        )?;
        // The first run brings the files into memory.
        let values = (0..=effort.times(times)).map(|_| status(&dir, contender, count));
        let values = values.skip(1).collect::<anyhow::Result<_>>()?;
        figures.push(Figure::new(&format!("supervisorctl status, {count} programs"), "ms", values));
    }
    Ok(figures)
}

fn status(dir: &TestDir, contender: &Contender, count: usize) -> anyhow::Result<f64> {
    let line = contender.command_line("supervisorctl")?;
    let mut words = line.split(' ');
    let mut command = dir.command(words.next().unwrap_or_default(), Implementation::Original)?;
    command.args(words).arg("-c").arg(dir.path("ctl.conf")).arg("status").stdin(Stdio::null());
    let began = Instant::now();
    let output = command.output()?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    let running = String::from_utf8_lossy(&output.stdout).matches("RUNNING").count();
    ensure!(output.status.success() && running == count, "{running} of {count} programs: {output:?}");
    Ok(took)
}
