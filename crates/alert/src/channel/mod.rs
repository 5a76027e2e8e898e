//! The channels: [`DeliveryChannel`], one file or folder each. The thread of a queue calls them; they keep no alerts.

mod alertmanager;
mod answer_code;
mod command;
mod dingtalk;
#[cfg(test)]
mod fake_carrier;
mod feishu;
#[cfg(test)]
mod golden;
mod http;
mod incident;
mod ntfy;
mod output_relay;
pub mod pace;
mod pagerduty;
mod running_command;
pub mod sendmail;
mod signature;
mod slack;
mod sms_aliyun;
mod sms_twilio;
pub mod smtp;
mod teams;
mod telegram;
mod webhook;
mod wecom;

use std::time::Duration;

use ironlance_core::alerting::channel::Channel;

use crate::alert::{Alert, AlertEntry};
use crate::receiver::Transport;
use crate::render::card::{CardMessage, Detail};
use crate::secret::Secret;

/// Gets each step of a delivery, in words for people: `connected to 127.0.0.1:25`.
pub trait DeliveryProgress {
    /// A step was done.
    fn step(&mut self, what: &str);

    /// The server supports our way to log in, and refused user or password.
    fn login_refused(&mut self) {}
}

/// Ignores all steps.
impl DeliveryProgress for () {
    fn step(&mut self, _: &str) {}
}

/// Sends alerts, and may keep a connection from one alert to the next.
pub trait DeliveryChannel: Send {
    /// Sends an alert to all its recipients.
    ///
    /// `Ok` means that the channel has taken it for at least one recipient; the receipt names the others.
    /// Every step has a timeout of its own, so this returns in bounded time.
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError>;
}

/// An alert as it is sent now.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingAlert<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// How much of a card is sent.
    pub detail: Detail,
    /// For how many seconds it has waited, and why; told to the reader.
    pub late: Option<(u64, &'a str)>,
}

impl<'a> OutgoingAlert<'a> {
    /// The card of the alert, as it is to be told. A file whose card is of another version is left for that version.
    pub fn message(&self) -> Result<CardMessage<'a>, DeliveryError> {
        match self.alert.entries.first() {
            Some(AlertEntry::Card(card)) if card.items.is_empty() => {
                Err(DeliveryError::rejected("its card has no items"))
            }
            Some(AlertEntry::Card(card)) => Ok(CardMessage { card, detail: self.detail, late: self.late }),
            _ => Err(DeliveryError::deferred("its card was written by another version of ironlance")),
        }
    }
}

impl<'a> From<&'a Alert> for OutgoingAlert<'a> {
    /// All of an alert, in time.
    fn from(alert: &'a Alert) -> Self {
        Self { alert, detail: Detail::Rich, late: None }
    }
}

/// The result for the recipients of an alert that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Recipients that were not served although others were.
    pub refused: Vec<RecipientRefusal>,
    /// The channel's answer in a few words; empty where it has none.
    pub answer: String,
}

/// A recipient that was not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientRefusal {
    /// As it stands in the receiver.
    pub recipient: String,
    /// The channel's words.
    pub reason: String,
    /// Whether another attempt makes sense.
    pub retry: Retry,
}

/// Whether another attempt makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The channel may take it later.
    Later,
    /// The channel will never take it.
    Never,
}

/// Why no recipient was served. The reason is for people, and starts in lower case; `after` is the earliest next attempt,
/// where the carrier named one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryError {
    /// The channel does not work: everything else in its queue waits as well.
    Unreachable {
        /// Why.
        reason: String,
        /// The earliest next attempt.
        after: Option<Duration>,
    },
    /// The channel works and deferred this alert.
    Deferred {
        /// Why.
        reason: String,
        /// The earliest next attempt.
        after: Option<Duration>,
    },
    /// The channel works and does not take this form of the content: the next plainer one is attempted at once.
    Unfit {
        /// Why.
        reason: String,
    },
    /// The channel works and will never take this alert.
    Rejected {
        /// Why.
        reason: String,
    },
}

