//! Alert sections as a whole: examples that have no fault, one configuration that has them all.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_core::alerting::channel::Channel;
use ironlance_core::alerting::incident::{AlertCause, Severity};
use ironlance_core::alerting::secret::Secret;

use super::channels::CHANNELS;
use crate::alerting::{Action, AlertingReport, GroupBy};
use crate::host_env::HostEnv;
use crate::loader::{LoadReport, load_with_notes};
use crate::settings::Overrides;

fn load(text: &str) -> LoadReport {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.conf");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let variables = [("HOSTNAME", "web1"), ("ALERT_WEBHOOK", "https://x"), ("ALERT_SECRET", "whsec_x")];
    let machine = HostEnv {
        environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        cwd: folder.path().to_owned(),
        host_node_name: "node".into(),
        temp_dir: folder.path().to_owned(),
        uid: 0,
    };
    let mut report = load_with_notes(&file, &Overrides::default(), &machine);
    let shorten = |line: &mut String| *line = line.replace(&file.display().to_string(), "s.conf");
    report.alerting.warnings.iter_mut().for_each(shorten);
    report
}

/// The report on a configuration that must have no fault and no warning.
fn sound(text: &str) -> AlertingReport {
    let report = load(text).alerting;
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, Vec::<String>::new(), "{text}");
    assert_eq!(report.warnings, Vec::<String>::new(), "{text}");
    report
}

fn process(report: &AlertingReport, group: &str, name: &str) -> crate::alerting::ProgramAlerting {
    report.alerting.programs[&Namespec::new(group, name)].clone()
}

#[test]
fn a_small_shop_has_a_mail_a_check_and_a_limit() {
    let report = sound(
        "[supervisord]\n[alert:me]\nmail=anna@example.com\nsmtp=smtps://anna@smtp.example.com\n\
         password_file=/etc/ironlance/smtp.pw\nquiet=22:00-07:00\n\
         [program:shop]\ncommand=/srv/shop/bin/shop\n\
         healthcheck=http://127.0.0.1:8080/health fail 3 of 5 then restart\nmemory_limit=400MB for 3m then restart\n",
    );
    let receiver = &report.alerting.receivers[0];
    let mail = receiver.mail.as_ref().unwrap();
    assert_eq!((receiver.name.as_str(), mail.to.len(), receiver.channels.len()), ("me", 1, 0));
    assert_eq!(mail.password, Some(Secret::File("/etc/ironlance/smtp.pw".into())));
    assert_eq!((receiver.group_wait.as_secs(), receiver.repeat), (10, Some(Duration::from_secs(14_400))));
    assert!(receiver.on.contains(&AlertCause::Recovered) && !receiver.on.contains(&AlertCause::Started));
    let shop = process(&report, "shop", "shop");
    assert_eq!((shop.checks.len(), shop.checks[0].fail, shop.checks[0].of), (1, 3, 5));
    assert!(matches!(shop.memory_limit.unwrap().action, Action::Restart { most: 3, .. }));
}

#[test]
fn a_container_takes_its_settings_from_the_environment() {
    let report = sound(
        "[supervisord]\nnodaemon=true\n[watch]\nhost=%(ENV_HOSTNAME)s\n\
         [alert:hook]\nwebhook=env:ALERT_WEBHOOK\nwebhook_secret=env:ALERT_SECRET\non=loop,fatal,unhealthy,recovered\n\
         group_wait=0\n",
    );
    assert_eq!(report.alerting.watch.host.as_deref(), Some("web1"));
    assert_eq!(report.alerting.receivers[0].group_wait, Duration::ZERO);
}

#[test]
fn a_chain_of_escalation_and_an_sms_with_a_template_are_read() {
    let report = sound(
        "[supervisord]\n[watch]\nlang=zh\ntimezone=Asia/Shanghai\nurl=http://10.0.0.7:9001/\n\
         [alert:ops]\ndingtalk=file:/etc/ironlance/dingtalk.url\ndingtalk_secret=file:/etc/ironlance/dingtalk.secret\n\
         dingtalk_at=13800138000\nrepeat=1h\nescalate=oncall after 10m\nfallback=oncall after 5m\n\
         [alert:oncall]\nsms=aliyun:LTAI5t\nsms_secret=file:/etc/ironlance/aliyun.secret\n\
         sms_to=13800138000,13900139000\nsms_sign=某某科技\nsms_template=SMS_123456789\n\
         sms_template_params=program={program},state={state}\nonly=!*\nescalate=boss after 30m\n\
         [alert:boss]\nsms=command:/usr/local/bin/call-the-boss\nsms_to=13800138000\nonly=!*\n",
    );
    let [ops, oncall, boss] = &report.alerting.receivers[..] else { panic!("three receivers") };
    assert!(ops.chinese && report.alerting.watch.chinese);
    assert_eq!(ops.escalate.as_ref().unwrap().receiver, "oncall");
    assert_eq!(oncall.channels.len(), 2, "a message for each number");
    assert!(!oncall.programs.includes(&Namespec::new("web", "web")));
    assert!(matches!(&boss.channels[..], [Channel::SmsCommand { to, .. }] if to.len() == 1));
}

