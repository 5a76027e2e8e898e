//! Snapshots of the whole daemon for the web page, from the same sources as the answers to clients.

use std::time::Duration;

use ironlance_core::event::OutputChannel;
use ironlance_core::event::counts::EventCounts;
use ironlance_core::listener::pool::MemberId;
use ironlance_core::listener::protocol::ListenerState;
use ironlance_rpc::api::ListenerStatus;

use crate::state::ids::ProcessId;
use crate::state::process_table::{ActiveGroup, Process};
use crate::supervisor::Supervisor;
use crate::view::settings::ProgramSettings;
use crate::view::{DaemonView, ListenerView, ProgramView};

impl Supervisor {
    /// The daemon, its programs, listeners and last events.
    pub(in crate::supervisor) fn view(&self) -> DaemonView {
        let now = self.io.clock.now().wall;
        let programs = self.state.table.listed();
        let programs = programs.map(|(id, process)| self.program_view(id, process, now));
        DaemonView {
            identifier: self.env.settings.identifier.clone(),
            state: self.state.daemon_state,
            pid: std::process::id(),
            since: self.state.started,
            now,
            programs: programs.collect(),
            listeners: self.listener_views(),
            recent: self.state.event_log.recent().collect(),
        }
    }

    fn program_view(&self, id: ProcessId, process: &Process, now: Duration) -> ProgramView {
        let lifecycle = &process.lifecycle;
        ProgramView {
            namespec: lifecycle.namespec().clone(),
            state: lifecycle.state(),
            description: self.description_of(process, now),
            pid: lifecycle.pid(),
            started: lifecycle.pid().and(lifecycle.started()),
            starts: lifecycle.starts(),
            is_listener: process.is_listener(),
            has_stdout: self.has_readable_log(id, process, OutputChannel::Stdout),
            has_stderr: self.has_readable_log(id, process, OutputChannel::Stderr),
            end: process.last_exit.clone(),
            settings: ProgramSettings::of(&process.group_config, process.index),
        }
    }

    /// Whether an output is logged to a file that can be read, no terminal or pipe.
    fn has_readable_log(&self, id: ProcessId, process: &Process, channel: OutputChannel) -> bool {
        let output = self.io.pipes.output(id, channel);
        process.log(channel).is_some() && output.is_none_or(|output| output.stream().is_none())
    }

    /// Each process of each pool, in the order in which they were added.
    pub(super) fn listener_views(&self) -> Vec<ListenerView> {
        let pools = self.state.table.groups().map(|(_, group)| group);
        pools.flat_map(|group| self.listeners_of(group)).collect()
    }

    fn listeners_of(&self, group: &ActiveGroup) -> Vec<ListenerView> {
        let Some(pool) = &group.pool else { return Vec::new() };
        let now = self.io.clock.mono();
        let processes = group.members.iter().filter_map(|id| Some((*id, self.state.table.process(*id)?)));
        let warnings = self.env.listener_warnings.iter().filter(|(pool, _)| *pool == group.config.name);
        let warnings: Vec<String> = warnings.map(|(_, line)| line.clone()).collect();
        let describe = |(id, process): (ProcessId, &Process)| {
            let member = pool.members().find(|member| member.id.0 == id.0);
            let state = member.as_ref().map(|member| member.state);
            let (stray_outputs, stray_output) = pool.stray_output(MemberId(id.0));
            let (buffer, namespec) = (pool.buffer(), process.namespec().clone());
            let status = ListenerStatus {
                pool: namespec.group.0.clone(),
                process: namespec.process.0.clone(),
                state: state.map_or("NOT_RUNNING", ListenerState::name).to_owned(),
                event: member.as_ref().and_then(|member| member.event),
                last_result: member.and_then(|member| member.last_result).unwrap_or_default(),
                violations: process.recycling.level(now).into(),
                stray_outputs,
                stray_output,
                pending: buffer.pending as u64,
                capacity: buffer.capacity.map(|capacity| capacity as u64),
                pending_bytes: buffer.bytes as u64,
                capacity_bytes: buffer.capacity_bytes as u64,
                is_full: buffer.is_full,
                dropped: pool.dropped().total(),
                dropped_by_type: by_type(pool.dropped()),
                merged: pool.merged(),
                answered: pool.answered(),
                dead_letters: pool.dead_letters().total(),
                dead_letters_by_type: by_type(pool.dead_letters()),
                doubts: warnings.clone(),
            };
            ListenerView { namespec, state, status, outbox: None }
        };
        processes.map(describe).collect()
    }
}

fn by_type(counts: &EventCounts) -> Vec<(String, u64)> {
    counts.counts().map(|(kind, number)| (kind.name().to_owned(), number)).collect()
}
