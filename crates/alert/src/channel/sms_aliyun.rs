//! SMS by Aliyun (`sms=aliyun:ACCESS_KEY_ID`): [`Aliyun`], SendSms with an approved template, signed by ACS3-HMAC-SHA256.
//!
//! A variable of a template holds 1 to 35 characters and no URL, domain or address.
//!
//! | `Code` | outcome |
//! |---|---|
//! | `OK` | taken |
//! | `…LIMIT_CONTROL` | unreachable for a minute |
//! | `isv.MOBILE_NUMBER_ILLEGAL` | rejected |
//! | variables refused | unfit |
//! | others: signature, template, money | unreachable: the configuration can be mended |

use std::time::{Duration, SystemTime};

use ironlance_core::text::url_encoding::encode;
use ironlance_net::HttpUrl;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::http::{HttpAnswer, HttpSender, Post, revealed};
use super::signature::{hex, hmac_sha256, sha256_hex};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::render::card::{CardMessage, Detail};
use crate::secret::Secret;

/// The name of the signature's algorithm.
const ALGORITHM: &str = "ACS3-HMAC-SHA256";
/// The characters of a variable.
const LONGEST_VARIABLE: usize = 35;
/// The end of codes that say that a number or the account got too much.
const TOO_FAST: &str = "LIMIT_CONTROL";
/// For how long everything waits then.
const TOO_FAST_WAIT: Duration = Duration::from_secs(60);
/// Codes about the number.
const BAD_NUMBERS: [&str; 1] = ["isv.MOBILE_NUMBER_ILLEGAL"];
/// Codes about the variables.
const UNFIT: [&str; 5] = [
    "isv.PARAM_LENGTH_LIMIT",
    "isv.TEMPLATE_PARAMS_ILLEGAL",
    "isv.INVALID_PARAMETERS",
    "isv.INVALID_JSON_PARAM",
    "isv.BLACK_KEY_CONTROL_LIMIT",
];

/// An account and what it sends.
#[derive(Debug)]
pub(super) struct Aliyun {
    access_key: String,
    secret: Secret,
    template: Template,
    api: String,
    http: HttpSender,
}

/// A template, its variables, and the number that gets it.
#[derive(Debug)]
pub(super) struct Template {
    /// The name of the signature that the reader sees.
    pub(super) sign: String,
    /// The template's code.
    pub(super) code: String,
    /// Each variable's name, and a text with `{program}`, `{state}`, `{time}`, `{host}`.
    pub(super) params: Vec<(String, String)>,
    /// The number.
    pub(super) to: String,
}

impl Aliyun {
    /// An account at a server.
    pub(super) fn new(
        access_key: &str,
        secret: &Secret,
        template: Template,
        api: &str,
        http: HttpSender,
    ) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret: secret.clone(),
            template,
            api: api.to_owned(),
            http,
        }
    }
}

impl DeliveryChannel for Aliyun {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let message = outgoing.message()?;
        let query = query(&self.template.parameters(&message));
        let url = HttpUrl::parse(&format!("{}/?{query}", self.api))
            .map_err(|error| DeliveryError::unreachable(format!("cannot use sms_api=: {error}")))?;
        let date = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
        let request = SignedRequest {
            host: &url.host_port,
            action: "SendSms",
            version: "2017-05-25",
            date: &date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            nonce: &format!("{:032x}", fastrand::u128(..)),
            query: &query,
        };
        let headers = request.headers(&self.access_key, &revealed(&self.secret)?);
        let post = Post { url, content_type: "application/x-www-form-urlencoded", headers, body: Vec::new() };
        judge(&self.http.send(post, progress)?)
    }
}

/// A request without a body, to be signed.
struct SignedRequest<'a> {
    host: &'a str,
    action: &'a str,
    version: &'a str,
    /// `2026-11-30T09:48:11Z`.
    date: &'a str,
    /// Never the same twice.
    nonce: &'a str,
    /// Percent-encoded, by the names of its parameters.
    query: &'a str,
}

