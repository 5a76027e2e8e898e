//! What the robots of chats have in common: signatures, parameters, limits of speed.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::CarrierRequest;

/// Milliseconds since 1970.
pub(super) fn now_millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    u64::try_from(now).unwrap_or(u64::MAX)
}

/// HMAC-SHA256.
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// A parameter of the query, percent-decoded once; a plus sign stands for itself.
pub fn parameter(request: &CarrierRequest, name: &str) -> Option<String> {
    let (_, query) = request.target.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut pieces = value.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// The body of a JSON post by our client.
pub(super) fn json_post(request: &CarrierRequest) -> Option<Value> {
    let json = request.json();
    (request.is_json_post_to(&request.target) && json.is_object()).then_some(json)
}

/// Whether an object has these keys and no others.
pub(super) fn has_only(value: &Value, keys: &[&str]) -> bool {
    value.as_object().is_some_and(|object| object.keys().all(|key| keys.contains(&key.as_str())))
}

/// The times of the last requests of a robot, in milliseconds.
#[derive(Default)]
pub(super) struct RequestTimes(VecDeque<u64>);

impl RequestTimes {
    /// Counts a request; false where there were this number within this time already.
    pub(super) fn allow(&mut self, most: usize, within: u64, now: u64) -> bool {
        while self.0.front().is_some_and(|first| first + within <= now) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len() <= most
    }
}
