//! The page in English.

use ironlance_core::ProcessState as State;
use ironlance_core::event::kind::EventKind as Kind;
use ironlance_core::listener::protocol::ListenerState;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_rpc::FaultKind;

use super::Messages;
use crate::http::pages::action_scope::{ActionScope, FormAction};

pub(super) const ENGLISH: Messages = Messages {
    tag: "en",
    other: ("zh", "中文"),
    skip_to_content: "Skip to the content",
    page: "Page",
    supervisor: "supervisord",
    daemon_pid: "pid",
    up_for: "up",
    refresh: "Refresh",
    live: "Live",
    not_live: "Not live",
    connection_lost: "Connection lost, reconnecting",
    connection_lost_since: "No connection to supervisord since {time}. The page shows the state of that time.",
    no_such_page: "There is no page at this address.",
    main_log: "supervisord's log",
    programs: "Programs",
    no_programs: "No programs to manage. Add a [program:x] section to the configuration, then run supervisorctl update.",
    filter: "Filter programs",
    filter_hint: "Name or state",
    no_match: "No program matches.",
    name: "Name",
    state: "State",
    pid: "PID",
    uptime: "Uptime",
    cpu: "CPU",
    cpu_hint: "Percent of one core, including child processes. Until the page is live: the average since the start",
    memory: "Memory",
    memory_hint: "Resident memory, including child processes",
    restarts: "Restarts",
    actions: "Actions",
    group: "Group",
    listener: "listener",
    start: "Start",
    stop: "Stop",
    restart: "Restart",
    clear: "Clear log",
    log: "Log",
    start_of: |name| format!("Start {name}"),
    stop_of: |name| format!("Stop {name}"),
    restart_of: |name| format!("Restart {name}"),
    clear_of: |name| format!("Clear the logs of {name}"),
    log_of: |name| format!("Log of {name}"),
    stderr_of: |name| format!("Standard error of {name}"),
    start_all: "Start all",
    stop_all: "Stop all",
    restart_all: "Restart all",
    confirm,
    press_again: "Press again to confirm.",
    cancel: "Cancel",
    running_of: |running, all| format!("{running} of {all} running"),
    states: State::name,
    exited_unexpectedly: "EXITED unexpectedly",
    daemon_states: |state| match state {
        DaemonState::Restarting => "RESTARTING",
        DaemonState::Shutdown => "SHUTTING DOWN",
        DaemonState::Running => "RUNNING",
    },
    listeners: "Event listeners",
    current_event: "Working on",
    last_result: "Last result",
    pending: "Waiting",
    pending_hint: "Events in the queue of the pool, and its capacity if buffer_size is set",
    dropped: "Dropped",
    merged: "Merged ticks",
    answered: "Answered",
    listener_states: |state| match state {
        Some(ListenerState::Acknowledged) => "NOT READY",
        Some(ListenerState::Ready) => "READY",
        Some(ListenerState::Busy) => "BUSY",
        None => "NOT RUNNING",
        Some(ListenerState::Unknown) => "UNKNOWN",
    },
    listener_problem: ToString::to_string,
    alerts_wait: |count, since| match count {
        1 => format!("1 alert waits to be delivered since {since}"),
        count => format!("{count} alerts wait to be delivered since {since}"),
    },
    alerts_dead: |count| match count {
        1 => "1 alert was given up".to_owned(),
        count => format!("{count} alerts were given up"),
    },
    no_state_folder: |why| format!("its alerts are kept in memory only: {why}"),
    listeners_unwell: |unwell, all| format!("Listeners: {unwell} of {all} not well"),
    recent: "Recent events",
    no_events: "Nothing has happened yet.",
    no_events_among: |count| match count {
        1 => "Nothing in the last event.".to_owned(),
        count => format!("Nothing among the last {count} events."),
    },
    event_names: |kind| match kind {
        Kind::SupervisorStateChangeRunning => "supervisord is running",
        Kind::SupervisorStateChangeStopping => "supervisord is stopping",
        Kind::ProcessGroupAdded => "group added",
        Kind::ProcessGroupRemoved => "group removed",
        Kind::RemoteCommunication => "remote event",
        Kind::ProcessCommunicationStdout | Kind::ProcessCommunicationStderr => "sent an event",
        Kind::ProcessLogStdout | Kind::ProcessLogStderr => "wrote output",
        other => other.name().strip_prefix("PROCESS_STATE_").unwrap_or("event"),
    },
    exit_reason: str::to_owned,
    expected: "expected",
    unexpected: "unexpected",
    stopped_on_request: "stopped on request",
    stopped_by: |by| format!("stopped by {by}"),
    signal_by: |end, by| format!("{end}, by the signal of {by}"),
    requested_by: "Requested by",
    oom_nearby: |when| format!("a process of this control group was killed for want of memory: {when}"),
    out_of_memory: "killed by the kernel: out of memory",
    after_uptime: |span| format!("after {span}"),
    previous_exit: |end| format!("Before: {end}"),
    exit_title: "Why it last ended",
    start_failure_title: "Why it does not start",
    never_exited: "It has not exited since supervisord started.",
    settings: "Configuration",
    command: "Command",
    directory: "Directory",
    user: "User",
    environment: "Environment (names)",
    autostart: "Starts with supervisord",
    autorestart: "Automatic restart",
    yes_or_no: ["yes", "no"],
    autorestarts: ["never", "after an unexpected exit", "always"],
    stop_with: "Stopped with",
    stdout_log: "Standard output goes to",
    stderr_log: "Standard error goes to",
    log_auto: "a file named by supervisord",
    log_none: "nowhere",
    log_with_stdout: "the same place",
    when: "When",
    how: "How",
    uptime_at_exit: "Uptime",
    last_stdout: "Last lines of standard output",
    last_stderr: "Last lines of standard error",
    nothing_written: "nothing",
    all_programs: "All programs",
    search: "Search",
    pause: "Pause",
    resume: "Continue",
    show_more: "Show more",
    empty_log: "The log is empty.",
    truncated: "The log was cleared.",
    no_name: "No process name found",
    no_file: |name| format!("No log file for {name}"),
    units: ["d", "h", "min", "s"],
    read_only: "Read only: this server can be reached from other hosts and has no password. To change things here, set \
                username and password in its section, or bind it to 127.0.0.1. If everybody who reaches it may change \
                things, set allow_anonymous_changes=true.",
    link_changes_nothing: "Nothing was changed: a link changes nothing here. Please use the buttons.",
    no_such_process: |name| format!("{name}: no such process or group"),
    not_answering: "supervisord does not answer: it is stopping or restarting.",
    stale_token: "Nothing was changed: this page is from before supervisord's last start. Please reload it and try again.",
    cross_site: "Nothing was changed: the request came from a page of another site.",
    not_understood: "Nothing was changed: the request could not be understood.",
    unreachable: "supervisord cannot be reached.",
    too_many: "Nothing was changed: too many restarts are under way.",
    starting: |name| format!("{name} is being started."),
    stopping: |name| format!("{name} is being stopped."),
    restarting: |name| format!("{name} is being restarted."),
    cleared: |name| format!("The logs of {name} have been cleared."),
    already_started: |name| format!("{name}: {}", FaultKind::AlreadyStarted.description()),
    not_running: |name| format!("{name}: {}", FaultKind::NotRunning.description()),
    cannot: |name, why| format!("{name}: {why}"),
    starting_many: |count| format!("{count} being started."),
    stopping_many: |count| format!("{count} being stopped."),
    restarting_many: "All programs are being restarted.",
    cleared_many: |count| format!("Logs cleared: {count}."),
    failed_many: |count, names| format!("{count} failed: {names}"),
    no_such_file: FaultKind::NoFile.description(),
    not_executable: FaultKind::NotExecutable.description(),
    spawn_error: FaultKind::SpawnError.description(),
    shutting_down: FaultKind::ShutdownState.description(),
};

/// The question before an action on many processes.
fn confirm(action: FormAction, scope: ActionScope<'_>) -> String {
    let verb = match action {
        FormAction::Start => "start",
        FormAction::Stop => "stop",
        FormAction::Restart => "restart",
        FormAction::Clear => "clear the logs of",
    };
    let listeners = match scope.listeners {
        0 => String::new(),
        1 => ", with 1 listener".to_owned(),
        count => format!(", with {count} listeners"),
    };
    let of = scope.group.map(|group| format!(" of {group}")).unwrap_or_default();
    format!("Really {verb} {}{of}{listeners}?", scope.processes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_stopped_after_a_question() {
        let scope = ActionScope { group: None, processes: 197, listeners: 2 };
        assert_eq!(confirm(FormAction::Stop, scope), "Really stop 197, with 2 listeners?");
        let scope = ActionScope { group: Some("shop"), processes: 3, listeners: 0 };
        assert_eq!(confirm(FormAction::Restart, scope), "Really restart 3 of shop?");
    }
}
