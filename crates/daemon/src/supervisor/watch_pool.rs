//! The pool that the daemon runs by itself where the configuration has an `[alert:x]`: one `ironlance watch`. Clients that
//! list processes do not see it; `supervisorctl listeners` shows it.

use std::path::Path;
use std::rc::Rc;

use ironlance_config::{self as config, Config, GroupKind, LogTarget, OutputConfig, Program};
use ironlance_core::event::kind::EventKind;
use ironlance_core::process::lifecycle::Autorestart;
use ironlance_core::{GroupName, ProcessName, signal};

use super::Supervisor;
use crate::request::{ProcessTarget, RequestedSignal};

/// The name of the pool and of its process.
const NAME: &str = "watch";
/// Its name where the configuration has given that one to something else.
const OTHER_NAME: &str = "ironlance-watch";
/// What `watch` needs to know.
const EVENTS: [EventKind; 5] = [
    EventKind::ProcessState,
    EventKind::ProcessGroup,
    EventKind::SupervisorStateChange,
    EventKind::RemoteCommunication,
    EventKind::ProcessCommunication,
];
/// How many events may wait for it.
const BUFFER: usize = 1000;

/// The pool, unless there is nobody to alert, or the configuration has an `[eventlistener:watch]`. `cwd` is where the
/// daemon was started: the process may run elsewhere.
pub(super) fn built_in_pool(config: &Config, cwd: &Path) -> Option<config::Group> {
    if !config.watch.as_ref().is_some_and(|watch| watch.has_receivers) {
        return None;
    }
    let named = |name: &str| config.groups.iter().find(|group| group.name.0 == name);
    let name = match named(NAME) {
        Some(group) if matches!(group.kind, GroupKind::Listeners { .. }) => return None,
        Some(_) => OTHER_NAME,
        None => NAME,
    };
    if named(name).is_some() {
        return None;
    }
    let file = quoted(&cwd.join(&config.file).display().to_string());
    let identifier = quoted(&config.settings.identifier);
    let output = OutputConfig {
        logfile: LogTarget::None,
        maxbytes: 0,
        backups: 0,
        capture_maxbytes: 0,
        events_enabled: false,
        syslog: false,
    };
    let program = Program {
        name: ProcessName(name.to_owned()),
        command: format!("/proc/self/exe watch -c {file} -i {identifier}"),
        directory: None,
        umask: None,
        priority: -1,
        autostart: true,
        autorestart: Autorestart::Always,
        startsecs: 1,
        startretries: i64::from(i32::MAX),
        uid: None,
        stdout: output.clone(),
        stderr: output,
        stopsignal: signal::TERM,
        stopwaitsecs: 10,
        stopasgroup: false,
        killasgroup: false,
        exitcodes: vec![0],
        redirect_stderr: false,
        environment: config.settings.environment.clone(),
        serverurl: None,
    };
    Some(config::Group {
        name: GroupName(name.to_owned()),
        priority: -1,
        programs: vec![program],
        kind: GroupKind::Listeners {
            events: EVENTS.to_vec(),
            buffer_size: Some(BUFFER),
            result_handler: "supervisor.dispatchers:default_handler".to_owned(),
        },
        built_in: true,
    })
}

/// A word as shlex reads it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r#"'"'"'"#))
}

impl Supervisor {
    /// Takes the pool into service, or has its process read the configuration again where it is.
    pub(super) fn update_watch_pool(&mut self) {
        let running = self.state.table.groups().find(|(_, group)| group.config.built_in);
        match (running, self.env.watch_pool.clone()) {
            (Some((_, group)), _) => {
                let target = ProcessTarget::Group(group.config.name.0.clone());
                // One that does not run reads it when it starts.
                let _ = self.signal(&target, &RequestedSignal::new("HUP"));
            }
            (None, Some(pool)) => {
                self.add_group(&Rc::clone(&pool));
            }
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use ironlance_config::{HostEnv, Overrides};
    use ironlance_core::text::shlex;

    use super::*;

    fn pool(sections: &str) -> Option<config::Group> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it's.conf");
        std::fs::write(&file, format!("[supervisord]\nidentifier=shop 1\n{sections}")).unwrap();
        let config = config::load(&file, &Overrides::default(), &HostEnv::current()).unwrap();
        let pool = built_in_pool(&config, Path::new("/"))?;
        let words = shlex::split(&pool.programs[0].command).unwrap();
        let expected =
            ["/proc/self/exe", "watch", "-c", file.to_str().unwrap(), "-i", &config.settings.identifier];
        assert_eq!(words, expected);
        Some(pool)
    }

    #[test]
    fn a_receiver_brings_the_pool_and_one_of_the_configuration_takes_its_place() {
        let alert = "[alert:ops]\nmail=ops@example.com\n";
        assert!(pool("").is_none());
        assert_eq!(pool(alert).unwrap().name.0, "watch");
        let listener = "[eventlistener:watch]\ncommand=ironlance watch\nevents=PROCESS_STATE\n";
        assert!(pool(&format!("{alert}{listener}")).is_none());
        let program = "[program:watch]\ncommand=cat\n";
        assert_eq!(pool(&format!("{alert}{program}")).unwrap().name.0, "ironlance-watch");
    }
}
