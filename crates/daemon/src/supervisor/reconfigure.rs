//! Takes groups into service and out of it: at start, and when the configuration was read again.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use ironlance_config::{self as config, LogTarget};
use ironlance_core::event::OutputChannel;
use ironlance_core::log_level::Level;

use super::Supervisor;
use crate::log::auto_logs;

impl Supervisor {
    /// Takes a group into service; what is started automatically starts soon after. Returns whether it was new.
    pub(super) fn add_group(&mut self, wanted: &Rc<config::Group>) -> bool {
        if self.state.table.group_id(&wanted.name).is_some() {
            return false;
        }
        let log_paths = wanted.programs.iter().map(|program| {
            let stdout = self.log_path(program, OutputChannel::Stdout, &program.stdout.logfile);
            [stdout, self.log_path(program, OutputChannel::Stderr, &program.stderr.logfile)]
        });
        let log_paths = log_paths.collect();
        let settings = Rc::clone(&self.env.settings);
        self.decide(|state, turn| state.add_group(wanted, log_paths, &settings, turn));
        true
    }

    /// Where a channel is logged to; AUTO gets a name of its own.
    fn log_path(
        &mut self,
        program: &config::Program,
        channel: OutputChannel,
        target: &LogTarget,
    ) -> Option<PathBuf> {
        match target {
            LogTarget::None => None,
            LogTarget::File(path) => Some(path.clone()),
            LogTarget::Auto => {
                let folder: &Path = &self.env.settings.childlogdir;
                match auto_logs::create(folder, &program.name.0, channel, &self.env.settings.identifier) {
                    Ok(path) => Some(path),
                    Err(error) => {
                        let line = format!(
                            "cannot make a log for {} of {} in {}: {error}; its output is not kept",
                            channel.name(),
                            program.name,
                            folder.display()
                        );
                        self.io.log.log(Level::Critical, &line);
                        None
                    }
                }
            }
        }
    }
}
