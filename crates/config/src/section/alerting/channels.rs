//! The channels of `[alert:x]`: a table of their keys, and a [`Channel`] of the values.

use ironlance_core::alerting::channel::{Channel, WebhookFormat};
use ironlance_core::alerting::secret::Secret;
use ironlance_core::text::shlex;

use super::checks::header;
use super::source::AlertSection;
use super::values::{bad, duration, list, number, secret, secret_url, web_url};
use crate::alerting::MailDestination;
use crate::value::{self, InvalidValue};

/// A channel: its first key, those beside it, and how it is read.
pub(super) struct ChannelKeys {
    /// The key that asks for the channel.
    pub(super) main: &'static str,
    /// Keys that mean nothing without it.
    pub(super) beside: &'static [&'static str],
    /// Makes channels of the main key's value; `None` after a fault.
    read: fn(&mut AlertSection<'_, '_>, &str) -> Option<Vec<Channel>>,
}

/// Every channel but mail.
pub(super) const CHANNELS: &[ChannelKeys] = &[
    ChannelKeys { main: "slack", beside: &[], read: slack },
    ChannelKeys { main: "slack_token", beside: &["slack_channel"], read: slack_token },
    ChannelKeys { main: "teams", beside: &[], read: teams },
    ChannelKeys {
        main: "dingtalk",
        beside: &["dingtalk_secret", "dingtalk_at", "dingtalk_keyword"],
        read: dingtalk,
    },
    ChannelKeys { main: "wecom", beside: &["wecom_at"], read: wecom },
    ChannelKeys { main: "feishu", beside: &["feishu_secret", "feishu_at"], read: feishu },
    ChannelKeys {
        main: "telegram",
        beside: &["telegram_chat", "telegram_thread", "telegram_api"],
        read: telegram,
    },
    ChannelKeys { main: "pagerduty", beside: &["pagerduty_api"], read: pagerduty },
    ChannelKeys { main: "alertmanager", beside: &["alertmanager_hold"], read: alertmanager },
    ChannelKeys {
        main: "webhook",
        beside: &["webhook_secret", "webhook_format", "webhook_header"],
        read: webhook,
    },
    ChannelKeys { main: "ntfy", beside: &["ntfy_token"], read: ntfy },
    ChannelKeys {
        main: "sms",
        beside: &[
            "sms_secret",
            "sms_to",
            "sms_from",
            "sms_sign",
            "sms_template",
            "sms_template_params",
            "sms_api",
            "sms_max",
        ],
        read: sms,
    },
    ChannelKeys { main: "command", beside: &[], read: command },
];

/// The first keys of all channels and those of the table.
pub(super) const KEYS: [&str; 38] = [
    "mail",
    "slack",
    "slack_token",
    "slack_channel",
    "teams",
    "dingtalk",
    "dingtalk_secret",
    "dingtalk_at",
    "dingtalk_keyword",
    "wecom",
    "wecom_at",
    "feishu",
    "feishu_secret",
    "feishu_at",
    "telegram",
    "telegram_chat",
    "telegram_thread",
    "telegram_api",
    "pagerduty",
    "pagerduty_api",
    "alertmanager",
    "alertmanager_hold",
    "webhook",
    "webhook_secret",
    "webhook_format",
    "webhook_header",
    "ntfy",
    "ntfy_token",
    "sms",
    "sms_secret",
    "sms_to",
    "sms_from",
    "sms_sign",
    "sms_template",
    "sms_template_params",
    "sms_api",
    "sms_max",
    "command",
];

/// The keys of mail beside `mail` itself.
pub(super) const MAIL_KEYS: [&str; 7] =
    ["smtp", "sendmail", "from", "tls", "ca_file", "password_file", "mail_form"];

/// Services that other tools have a key for, and that are reached with `command=` and apprise.
pub(super) const BY_APPRISE: [&str; 5] = ["discord", "gotify", "pushover", "bark", "serverchan"];

