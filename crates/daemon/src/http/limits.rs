//! What one client may take.

use std::time::Duration;

/// The bounds of one listening socket.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Connections at a time. One more takes the place of another (`eviction` says which), or gets status 503.
    pub connections: usize,
    /// The head of a request, in bytes.
    pub head_bytes: usize,
    /// Header fields of a request.
    pub headers: usize,
    /// The body of a request, in bytes.
    pub body_bytes: usize,
    /// Answers that clients have not taken yet, all connections together, in bytes. What goes beyond gets status 503,
    /// and a `system.multicall` faults for the calls that are left. One answer alone may be larger.
    pub pending_response_bytes: usize,
    /// From the connection to the first byte. After an answer a client may be idle as long as it likes: Python's
    /// supervisor clients hold a connection for days and do not try again on a new one.
    pub first_byte: Duration,
    /// From the first byte of a head to its last.
    pub head_time: Duration,
    /// From the end of the head to the end of the body.
    pub body_time: Duration,
    /// The first request of a connection may take so long before it is the first to be closed for a new one.
    pub unverified_grace: Duration,
    /// The same for a later request, and for a client that takes nothing of its answer.
    pub client_grace: Duration,
    /// A client that is refused without its body being read is waited for so long, until it hangs up.
    pub linger_time: Duration,
    /// And so much of what it sends is thrown away meanwhile, in bytes.
    pub linger_bytes: usize,
    /// How long a client may take no byte of its answer.
    pub write_stall: Duration,
    /// The same for one that follows a log or what happens: a terminal may be paused for lunch.
    pub stream_stall: Duration,
    /// What is being answered when the server closes has so long.
    pub close_time: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            head_bytes: 32 * 1024,
            headers: 64,
            body_bytes: 8 * 1024 * 1024,
            pending_response_bytes: 128 * 1024 * 1024,
            first_byte: Duration::from_secs(30),
            head_time: Duration::from_secs(30),
            body_time: Duration::from_secs(60),
            unverified_grace: Duration::from_secs(1),
            client_grace: Duration::from_secs(5),
            linger_time: Duration::from_secs(2),
            linger_bytes: 8 * 1024 * 1024,
            write_stall: Duration::from_secs(60),
            stream_stall: Duration::from_secs(3600),
            close_time: Duration::from_millis(500),
        }
    }
}
