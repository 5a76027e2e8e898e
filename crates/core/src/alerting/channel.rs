//! The channels of `[alert:x]` beside mail: [`Channel`], each with its settings as the configuration gives them.
//!
//! The configuration makes them, and the outbox stores them with each message. A channel URL that holds a key is a
//! [`Secret`]; what a secret names is read when a message is sent.

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// A channel and its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A Slack incoming webhook.
    Slack {
        /// `slack=`: the webhook URL.
        url: Secret,
    },
    /// Slack's chat.postMessage.
    SlackToken {
        /// `slack_token=`: a bot token.
        token: Secret,
        /// `slack_channel=`: the id or the name of the channel.
        channel: String,
    },
    /// A Microsoft Teams workflow.
    Teams {
        /// `teams=`: the workflow URL.
        url: Secret,
    },
    /// A DingTalk robot.
    DingTalk {
        /// `dingtalk=`: the robot's URL.
        url: Secret,
        /// `dingtalk_secret=`: the key that requests are signed with.
        secret: Option<Secret>,
        /// `dingtalk_at=`: phone numbers to mention, or `all`.
        at: Vec<String>,
        /// `dingtalk_keyword=`: the word that the robot asks for.
        keyword: Option<String>,
    },
    /// A WeCom group robot.
    WeCom {
        /// `wecom=`: the robot's URL.
        url: Secret,
        /// `wecom_at=`: user ids or phone numbers to mention, or `@all`.
        at: Vec<String>,
    },
    /// A Feishu or Lark robot.
    Feishu {
        /// `feishu=`: the robot's URL.
        url: Secret,
        /// `feishu_secret=`: the key that requests are signed with.
        secret: Option<Secret>,
        /// `feishu_at=`: open ids to mention, or `all`.
        at: Vec<String>,
    },
    /// A Telegram bot.
    Telegram {
        /// `telegram=`: the bot's token.
        token: Secret,
        /// `telegram_chat=`: the chat's id or `@name`.
        chat: String,
        /// `telegram_thread=`: the topic of a forum.
        thread: Option<i64>,
        /// `telegram_api=`: the server, without a slash at its end.
        api: String,
    },
    /// PagerDuty's Events API v2.
    PagerDuty {
        /// `pagerduty=`: the routing key.
        key: Secret,
        /// `pagerduty_api=`: the server, without a slash at its end.
        api: String,
    },
    /// Alertmanager's API v2.
    Alertmanager {
        /// `alertmanager=`: one member of the cluster, without a slash at its end. A message is stored for each member.
        url: Secret,
        /// `alertmanager_hold=`: for how long a crash stays firing at least, in seconds.
        hold: u64,
    },
    /// A web hook.
    Webhook {
        /// `webhook=`: the URL.
        url: Secret,
        /// `webhook_secret=`: the key of Standard Webhooks, with or without `whsec_`.
        secret: Option<Secret>,
        /// `webhook_format=`.
        format: WebhookFormat,
        /// `webhook_header=`: a name and a value.
        header: Option<(String, Secret)>,
    },
    /// An ntfy topic.
    Ntfy {
        /// `ntfy=`: the topic's URL.
        url: Secret,
        /// `ntfy_token=`: an access token.
        token: Option<Secret>,
    },
    /// SMS by Twilio.
    Twilio {
        /// `sms=twilio:SID`: the account.
        account: String,
        /// `sms_secret=`: the auth token, or `APIKEY:SECRET`.
        secret: Secret,
        /// `sms_from=`: a number, or the SID of a messaging service.
        from: String,
        /// `sms_to=`: one number. A message is stored for each number.
        to: String,
        /// `sms_api=`: the server, without a slash at its end.
        api: String,
    },
    /// SMS by Aliyun.
    Aliyun {
        /// `sms=aliyun:ACCESS_KEY_ID`: the account.
        access_key: String,
        /// `sms_secret=`: the access key's secret.
        secret: Secret,
        /// `sms_sign=`: the signature's name.
        sign: String,
        /// `sms_template=`: the template's code.
        template: String,
        /// `sms_template_params=`: the template's variables, each a name and a text with `{program}`, `{state}`, `{time}`, `{host}`.
        params: Vec<(String, String)>,
        /// `sms_to=`: one number. A message is stored for each number.
        to: String,
        /// `sms_api=`: the server, without a slash at its end.
        api: String,
    },
    /// A command that takes a short text on its standard input and the numbers as arguments.
    SmsCommand {
        /// `sms=command:/path args`: the command line, without a shell.
        command: String,
        /// `sms_to=`: the numbers.
        to: Vec<String>,
    },
    /// A command that takes the card as JSON on its standard input.
    Command {
        /// `command=`: the command line, without a shell.
        command: String,
    },
}

/// The body of a web hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// Alertmanager's webhook, version 4, with the card under `ironlance`.
    #[default]
    Alertmanager,
    /// A CloudEvent 1.0 in structured mode.
    Cloudevents,
}

impl Channel {
    /// The word for it in configuration, logs and the outbox.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Slack { .. } | Self::SlackToken { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::DingTalk { .. } => "dingtalk",
            Self::WeCom { .. } => "wecom",
            Self::Feishu { .. } => "feishu",
            Self::Telegram { .. } => "telegram",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Alertmanager { .. } => "alertmanager",
            Self::Webhook { .. } => "webhook",
            Self::Ntfy { .. } => "ntfy",
            Self::Twilio { .. } | Self::Aliyun { .. } | Self::SmsCommand { .. } => "sms",
            Self::Command { .. } => "command",
        }
    }

    /// All of its secrets.
    pub fn secrets_mut(&mut self) -> Vec<&mut Secret> {
        match self {
            Self::Slack { url }
            | Self::Teams { url }
            | Self::WeCom { url, .. }
            | Self::Alertmanager { url, .. } => {
                vec![url]
            }
            Self::SlackToken { token, .. } | Self::Telegram { token, .. } => vec![token],
            Self::PagerDuty { key, .. } => vec![key],
            Self::Twilio { secret, .. } | Self::Aliyun { secret, .. } => vec![secret],
            Self::DingTalk { url, secret, .. } | Self::Feishu { url, secret, .. } => {
                [url].into_iter().chain(secret).collect()
            }
            Self::Webhook { url, secret, header, .. } => {
                let header = header.as_mut().map(|(_, value)| value);
                [url].into_iter().chain(secret).chain(header).collect()
            }
            Self::Ntfy { url, token } => [url].into_iter().chain(token).collect(),
            Self::SmsCommand { .. } | Self::Command { .. } => Vec::new(),
        }
    }

    /// Whether it keeps an incident of its own, opened and closed by key: its messages must arrive in order, and each
    /// incident is told by itself.
    pub const fn is_stateful(&self) -> bool {
        matches!(self, Self::PagerDuty { .. } | Self::Alertmanager { .. })
    }
}
