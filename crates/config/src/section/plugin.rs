//! `[rpcinterface:x]` and `[ctlplugin:x]`: Python code by its name, of which only the stock interface exists here.

use crate::ini::Section;
use crate::loader::context::{LoadContext, SectionScope};
use crate::section::factory::{self, Factory, INTERFACE};
use crate::template::ExpansionNames;
use crate::value::InvalidValue;

/// The key of an interface of the daemon.
pub(crate) const RPC_KEYS: [&str; 1] = ["supervisor.rpcinterface_factory"];
/// The key of a plugin of the control program.
pub(crate) const CTL_KEYS: [&str; 1] = ["supervisor.ctl_factory"];

/// The namespaces that the stock interface is served at.
pub(crate) fn interfaces(reading: &mut LoadContext<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for section in sections(reading, "rpcinterface:") {
        let page = SectionScope::new(section, ExpansionNames::default());
        let Some(factory) = factory(reading, &page, RPC_KEYS[0]) else { continue };
        match factory {
            (Factory::Stock(INTERFACE), _) => names.push(page.label().to_owned()),
            (Factory::Stock(_) | Factory::Foreign, name) => reading.warn_at(
                &page,
                RPC_KEYS[0],
                &format!("names Python code, which cannot be loaded: {name}; its methods are missing"),
            ),
        }
    }
    names
}

/// Warns of each plugin of the control program.
pub(crate) fn plugins(reading: &mut LoadContext<'_>) {
    for section in sections(reading, "ctlplugin:") {
        let page = SectionScope::new(section, ExpansionNames::default());
        if let Some((_, name)) = factory(reading, &page, CTL_KEYS[0]) {
            reading.warn_at(
                &page,
                CTL_KEYS[0],
                &format!("names Python code, which cannot be loaded: {name}; its commands are missing"),
            );
        }
    }
}

fn sections<'a>(
    reading: &LoadContext<'a>,
    prefix: &'static str,
) -> impl Iterator<Item = &'a Section> + use<'a> {
    reading.ini.sections().iter().filter(move |section| section.name.starts_with(prefix))
}

/// The factory of a section, with its name. The other keys are arguments to it: they must at least be well formed.
fn factory<'a>(
    reading: &mut LoadContext<'a>,
    page: &SectionScope<'a>,
    key: &str,
) -> Option<(Factory, String)> {
    let section = &page.section.name;
    if reading.raw(page, key).is_none() {
        let original = format!("section [{section}] does not specify a {key}");
        reading.refuse(page, key, InvalidValue { what: format!("cannot do without a {key}"), original });
    }
    let factory = reading.optional(page, key, |text| Ok((factory::factory(text, section)?, text.to_owned())));
    for entry in page.section.entries().iter().chain(reading.ini.defaults().entries()) {
        if entry.key != key {
            let _ = reading.text(page, &entry.key);
        }
    }
    factory
}
