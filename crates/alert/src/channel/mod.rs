//! The channels: [`DeliveryChannel`], one file or folder each. The thread of a queue calls them; they keep no alerts.

pub mod sendmail;
pub mod smtp;

use crate::alert::Alert;
use crate::receiver::Transport;

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
    /// Sends `alert` to all its recipients.
    ///
    /// `Ok` means that the channel has taken it for at least one recipient; the receipt names the others.
    /// Every step has a timeout of its own, so this returns in bounded time.
    fn send(&mut self, alert: &Alert, progress: &mut dyn DeliveryProgress) -> Result<Receipt, DeliveryError>;
}

/// The result for the recipients of an alert that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Recipients that were not served although others were.
    pub refused: Vec<RecipientRefusal>,
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

/// Why no recipient was served. The text is for people, and starts in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryError {
    /// The channel does not work: everything else in its queue waits as well.
    Unreachable(String),
    /// The channel works and deferred this alert.
    Deferred(String),
    /// The channel works and will never take this alert.
    Rejected(String),
}

impl DeliveryError {
    /// Why, in words.
    pub fn reason(&self) -> &str {
        match self {
            Self::Unreachable(reason) | Self::Deferred(reason) | Self::Rejected(reason) => reason,
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
    }
}