impl DeliveryError {
    /// The channel does not work.
    pub fn unreachable(reason: impl Into<String>) -> Self {
        Self::Unreachable { reason: reason.into(), after: None }
    }

    /// The channel deferred the alert.
    pub fn deferred(reason: impl Into<String>) -> Self {
        Self::Deferred { reason: reason.into(), after: None }
    }

    /// The channel does not take this form of the content.
    pub fn unfit(reason: impl Into<String>) -> Self {
        Self::Unfit { reason: reason.into() }
    }

    /// The channel will never take the alert.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected { reason: reason.into() }
    }

    /// Why, in words.
    pub fn reason(&self) -> &str {
        match self {
            Self::Unreachable { reason, .. }
            | Self::Deferred { reason, .. }
            | Self::Unfit { reason }
            | Self::Rejected { reason } => reason,
        }
    }
}

/// The channel for a transport.
pub fn open(transport: &Transport) -> Box<dyn DeliveryChannel> {
    match transport {
        Transport::Sendmail { command } => Box::new(sendmail::Sendmail::new(command, None)),
        Transport::BodyOnly { command } => {
            Box::new(sendmail::Sendmail::new(command, Some(sendmail::input_format::InputFormat::Body)))
        }
        Transport::Smtp(server) => Box::new(smtp::Smtp::new(server)),
        Transport::Channel { channel, proxy } => open_channel(channel, proxy.as_ref()),
    }
}

/// The channel for one of `[alert:x]`; `proxy` is its `proxy=`.
fn open_channel(channel: &Channel, proxy: Option<&Secret>) -> Box<dyn DeliveryChannel> {
    let sender = || http::HttpSender::new(proxy);
    match channel {
        Channel::DingTalk { url, secret, at, keyword } => {
            Box::new(dingtalk::DingTalk::new(url, secret.as_ref(), at, keyword.as_deref(), sender()))
        }
        Channel::WeCom { url, at } => Box::new(wecom::WeCom::new(url, at, sender())),
        Channel::Feishu { url, secret, at } => {
            Box::new(feishu::Feishu::new(url, secret.as_ref(), at, sender()))
        }
        Channel::Telegram { token, chat, thread, api } => {
            Box::new(telegram::Telegram::new(token, chat, *thread, api, sender()))
        }
        Channel::Twilio { account, secret, from, to, api } => {
            let numbers = sms_twilio::Numbers { from: from.clone(), to: to.clone() };
            Box::new(sms_twilio::Twilio::new(account, secret, numbers, api, sender()))
        }
        Channel::Aliyun { access_key, secret, sign, template, params, to, api } => {
            let message = sms_aliyun::Template {
                sign: sign.clone(),
                code: template.clone(),
                params: params.clone(),
                to: to.clone(),
            };
            Box::new(sms_aliyun::Aliyun::new(access_key, secret, message, api, sender()))
        }
        Channel::SmsCommand { command, to } => Box::new(command::CommandChannel::sms(command, to)),
        Channel::Command { command } => Box::new(command::CommandChannel::new(command)),
        Channel::Slack { url } => {
            Box::new(slack::Slack::new(slack::Destination::Webhook(url.clone()), sender()))
        }
        Channel::SlackToken { token, channel } => {
            let destination = slack::Destination::Channel { token: token.clone(), channel: channel.clone() };
            Box::new(slack::Slack::new(destination, sender()))
        }
        Channel::Teams { url } => Box::new(teams::Teams::new(url, sender())),
        Channel::PagerDuty { key, api } => Box::new(pagerduty::PagerDuty::new(key, api, sender())),
        Channel::Alertmanager { url, hold } => {
            Box::new(alertmanager::Alertmanager::new(url, *hold, sender()))
        }
        Channel::Webhook { url, secret, format, header } => {
            Box::new(webhook::Webhook::new(url, secret.as_ref(), *format, header.as_ref(), sender()))
        }
        Channel::Ntfy { url, token } => Box::new(ntfy::Ntfy::new(url, token.as_ref(), sender())),
    }
}
