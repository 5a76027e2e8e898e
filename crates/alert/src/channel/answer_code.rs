//! Carriers that answer 200 to almost everything, with the truth as a number in the body: [`judge`].

use std::time::Duration;

use super::http::HttpAnswer;
use super::{DeliveryError, Receipt};

/// What a number in an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeMeaning {
    /// Too fast: everything waits for this number of seconds.
    TooFast(u64),
    /// This form of the content is refused.
    Unfit,
    /// A key, a signature, a right: the configuration can be mended.
    Configuration,
}

/// The outcome of an answer that has a number under `field`; 0 is success. A number that is not in the table is judged by
/// the status, and is a failure in any case; so is an answer without a number.
pub(super) fn judge(
    answer: &HttpAnswer,
    field: &str,
    table: &[(i64, CodeMeaning)],
) -> Result<Receipt, DeliveryError> {
    let json: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let code = json.as_ref().and_then(|json| json.get(field)).and_then(serde_json::Value::as_i64);
    if code == Some(0) && (200..300).contains(&answer.status) {
        return Ok(answer.taken());
    }
    match code.and_then(|code| table.iter().find(|(known, _)| *known == code)) {
        Some((_, CodeMeaning::TooFast(seconds))) => {
            Err(answer.unreachable_for(Duration::from_secs(*seconds)))
        }
        Some((_, CodeMeaning::Unfit)) => Err(answer.unfit()),
        Some((_, CodeMeaning::Configuration)) => Err(answer.unreachable()),
        None => {
            answer.by_status()?;
            Err(answer.unreachable())
        }
    }
}
