//! Cards by `ironlance deliver` to fake carriers: each channel, each class of answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use ironlance_e2e::TestDir;
use ironlance_e2e::fake_carrier::alertmanager::AlertmanagerRules;
use ironlance_e2e::fake_carrier::card_outbox::{CardOutbox, crash_card, recovered_card};
use ironlance_e2e::fake_carrier::ntfy::NtfyRules;
use ironlance_e2e::fake_carrier::pagerduty::PagerDutyRules;
use ironlance_e2e::fake_carrier::slack::SlackRules;
use ironlance_e2e::fake_carrier::teams::TeamsRules;
use ironlance_e2e::fake_carrier::webhook::WebhookRules;
use ironlance_e2e::fake_carrier::{
    CarrierAnswer, CarrierRules, FakeCarrier, Misbehaviour, ntfy, pagerduty, slack, teams, webhook,
};
use serde_json::{Value, json};

/// What a delivery of some cards has come to.
struct Delivered {
    carrier: FakeCarrier,
    log: String,
    waiting: Vec<String>,
    dead: Vec<String>,
}

/// Delivers cards, in this order, to a carrier; `channel` makes the channel of its URL.
fn deliver(
    rules: impl CarrierRules,
    script: Vec<Misbehaviour>,
    channel: impl Fn(&str) -> Value,
    cards: &[Value],
) -> Delivered {
    let dir = TestDir::new().unwrap();
    let carrier = FakeCarrier::start(rules, script).unwrap();
    let outbox = CardOutbox::new(&dir).unwrap();
    for (number, card) in cards.iter().enumerate() {
        outbox.put(&format!("web1.{}.1", number + 9), &channel(&carrier.url()), card).unwrap();
    }
    let log = outbox.deliver().unwrap();
    let (waiting, dead) = outbox.left();
    Delivered { carrier, log, waiting, dead }
}

fn slack_channel(url: &str) -> Value {
    json!({ "slack": { "url": { "literal": format!("{url}{}", slack::HOOK) } } })
}

fn pagerduty_channel(url: &str) -> Value {
    json!({ "pager_duty": { "key": { "literal": pagerduty::KEY }, "api": url } })
}

impl Delivered {
    /// Everything was taken, nothing refused and nothing left.
    fn assert_taken(&self, count: usize) {
        assert_eq!(self.carrier.refusals(), Vec::<String>::new());
        assert_eq!(self.carrier.taken().len(), count, "{}", self.log);
        assert_eq!((&self.waiting, &self.dead), (&Vec::new(), &Vec::new()), "{}", self.log);
        assert!(!self.log.contains("secret"), "no key in the log: {}", self.log);
    }
}

#[test]
fn every_channel_is_taken_by_its_carrier() {
    let cards = [crash_card(), recovered_card()];
    deliver(SlackRules::default(), vec![], slack_channel, &cards).assert_taken(2);
    deliver(PagerDutyRules::default(), vec![], pagerduty_channel, &cards).assert_taken(2);
    let channel =
        |url: &str| json!({ "alertmanager": { "url": { "literal": format!("{url}/") }, "hold": 300 } });
    deliver(AlertmanagerRules, vec![], channel, &cards).assert_taken(2);
    let channel =
        |url: &str| json!({ "teams": { "url": { "literal": format!("{url}{}", teams::WORKFLOW) } } });
    deliver(TeamsRules, vec![], channel, &cards).assert_taken(2);
    let channel = |url: &str| {
        let (url, token) = (format!("{url}/web1-ops"), json!({ "literal": ntfy::TOKEN }));
        json!({ "ntfy": { "url": { "literal": url }, "token": token } })
    };
    deliver(NtfyRules, vec![], channel, &cards).assert_taken(2);
}