/// The most members of an Alertmanager cluster, and the most numbers of an SMS channel.
const MOST: usize = 20;

/// All channels of a section but mail.
pub(super) fn read(section: &mut AlertSection<'_, '_>) -> Vec<Channel> {
    let mut channels = Vec::new();
    for keys in CHANNELS {
        if let Some(text) = section.text(keys.main) {
            channels.extend((keys.read)(section, &text).unwrap_or_default());
        } else if !section.has(keys.main) {
            for key in keys.beside.iter().filter(|key| section.has(key)).copied().collect::<Vec<_>>() {
                section.refuse(key, missing(key, keys.main));
            }
        }
    }
    channels
}

fn missing(key: &str, main: &str) -> InvalidValue {
    let what = format!("cannot use {key}= without {main}=");
    InvalidValue { original: what.clone(), what }
}

/// The value that a channel needs beside its main key.
fn required<T>(
    section: &mut AlertSection<'_, '_>,
    main: &str,
    key: &str,
    convert: impl FnOnce(&str) -> Result<T, InvalidValue>,
) -> Option<T> {
    if !section.has(key) {
        let what = format!("cannot do without {key}=");
        section.refuse(main, InvalidValue { original: what.clone(), what });
    }
    section.optional(key, convert)
}

/// The value of the main key.
fn main<T>(
    section: &mut AlertSection<'_, '_>,
    key: &str,
    text: &str,
    convert: impl FnOnce(&str) -> Result<T, InvalidValue>,
) -> Option<T> {
    match convert(text) {
        Ok(value) => Some(value),
        Err(bad) => {
            section.refuse(key, bad);
            None
        }
    }
}

fn text(value: &str) -> Result<String, InvalidValue> {
    Ok(value.trim().to_owned())
}

fn texts(value: &str) -> Result<Vec<String>, InvalidValue> {
    Ok(list(value))
}

fn slack(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    Some(vec![Channel::Slack { url: main(section, "slack", value, secret_url)? }])
}

fn slack_token(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let channel = required(section, "slack_token", "slack_channel", text);
    Some(vec![Channel::SlackToken { token: main(section, "slack_token", value, secret)?, channel: channel? }])
}

fn teams(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    if value.contains("webhook.office.com") {
        let text =
            "is a connector of Office 365, which Microsoft has switched off: a workflow URL belongs here";
        section.context.warn_at(&section.scope, "teams", text);
    }
    Some(vec![Channel::Teams { url: main(section, "teams", value, secret_url)? }])
}

fn dingtalk(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let key = section.optional("dingtalk_secret", secret);
    let at = section.or("dingtalk_at", Vec::new(), texts);
    let keyword = section.optional("dingtalk_keyword", text);
    Some(vec![Channel::DingTalk {
        url: main(section, "dingtalk", value, secret_url)?,
        secret: key,
        at,
        keyword,
    }])
}

fn wecom(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let at = section.or("wecom_at", Vec::new(), texts);
    Some(vec![Channel::WeCom { url: main(section, "wecom", value, secret_url)?, at }])
}

fn feishu(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let key = section.optional("feishu_secret", secret);
    let at = section.or("feishu_at", Vec::new(), texts);
    Some(vec![Channel::Feishu { url: main(section, "feishu", value, secret_url)?, secret: key, at }])
}

fn telegram(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let chat = required(section, "telegram", "telegram_chat", text);
    let thread = section.optional("telegram_thread", |text| {
        let thread = number(text).and_then(|number| i64::try_from(number).ok());
        thread.ok_or_else(|| bad("read as the number of a topic", text))
    });
    let api = section.or("telegram_api", "https://api.telegram.org".to_owned(), web_url);
    Some(vec![Channel::Telegram {
        token: main(section, "telegram", value, secret)?,
        chat: chat?,
        thread,
        api,
    }])
}

