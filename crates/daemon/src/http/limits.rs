//! Limits of one listening socket: [`HttpLimits`].

use std::time::Duration;

/// What the clients of one listening socket may use.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Connections at a time. A further one replaces another (`connection/eviction` says which) or gets status 503.
    pub connections: usize,
    /// The head of a request, in bytes.
    pub head_bytes: usize,
    /// Header fields of a request.
    pub headers: usize,
    /// The body of a request, in bytes.
    pub body_bytes: usize,
    /// Responses that clients have not read yet, all connections together, in bytes. Beyond it a response becomes
    /// status 503, and the remaining calls of a `system.multicall` become faults. A single response may be larger.
    pub pending_response_bytes: usize,
    /// From accept(2) to the first byte. After a response a client may be idle for ever: Python's
    /// supervisor clients keep a connection for days and do not reconnect.
    pub first_byte: Duration,
    /// From the first byte of a head to its last.
    pub head_time: Duration,
    /// From the end of the head to the end of the body.
    pub body_time: Duration,
    /// How long the first request may take before its connection is the first to be evicted.
    pub unverified_grace: Duration,
    /// The same for later requests, and for clients that do not read their response.
    pub client_grace: Duration,
    /// How long a client whose body was not read has for reading the refusal and closing.
    pub linger_time: Duration,
    /// How many bytes of its body are discarded meanwhile.
    pub linger_bytes: usize,
    /// How long a client may read nothing of its response.
    pub write_stall: Duration,
    /// The same for streams: a terminal may be paused for lunch.
    pub stream_stall: Duration,
    /// How long responses in progress may take when the server closes.
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