impl SignedRequest<'_> {
    /// The fields of the header that are signed, with the hash of the body, by name.
    fn fields(&self) -> [(&'static str, String); 6] {
        [
            ("host", self.host.to_owned()),
            ("x-acs-action", self.action.to_owned()),
            ("x-acs-content-sha256", sha256_hex(b"")),
            ("x-acs-date", self.date.to_owned()),
            ("x-acs-signature-nonce", self.nonce.to_owned()),
            ("x-acs-version", self.version.to_owned()),
        ]
    }

    fn signed_names(&self) -> String {
        self.fields().map(|(name, _)| name).join(";")
    }

    /// The hash of the canonical request.
    fn hash(&self) -> String {
        let fields: String = self.fields().iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical =
            format!("POST\n/\n{}\n{fields}\n{}\n{}", self.query, self.signed_names(), sha256_hex(b""));
        sha256_hex(canonical.as_bytes())
    }

    fn signature(&self, secret: &str) -> String {
        hex(&hmac_sha256(secret.as_bytes(), format!("{ALGORITHM}\n{}", self.hash()).as_bytes()))
    }

    /// The header fields of the request but `Host`, which every request has.
    fn headers(&self, access_key: &str, secret: &str) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> =
            self.fields().into_iter().skip(1).map(|(name, value)| (name.to_owned(), value)).collect();
        let (names, signature) = (self.signed_names(), self.signature(secret));
        headers.push((
            "Authorization".to_owned(),
            format!("{ALGORITHM} Credential={access_key},SignedHeaders={names},Signature={signature}"),
        ));
        headers
    }
}

/// Parameters as a query, sorted by name.
fn query(parameters: &[(&str, String)]) -> String {
    let mut pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.sort();
    pairs.join("&")
}

impl Template {
    /// The parameters of the action.
    fn parameters(&self, message: &CardMessage<'_>) -> [(&'static str, String); 4] {
        [
            ("PhoneNumbers", self.to.clone()),
            ("SignName", self.sign.clone()),
            ("TemplateCode", self.code.clone()),
            ("TemplateParam", self.variables(message).to_string()),
        ]
    }

    /// The variables and their values.
    fn variables(&self, message: &CardMessage<'_>) -> Value {
        let text = CardMessage { detail: Detail::Rich, ..*message }.text();
        let further = message.card.items.len() + message.card.more - 1;
        let further = if further == 0 { String::new() } else { format!(" +{further}") };
        let (program, state, time) = text.items.first().map_or_else(Default::default, |item| {
            (item.heading.clone() + &further, item.condition.clone(), item.time.clone())
        });
        let values = [
            ("{program}", program),
            ("{state}", state),
            ("{time}", time),
            ("{host}", message.card.host.clone()),
        ];
        let variables = self.params.iter().map(|(name, pattern)| {
            let mut value = pattern.clone();
            for (word, replacement) in &values {
                let replacement = if *word == "{time}" { replacement.clone() } else { disarm(replacement) };
                value = value.replace(word, &replacement);
            }
            (name.clone(), Value::from(shorten(&value, message.detail)))
        });
        Value::Object(variables.collect::<Map<_, _>>())
    }
}

/// A name that is no URL, domain or address.
fn disarm(text: &str) -> String {
    text.replace(['.', '/', '@'], " ").replace(':', "-")
}

/// A value of 1 to 35 characters; of the plainest form, letters and digits alone.
fn shorten(value: &str, detail: Detail) -> String {
    let kept = |c: &char| detail != Detail::Line || c.is_alphanumeric() || *c == ' ';
    let value: String = value.chars().filter(kept).take(LONGEST_VARIABLE).collect();
    if value.trim().is_empty() { "-".to_owned() } else { value }
}

