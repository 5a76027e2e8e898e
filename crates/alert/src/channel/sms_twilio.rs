//! SMS by Twilio (`sms=twilio:SID`): [`Twilio`], a message of one part to one number.
//!
//! | answer | outcome |
//! |---|---|
//! | 201 | taken |
//! | 21211, 21614: no number, or none of a mobile telephone | rejected |
//! | 429, 5xx | unreachable: later |
//! | 400 otherwise | unfit |
//! | 401, 403, 404 | unreachable: the configuration can be mended |

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ironlance_core::text::url_encoding::encode;
use ironlance_net::HttpUrl;

use super::http::{HttpAnswer, HttpSender, Post, revealed};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::render::card::{CardMessage, Detail};
use crate::secret::Secret;

/// The characters of one part in the GSM alphabet.
const ONE_PART: usize = 160;
/// Codes that say that the number can never get a message.
const BAD_NUMBERS: [i64; 2] = [21_211, 21_614];
/// What the SID of a messaging service begins with.
const SERVICE: &str = "MG";

/// An account and a number.
#[derive(Debug)]
pub(super) struct Twilio {
    account: String,
    secret: Secret,
    numbers: Numbers,
    api: String,
    http: HttpSender,
}

/// From where to where.
#[derive(Debug)]
pub(super) struct Numbers {
    /// A number, or the SID of a messaging service.
    pub(super) from: String,
    /// A number.
    pub(super) to: String,
}

impl Twilio {
    /// An account at a server.
    pub(super) fn new(account: &str, secret: &Secret, numbers: Numbers, api: &str, http: HttpSender) -> Self {
        Self { account: account.to_owned(), secret: secret.clone(), numbers, api: api.to_owned(), http }
    }
}

impl DeliveryChannel for Twilio {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let url = format!("{}/2010-04-01/Accounts/{}/Messages.json", self.api, encode(&self.account));
        let url = HttpUrl::parse(&url)
            .map_err(|error| DeliveryError::unreachable(format!("cannot use sms_api=: {error}")))?;
        let secret = revealed(&self.secret)?;
        // An API key is a user of its own; the token belongs to the account.
        let user_and_password =
            if secret.contains(':') { secret } else { format!("{}:{secret}", self.account) };
        let post = Post {
            url,
            content_type: "application/x-www-form-urlencoded",
            headers: vec![(
                "Authorization".to_owned(),
                format!("Basic {}", STANDARD.encode(user_and_password)),
            )],
            body: self.numbers.form(&text(&outgoing.message()?)).into_bytes(),
        };
        judge(&self.http.send(post, progress)?)
    }
}

/// The text of a message: one part.
fn text(message: &CardMessage<'_>) -> String {
    match message.detail {
        Detail::Rich | Detail::Plain => message.short(Some(ONE_PART)),
        Detail::Line => message.text().line().chars().take(70).collect(),
    }
}

impl Numbers {
    fn form(&self, text: &str) -> String {
        let from = if self.from.starts_with(SERVICE) { "MessagingServiceSid" } else { "From" };
        format!("To={}&{from}={}&Body={}", encode(&self.to), encode(&self.from), encode(text))
    }
}

fn judge(answer: &HttpAnswer) -> Result<Receipt, DeliveryError> {
    let json: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let code = json.as_ref().and_then(|json| json["code"].as_i64()).unwrap_or_default();
    if answer.status == 400 && BAD_NUMBERS.contains(&code) {
        return Err(answer.rejected());
    }
    answer.by_status()?;
    // Something else than Twilio answered.
    if json.is_some() { Ok(answer.taken()) } else { Err(answer.unreachable()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Language;
    use crate::channel::fake_carrier::{Expected, FakeCarrier, check_outcomes, send_sample};
    use crate::render::card::samples;

    fn account(url: &str) -> Twilio {
        let numbers = Numbers { from: "+1500".into(), to: "+491".into() };
        Twilio::new("AC1", &Secret::Literal("token".into()), numbers, url, HttpSender::new(None))
    }

    #[test]
    fn an_answer_has_an_outcome() {
        let number = r#"{"code":21211,"message":"The 'To' number is not valid","status":400}"#;
        check_outcomes(
            |url| Box::new(account(url)),
            &[
                (("201 Created", "", r#"{"sid":"SM1","status":"queued"}"#), Expected::Taken),
                (("400 Bad Request", "", number), Expected::Rejected),
                (("400 Bad Request", "", r#"{"code":21617,"status":400}"#), Expected::Unfit),
                (("401 Unauthorized", "", r#"{"code":20003,"status":401}"#), Expected::Unreachable(None)),
                (("429 Too Many Requests", "Retry-After: 3\r\n", "{}"), Expected::Unreachable(Some(3))),
                (("200 OK", "", "<html>"), Expected::Unreachable(None)),
            ],
        );
    }

    #[test]
    fn a_request_is_a_form_of_the_account() {
        let carrier = FakeCarrier::start(&[("201 Created", "", "{}")]);
        assert!(send_sample(&mut account(carrier.url()), Detail::Rich).is_ok());
        let request = carrier.request();
        assert_eq!(request.line, "POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1");
        assert_eq!(request.header("authorization"), "Basic QUMxOnRva2Vu");
        assert!(request.body.starts_with("To=%2B491&From=%2B1500&Body=%5Bweb1%5D"), "{}", request.body);
    }

    #[test]
    fn a_form_names_a_number_or_a_service() {
        let numbers = |from: &str| Numbers { from: from.into(), to: "+49 1".into() };
        assert_eq!(numbers("+15005550006").form("a b"), "To=%2B49%201&From=%2B15005550006&Body=a%20b");
        assert_eq!(numbers("MG12").form("é"), "To=%2B49%201&MessagingServiceSid=MG12&Body=%C3%A9");
    }

    #[test]
    fn every_text_is_one_part() {
        for language in [Language::English, Language::Chinese] {
            for (_, card) in samples::all(language) {
                for detail in [Detail::Rich, Detail::Line] {
                    let text = text(&CardMessage { card: &card, detail, late: None });
                    let most = if text.is_ascii() { 160 } else { 70 };
                    assert!(text.encode_utf16().count() <= most, "{text}");
                }
            }
        }
    }
}