#[test]
fn a_group_says_what_its_members_do_not_say_themselves() {
    let report = sound(
        "[supervisord]\n[watch]\nloop=8/5m\njournal_maxbytes=256MB\n\
         [alert:platform]\nslack=file:/etc/ironlance/slack.url\ngroup_by=group,family\ngroup_interval=5m\nmax_items=30\n\
         [alert:archive]\ncommand=/usr/local/bin/alert-to-warehouse\non=all\ngroup_wait=0\nrepeat=0\n\
         [group:workers]\nprograms=resize,index\nseverity=warning\n\
         [program:resize]\ncommand=x\n[program:index]\ncommand=x\nseverity=fatal:critical\nnumprocs=2\n\
         process_name=%(program_name)s_%(process_num)02d\nrunbook=https://wiki/%(process_num)02d%3D\n\
         [program:db]\ncommand=x\nloop=3/1m\n",
    );
    let severity = |group, name, cause| process(&report, group, name).severity.of(cause);
    assert_eq!(severity("workers", "resize", AlertCause::Crash), Some(Severity::Warning));
    assert_eq!(severity("workers", "index_00", AlertCause::Fatal), Some(Severity::Critical));
    assert_eq!(severity("workers", "index_00", AlertCause::Crash), None, "its own words replace the group's");
    assert_eq!(process(&report, "workers", "index_01").runbook.as_deref(), Some("https://wiki/01%3D"));
    assert_eq!(process(&report, "db", "db").crash_loop.count, 3);
    assert_eq!(process(&report, "workers", "resize").crash_loop.count, 8);
    assert_eq!(report.alerting.receivers[0].group_by, [GroupBy::Group, GroupBy::Family]);
    assert_eq!(report.alerting.receivers[1].repeat, None);
}

#[test]
fn pagers_and_alertmanagers_are_read() {
    let report = sound(
        "[supervisord]\n[alert:pager]\npagerduty=0123456789abcdef0123456789abcdef\non=fatal\nseverity=error\n\
         [alert:team]\nslack=file:/etc/slack.url\nquiet=20:00-08:00, sat-sun\nfallback=pager after 10m\n\
         [alert:am]\nalertmanager=http://am1:9093,http://am2:9093/\nlabels=team=shop,env=prod\nrepeat=0\ngroup_wait=0\n\
         [silence:backup]\nprograms=*,!web\nwhen=daily 02:00-03:00\ncauses=unhealthy,memory\ncomment=nightly dump\n\
         [program:web]\ncommand=x\n",
    );
    let members = &report.alerting.receivers[2].channels;
    let urls = members.iter().filter_map(|channel| match channel {
        Channel::Alertmanager { url: Secret::Literal(url), .. } => Some(url.as_str()),
        _ => None,
    });
    assert_eq!(urls.collect::<Vec<_>>(), ["http://am1:9093", "http://am2:9093"]);
    assert_eq!(report.alerting.silences[0].causes, [AlertCause::Unhealthy, AlertCause::Memory]);
}

