//! What carries an alert out of the house; one file for each kind of carrier.

pub mod sendmail;
pub mod smtp;

use crate::alert::Alert;
use crate::receiver::Transport;

/// Is told each step of a delivery, in words for people: `connected to 127.0.0.1:25`.
pub trait DeliveryProgress {
    /// A step was done.
    fn step(&mut self, what: &str);

    /// The server knows the way to log in and refused who we are.
    fn login_refused(&mut self) {}
}

/// Nobody wants to know.
impl DeliveryProgress for () {
    fn step(&mut self, _: &str) {}
}

/// One way to send alerts, which may keep a connection from one alert to the next.
pub trait DeliveryChannel: Send {
    /// Sends `alert` to all its recipients.
    ///
    /// `Ok` means that the carrier has taken it for at least one recipient; the receipt names the others.
    /// Every step has a timeout of its own, so this returns in bounded time.
    fn send(&mut self, alert: &Alert, progress: &mut dyn DeliveryProgress) -> Result<Receipt, DeliveryError>;
}

/// What became of the recipients of an alert that was taken.
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
    /// The carrier's words.
    pub reason: String,
    /// Whether another try makes sense.
    pub retry: Retry,
}

/// Whether another try makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The carrier may take it later.
    Later,
    /// The carrier will never take it.
    Never,
}

/// Why nobody was served. The text is for people, and starts in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryError {
    /// The carrier itself is out of order: whatever else is meant for it can wait as well.
    Unreachable(String),
    /// The carrier works and put this alert off.
    Deferred(String),
    /// The carrier works and will never take this alert.
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
