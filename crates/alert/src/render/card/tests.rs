//! The words of whole cards.

use ironlance_core::text::escape::is_terminal_control;
use proptest::prelude::*;

use super::*;
use crate::card::{CardItem, CardKind, ItemStatus, Language};

fn text(card: &Card) -> CardText {
    CardMessage { card, detail: Detail::Rich, late: None }.text()
}

#[test]
fn the_titles_say_what_happened_where() {
    let titles =
        |language| samples::all(language).iter().map(|(_, card)| text(card).title).collect::<Vec<_>>();
    assert_eq!(
        titles(Language::English),
        [
            "shop:web crashed on web1",
            "601 programs down on web1: db fatal, worker:* (40) crashed, +560 more",
            "shop:web recovered on web1, down for 12 min 4 s",
            "still down on web1: db (8 h), shop:api (2 h)",
            "while it was quiet on web1 (22:00-07:00): 3, 1 not over",
            "shop:api is unhealthy on web1",
        ]
    );
    assert_eq!(
        titles(Language::Chinese),
        [
            "web1 上的 shop:web 异常退出",
            "web1 上 601 个程序异常：db 启动失败、worker:*（40）异常退出，另有 560 个",
            "web1 上的 shop:web 已恢复，中断 12 分 4 秒",
            "web1 仍未恢复：db（8 小时）、shop:api（2 小时）",
            "web1 静默时段（22:00-07:00）共 3 次，其中 1 次尚未恢复",
            "web1 上的 shop:api 健康检查失败",
        ]
    );
}

#[test]
fn the_text_of_a_crash_tells_all_that_is_known() {
    let crash = |language| text(&samples::all(language)[0].1);
    let english = crash(Language::English);
    assert_eq!(english.subject, "[web1] shop:web crashed: killed by SIGKILL (out of memory), running again");
    assert_eq!(
        english.plain(),
        "🔴 shop:web crashed on web1\n\
         why: killed by SIGKILL, by the kernel: out of memory\n\
         now: running again since 09:48:12, pid 4802\n\
         ran for: 2 min 3 s\n\
         ends: 2 in 10 min\n\
         ended: 2026-11-30 09:48:11 +0800\n\
         Last lines of stderr:\n  \
           Traceback (most recent call last):\n    \
             File \"/srv/shop/app_main.py\", line 42, in <module>\n  \
           MemoryError: can't allocate *4 GB* for [cache_map] & friends <at id=all> <!channel> <@all> @all\n\
         runbook: https://wiki.example.com/shop-web\n\
         page: http://web1:9001/\n\
         ack: ironlance alerts ack 42"
    );
    let chinese = crash(Language::Chinese);
    assert_eq!(chinese.subject, "[web1] shop:web 异常退出：被 SIGKILL 杀死（内存不足），已恢复运行");
    assert_eq!(
        chinese.plain(),
        "🔴 web1 上的 shop:web 异常退出\n\
         原因：被 SIGKILL 杀死（内核：内存不足）\n\
         现状：09:48:12 已恢复运行，pid 4802\n\
         运行时长：2 分 3 秒\n\
         退出次数：10 分钟内 2 次\n\
         退出时间：2026-11-30 09:48:11 +0800\n\
         stderr 最后几行：\n  \
           Traceback (most recent call last):\n    \
             File \"/srv/shop/app_main.py\", line 42, in <module>\n  \
           MemoryError: can't allocate *4 GB* for [cache_map] & friends <at id=all> <!channel> <@all> @all\n\
         处理手册：https://wiki.example.com/shop-web\n\
         控制台：http://web1:9001/\n\
         确认：ironlance alerts ack 42"
    );
}

#[test]
fn a_storm_is_a_line_for_each_and_names_where_it_must_be_short() {
    let storm = &samples::all(Language::English)[1].1;
    let message =
        CardMessage { card: storm, detail: Detail::Rich, late: Some((11_520, "connection refused")) };
    let lines = message.text();
    assert_eq!(
        lines.items[0].line(),
        "db could not be started: exit status 1, 4 tries, also affected shop:web, shop:api (09:48:11)"
    );
    assert_eq!(lines.items[1].line(), "worker:* (40) crashed: exit status 1 (09:48:11)");
    let short = message.fit(CardText::plain, |text| text.len() <= 500);
    assert!(short.len() > 400, "{short}");
    assert!(short.contains("app40") && short.contains("told 3 h 12 min late: connection refused"), "{short}");
    assert!(short.contains(" more\n"), "{short}");
}

#[test]
fn what_ended_by_itself_is_a_note_unless_there_is_nothing_else() {
    let stopped = CardItem { status: ItemStatus::StoppedByOperator, ..samples::item("cron") };
    let both = samples::card(CardKind::Firing, Language::English, vec![stopped.clone(), samples::crash()]);
    let both = text(&both);
    assert_eq!(
        (both.title.as_str(), both.notes),
        ("shop:web crashed on web1", vec!["cron stopped by an operator".to_owned()])
    );
    let alone = text(&samples::card(CardKind::Firing, Language::English, vec![stopped]));
    assert_eq!(alone.title, "cron stopped by an operator on web1");
    assert!(alone.notes.is_empty());
}

#[test]
fn a_short_message_holds_what_matters_in_one_part() {
    let short = |language, index: usize, limit| {
        let (_, card) = &samples::all(language)[index];
        CardMessage { card, detail: Detail::Line, late: None }.short(limit)
    };
    assert_eq!(
        short(Language::English, 0, Some(160)),
        "[web1] shop:web crashed: killed by SIGKILL (out of memory), running again 09:48:11 #42"
    );
    assert_eq!(
        short(Language::Chinese, 0, Some(160)),
        "[web1] shop:web 异常退出：被 SIGKILL 杀死（内存不足），已恢复运行 09:48:11 #42"
    );
    assert!(short(Language::Chinese, 1, Some(160)).chars().count() <= 70);
}

#[test]
fn the_plainest_form_is_one_line_with_the_punctuation_of_ascii() {
    let (_, card) = &samples::all(Language::Chinese)[3];
    let message = CardMessage { card, detail: Detail::Line, late: None };
    let text = message.text();
    assert_eq!(text.line(), "web1 仍未恢复: db (8 小时), shop:api (2 小时)");
    assert!(text.items.is_empty() && text.notes.is_empty() && text.ack.is_none() && text.page.is_none());
    assert_eq!(Detail::Rich.plainer().and_then(Detail::plainer), Some(Detail::Line));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_text_is_clean_and_fits(card in samples::any_card(), limit in 1100_usize..5000) {
        let message = CardMessage { card: &card, detail: Detail::Rich, late: Some((400, "no\nroute")) };
        let text = message.fit(CardText::plain, |text| text.len() <= limit);
        prop_assert!(text.len() <= limit);
        prop_assert!(!text.chars().any(|c| c != '\n' && is_terminal_control(c)));
        let whole = message.text();
        prop_assert!(whole.title.chars().count() <= 200 && whole.subject.chars().count() <= 200);
        prop_assert!(whole.line().chars().count() <= 200);
    }
}
