//! Events as supervisord writes them.

/// One event, before it has a serial number.
#[derive(Clone, Debug)]
pub struct WireEvent {
    /// For example `PROCESS_STATE_EXITED`.
    pub name: String,
    /// What follows the header.
    pub body: String,
}

impl WireEvent {
    /// Any event.
    pub fn new(name: &str, body: &str) -> Self {
        Self { name: name.to_owned(), body: body.to_owned() }
    }

    /// A process of `GROUP:NAME` has ended after it was up; not as its exit codes expect it.
    pub fn crashed(namespec: &str, pid: u32) -> Self {
        Self::exited(namespec, pid, "0")
    }

    /// A process has ended as its exit codes expect it.
    pub fn finished(namespec: &str, pid: u32) -> Self {
        Self::exited(namespec, pid, "1")
    }

    fn exited(namespec: &str, pid: u32, expected: &str) -> Self {
        Self::state("EXITED", namespec, "RUNNING", &format!(" expected:{expected} pid:{pid}"))
    }

    /// supervisord has given up starting a process.
    pub fn fatal(namespec: &str) -> Self {
        Self::state("FATAL", namespec, "BACKOFF", "")
    }

    /// A process of `GROUP:NAME` came into a state from another; `more` begins with a space.
    pub fn state(state: &str, namespec: &str, from: &str, more: &str) -> Self {
        let (group, process) = namespec.split_once(':').unwrap_or((namespec, namespec));
        let body = format!("processname:{process} groupname:{group} from_state:{from}{more}");
        Self::new(&format!("PROCESS_STATE_{state}"), &body)
    }

    /// A tick of the clock; supervisord says to which multiple of its period it belongs.
    pub fn tick(seconds: u32) -> Self {
        Self::new(&format!("TICK_{seconds}"), "when:1795430400")
    }

    /// Header and body on the wire.
    pub fn encode(&self, serial: u32) -> Vec<u8> {
        let Self { name, body } = self;
        let len = body.chars().count();
        format!("ver:3.0 server:supervisor serial:{serial} pool:listener poolserial:{serial} eventname:{name} len:{len}\n{body}")
            .into_bytes()
    }
}
