//! One thread for work that would block the owner, such as reading log files: [`WorkerThread`].
//!
//! Each server has its own, started with its first job. Jobs are small (one chunk of a log) and run in their order, so
//! a client with a long log does not delay the others.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Stack size in bytes; jobs have their buffers on the heap.
const STACK: usize = 256 * 1024;

/// Sends jobs to the thread.
#[derive(Default)]
pub(super) struct WorkerThread(RefCell<Option<Sender<Job>>>);

impl WorkerThread {
    /// Runs the work on the thread and waits for its result. If no thread can be started, it is run here.
    ///
    /// # Errors
    /// The work panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let (reply, answer) = oneshot::channel();
        // The caller may have been dropped meanwhile.
        self.submit(Box::new(move || drop(reply.send(work()))));
        answer.await.map_err(|_| io::Error::other("cannot read a log: reading it failed"))
    }

    fn submit(&self, job: Job) {
        let mut jobs = self.0.borrow_mut();
        if jobs.is_none() {
            let (sender, inbox) = channel();
            let thread = thread::Builder::new().name("log-reader".into()).stack_size(STACK);
            *jobs = thread.spawn(move || run_jobs(&inbox)).is_ok().then_some(sender);
        }
        let left = match &*jobs {
            Some(sender) => sender.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        if let Some(job) = left {
            job();
        }
    }
}

/// Runs jobs until all senders are dropped.
fn run_jobs(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        // The panic hook has reported it; the caller sees that its channel is closed.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_on_another_thread_in_its_order() {
        let offload = WorkerThread::default();
        let here = thread::current().id();
        let (first, second) = tokio::join!(
            offload.run(|| (thread::current().id(), 1)),
            offload.run(|| (thread::current().id(), 2))
        );
        let ((one, 1), (other, 2)) = (first.unwrap(), second.unwrap()) else { panic!("mixed up") };
        assert!(one == other && one != here);
    }

    #[tokio::test]
    async fn work_that_panics_costs_only_who_asked_for_it() {
        let offload = WorkerThread::default();
        assert!(offload.run(|| panic!("a defect")).await.is_err());
        assert_eq!(offload.run(|| 1).await.unwrap(), 1);
    }
}
