//! From the configuration to the checks that the probe makes: [`specs`].

use std::time::Duration;

use ironlance_checks::probe::protocol::{CheckKey, CheckSpec, ProbeTarget};
use ironlance_config::alerting::{
    Alerting, CheckTarget, HealthCheck, HeartbeatSource, MemoryLimit, MemoryMeasure,
};
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::Family;

/// How often limits are measured.
const LIMITS_EVERY: Duration = Duration::from_secs(5);
/// How long the kernel may take to tell what is measured.
const KERNEL_TIMEOUT: Duration = Duration::from_secs(3);

/// All checks, limits and heartbeats of all programs.
pub(super) fn specs(alerting: &Alerting) -> Vec<CheckSpec> {
    let mut specs = Vec::new();
    for (program, own) in &alerting.programs {
        specs.extend(own.checks.iter().map(|check| health(program, check)));
        let limit = |family, target| CheckSpec {
            key: key(program, family, ""),
            target,
            every: LIMITS_EVERY,
            timeout: KERNEL_TIMEOUT,
            grace: Duration::ZERO,
            settled: 1,
        };
        specs.extend(own.memory_limit.as_ref().map(|one| limit(Family::Memory, memory(one))));
        let cpu = own.cpu_limit.as_ref().map(|one| ProbeTarget::Cpu { limit: one.percent });
        specs.extend(cpu.map(|target| limit(Family::Cpu, target)));
        specs.extend(own.heartbeat.as_ref().map(|one| {
            let target = match &one.source {
                HeartbeatSource::Output => ProbeTarget::Output,
                HeartbeatSource::Communication => ProbeTarget::Beats,
                HeartbeatSource::File(path) => ProbeTarget::File(path.clone()),
            };
            CheckSpec { every: one.within, ..limit(Family::Heartbeat, target) }
        }));
    }
    specs
}

fn key(program: &Namespec, family: Family, name: &str) -> CheckKey {
    CheckKey { program: program.clone(), family, name: name.to_owned() }
}

fn health(program: &Namespec, check: &HealthCheck) -> CheckSpec {
    let target = match &check.target {
        CheckTarget::Http { url, statuses, body, insecure, ca_file, headers } => ProbeTarget::Page {
            url: url.clone(),
            statuses: statuses.clone(),
            body: body.clone(),
            insecure: *insecure,
            ca_file: ca_file.clone(),
            headers: headers.clone(),
        },
        CheckTarget::Tcp { host, port } => ProbeTarget::Tcp { host: host.clone(), port: *port },
        CheckTarget::Unix { socket, target: None } => ProbeTarget::UnixSocket(socket.clone()),
        CheckTarget::Unix { socket, target: Some(page) } => ProbeTarget::Page {
            url: format!("unix:{}:{page}", socket.display()),
            statuses: Vec::new(),
            body: None,
            insecure: false,
            ca_file: None,
            headers: Vec::new(),
        },
        CheckTarget::Command { argv } => ProbeTarget::Command(argv.clone()),
    };
    CheckSpec {
        key: key(program, Family::Health, &check.name),
        target,
        every: check.every,
        timeout: check.timeout,
        grace: check.grace,
        settled: check.of.max(check.fail),
    }
}

fn memory(limit: &MemoryLimit) -> ProbeTarget {
    match limit.measure {
        MemoryMeasure::Cgroup => ProbeTarget::Cgroup { limit: limit.bytes },
        MemoryMeasure::Rss => ProbeTarget::Memory { pss: false, tree: limit.tree, limit: limit.bytes },
        MemoryMeasure::Pss => ProbeTarget::Memory { pss: true, tree: limit.tree, limit: limit.bytes },
    }
}
