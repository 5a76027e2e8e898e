//! Cards through the deliverer to strict carriers: DingTalk, WeCom, Feishu, Telegram, Aliyun SMS.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ironlance_e2e::TestDir;
use ironlance_e2e::fake_carrier::aliyun::AliyunRules;
use ironlance_e2e::fake_carrier::card_outbox::{CardOutbox, now};
use ironlance_e2e::fake_carrier::dingtalk::DingTalkRules;
use ironlance_e2e::fake_carrier::feishu::FeishuRules;
use ironlance_e2e::fake_carrier::robot::parameter;
use ironlance_e2e::fake_carrier::telegram::TelegramRules;
use ironlance_e2e::fake_carrier::wecom::WeComRules;
use ironlance_e2e::fake_carrier::{CarrierAnswer, CarrierRequest, CarrierRules, FakeCarrier, Misbehaviour};
use serde_json::{Value, json};

/// Output that every dialect could take for markup.
const HOSTILE: &str = "*4 GB* for [cache](http://evil) & <at id=all></at> <!channel> <@all> @all ```</pre><b>` \u{1b}[31m\u{202e}";

/// A card of programs that crashed.
fn card(programs: usize) -> Value {
    let item = |number: usize| {
        json!({
            "incident": number + 1, "program": format!("shop{number}:web"), "group": format!("shop{number}"),
            "family": "down", "phase": "crash", "severity": "error", "status": "firing",
            "facts": [{ "ended": { "status": 1 } }, { "note": HOSTILE }],
            "tail": { "stream": "stderr", "lines": vec![HOSTILE; 40] },
            "since": now() - 9, "times": 1, "runbook": "https://wiki.example.com/shop-web",
        })
    };
    json!({
        "kind": "firing", "severity": "error", "host": "web1", "supervisor": "supervisor",
        "at": now(), "timezone": "Asia/Shanghai", "language": "zh", "receiver": "ops",
        "url": "http://web1:9001/", "items": (0..programs).map(item).collect::<Vec<_>>(),
    })
}

/// Sends a card of one program and a storm of 600 by a channel to a carrier; gives what the carrier took.
fn deliver(
    rules: impl CarrierRules,
    script: Vec<Misbehaviour>,
    channel: impl Fn(&str) -> Value,
) -> Vec<CarrierRequest> {
    let dir = TestDir::new().unwrap();
    let carrier = FakeCarrier::start(rules, script).unwrap();
    let outbox = CardOutbox::new(&dir).unwrap();
    for (id, programs) in [("web1.1.1", 1), ("web1.2.1", 600)] {
        outbox.put(id, &channel(&carrier.url()), &card(programs)).unwrap();
    }
    let log = outbox.deliver().unwrap();
    assert_eq!(carrier.refusals(), Vec::<String>::new());
    assert_eq!(outbox.left(), (Vec::new(), Vec::new()), "{log}");
    carrier.taken()
}

fn literal(text: &str) -> Value {
    json!({ "literal": text })
}

fn text(request: &CarrierRequest) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

#[test]
fn dingtalk_takes_a_crash_and_a_storm() {
    let taken = deliver(DingTalkRules::new("SECcafe", "告警"), vec![], |url| {
        json!({ "ding_talk": {
            "url": literal(&format!("{url}/robot/send?access_token=x")), "secret": literal("SECcafe"),
            "at": ["13800138000"], "keyword": "告警",
        } })
    });
    assert!(text(&taken[0]).contains("异常退出") && text(&taken[1]).contains("600"));
}

#[test]
fn wecom_takes_a_crash_and_a_storm() {
    let taken = deliver(
        WeComRules::default(),
        vec![],
        |url| json!({ "we_com": { "url": literal(&format!("{url}/cgi-bin/webhook/send?key=x")), "at": ["zhangsan"] } }),
    );
    assert!(taken.iter().all(|request| text(request).contains("<@zhangsan>")));
}

#[test]
fn feishu_takes_a_crash_and_a_storm() {
    let taken = deliver(FeishuRules::new("cafe"), vec![], |url| {
        json!({ "feishu": {
            "url": literal(&format!("{url}/open-apis/bot/v2/hook/x")), "secret": literal("cafe"), "at": ["all"],
        } })
    });
    assert!(taken.iter().all(|request| text(request).matches("lark_md").count() == 1));
}

#[test]
fn telegram_takes_the_plain_form_of_what_it_refused_and_then_the_rich_one() {
    let refusal = r#"{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities"}"#;
    let taken = deliver(
        TelegramRules::new("1:T", -7),
        vec![Misbehaviour::Answer(CarrierAnswer::new(400, refusal))],
        |url| json!({ "telegram": { "token": literal("1:T"), "chat": "-7", "thread": null, "api": url } }),
    );
    assert!(!text(&taken[0]).contains("parse_mode"), "{}", text(&taken[0]));
    assert!(text(&taken[1]).contains("parse_mode"), "{}", text(&taken[1]));
}

#[test]
fn aliyun_takes_short_messages_with_its_signature() {
    let taken = deliver(AliyunRules::new("LTAI", "secret"), vec![], |url| {
        json!({ "aliyun": {
            "access_key": "LTAI", "secret": literal("secret"), "sign": "某某科技", "template": "SMS_1",
            "params": [["program", "{program}"], ["state", "{state}"], ["time", "{time}"]], "to": "13800138000", "api": url,
        } })
    });
    assert!(parameter(&taken[1], "TemplateParam").unwrap().contains("+599"));
}