#[test]
fn both_forms_of_a_web_hook_are_signed_and_read() {
    for format in ["alertmanager", "cloudevents"] {
        let channel = |url: &str| {
            json!({ "webhook": {
                "url": { "literal": format!("{url}/hook?key=secret") }, "secret": { "literal": webhook::SECRET },
                "format": format, "header": ["X-Team", { "literal": "shop" }],
            } })
        };
        let rules = WebhookRules { reads_cloud_events: format == "cloudevents" };
        let delivered = deliver(rules, vec![], channel, &[crash_card()]);
        delivered.assert_taken(1);
        let request = &delivered.carrier.taken()[0];
        assert_eq!(
            (request.header("x-team"), request.header("webhook-id")),
            (Some("shop"), Some("web1.9.1"))
        );
    }
}

#[test]
fn what_slack_refuses_for_its_form_goes_out_plainer_at_once() {
    let delivered = deliver(SlackRules { refuses_blocks: true }, vec![], slack_channel, &[crash_card()]);
    let taken = delivered.carrier.taken();
    assert_eq!((delivered.carrier.refusals().len(), taken.len()), (1, 1));
    let text = taken[0].json()["text"].as_str().unwrap().to_owned();
    assert!(text.contains("shop:web crashed") && text.contains("ran for: 2 min 3 s"), "{text}");
    assert_eq!(delivered.log.matches("the message is sent plainer").count(), 1, "{}", delivered.log);
}

#[test]
fn a_rate_limit_a_lie_and_broken_answers_cost_no_message_and_double_none() {
    let script = vec![
        Misbehaviour::Answer(CarrierAnswer::new(429, "").retry_after("3")),
        Misbehaviour::Answer(CarrierAnswer::new(200, "<html>log in to this network</html>")),
        Misbehaviour::Close,
        Misbehaviour::Cut,
    ];
    let delivered = deliver(SlackRules::default(), script, slack_channel, &[crash_card()]);
    delivered.assert_taken(1);
    let requests = delivered.carrier.requests();
    assert_eq!(requests.len(), 5);
    let pause = requests[1].at - requests[0].at;
    assert!(pause >= Duration::from_millis(2900), "{pause:?}");
    assert!(
        delivered.log.contains("Error sending slack: to ops by slack: http://127.0.0.1:"),
        "{}",
        delivered.log
    );
    assert!(!delivered.log.contains("email"), "{}", delivered.log);
}

#[test]
fn a_resolve_waits_for_its_trigger_however_often_that_fails() {
    let unavailable = || Misbehaviour::Close;
    let cards = [crash_card(), recovered_card()];
    let delivered =
        deliver(PagerDutyRules::default(), vec![unavailable(), unavailable()], pagerduty_channel, &cards);
    delivered.assert_taken(2);
    let actions: Vec<Value> =
        delivered.carrier.requests().iter().map(|request| request.json()["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "trigger", "trigger", "resolve"]);
}

#[test]
fn what_ends_an_incident_waits_for_what_opened_it_on_every_channel() {
    let channel = |url: &str| {
        json!({ "webhook": {
            "url": { "literal": format!("{url}/hook?key=secret") }, "secret": { "literal": webhook::SECRET },
            "format": "alertmanager", "header": ["X-Team", { "literal": "shop" }],
        } })
    };
    let rules = WebhookRules { reads_cloud_events: false };
    let cards = [crash_card(), recovered_card()];
    let delivered = deliver(rules, vec![Misbehaviour::Close], channel, &cards);
    delivered.assert_taken(2);
    let statuses: Vec<Value> =
        delivered.carrier.requests().iter().map(|request| request.json()["status"].clone()).collect();
    assert_eq!(statuses, ["firing", "firing", "resolved"]);
}

#[test]
fn an_event_that_pagerduty_never_takes_is_a_dead_letter() {
    let channel = |url: &str| json!({ "pager_duty": { "key": { "literal": "wrong" }, "api": url } });
    let delivered = deliver(PagerDutyRules::default(), vec![], channel, &[crash_card()]);
    assert_eq!((delivered.waiting.len(), delivered.dead.as_slice()), (0, &["web1.9.1".to_owned()][..]));
    assert!(
        delivered.log.contains("Error sending pagerduty: to ops by pagerduty: given up"),
        "{}",
        delivered.log
    );
}