#[test]
fn every_fault_is_found_at_once_and_stops_nothing() {
    let report = load(
        "[supervisord]\n\
         [watch]\nlang=de\ntimezone=/etc/localtime\nloop=1/10m\njournal_maxbytes=1MB\nurl=web1\n\
         [alert:a]\nslack=hooks.slack.com\nslack_channel=#ops\non=crash,burn\nseverity=high\ngroup_by=mood\n\
         group_wait=soon\nrepeat=10s\nquiet=mon-sun\nescalate=b after 5m\nfallback=c after 5m\nlabels=in-stance=x\n\
         only=:x\n\
         [alert:b]\nescalate=a after 5m\nwebhook=https://x\nwebhook_format=xml\nwebhook_header=none\ndiscord=https://x\n\
         [alert:nobody]\non=all\n\
         [alert:sms]\nsms=pigeon:x\nsms_to=anna\ntelegram=x\npagerduty=short\nmail=\nslack_token= #ops\n\
         [silence:x]\nwhen=at night\n\
         [program:web]\ncommand=x\nalert=opps\nhealthcheck=https://x often\nhealthcheck.db=tcp://x\nmemory_limit=much\n\
         cpu_limit=90\nheartbeat=pulse within 1m\nrunbook=%(ENV_NOT_SET)s\n",
    );
    assert!(report.config.is_ok(), "the daemon starts all the same");
    let faults: Vec<String> = report.alerting.faults.iter().map(ToString::to_string).collect();
    let text = faults.join("\n");
    for part in [
        "[watch] lang: cannot find the language (one of en, zh): de",
        "[watch] timezone: ",
        "[watch] loop: cannot take as a crash loop (2 to 1000 ends): 1/10m",
        "[watch] journal_maxbytes: ",
        "[watch] url: cannot read as a URL of http:// or https://: web1",
        "[alert:a] slack: ",
        "[alert:a] slack_channel: ",
        "[alert:a] on: ",
        "[alert:a] severity: ",
        "[alert:a] group_by: ",
        "[alert:a] group_wait: ",
        "[alert:a] repeat: ",
        "[alert:a] quiet: cannot be quiet for the whole week: mon-sun",
        "[alert:a] escalate: cannot hand over in a circle: a → b → a",
        "[alert:a] fallback: cannot find the receiver: c",
        "[alert:a] labels: cannot use as the name of a label (letters, digits, _): in-stance",
        "[alert:a] only: ",
        "[alert:b] webhook_format: ",
        "[alert:b] webhook_header: ",
        "[alert:b] discord: cannot send by discord ourselves: use command= with apprise",
        "[alert:nobody] cannot tell anybody without a channel",
        "[alert:sms] sms: ",
        "[alert:sms] sms_to: cannot read as a telephone number (+ and digits): anna",
        "[alert:sms] telegram: cannot do without telegram_chat=",
        "[alert:sms] pagerduty: ",
        "[alert:sms] mail: ",
        "[alert:sms] slack_token: cannot see a value: \"#ops\" after a space is a comment; write slack_token=#ops",
        "[silence:x] cannot do without the key: programs",
        "[silence:x] when: ",
        "[program:web] alert: cannot find the receiver: opps",
        "[program:web] healthcheck: ",
        "[program:web] healthcheck.db: ",
        "[program:web] memory_limit: ",
        "[program:web] cpu_limit: ",
        "[program:web] heartbeat: ",
        "[program:web] runbook: ",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    assert!(faults.iter().all(|line| line.contains("s.conf:")), "{text}");
    assert!(!text.contains("short"), "a wrong key is a secret all the same");
}

#[test]
fn what_looks_wrong_is_a_warning() {
    let report = load(
        "[supervisord]\n[alert:a]\nteams=https://x.webhook.office.com/y\nonly=web,shop:*\nslak=x\n\
         [program:web]\ncommand=x\nhealtchek=x\nhealthcheck.db=tcp://x:1\n",
    );
    let warnings = report.alerting.warnings.join("\n");
    assert!(warnings.contains("s.conf:3: [alert:a] teams is a connector of Office 365"), "{warnings}");
    assert!(
        warnings.contains("s.conf:4: [alert:a] only names no program of this configuration: shop:*"),
        "{warnings}"
    );
    let notes = report.notes.warnings.join("\n");
    assert!(notes.contains("slak is unknown and ignored: did you mean slack?"), "{notes}");
    assert!(notes.contains("healtchek is unknown and ignored: did you mean healthcheck?"), "{notes}");
    assert!(!notes.contains("healthcheck.db"), "{notes}");
}

#[test]
fn a_secret_in_a_file_that_others_can_read_is_a_warning_and_a_place_is_none() {
    for (key, value, is_secret) in [
        ("slack", "https://hooks.slack.com/x", true),
        ("slack", "file:/etc/slack.url", false),
        ("webhook_header", "Authorization: env:AUTH", false),
        ("webhook_header", "Authorization: Bearer x", true),
        ("smtp", "smtps://anna@mail", false),
        ("smtp", "smtps://anna:secret@mail", true),
        ("proxy", "http://proxy:3128", false),
        ("telegram", "%(ENV_TOKEN)s", false),
        ("on", "all", false),
    ] {
        assert_eq!(super::holds_secret(key, value), is_secret, "{key}={value}");
    }
}

#[test]
fn without_alert_sections_nothing_is_read() {
    let report = load("[supervisord]\n[program:web]\ncommand=x\nhealthcheck=nonsense\n");
    assert_eq!(report.config.unwrap().watch, None);
    assert!(report.alerting.faults.is_empty());
}

#[test]
fn every_key_of_a_program_stands_in_the_document() {
    let document = include_str!("../../../../../docs/watch.md");
    let in_table = |key: &str| document.contains(&format!("\n| `{key}` |"));
    for key in super::program::KEYS {
        assert!(in_table(key), "{key}");
    }
}

/// The blocks of indented lines of a document.
fn examples(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match (line.strip_prefix("    "), blocks.last_mut()) {
            (Some(line), Some(block)) => {
                block.push_str(line);
                block.push('\n');
            }
            _ => blocks.push(String::new()),
        }
    }
    blocks.into_iter().filter(|block| block.contains("[alert:")).collect()
}

#[test]
fn each_receiver_in_the_documents_has_no_fault() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let documents = ["README.md", "docs/zh/README.md", "docs/watch.md"];
    let read = |name: &str| fs::read_to_string(format!("{root}/{name}")).unwrap();
    let examples = documents.iter().flat_map(|name| examples(&read(name))).collect::<Vec<_>>();
    assert!(examples.len() >= 20, "{}", examples.len());
    let mut keys = BTreeSet::new();
    for example in &examples {
        let report = sound(&format!("[supervisord]\n{example}"));
        assert_eq!(report.alerting.receivers.len(), 1, "{example}");
        keys.extend(example.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())));
    }
    let without = CHANNELS.iter().map(|keys| keys.main).filter(|key| !keys.contains(*key));
    assert_eq!(without.collect::<Vec<_>>(), Vec::<&str>::new(), "channels without an example");
}
