//! What one client may take.

use std::time::Duration;

/// The bounds of one listening socket.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time. One more takes the place of the one that has been idle longest, of one whose request
    /// is slow to come, or of a follower where they have more than three quarters of them; else it gets status 503.
    pub connections: usize,
    /// The head of a request, in bytes.
    pub head: usize,
    /// Header fields of a request.
    pub headers: usize,
    /// The body of a request, in bytes.
    pub body: usize,
    /// Answers that clients have not taken yet, all connections together, in bytes. What goes beyond gets status 503,
    /// and a `system.multicall` faults for the calls that are left. One answer alone may be larger.
    pub answers: usize,
    /// From the connection to the first byte. After an answer a client may be idle as long as it likes: Python's
    /// supervisor clients hold a connection for days and do not try again on a new one.
    pub first_byte: Duration,
    /// From the first byte of a head to its last.
    pub head_time: Duration,
    /// From the end of the head to the end of the body.
    pub body_time: Duration,
    /// A body may take so long before its connection may be closed for a new one, when there is no room.
    pub body_patience: Duration,
    /// How long a client may take no byte of its answer.
    pub stall: Duration,
    /// The same for one that follows a log or what happens: a terminal may be paused for lunch.
    pub tail_stall: Duration,
    /// What is being answered when the server closes has so long.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: 32 * 1024,
            headers: 64,
            body: 8 * 1024 * 1024,
            answers: 128 * 1024 * 1024,
            first_byte: Duration::from_secs(30),
            head_time: Duration::from_secs(30),
            body_time: Duration::from_secs(60),
            body_patience: Duration::from_secs(5),
            stall: Duration::from_secs(60),
            tail_stall: Duration::from_secs(3600),
            farewell: Duration::from_millis(500),
        }
    }
}
