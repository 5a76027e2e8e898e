//! From what the machines want told to what the outbox stores: [`messages_of`], a card for each channel of a receiver. Pure.

use ironlance_alert::card::{Card, CardItem, Language};
use ironlance_alert::mail_server::{MailServer, ServerScheme};
use ironlance_alert::{Format, Receiver, Secret, Security, SmtpServer, Transport};
use ironlance_config::alerting::{AlertReceiver, MailDestination, WatchSettings};
use ironlance_core::alerting::channel::Channel;

use crate::machine::{Audience, Notice};

/// What mail is given to where the receiver names neither a server nor a command.
const DEFAULT_SENDMAIL: &str = "/usr/sbin/sendmail -t -i";
/// The characters of a short message of one part, in the GSM alphabet.
const ONE_PART: usize = 160;

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// This host, by the kernel.
    pub(crate) host: String,
    /// The identifier of the supervisor.
    pub(crate) supervisor: String,
}

/// What a receiver is told, for each of its channels: a message for people, one for each incident where the channel keeps
/// incidents. `at` is in seconds since 1970.
pub(crate) fn messages_of(
    notice: &Notice,
    receiver: &AlertReceiver,
    settings: &WatchSettings,
    sender: &Sender,
    at: i64,
) -> Vec<(Receiver, Card)> {
    let card = |items: Vec<CardItem>, more: usize| Card {
        kind: notice.kind,
        severity: notice.severity,
        host: settings.host.clone().unwrap_or_else(|| sender.host.clone()),
        supervisor: sender.supervisor.clone(),
        at,
        timezone: settings.timezone.clone().unwrap_or_default(),
        language: if receiver.chinese { Language::Chinese } else { Language::English },
        receiver: receiver.name.clone(),
        url: settings.url.clone(),
        items,
        more,
        marks: notice.marks.clone(),
        labels: receiver.labels.clone(),
    };
    let for_people = || {
        let mut items: Vec<CardItem> = notice.items.iter().chain(&notice.asides).cloned().collect();
        let more = items.len().saturating_sub(receiver.max_items.max(1));
        items.truncate(receiver.max_items.max(1));
        (!items.is_empty()).then(|| card(items, more))
    };
    let mut messages = Vec::new();
    let everyone = notice.audience == Audience::All;
    if let (Some(mail), true) = (&receiver.mail, everyone) {
        messages.extend(for_people().map(|card| (mail_receiver(receiver, mail, sender), card)));
    }
    for channel in &receiver.channels {
        let to = || channel_receiver(receiver, channel);
        if channel.is_stateful() {
            messages.extend(notice.items.iter().map(|item| (to(), card(vec![item.clone()], 0))));
        } else if everyone {
            messages.extend(for_people().map(|card| (to(), card)));
        }
    }
    messages
}

fn channel_receiver(receiver: &AlertReceiver, channel: &Channel) -> Receiver {
    Receiver {
        name: receiver.name.clone(),
        transport: Transport::Channel { channel: channel.clone(), proxy: receiver.proxy.clone() },
        from: None,
        to: vec![receiver.name.clone()],
        format: Format::Card,
    }
}

/// The mail of a receiver, as the listeners have it.
pub(crate) fn mail_receiver(receiver: &AlertReceiver, mail: &MailDestination, sender: &Sender) -> Receiver {
    let server = mail.smtp.as_deref().and_then(|url| MailServer::from_url(url).ok());
    let transport = match (server, &mail.sendmail) {
        (Some(server), _) => Transport::Smtp(smtp_server(server, mail)),
        (None, Some(command)) => Transport::Sendmail { command: command.clone() },
        (None, None) => Transport::Sendmail { command: DEFAULT_SENDMAIL.to_owned() },
    };
    let from = match (&mail.from, &transport) {
        (None, Transport::Smtp(_)) => Some(format!("ironlance@{}", sender.host)),
        (from, _) => from.clone(),
    };
    // Only a server needs the recipients one by one.
    let to = match &transport {
        Transport::Smtp(_) => mail.to.clone(),
        _ => vec![mail.to.join(", ")],
    };
    let format = if mail.is_sms { Format::Sms { max_length: Some(ONE_PART) } } else { Format::Card };
    Receiver { name: receiver.name.clone(), transport, from, to, format }
}

fn smtp_server(server: MailServer, mail: &MailDestination) -> SmtpServer {
    let security = if server.scheme == ServerScheme::Smtps {
        Security::Implicit
    } else {
        server.security(mail.require_tls)
    };
    let own = server.password.map(Secret::Literal);
    let password = mail.password.clone().or(own).filter(|_| server.user.is_some());
    SmtpServer {
        host: server.host,
        port: server.port,
        security,
        user: server.user.filter(|_| password.is_some()),
        password,
        ca_file: mail.ca_file.clone(),
    }
}

/// The name of this host.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_to_a_gateway_is_a_short_message_of_one_part() {
        let settings = |is_sms| MailDestination {
            to: vec!["13800138000@sms.example.com".to_owned()],
            from: None,
            smtp: None,
            sendmail: None,
            require_tls: false,
            ca_file: None,
            password: None,
            is_sms,
        };
        let receiver = crate::machine::tests::receiver("gateway");
        let sender = Sender { host: "web1".to_owned(), supervisor: "supervisor".to_owned() };
        let format = |is_sms| mail_receiver(&receiver, &settings(is_sms), &sender).format;
        assert_eq!(format(true), Format::Sms { max_length: Some(160) });
        assert_eq!(format(false), Format::Card);
    }
}
