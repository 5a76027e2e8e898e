//! 中文页面：the page in Chinese.

use ironlance_core::ProcessState as State;
use ironlance_core::event::kind::EventKind as Kind;
use ironlance_core::listener::problem::ListenerProblem;
use ironlance_core::listener::protocol::ListenerState;
use ironlance_core::process::lifecycle::DaemonState;

use super::Messages;
use crate::http::pages::action_scope::{ActionScope, FormAction};

pub(super) const CHINESE: Messages = Messages {
    tag: "zh",
    other: ("en", "English"),
    skip_to_content: "跳到正文",
    page: "页面",
    supervisor: "supervisord",
    daemon_pid: "进程号",
    up_for: "已运行",
    refresh: "刷新",
    live: "实时",
    not_live: "非实时",
    connection_lost: "连接已断开，正在重试",
    connection_lost_since: "自 {time} 起无法连接 supervisord，页面显示的是当时的状态。",
    no_such_page: "页面不存在。",
    main_log: "supervisord 日志",
    programs: "程序",
    no_programs: "还没有程序。请在配置中添加 [program:x] 段，然后执行 supervisorctl update。",
    filter: "筛选程序",
    filter_hint: "名称或状态",
    no_match: "没有匹配的程序。",
    name: "名称",
    state: "状态",
    pid: "进程号",
    uptime: "运行时间",
    cpu: "CPU",
    cpu_hint: "占单个核心的百分比，含子进程；页面进入实时状态之前为启动以来的平均值",
    memory: "内存",
    memory_hint: "常驻内存，含子进程",
    restarts: "重启次数",
    actions: "操作",
    group: "组",
    listener: "监听器",
    start: "启动",
    stop: "停止",
    restart: "重启",
    clear: "清空日志",
    log: "日志",
    start_of: |name| format!("启动 {name}"),
    stop_of: |name| format!("停止 {name}"),
    restart_of: |name| format!("重启 {name}"),
    clear_of: |name| format!("清空 {name} 的日志"),
    log_of: |name| format!("{name} 的日志"),
    stderr_of: |name| format!("{name} 的标准错误"),
    start_all: "全部启动",
    stop_all: "全部停止",
    restart_all: "全部重启",
    confirm,
    press_again: "再次点击以确认。",
    cancel: "取消",
    running_of: |running, all| format!("{running}/{all} 运行中"),
    states: |state| match state {
        State::Stopped => "已停止",
        State::Starting => "启动中",
        State::Running => "运行中",
        State::Backoff => "等待重试",
        State::Stopping => "停止中",
        State::Exited => "已退出",
        State::Fatal => "启动失败",
        State::Unknown => "未知",
    },
    exited_unexpectedly: "异常退出",
    daemon_states: |state| match state {
        DaemonState::Restarting => "重启中",
        DaemonState::Shutdown => "关闭中",
        DaemonState::Running => "运行中",
    },
    listeners: "事件监听器",
    current_event: "正在处理",
    last_result: "上次结果",
    pending: "排队",
    pending_hint: "事件池队列中的事件数，以及 buffer_size 设定的容量",
    dropped: "已丢弃",
    merged: "已合并的 TICK",
    answered: "已处理",
    listener_states: |state| match state {
        Some(ListenerState::Acknowledged) => "尚未就绪",
        Some(ListenerState::Ready) => "就绪",
        Some(ListenerState::Busy) => "处理中",
        None => "未运行",
        Some(ListenerState::Unknown) => "协议错误",
    },
    listener_problem: |problem| match problem {
        ListenerProblem::NotRunning => "未运行".to_owned(),
        ListenerProblem::BrokeProtocol => "违反协议".to_owned(),
        ListenerProblem::NotReady => "尚未发出 READY".to_owned(),
        ListenerProblem::BufferFull => "事件队列已满".to_owned(),
        ListenerProblem::Queued(count) => format!("{count} 个事件在排队"),
        ListenerProblem::Dropped(count, types) => format!("已丢弃 {count} 个事件（{types}）"),
        ListenerProblem::Rejected(count, types) => format!("{count} 个事件处理失败（{types}）"),
        ListenerProblem::Recycled(count) => format!("最近因违反协议重启 {count} 次"),
        ListenerProblem::StrayOutput(babble) => format!("输出了协议以外的内容：“{babble}”"),
        ListenerProblem::Misconfigured(line) => line.clone(),
    },
    alerts_wait: |count, since| format!("{count} 条告警等待发送，最早的始于 {since}"),
    alerts_dead: |count| format!("{count} 条告警已放弃发送"),
    no_state_folder: |why| format!("告警只保存在内存中：{why}"),
    listeners_unwell: |unwell, all| format!("{all} 个监听器中 {unwell} 个异常"),
    recent: "最近事件",
    no_events: "还没有事件。",
    no_events_among: |count| format!("最近 {count} 个事件中没有。"),
    event_names: |kind| match kind {
        Kind::ProcessStateStopped => "已停止",
        Kind::ProcessStateExited => "已退出",
        Kind::ProcessStateStarting => "启动中",
        Kind::ProcessStateStopping => "停止中",
        Kind::ProcessStateBackoff => "启动失败，稍后重试",
        Kind::ProcessStateFatal => "启动失败，不再重试",
        Kind::ProcessStateRunning => "运行中",
        Kind::ProcessStateUnknown => "状态未知",
        Kind::SupervisorStateChangeRunning => "supervisord 已运行",
        Kind::SupervisorStateChangeStopping => "supervisord 正在停止",
        Kind::ProcessGroupAdded => "新增进程组",
        Kind::ProcessGroupRemoved => "移除进程组",
        Kind::RemoteCommunication => "外部事件",
        Kind::ProcessCommunicationStdout | Kind::ProcessCommunicationStderr => "发出事件",
        Kind::ProcessLogStdout | Kind::ProcessLogStderr => "有输出",
        _ => "事件",
    },
    exit_reason,
    expected: "正常",
    unexpected: "异常",
    stopped_on_request: "按请求停止",
    stopped_by: |by| format!("停止请求来自：{by}"),
    signal_by: |end, by| format!("{end}，信号来自 {by}"),
    requested_by: "请求来源",
    oom_nearby: |when| format!("同一 cgroup 中有进程因内存不足被内核终止：{when}"),
    out_of_memory: "因内存不足被内核终止（OOM）",
    after_uptime: |span| format!("运行了 {span}"),
    previous_exit: |end| format!("上次退出：{end}"),
    exit_title: "上次退出的原因",
    start_failure_title: "无法启动的原因",
    never_exited: "supervisord 启动后尚未退出过。",
    settings: "配置",
    command: "命令",
    directory: "目录",
    user: "用户",
    environment: "环境变量（名称）",
    autostart: "随 supervisord 启动",
    autorestart: "自动重启",
    yes_or_no: ["是", "否"],
    autorestarts: ["从不", "意外退出后", "总是"],
    stop_with: "停止方式",
    stdout_log: "标准输出写入",
    stderr_log: "标准错误写入",
    log_auto: "由 supervisord 命名的文件",
    log_none: "不保存",
    log_with_stdout: "与标准输出相同",
    when: "时间",
    how: "方式",
    uptime_at_exit: "运行时长",
    last_stdout: "标准输出的最后几行",
    last_stderr: "标准错误的最后几行",
    nothing_written: "无",
    all_programs: "全部程序",
    search: "搜索",
    pause: "暂停",
    resume: "继续",
    show_more: "显示更多",
    empty_log: "日志为空。",
    truncated: "日志已被清空。",
    no_name: "未指定进程名",
    no_file: |name| format!("{name} 没有日志文件"),
    units: ["天", "小时", "分", "秒"],
    read_only: "只读：此端口可从其他主机访问，但未设置密码。如需在此操作，请在对应配置段设置 username 和 password，\
                或只监听 127.0.0.1；如果确实允许任何人操作，请设置 allow_anonymous_changes=true。",
    link_changes_nothing: "未做任何更改：点击链接不会执行操作，请使用页面上的按钮。",
    no_such_process: |name| format!("没有名为 {name} 的进程或组。"),
    not_answering: "supervisord 无响应：正在停止或重启。",
    stale_token: "未做任何更改：supervisord 在此页面打开之后重启过，请刷新页面再试。",
    cross_site: "未做任何更改：请求来自其他网站的页面。",
    not_understood: "未做任何更改：无法理解这个请求。",
    unreachable: "无法连接 supervisord。",
    too_many: "未做任何更改：正在进行的重启过多。",
    starting: |name| format!("正在启动 {name}。"),
    stopping: |name| format!("正在停止 {name}。"),
    restarting: |name| format!("正在重启 {name}。"),
    cleared: |name| format!("已清空 {name} 的日志。"),
    already_started: |name| format!("{name} 已在运行。"),
    not_running: |name| format!("{name} 没有运行。"),
    cannot: |name, why| format!("{name}：{why}"),
    starting_many: |count| format!("正在启动 {count} 个进程。"),
    stopping_many: |count| format!("正在停止 {count} 个进程。"),
    restarting_many: "正在重启全部程序。",
    cleared_many: |count| format!("已清空 {count} 个进程的日志。"),
    failed_many: |count, names| format!("{count} 个失败：{names}"),
    no_such_file: "找不到要执行的命令",
    not_executable: "命令无法执行",
    spawn_error: "启动失败（请看日志或上次退出的原因）",
    shutting_down: "supervisord 正在停止或重启",
};

