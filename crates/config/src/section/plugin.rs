//! `[rpcinterface:x]` and `[ctlplugin:x]`: Python code by its name, of which only the stock interface exists here.

use crate::expansion::ExpansionNames;
use crate::ini::Section;
use crate::loader::context::{LoadContext, SectionScope};
use crate::section::factory::{self, Factory, INTERFACE};
use crate::value::InvalidValue;

/// The key of an interface of the daemon.
pub(crate) const RPC_KEYS: [&str; 1] = ["supervisor.rpcinterface_factory"];
/// The key of a plugin of the control program.
pub(crate) const CTL_KEYS: [&str; 1] = ["supervisor.ctl_factory"];

/// The namespaces that the stock interface is served at.
pub(crate) fn interfaces(context: &mut LoadContext<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for section in sections(context, "rpcinterface:") {
        let scope = SectionScope::new(section, ExpansionNames::default());
        let Some(factory) = factory(context, &scope, RPC_KEYS[0]) else { continue };
        match factory {
            (Factory::Stock(INTERFACE), _) => names.push(scope.label().to_owned()),
            (Factory::Stock(_) | Factory::Foreign, name) => context.warn_at(
                &scope,
                RPC_KEYS[0],
                &format!("names Python code, which cannot be loaded: {name}; its methods are missing"),
            ),
        }
    }
    names
}

/// Warns of each plugin of the control program.
pub(crate) fn plugins(context: &mut LoadContext<'_>) {
    for section in sections(context, "ctlplugin:") {
        let scope = SectionScope::new(section, ExpansionNames::default());
        if let Some((_, name)) = factory(context, &scope, CTL_KEYS[0]) {
            context.warn_at(
                &scope,
                CTL_KEYS[0],
                &format!("names Python code, which cannot be loaded: {name}; its commands are missing"),
            );
        }
    }
}

fn sections<'a>(
    context: &LoadContext<'a>,
    prefix: &'static str,
) -> impl Iterator<Item = &'a Section> + use<'a> {
    context.ini.sections().iter().filter(move |section| section.name.starts_with(prefix))
}

/// The factory of a section, with its name. The other keys are arguments to it: they must at least be well formed.
fn factory<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
    key: &str,
) -> Option<(Factory, String)> {
    let section = &scope.section.name;
    if context.raw(scope, key).is_none() {
        let original = format!("section [{section}] does not specify a {key}");
        context.refuse(scope, key, InvalidValue { what: format!("cannot do without a {key}"), original });
    }
    let factory =
        context.optional(scope, key, |text| Ok((factory::factory(text, section)?, text.to_owned())));
    for entry in scope.section.entries().iter().chain(context.ini.defaults().entries()) {
        if entry.key != key {
            let _ = context.text(scope, &entry.key);
        }
    }
    factory
}
