//! Where the configuration is searched for by default.

use std::path::{Path, PathBuf};

/// Beside the folder of the program, in the working directory, in `/etc` (Supervisor's options.py); those that come
/// first win.
///
/// `program` is how it was called; by a bare name, the path that the kernel was given counts, which is what a Python
/// script is told.
pub fn default_paths(program: &str) -> [PathBuf; 6] {
    let called = rustix::param::linux_execfn().to_string_lossy();
    places(if program.contains('/') { program } else { &called })
}

fn places(program: &str) -> [PathBuf; 6] {
    let beside = Path::new(program).parent().and_then(Path::parent).unwrap_or(Path::new(""));
    [
        beside.join("etc/supervisord.conf"),
        beside.join("supervisord.conf"),
        "supervisord.conf".into(),
        "etc/supervisord.conf".into(),
        "/etc/supervisord.conf".into(),
        "/etc/supervisor/supervisord.conf".into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_looked_for_where_the_original_looks() {
        let listed = |program| places(program).map(|path| path.display().to_string()).join(", ");
        assert_eq!(
            listed("/opt/V/bin/supervisord"),
            "/opt/V/etc/supervisord.conf, /opt/V/supervisord.conf, supervisord.conf, etc/supervisord.conf, \
             /etc/supervisord.conf, /etc/supervisor/supervisord.conf"
        );
        assert!(listed("supervisord").starts_with("etc/supervisord.conf, supervisord.conf, "));
    }
}