fn pagerduty(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let api = section.or("pagerduty_api", "https://events.pagerduty.com".to_owned(), web_url);
    let key = main(section, "pagerduty", value, |text| match secret(text)? {
        Secret::Literal(key) if key.len() != 32 || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Err(bad("read as a routing key (32 letters and digits)", "***"))
        }
        key => Ok(key),
    });
    Some(vec![Channel::PagerDuty { key: key?, api }])
}

fn alertmanager(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let hold = section.or("alertmanager_hold", std::time::Duration::from_secs(300), duration).as_secs();
    let members = list(value);
    if members.len() > MOST {
        section.refuse("alertmanager", bad("post to more than 20 members", &members.len().to_string()));
    }
    let mut channels = Vec::new();
    for member in members.into_iter().take(MOST) {
        let url = main(section, "alertmanager", &member, |text| match secret(text)? {
            Secret::Literal(url) => Ok(Secret::Literal(web_url(&url)?)),
            place => Ok(place),
        })?;
        channels.push(Channel::Alertmanager { url, hold });
    }
    Some(channels)
}

fn webhook(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let key = section.optional("webhook_secret", secret);
    let format = section.or("webhook_format", WebhookFormat::Alertmanager, |text| match text.trim() {
        "alertmanager" => Ok(WebhookFormat::Alertmanager),
        "cloudevents" => Ok(WebhookFormat::Cloudevents),
        _ => Err(bad("find the format (one of alertmanager, cloudevents)", text)),
    });
    let header = section.optional("webhook_header", |text| {
        let (name, value) = header(text)?;
        Ok((name, secret(&value)?))
    });
    Some(vec![Channel::Webhook {
        url: main(section, "webhook", value, secret_url)?,
        secret: key,
        format,
        header,
    }])
}

fn ntfy(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let token = section.optional("ntfy_token", secret);
    Some(vec![Channel::Ntfy { url: main(section, "ntfy", value, secret_url)?, token }])
}

/// A command line without a shell, which begins with an absolute path.
fn command_line(text: &str) -> Result<String, InvalidValue> {
    match shlex::split(text) {
        Ok(words) if words.first().is_some_and(|program| program.starts_with('/')) => {
            Ok(text.trim().to_owned())
        }
        Ok(_) => Err(bad("run a command that does not begin with an absolute path", text)),
        Err(_) => Err(bad("split into words: a quote is not closed", text)),
    }
}

fn command(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    Some(vec![Channel::Command { command: main(section, "command", value, command_line)? }])
}