/// English exit reasons by their beginnings, and the Chinese text.
const PHRASES: [(&str, &str); 4] = [
    ("exit status ", "退出码 "),
    ("terminated by ", "终止信号 "),
    ("can't find command ", "找不到命令 "),
    ("no permission to run command ", "没有权限执行命令 "),
];

/// An exit reason in Chinese; unknown ones stay in English.
fn exit_reason(words: &str) -> String {
    let (words, core) =
        words.strip_suffix(" (core dumped)").map_or((words, ""), |words| (words, "（已转储 core）"));
    let known = PHRASES.iter().find_map(|(english, chinese)| Some((chinese, words.strip_prefix(english)?)));
    match known {
        Some((chinese, rest)) => format!("{chinese}{rest}{core}"),
        None => format!("{words}{core}"),
    }
}

/// 确认批量操作：the question before an action on many processes.
fn confirm(action: FormAction, scope: ActionScope<'_>) -> String {
    let listeners = match scope.listeners {
        0 => String::new(),
        count => format!("（含 {count} 个监听器）"),
    };
    let of = scope.group.map(|group| format!("{group} 的 ")).unwrap_or_default();
    let processes = format!("{of}{} 个进程{listeners}", scope.processes);
    match action {
        FormAction::Start => format!("确定启动 {processes}？"),
        FormAction::Stop => format!("确定停止 {processes}？"),
        FormAction::Restart => format!("确定重启 {processes}？"),
        FormAction::Clear => format!("确定清空 {processes}的日志？"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_in_chinese_where_there_are_words() {
        for (english, chinese) in [
            ("exit status 1", "退出码 1"),
            ("terminated by SIGSEGV (core dumped)", "终止信号 SIGSEGV（已转储 core）"),
            ("can't find command '/x'", "找不到命令 '/x'"),
            ("something else", "something else"),
        ] {
            assert_eq!(exit_reason(english), chinese);
        }
    }
}
