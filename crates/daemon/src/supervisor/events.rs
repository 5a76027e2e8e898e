//! Events on their way: from the bus to the pools, and from the pools to the listeners' standard inputs.

use std::collections::VecDeque;
use std::time::Duration;

use ironlance_core::ProcessState;
use ironlance_core::level::Level;
use ironlance_core::lifecycle::{Autorestart, Input};
use ironlance_core::notice::Notice;
use ironlance_core::pool::{MemberId, Pool, PoolEffect};

use super::Supervisor;
use super::population::{Group, GroupId, ProcessId};
use crate::asker::Reason;

/// So many rejections in a row are answered by sending the event again at once.
const REJECTIONS_AT_ONCE: u32 = 3;
/// A listener that breaks the protocol again and again is started after 1, 2, 4 … seconds, up to this.
const LONGEST_PENANCE: Duration = Duration::from_secs(60);

/// A listener is to be stopped and started again.
pub(super) struct Errand {
    id: ProcessId,
    /// The child it is about; a later one is innocent.
    pid: u32,
    why: String,
}

impl Supervisor {
    /// Gives an event that is about no process to every pool that asked for its type, and notes it for people.
    pub(super) fn publish(&mut self, notice: &Notice) {
        self.note(notice, None, None);
        self.offer(notice);
    }

    /// Gives an event to every pool that asked for its type.
    pub(super) fn offer(&mut self, notice: &Notice) {
        let Some((serial, pools)) = self.bus.publish(notice.kind) else { return };
        for pool in pools {
            let id = GroupId(pool.0);
            let Some(pool) = self.population.group_mut(id).and_then(|group| group.pool.as_mut()) else {
                continue;
            };
            let effects = pool.offer(serial, notice);
            self.carry_out(id, effects);
        }
    }

    /// Carries out what a pool asks for.
    pub(super) fn carry_out(&mut self, group: GroupId, effects: Vec<PoolEffect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                PoolEffect::Send { member, bytes } => {
                    if self.write_stdin(ProcessId(member.0), &bytes).is_err()
                        && let Some(pool) =
                            self.population.group_mut(group).and_then(|group| group.pool.as_mut())
                    {
                        effects.extend(pool.refused(member));
                    }
                }
                PoolEffect::Log(level, line) => self.log.log(level, &line),
                PoolEffect::Restart { member, why } => self.punish(ProcessId(member.0), &why),
            }
        }
    }

    /// What a listener has said on its standard output.
    pub(super) fn heard(&mut self, id: ProcessId, data: &[u8]) {
        let Some(process) = self.population.process(id) else { return };
        let group = process.group;
        let Some(pool) = self.population.group_mut(group).and_then(|group| group.pool.as_mut()) else {
            return;
        };
        let (answered, rejections) = (pool.answered(), pool.rejections_in_a_row());
        let effects = pool.heard(MemberId(id.0), data);
        let good = pool.answered() > answered;
        let bad = pool.rejections_in_a_row() > rejections;
        if good && let Some(process) = self.population.process_mut(id) {
            process.penance.offences = 0;
        }
        if bad {
            self.slow_down(group);
        }
        self.carry_out(group, effects);
        if good || bad {
            self.relieve(group);
        }
    }

    /// A pool that rejects its events again and again gets them after a pause: 1, 2, 4 … seconds.
    fn slow_down(&mut self, id: GroupId) {
        let now = self.clock.mono();
        let Some(group) = self.population.group_mut(id) else { return };
        let Some(pool) = &mut group.pool else { return };
        let Some(doublings) = pool.rejections_in_a_row().checked_sub(REJECTIONS_AT_ONCE) else { return };
        pool.pause();
        let pause = Duration::from_secs(1 << doublings.min(6)).min(LONGEST_PENANCE);
        group.resume_at = Some(now + pause);
    }

    /// Pools whose pause is over get their events again.
    pub(super) fn resume_pools(&mut self) {
        let now = self.clock.mono();
        let due = |group: &Group| group.resume_at.is_some_and(|at| at <= now);
        let due: Vec<GroupId> =
            self.population.pools().filter(|(_, group)| due(group)).map(|(id, _)| id).collect();
        for id in due {
            let Some(group) = self.population.group_mut(id) else { continue };
            group.resume_at = None;
            let effects = group.pool.as_mut().map(Pool::resume).unwrap_or_default();
            self.carry_out(id, effects);
        }
    }

    /// A listener has closed its standard input: what it was to read goes to another.
    pub(super) fn refused(&mut self, id: ProcessId) {
        let Some(group) = self.population.process(id).map(|process| process.group) else { return };
        let Some(pool) = self.population.group_mut(group).and_then(|group| group.pool.as_mut()) else {
            return;
        };
        let effects = pool.refused(MemberId(id.0));
        self.carry_out(group, effects);
    }

    /// A process is being stopped; if it is a listener it gets no more events.
    pub(super) fn retire_listener(&mut self, id: ProcessId) {
        let Some(group) = self.population.process(id).map(|process| process.group) else { return };
        if let Some(pool) = self.population.group_mut(group).and_then(|group| group.pool.as_mut()) {
            pool.retire(MemberId(id.0));
        }
    }

    /// A listener broke the protocol: it is stopped now, and started again.
    fn punish(&mut self, id: ProcessId, why: &str) {
        let Some(process) = self.population.process_mut(id) else { return };
        if process.penance.leaving {
            return;
        }
        let Some(pid) = process.life.pid() else { return };
        process.penance.leaving = true;
        self.errands.push(Errand { id, pid, why: why.to_owned() });
    }

    /// Stops the listeners that are to be restarted. Not done at once, as the reason may be an event about them.
    pub(super) fn run_errands(&mut self) {
        if self.errands.is_empty() {
            return;
        }
        // One that has just ended on its own is not stopped, it has exited.
        self.reap();
        for Errand { id, pid, why } in std::mem::take(&mut self.errands) {
            let Some(process) = self.population.process_mut(id) else { continue };
            if process.life.pid() != Some(pid) {
                process.penance.leaving = false;
                continue;
            }
            process.penance.offences += 1;
            let line = format!("restarting the listener {}: {why}", process.namespec());
            self.log.log(Level::Warn, &line);
            self.note_reason(id, Reason::Recycled);
            self.step(id, Input::Stop);
            // One that could not be stopped has already gone.
            self.after_penance(id);
        }
    }

    /// A listener that was stopped because it broke the protocol is started again, after a while.
    pub(super) fn after_penance(&mut self, id: ProcessId) {
        let now = self.clock.mono();
        let Some(process) = self.population.process_mut(id) else { return };
        if !process.penance.leaving || process.life.state() != ProcessState::Stopped {
            return;
        }
        process.penance.leaving = false;
        if process.life.policy().autorestart == Autorestart::Never {
            return;
        }
        let doublings = process.penance.offences.saturating_sub(2).min(6);
        let pause = match process.penance.offences {
            0 | 1 => Duration::ZERO,
            _ => Duration::from_secs(1 << doublings).min(LONGEST_PENANCE),
        };
        process.penance.back_at = Some(now + pause);
        self.arm(id);
    }

    /// A listener's penance is over when its time has come.
    pub(super) fn end_penance(&mut self, id: ProcessId, now: Duration) {
        let Some(process) = self.population.process_mut(id) else { return };
        if process.penance.back_at.is_some_and(|due| due <= now) {
            process.penance.back_at = None;
            self.step(id, Input::Start);
        }
    }
}
