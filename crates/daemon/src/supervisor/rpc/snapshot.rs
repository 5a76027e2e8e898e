//! Snapshots of the whole daemon for the web page, from the same sources as the answers to clients.

use std::path::Path;
use std::time::Duration;

use ironlance_core::event::OutputChannel;
use ironlance_core::listener::pool::MemberId;

use ironlance_core::process::oom::OomVerdict;

use crate::io::output::Output;
use crate::state::exit_record::ExitRecord;
use crate::state::ids::ProcessId;
use crate::state::process_table::{ActiveGroup, Process};
use crate::supervisor::Supervisor;
use crate::view::settings::ProgramSettings;
use crate::view::{DaemonView, EndView, ListenerView, ProgramView};

impl Supervisor {
    /// The daemon, its programs, listeners and last events.
    pub(in crate::supervisor) fn view(&self) -> DaemonView {
        let now = self.io.clock.now().wall;
        DaemonView {
            identifier: self.env.settings.identifier.clone(),
            state: self.state.daemon_state,
            pid: std::process::id(),
            since: self.state.started,
            now,
            programs: self
                .state
                .table
                .by_name()
                .map(|(id, process)| self.program_view(id, process, now))
                .collect(),
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
            has_stdout: is_readable(
                process.stdout_log.as_deref(),
                self.io.pipes.output(id, OutputChannel::Stdout),
            ),
            has_stderr: is_readable(
                process.stderr_log.as_deref(),
                self.io.pipes.output(id, OutputChannel::Stderr),
            ),
            end: process.last_exit.as_deref().map(ExitRecord::view),
            settings: ProgramSettings::of(&process.group_config, process.index),
        }
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
            let event = member.as_ref().and_then(|member| member.event);
            let (stray_outputs, stray_output) = pool.stray_output(MemberId(id.0));
            let buffer = pool.buffer();
            ListenerView {
                namespec: process.namespec().clone(),
                state,
                event,
                last_result: member.and_then(|member| member.last_result),
                recycled: process.recycling.level(now),
                stray_outputs,
                stray_output,
                pending: buffer.pending,
                capacity: buffer.capacity,
                pending_bytes: buffer.bytes,
                capacity_bytes: buffer.capacity_bytes,
                is_full: buffer.is_full,
                dropped: pool.dropped().clone(),
                merged: pool.merged(),
                answered: pool.answered(),
                warnings: warnings.clone(),
                outbox: None,
                dead: pool.dead_letters().clone(),
            }
        };
        processes.map(describe).collect()
    }
}

/// Whether a log is a file that can be read: there is one, and it is no terminal or pipe.
fn is_readable(log: Option<&Path>, output: Option<&Output>) -> bool {
    log.is_some() && output.is_none_or(|output| output.stream().is_none())
}

impl ExitRecord {
    fn view(&self) -> EndView {
        EndView {
            words: self.cause.status_text(),
            expected: self.expected,
            stop_requested: self.cause.requested(),
            by: self.cause.by.as_ref().map(ToString::to_string),
            out_of_memory: self.cause.out_of_memory(),
            oom_window: match self.cause.memory {
                OomVerdict::Possible(window) => Some(window),
                OomVerdict::Unrelated | OomVerdict::Killed => None,
            },
            at: self.at,
            up: self.up,
            stdout_tail: self.stdout_tail.clone(),
            stderr_tail: self.stderr_tail.clone(),
        }
    }
}