fn judge(answer: &HttpAnswer) -> Result<Receipt, DeliveryError> {
    let json = answer.json()?;
    match json["Code"].as_str().unwrap_or_default() {
        "OK" if answer.status == 200 => Ok(answer.taken()),
        code if UNFIT.contains(&code) => Err(answer.unfit()),
        code if code.ends_with(TOO_FAST) => Err(answer.unreachable_for(TOO_FAST_WAIT)),
        code if BAD_NUMBERS.contains(&code) => Err(answer.rejected()),
        _ => Err(answer.unreachable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Language;
    use crate::channel::fake_carrier::{Expected, FakeCarrier, check_outcomes, send_sample};
    use crate::render::card::samples;
    use proptest::prelude::*;

    fn account(url: &str) -> Aliyun {
        Aliyun::new("LTAI", &Secret::Literal("secret".into()), template(), url, HttpSender::new(None))
    }

    #[test]
    fn the_body_decides_what_an_answer_means() {
        check_outcomes(
            |url| Box::new(account(url)),
            &[
                (("200 OK", "", r#"{"Code":"OK","BizId":"1"}"#), Expected::Taken),
                (("200 OK", "", r#"{"Code":"isv.BUSINESS_LIMIT_CONTROL"}"#), Expected::Unreachable(Some(60))),
                (("200 OK", "", r#"{"Code":"isv.MOBILE_NUMBER_ILLEGAL"}"#), Expected::Rejected),
                (("200 OK", "", r#"{"Code":"isv.PARAM_LENGTH_LIMIT"}"#), Expected::Unfit),
                (
                    ("200 OK", "", r#"{"Code":"isv.TEMPLATE_MISSING_PARAMETERS"}"#),
                    Expected::Unreachable(None),
                ),
                (("400 Bad Request", "", r#"{"Code":"SignatureDoesNotMatch"}"#), Expected::Unreachable(None)),
                (("200 OK", "", "OK"), Expected::Unreachable(None)),
            ],
        );
    }

    #[test]
    fn a_request_is_signed_over_the_host_that_it_names() {
        let carrier = FakeCarrier::start(&[("200 OK", "", r#"{"Code":"OK"}"#)]);
        assert!(send_sample(&mut account(carrier.url()), Detail::Rich).is_ok());
        let request = carrier.request();
        let target = request.line.split(' ').nth(1).unwrap();
        let signed = SignedRequest {
            host: request.header("host"),
            action: request.header("x-acs-action"),
            version: request.header("x-acs-version"),
            date: request.header("x-acs-date"),
            nonce: request.header("x-acs-signature-nonce"),
            query: target.strip_prefix("/?").unwrap(),
        };
        assert!(request.header("authorization").ends_with(&signed.signature("secret")));
        assert_eq!(signed.nonce.len(), 32);
    }

    #[test]
    fn the_example_of_the_vendor_comes_out() {
        let request = SignedRequest {
            host: "ecs.cn-shanghai.aliyuncs.com",
            action: "RunInstances",
            version: "2014-05-26",
            date: "2023-10-26T10:22:32Z",
            nonce: "3156853299f313e23d1673dc12e1703d",
            query: "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
        };
        let signature = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0";
        assert_eq!(request.signature("YourAccessKeySecret"), signature);
    }

    #[test]
    fn a_short_message_is_signed_as_it_should_be() {
        let query = query(&[
            ("PhoneNumbers", "13800138000".into()),
            ("SignName", "某某科技".into()),
            ("TemplateCode", "SMS_123456789".into()),
            ("TemplateParam", "{\"program\":\"shop-web\",\"state\":\"异常退出\"}".into()),
        ]);
        let request = SignedRequest {
            host: "dysmsapi.aliyuncs.com",
            action: "SendSms",
            version: "2017-05-25",
            date: "2026-11-30T09:48:11Z",
            nonce: "0123456789abcdef0123456789abcdef",
            query: &query,
        };
        assert_eq!(request.hash(), "fcbf1639321405280e7c9161676cf4dd7234bb40a5eaf11135cf59cde1fc8636");
        let headers = request.headers("LTAI4FakeAccessKeyId", "FakeAccessKeySecret0000000000");
        let (_, authorization) = headers.last().unwrap();
        assert!(
            authorization
                .ends_with(",Signature=506a78be1babc297113dec934b331b74c4b80852b92e9faad129bc821077d6ed"),
            "{authorization}"
        );
    }

    fn template() -> Template {
        let param = |name: &str, pattern: &str| (name.to_owned(), pattern.to_owned());
        Template {
            sign: "某某科技".into(),
            code: "SMS_1".into(),
            params: vec![
                param("program", "{program}"),
                param("state", "{state}"),
                param("at", "{host} {time}"),
            ],
            to: "13800138000".into(),
        }
    }

    #[test]
    fn variables_name_the_program_and_its_state() {
        let cards = samples::all(Language::Chinese);
        let variables = |index: usize| {
            template()
                .variables(&CardMessage { card: &cards[index].1, detail: Detail::Rich, late: None })
                .to_string()
        };
        assert_eq!(
            variables(0),
            "{\"at\":\"web1 09:48:11\",\"program\":\"shop-web\",\"state\":\"异常退出\"}"
        );
        assert!(variables(1).contains("\"program\":\"db +600\",\"state\":\"启动失败\""), "{}", variables(1));
        assert!(variables(2).contains("\"state\":\"已恢复\""), "{}", variables(2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_variable_holds_1_to_35_characters_and_no_address(card in samples::any_card()) {
            let variables = template().variables(&CardMessage { card: &card, detail: Detail::Rich, late: None });
            for value in variables.as_object().unwrap().values().map(|value| value.as_str().unwrap()) {
                prop_assert!((1..=35).contains(&value.chars().count()), "{}", value);
                prop_assert!(!value.contains(['.', '/', '@']), "{}", value);
            }
        }
    }
}
