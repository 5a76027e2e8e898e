//! [`ConfigView`]: a configuration as the findings read it, with its sections and expanded values.

use ironlance_config::expansion::percent_format::FormatValue;
use ironlance_config::expansion::{EnvVariables, ExpansionNames, expand};
use ironlance_config::ini::Section;
use ironlance_config::{HostEnv, RawConfig};
use ironlance_core::text::shlex;

/// Prefixes of the sections that run programs.
const RUNNERS: [&str; 3] = ["program:", "eventlistener:", "fcgi-program:"];

/// A configuration and the host that it is for.
pub(super) struct ConfigView<'a> {
    pub(super) outline: &'a RawConfig,
    pub(super) host_env: &'a HostEnv,
    variables: EnvVariables,
}

impl<'a> ConfigView<'a> {
    pub(super) fn new(outline: &'a RawConfig, host_env: &'a HostEnv) -> Self {
        Self { outline, host_env, variables: EnvVariables::new(&host_env.environment) }
    }

    /// The sections with this prefix.
    pub(super) fn sections(&self, prefix: &'static str) -> impl Iterator<Item = &'a Section> + use<'a> {
        self.outline.ini.sections().iter().filter(move |section| section.name.starts_with(prefix))
    }

    /// The sections that run programs.
    pub(super) fn runners(&self) -> impl Iterator<Item = &'a Section> + use<'a> {
        let runs = |section: &&Section| RUNNERS.iter().any(|prefix| section.name.starts_with(prefix));
        self.outline.ini.sections().iter().filter(runs)
    }

    /// A value, expanded for the first process of the section; unexpanded if that fails.
    pub(super) fn value(&self, section: &Section, key: &str) -> Option<String> {
        let value = &self.outline.ini.get(section, key)?.value;
        if !value.contains('%') {
            return Some(value.clone());
        }
        let label = section.name.split_once(':').map_or("", |(_, label)| label);
        let mut names = ExpansionNames::default()
            .with("here", &self.outline.here)
            .with("host_node_name", &self.host_env.host_node_name)
            .with("program_name", label)
            .with("group_name", label);
        for name in ["process_num", "numprocs"] {
            names.set(name, FormatValue::Number(0));
        }
        Some(
            expand(value, &names, &self.variables, key)
                .map_or_else(|_| value.clone(), |expanded| expanded.text.into_owned()),
        )
    }

    /// The words of a section's command.
    pub(super) fn words(&self, section: &Section) -> Vec<String> {
        self.value(section, "command").and_then(|command| shlex::split(&command).ok()).unwrap_or_default()
    }
}
