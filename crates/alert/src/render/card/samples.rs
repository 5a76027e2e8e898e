//! Cards for tests: one of each kind, and arbitrary ones.

use std::collections::BTreeMap;

use ironlance_core::alerting::incident::{Family, Phase, Severity};
use proptest::prelude::*;

use crate::card::{Card, CardItem, CardKind, CardTail, Fact, ItemStatus, Language, Mark};

/// 2026-11-30 09:48:11 +0800.
pub(crate) const CRASHED_AT: i64 = 1_796_003_291;

/// A program that crashed, without anything else.
pub(crate) fn item(program: &str) -> CardItem {
    CardItem {
        incident: 42,
        program: program.to_owned(),
        group: program.split(':').next().unwrap().to_owned(),
        family: Family::Down,
        phase: Phase::Crash,
        severity: Severity::Error,
        status: ItemStatus::Firing,
        facts: vec![Fact::Ended { status: Some(1), signal: None, oom: false, core: false }],
        tail: None,
        since: CRASHED_AT,
        until: None,
        times: 1,
        runbook: None,
        also: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// A card of some items.
pub(crate) fn card(kind: CardKind, language: Language, items: Vec<CardItem>) -> Card {
    Card {
        kind,
        severity: items.iter().map(|item| item.severity).max().unwrap(),
        host: "web1".into(),
        supervisor: "supervisor".into(),
        at: CRASHED_AT + 10,
        timezone: "Asia/Shanghai".into(),
        language,
        receiver: "ops".into(),
        url: Some("http://web1:9001/".into()),
        items,
        more: 0,
        marks: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// A crash, killed by the kernel, running again; its output has what every dialect takes for markup.
pub(crate) fn crash() -> CardItem {
    let facts = vec![
        Fact::Ended { status: None, signal: Some("SIGKILL".into()), oom: true, core: false },
        Fact::RunningSince { at: CRASHED_AT + 1, pid: Some(4802) },
        Fact::RanFor(123_000),
        Fact::Ends { count: 2, window: 600 },
        Fact::EndedAt(CRASHED_AT),
    ];
    let lines = [
        "Traceback (most recent call last):",
        "  File \"/srv/shop/app_main.py\", line 42, in <module>",
        "MemoryError: can't allocate *4 GB* for [cache_map] & friends <at id=all> <!channel> <@all> @all",
    ];
    CardItem {
        status: ItemStatus::UpAgain,
        facts,
        tail: Some(CardTail { stream: "stderr".into(), lines: lines.map(str::to_owned).to_vec() }),
        runbook: Some("https://wiki.example.com/shop-web".into()),
        ..item("shop:web")
    }
}

/// The six cards of which every channel's payload is kept as a file, by name.
pub(crate) fn all(language: Language) -> Vec<(&'static str, Card)> {
    let storm: Vec<CardItem> = (0..600_u64)
        .map(|n| CardItem {
            incident: n + 1,
            since: CRASHED_AT + i64::try_from(n).unwrap() / 100,
            ..item(&if n < 40 { format!("worker:worker_{n:02}") } else { format!("app{n}") })
        })
        .chain([CardItem {
            incident: 700,
            phase: Phase::Fatal,
            severity: Severity::Critical,
            facts: vec![
                Fact::Ended { status: Some(1), signal: None, oom: false, core: false },
                Fact::GaveUp { tries: 4 },
            ],
            also: vec!["shop:web".into(), "shop:api".into()],
            ..item("db")
        }])
        .collect();
    let over = |item: CardItem, after: i64| CardItem {
        status: ItemStatus::Recovered,
        until: Some(item.since + after),
        ..item
    };
    let recovered = CardItem { tail: None, ..over(crash(), 724) };
    let mut digest =
        card(CardKind::Digest, language, vec![over(item("cron"), 30), over(item("db"), 90), item("api")]);
    digest.marks = vec![Mark::Quiet { window: "22:00-07:00".into() }];
    let mut held = card(
        CardKind::Held,
        language,
        vec![CardItem {
            family: Family::Health,
            phase: Phase::Bad,
            facts: vec![
                Fact::Finding("status 503, expected 200".into()),
                Fact::Checked("http://127.0.0.1:8080/health".into()),
            ],
            ..item("shop:api")
        }],
    );
    held.marks = vec![Mark::Silenced { by: "anna".into(), until: CRASHED_AT, comment: "deploy".into() }];
    let mut reminder = card(
        CardKind::Reminder,
        language,
        vec![
            CardItem {
                since: CRASHED_AT - 28_790,
                phase: Phase::Fatal,
                severity: Severity::Critical,
                ..item("db")
            },
            CardItem { since: CRASHED_AT - 7190, ..item("shop:api") },
        ],
    );
    reminder.marks = vec![Mark::NotAcknowledged { receiver: "ops".into(), seconds: 900 }];
    vec![
        ("firing", card(CardKind::Firing, language, vec![crash()])),
        ("storm", card(CardKind::Firing, language, storm)),
        ("recovered", card(CardKind::Recovered, language, vec![recovered])),
        ("reminder", reminder),
        ("digest", digest),
        ("held", held),
    ]
}

/// Hostile texts.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        any::<String>(),
        Just("</pre><b>`*_~|]]>```".repeat(20)),
        Just("\u{202e}@all<!channel><@U1>\x1b[31m\n\r".to_owned()),
        Just("&<>\"'".repeat(100)),
    ]
}

/// Arbitrary cards, with names and output of every sort.
pub(crate) fn any_card() -> impl Strategy<Value = Card> {
    let kinds = prop::sample::select(vec![
        CardKind::Firing,
        CardKind::Worse,
        CardKind::Recovered,
        CardKind::Reminder,
        CardKind::Digest,
        CardKind::Held,
        CardKind::Acknowledged,
        CardKind::Test,
    ]);
    let families = prop::sample::select(Family::ALL.to_vec());
    let phases = prop::sample::select(Phase::ALL.to_vec());
    let statuses = prop::sample::select(vec![
        ItemStatus::Firing,
        ItemStatus::UpAgain,
        ItemStatus::Recovered,
        ItemStatus::StoppedByOperator,
        ItemStatus::Started,
    ]);
    let lines = prop::collection::vec(text(), 0..30);
    let one = (text(), families, phases, statuses, text(), lines, any::<i32>());
    let items = one.prop_map(|(name, family, phase, status, note, lines, at)| CardItem {
        family,
        phase,
        status,
        facts: vec![Fact::Finding(note.clone()), Fact::Note(note)],
        tail: Some(CardTail { stream: "stderr".into(), lines }),
        since: i64::from(at),
        runbook: Some(name.clone()),
        also: vec![name.clone(); 3],
        ..item(&name)
    });
    let languages = prop::sample::select(vec![Language::English, Language::Chinese]);
    (kinds, languages, prop::collection::vec(items, 1..12), text(), any::<u16>()).prop_map(
        |(kind, language, items, host, more)| Card {
            host,
            more: usize::from(more),
            marks: vec![Mark::NotDelivered { receiver: "ops".into(), reason: "x".repeat(1000) }],
            ..card(kind, language, items)
        },
    )
}
