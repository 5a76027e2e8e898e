//! The limits for descriptors and processes: [`raise`] makes sure of `minfds` and `minprocs` (`set_rlimits_or_exit` of
//! the original), then raises the soft limit of descriptors to the hard limit.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// What was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RaisedLimits {
    /// For the log, in the original's words.
    pub(crate) infos: Vec<String>,
    /// The soft limit of descriptors for children: what the original would have left them with.
    pub(crate) nofile: u64,
}

/// One of the two limits.
struct LimitSpec {
    resource: Resource,
    name: &'static str,
    least: u64,
    /// What differs in the original's words for a refusal.
    what: &'static str,
    required: &'static str,
    subject: &'static str,
    setting: &'static str,
}

/// Raises the limits to at least `minfds` descriptors and `minprocs` processes, the hard limits as well if need be.
/// The error is what the original prints after `Error: `.
pub(crate) fn raise(minfds: u64, minprocs: u64) -> Result<RaisedLimits, String> {
    let limits = [
        LimitSpec {
            resource: Resource::RLIMIT_NOFILE,
            name: "RLIMIT_NOFILE",
            least: minfds,
            what: "file descriptors",
            required: "file descriptors",
            subject: "process",
            setting: "minfds",
        },
        LimitSpec {
            resource: Resource::RLIMIT_NPROC,
            name: "RLIMIT_NPROC",
            least: minprocs,
            what: "processes",
            required: "available processes",
            subject: "program",
            setting: "minprocs",
        },
    ];
    let mut infos = Vec::new();
    for limit in &limits {
        infos.extend(ensure(limit)?);
    }
    Ok(RaisedLimits { infos, nofile: raise_nofile_to_hard_limit() })
}

fn ensure(limit: &LimitSpec) -> Result<Option<String>, String> {
    let Ok((soft, hard)) = getrlimit(limit.resource) else { return Ok(None) };
    if soft >= limit.least || soft == RLIM_INFINITY {
        return Ok(None);
    }
    // Only root can raise a hard limit.
    setrlimit(limit.resource, limit.least, hard.max(limit.least)).map_err(|_| refusal(limit, hard))?;
    Ok(Some(format!("Increased {} limit to {}", limit.name, limit.least)))
}

/// `hard` is the present limit; the original shows the one that it failed to set.
fn refusal(limit: &LimitSpec, hard: u64) -> String {
    let LimitSpec { what, required, subject, setting, least, .. } = limit;
    format!(
        "The minimum number of {required} required to run this {subject} is {least} as per the \"{setting}\" \
         command-line argument or config file setting. The current environment will only allow you to open {hard} \
         {what}.  Either raise the number of usable {what} in your environment (see README.rst) or lower the \
         {setting} setting in the config file to allow the {subject} to start."
    )
}

/// Raises the daemon's soft limit to the hard limit, so that many programs need no `minfds`. Gives the soft limit of
/// before.
fn raise_nofile_to_hard_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return RLIM_INFINITY };
    // It is always allowed. If it fails nevertheless, the limit is that of the original.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    soft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_raised_for_us_and_not_for_children() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let raised = raise(1, 1).unwrap();
        assert!(raised.infos.is_empty());
        // Another test may have raised the soft limit in between.
        assert!([soft, hard].contains(&raised.nofile), "{raised:?}");
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
    }

    #[test]
    fn more_than_the_kernel_has_is_refused_in_the_words_of_the_original() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        // No user, not even root, may have more descriptors than fs.nr_open says.
        let refused = raise(u64::from(u32::MAX), 1).unwrap_err();
        assert_eq!(
            refused,
            format!(
                "The minimum number of file descriptors required to run this process is 4294967295 as per the \
                 \"minfds\" command-line argument or config file setting. The current environment will only allow \
                 you to open {hard} file descriptors.  Either raise the number of usable file descriptors in your \
                 environment (see README.rst) or lower the minfds setting in the config file to allow the process \
                 to start."
            )
        );
    }
}