fn sms(section: &mut AlertSection<'_, '_>, value: &str) -> Option<Vec<Channel>> {
    let to = required(section, "sms", "sms_to", |text| {
        let numbers = list(text);
        let is_number = |number: &String| {
            let digits = number.strip_prefix('+').unwrap_or(number);
            (3..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        match numbers.iter().find(|number| !is_number(number)) {
            Some(wrong) => Err(bad("read as a telephone number (+ and digits)", wrong)),
            None if numbers.len() > MOST => Err(bad("send to more than 20 numbers", text)),
            None => Ok(numbers),
        }
    });
    let (service, account) = value.trim().split_once(':').unwrap_or((value, ""));
    match service {
        "command" => {
            let command = main(section, "sms", account, command_line);
            Some(vec![Channel::SmsCommand { command: command?, to: to? }])
        }
        "twilio" => {
            let key = required(section, "sms", "sms_secret", secret);
            let from = required(section, "sms", "sms_from", text);
            let api = section.or("sms_api", "https://api.twilio.com".to_owned(), web_url);
            let (account, secret, from) = (account.to_owned(), key?, from?);
            let channel = |to| Channel::Twilio {
                account: account.clone(),
                secret: secret.clone(),
                from: from.clone(),
                to,
                api: api.clone(),
            };
            Some(to?.into_iter().map(channel).collect())
        }
        "aliyun" => {
            let key = required(section, "sms", "sms_secret", secret);
            let sign = required(section, "sms", "sms_sign", text);
            let template = required(section, "sms", "sms_template", text);
            let params = section.or("sms_template_params", Vec::new(), params);
            let api = section.or("sms_api", "https://dysmsapi.aliyuncs.com".to_owned(), web_url);
            let (access_key, secret, sign, template) = (account.to_owned(), key?, sign?, template?);
            let channel = |to| Channel::Aliyun {
                access_key: access_key.clone(),
                secret: secret.clone(),
                sign: sign.clone(),
                template: template.clone(),
                params: params.clone(),
                to,
                api: api.clone(),
            };
            Some(to?.into_iter().map(channel).collect())
        }
        _ => {
            section.refuse(
                "sms",
                bad("find the service (one of twilio:SID, aliyun:KEY_ID, command:/path)", value),
            );
            None
        }
    }
}

/// `program={program},state={state}`.
fn params(text: &str) -> Result<Vec<(String, String)>, InvalidValue> {
    const KNOWN: [&str; 6] = ["program", "state", "time", "hhmm", "host", "severity"];
    let mut params = Vec::new();
    for pair in list(text) {
        let (name, value) = pair.split_once('=').ok_or_else(|| bad("read as NAME={WORD}", &pair))?;
        let words = value.split('{').skip(1).map(|word| word.split('}').next().unwrap_or_default());
        if let Some(word) = words.into_iter().find(|word| !KNOWN.contains(word)) {
            return Err(bad(&format!("fill in (one of {})", KNOWN.join(", ")), word));
        }
        params.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(params)
}

/// `mail=` and the keys beside it.
pub(super) fn mail(section: &mut AlertSection<'_, '_>) -> Option<MailDestination> {
    if !section.has("mail") {
        for key in MAIL_KEYS.into_iter().filter(|key| section.has(key)).collect::<Vec<_>>() {
            section.refuse(key, missing(key, "mail"));
        }
        return None;
    }
    let to = section.optional("mail", |text| {
        let addresses = list(text);
        match addresses
            .iter()
            .find(|address| address.contains(char::is_whitespace) || address.starts_with('-'))
        {
            Some(wrong) => Err(bad("read as a mail address", wrong)),
            None if addresses.is_empty() => Err(bad("mail to no address", text)),
            None => Ok(addresses),
        }
    });
    let smtp = section.optional("smtp", |text| {
        let is_url =
            ["smtp://", "smtps://"].iter().any(|scheme| text.trim().to_ascii_lowercase().starts_with(scheme));
        if is_url {
            Ok(text.trim().to_owned())
        } else {
            Err(bad("read as smtp://HOST or smtps://HOST", text))
        }
    });
    let sendmail = section.optional("sendmail", text);
    if smtp.is_some() && sendmail.is_some() {
        section
            .refuse("sendmail", bad("use both smtp= and sendmail=", sendmail.as_deref().unwrap_or_default()));
    }
    let from = section.optional("from", text);
    let require_tls = section.or("tls", false, value::boolean);
    let absolute = |text: &str| match text.starts_with('/') {
        true => Ok(std::path::PathBuf::from(text)),
        false => Err(bad("read what is no absolute path", text)),
    };
    let ca_file = section.optional("ca_file", absolute);
    let password = section.optional("password_file", absolute).map(Secret::File);
    let is_sms = section.or("mail_form", false, |text| match text.trim() {
        "mail" => Ok(false),
        "sms" => Ok(true),
        _ => Err(bad("find the form (one of mail, sms)", text)),
    });
    Some(MailDestination { to: to?, from, smtp, sendmail, require_tls, ca_file, password, is_sms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_is_known() {
        let table = CHANNELS.iter().flat_map(|keys| std::iter::once(&keys.main).chain(keys.beside));
        assert_eq!(
            KEYS.iter().collect::<Vec<_>>(),
            std::iter::once(&"mail").chain(table).collect::<Vec<_>>()
        );
    }
}
