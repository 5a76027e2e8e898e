//! The Chinese words of a card: [`Chinese`].

use ironlance_core::alerting::incident::{Family, Phase, Severity};

use super::clean::clean;
use super::clock::{CardClock, span_units};
use super::words::{Headline, Label, Words, size};
use crate::card::{Fact, ItemStatus, Mark};

/// Simplified Chinese.
pub(super) struct Chinese;

impl Words for Chinese {
    fn label(&self, label: Label) -> &'static str {
        match label {
            Label::Why => "原因",
            Label::Now => "现状",
            Label::RanFor => "运行时长",
            Label::Ends => "退出次数",
            Label::EndedAt => "退出时间",
            Label::Tries => "启动",
            Label::Checked => "检查目标",
            Label::Pid => "进程号",
            Label::Action => "处理动作",
            Label::Note => "说明",
            Label::Times => "发生次数",
            Label::Since => "开始时间",
            Label::Lasted => "持续时长",
            Label::AlsoAffected => "同时受影响",
            Label::Runbook => "处理手册",
            Label::Page => "控制台",
        }
    }

    fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Info => "提示",
            Severity::Warning => "警告",
            Severity::Error => "错误",
            Severity::Critical => "严重",
        }
    }

    fn verb(&self, family: Family, phase: Phase) -> &'static str {
        match (family, phase) {
            (Family::Down, Phase::Backoff) => "启动后很快退出",
            (Family::Down, Phase::Crash | Phase::Bad) => "异常退出",
            (Family::Down, Phase::Loop | Phase::Flapping) => "反复崩溃",
            (Family::Down, Phase::Fatal) => "启动失败",
            (Family::Health, Phase::Loop | Phase::Flapping) => "健康状态反复波动",
            (Family::Health, _) => "健康检查失败",
            (Family::Memory, _) => "内存超限",
            (Family::Cpu, _) => "CPU 占用超限",
            (Family::Heartbeat, _) => "心跳超时",
            (Family::Listener, _) => "未能正常处理事件",
            (Family::Supervisor, _) => "曾异常中断",
            (Family::Delivery, _) => "通知投递失败",
        }
    }

    fn condition(&self, family: Family, phase: Phase) -> &'static str {
        match (family, phase) {
            (Family::Down, Phase::Backoff) => "启动重试中",
            (Family::Health, Phase::Loop | Phase::Flapping) => "反复波动",
            (Family::Health, _) => "不健康",
            (Family::Cpu, _) => "CPU 超限",
            (Family::Listener, _) => "事件处理异常",
            (Family::Supervisor, _) => "曾中断",
            (Family::Delivery, _) => "投递失败",
            (family, phase) => self.verb(family, phase),
        }
    }

    fn status(&self, status: ItemStatus, family: Family) -> Option<&'static str> {
        Some(match status {
            ItemStatus::Firing => return None,
            ItemStatus::UpAgain if family == Family::Down => "已恢复运行",
            ItemStatus::UpAgain => "已恢复正常",
            ItemStatus::Recovered => "已恢复",
            ItemStatus::StoppedByOperator => "已手动停止",
            ItemStatus::Removed => "已从配置中移除",
            ItemStatus::Shutdown => "已随 supervisord 停止",
            ItemStatus::Started => "已启动",
            ItemStatus::Stopped => "已停止",
            ItemStatus::Finished => "已正常退出",
        })
    }

    fn fact(&self, fact: &Fact, clock: &CardClock) -> String {
        match fact {
            Fact::Ended { signal: Some(signal), oom: true, .. } => {
                format!("被 {} 杀死（内核：内存不足）", clean(signal))
            }
            Fact::Ended { signal: Some(signal), core, .. } => {
                format!("被 {} 终止{}", clean(signal), if *core { "，已生成 core 文件" } else { "" })
            }
            Fact::Ended { status: Some(status), .. } => format!("退出码 {status}"),
            Fact::Ended { .. } => "退出原因未知".to_owned(),
            Fact::SpawnError(error) => format!("无法启动：{}", clean(error)),
            Fact::GaveUp { tries } => format!("尝试 {tries} 次后放弃"),
            Fact::Finding(text) | Fact::Checked(text) | Fact::Note(text) => clean(text),
            Fact::Action(text) => action(&clean(text)),
            Fact::Limit { measure, reading, limit } if measure == "cpu" => {
                format!("占用单核 {reading}%，上限 {limit}%")
            }
            Fact::Limit { measure, reading, limit } => {
                format!("{} {}，上限 {}", clean(measure), size(*reading), size(*limit))
            }
            Fact::Silent { seconds, limit } => {
                format!("已 {}没有心跳，上限 {}", self.duration(*seconds), self.duration(*limit))
            }
            Fact::RunningSince { at, pid } => {
                let pid = pid.map(|pid| format!("，pid {pid}")).unwrap_or_default();
                format!("{} 已恢复运行{pid}", clock.time(*at))
            }
            Fact::StateNow(state) => match state.as_str() {
                "FATAL" => "FATAL，不再自动启动".to_owned(),
                "BACKOFF" => "BACKOFF，等待重新启动".to_owned(),
                "STARTING" => "正在启动".to_owned(),
                "RUNNING" => "运行中".to_owned(),
                "STOPPED" => "已停止".to_owned(),
                state => clean(state),
            },
            Fact::RanFor(millis) if *millis < 1000 => format!("0.{} 秒", millis / 100),
            Fact::RanFor(millis) => self.duration(millis / 1000),
            Fact::Ends { count, window } => format!("{}内 {count} 次", self.duration(*window)),
            Fact::EndedAt(at) => clock.full(*at),
            Fact::Pid(pid) => pid.to_string(),
        }
    }

    fn short_fact(&self, fact: &Fact, clock: &CardClock) -> String {
        match fact {
            Fact::Ended { signal: Some(signal), oom: true, .. } => {
                format!("被 {} 杀死（内存不足）", clean(signal))
            }
            Fact::GaveUp { tries } => format!("已尝试 {tries} 次"),
            fact => self.fact(fact, clock),
        }
    }

    fn colon(&self) -> &'static str {
        "："
    }

    fn duration(&self, seconds: u64) -> String {
        let units = span_units(seconds);
        let alone = units.len() == 1;
        let unit = |unit: usize| match unit {
            0 => "天",
            1 => "小时",
            2 if alone => "分钟",
            2 => "分",
            _ => "秒",
        };
        units.iter().map(|(count, index)| format!("{count} {}", unit(*index))).collect::<Vec<_>>().join(" ")
    }

    fn recovered_after(&self, seconds: u64) -> String {
        format!("已恢复，历时 {}", self.duration(seconds))
    }

    fn headline(&self, headline: &Headline<'_>, place: Option<&str>) -> String {
        let of = place.map(|host| format!("{host} 上的 ")).unwrap_or_default();
        let on = place.map(|host| format!("{host} 上")).unwrap_or_default();
        let at = place.map(|host| format!("{host} ")).unwrap_or_default();
        // A number stands apart from the Chinese words before it.
        let count_on = if on.is_empty() { String::new() } else { format!("{on} ") };
        match headline {
            Headline::Problem { name, verb } => format!("{of}{name} {verb}"),
            Headline::Problems { count, down: true, list } => format!("{count_on}{count} 个程序异常：{list}"),
            Headline::Problems { count, down: false, list } => format!("{count_on}{count} 项异常：{list}"),
            Headline::Recovered { name, down, seconds } => {
                let spent = if *down { "中断" } else { "历时" };
                format!("{of}{name} 已恢复，{spent} {}", self.duration(*seconds))
            }
            Headline::AllRecovered { count, list } => format!("{count_on}{count} 项已恢复：{list}"),
            Headline::Still { list, .. } => format!("{at}仍未恢复：{list}"),
            Headline::Quiet { window, count, open } => {
                let window = if window.is_empty() { " ".to_owned() } else { format!("（{window}）") };
                let rest = match open {
                    0 => "均已恢复".to_owned(),
                    open => format!("其中 {open} 次尚未恢复"),
                };
                format!("{at}静默时段{window}共 {count} 次，{rest}")
            }
            Headline::Acknowledged { list, by: "" } => format!("{on}告警已确认：{list}"),
            Headline::Acknowledged { list, by } => format!("{on}告警已由 {by} 确认：{list}"),
            Headline::Event { name, event } => format!("{of}{name} {event}"),
        }
    }

    fn test(&self, title: &str) -> String {
        format!("测试消息：{title}")
    }

    fn mark(&self, mark: &Mark, clock: &CardClock) -> String {
        let because = |comment: &str| match clean(comment).as_str() {
            "" => String::new(),
            comment => format!("：{comment}"),
        };
        match mark {
            Mark::NotAcknowledged { receiver, seconds } => {
                format!("{} 在 {}内未确认", clean(receiver), self.duration(*seconds))
            }
            Mark::NotDelivered { receiver, reason } => {
                format!("发给 {} 的通知未能送达{}", clean(receiver), because(reason))
            }
            Mark::Silenced { by, until, comment } => {
                format!("此前由 {} 静默至 {}{}", clean(by), clock.minute(*until), because(comment))
            }
            Mark::SilencedWindow { name, window, comment } => {
                format!("此前被 [silence:{}] 静默（{}）{}", clean(name), clean(window), because(comment))
            }
            Mark::Quiet { window } => format!("静默时段（{}）内暂缓发送", clean(window)),
            Mark::Inhibited { program } => format!("{} 异常期间暂缓发送", clean(program)),
            Mark::AcknowledgedBy { by, comment } => format!("{} 已确认{}", clean(by), because(comment)),
            Mark::NoLongerReported => "此接收人不再接收该告警".to_owned(),
        }
    }

    fn late(&self, seconds: u64, reason: &str) -> String {
        match clean(reason).as_str() {
            "" => format!("延迟 {}送达", self.duration(seconds)),
            reason => format!("延迟 {}送达：{reason}", self.duration(seconds)),
        }
    }

    fn sentence(&self, what: &str, details: &[String]) -> String {
        if details.is_empty() { what.to_owned() } else { format!("{what}：{}", details.join("，")) }
    }

    fn with_note(&self, name: &str, note: &str) -> String {
        format!("{name}（{note}）")
    }

    fn with_condition(&self, name: &str, condition: &str) -> String {
        let blank = if name.ends_with('）') { "" } else { " " };
        format!("{name}{blank}{condition}")
    }

    fn list(&self, names: &[String], more: usize) -> String {
        let names = names.join("、");
        match (names.is_empty(), more) {
            (_, 0) => names,
            (true, more) => format!("其余 {more} 个"),
            (false, more) => format!("{names}，另有 {more} 个"),
        }
    }

    fn also(&self, list: &str) -> String {
        format!("另有：{list}")
    }

    fn last_lines(&self, stream: &str) -> String {
        format!("{} 最后几行", clean(stream))
    }

    fn acknowledge(&self, incident: u64) -> String {
        format!("确认：ironlance alerts ack {incident}")
    }

    fn on_host(&self, host: &str, text: &str) -> String {
        format!("[{host}] {text}")
    }

    fn some_again(&self, count: usize) -> String {
        format!("其中 {count} 个已恢复运行")
    }

    fn signature(&self, host: &str, supervisor: &str, incidents: &str, receiver: &str) -> String {
        format!("{host} 上的 ironlance（{supervisor}），{incidents}，经 [alert:{receiver}] 发送")
    }
}

/// What was done, as the machines write it in English.
fn action(text: &str) -> String {
    for (begin, word) in [("restarted", "已重启"), ("stopped", "已停止")] {
        if text == begin {
            return word.to_owned();
        }
    }
    if let Some(signal) = text.strip_prefix("sent ") {
        return format!("已发送 {signal}");
    }
    for (begin, word) in [("not restarted: ", "未重启："), ("action failed: ", "处理失败：")] {
        if let Some(rest) = text.strip_prefix(begin) {
            return format!("{word}{rest}");
        }
    }
    text.to_owned()
}
