//! Aliyun's SendSms: [`AliyunRules`]. It recomputes the signature, and takes no address in a variable.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::robot::{hmac_sha256, parameter};
use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The fields that are signed, sorted.
const SIGNED: [&str; 6] =
    ["host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"];

/// An account.
#[derive(Default)]
pub struct AliyunRules {
    access_key: String,
    secret: String,
    nonces: BTreeSet<String>,
}

impl AliyunRules {
    /// An account with this key.
    pub fn new(access_key: &str, secret: &str) -> Self {
        Self { access_key: access_key.to_owned(), secret: secret.to_owned(), ..Self::default() }
    }

    fn authorization(&self, request: &CarrierRequest) -> String {
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        let fields: String = SIGNED
            .iter()
            .map(|name| format!("{name}:{}\n", request.header(name).unwrap_or_default()))
            .collect();
        let (names, body) = (SIGNED.join(";"), hex(&Sha256::digest(&request.body)));
        let canonical = format!("{}\n/\n{query}\n{fields}\n{names}\n{body}", request.method);
        let text = format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(canonical)));
        let signature = hex(&hmac_sha256(self.secret.as_bytes(), text.as_bytes()));
        format!("ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}", self.access_key)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn error(status: u16, code: &str) -> CarrierAnswer {
    CarrierAnswer::new(status, format!("{{\"Code\":\"{code}\",\"Message\":\"refused\",\"RequestId\":\"1\"}}"))
}

impl CarrierRules for AliyunRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        if request.header("authorization").unwrap_or_default() != self.authorization(request) {
            return Err(error(400, "SignatureDoesNotMatch"));
        }
        if request.header("x-acs-action").unwrap_or_default() != "SendSms"
            || request.header("x-acs-version").unwrap_or_default() != "2017-05-25"
        {
            return Err(error(404, "InvalidAction.NotFound"));
        }
        if !self.nonces.insert(request.header("x-acs-signature-nonce").unwrap_or_default().to_owned()) {
            return Err(error(400, "SignatureNonceUsed"));
        }
        let parameter = |name: &str| parameter(request, name).unwrap_or_default();
        if !parameter("PhoneNumbers").bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error(200, "isv.MOBILE_NUMBER_ILLEGAL"));
        }
        if parameter("SignName").is_empty() || !parameter("TemplateCode").starts_with("SMS_") {
            return Err(error(200, "isv.SMS_TEMPLATE_ILLEGAL"));
        }
        let variables: Value = serde_json::from_str(&parameter("TemplateParam")).unwrap_or_default();
        let variables = variables.as_object().ok_or_else(|| error(200, "isv.INVALID_JSON_PARAM"))?;
        for value in variables.values().map(|value| value.as_str().unwrap_or_default()) {
            if !(1..=35).contains(&value.chars().count()) {
                return Err(error(200, "isv.PARAM_LENGTH_LIMIT"));
            }
            if value.contains("://") || value.contains('.') {
                return Err(error(200, "isv.PARAM_NOT_SUPPORT_URL"));
            }
        }
        Ok(CarrierAnswer::new(
            200,
            "{\"Code\":\"OK\",\"Message\":\"OK\",\"BizId\":\"1\",\"RequestId\":\"1\"}",
        ))
    }
}
