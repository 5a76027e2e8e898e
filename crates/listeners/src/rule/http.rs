//! [`HttpRule`]: when a page counts as failed, by its answers and the number of failures in a row.

use ironlance_checks::http::HttpReading;

/// The expected answer of a page, and the failures in a row that it takes to act.
#[derive(Debug)]
pub struct HttpRule {
    url: String,
    statuses: Vec<u16>,
    retries: u32,
    failures: u32,
}

/// What to do after one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpVerdict {
    /// The page answered as expected.
    Healthy,
    /// It failed; it takes more failures in a row to act.
    Retry {
        /// Failures in a row so far.
        failures: u32,
        /// Failures that it takes.
        of: u32,
        /// What was found.
        message: String,
    },
    /// It has failed often enough.
    Act {
        /// The part of the answer that is wrong: `status` or `body`.
        fault: &'static str,
        /// What was found.
        message: String,
    },
}

impl HttpRule {
    /// `url` is how messages name the page; `retries` is at least 1.
    pub fn new(url: String, statuses: Vec<u16>, retries: u32) -> Self {
        Self { url, statuses, retries: retries.max(1), failures: 0 }
    }

    /// Judges one check.
    pub fn judge(&mut self, reading: &HttpReading) -> HttpVerdict {
        let url = &self.url;
        let (fault, message) = match reading {
            HttpReading::Failed { error } => ("status", format!("error contacting {url}:\n\n {error}")),
            HttpReading::Answered { status, reason, body_has } => {
                let message = format!("status contacting {url}: {status} {reason}");
                if !self.statuses.contains(status) {
                    ("status", message)
                } else if *body_has == Some(false) {
                    ("body", message)
                } else {
                    self.failures = 0;
                    return HttpVerdict::Healthy;
                }
            }
        };
        self.failures += 1;
        if self.failures < self.retries {
            return HttpVerdict::Retry { failures: self.failures, of: self.retries, message };
        }
        self.failures = 0;
        HttpVerdict::Act { fault, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body_has: Option<bool>) -> HttpReading {
        HttpReading::Answered { status, reason: "Because".into(), body_has }
    }

    fn rule(retries: u32) -> HttpRule {
        HttpRule::new("http://shop/".into(), vec![200, 302], retries)
    }

    #[test]
    fn an_expected_status_with_the_expected_body_is_well() {
        assert_eq!(rule(1).judge(&answered(302, None)), HttpVerdict::Healthy);
        assert_eq!(rule(1).judge(&answered(200, Some(true))), HttpVerdict::Healthy);
    }

    #[test]
    fn what_went_wrong_is_said_in_the_originals_words() {
        let act = |fault, message: &str| HttpVerdict::Act { fault, message: message.into() };
        let bad_status = "status contacting http://shop/: 500 Because";
        assert_eq!(rule(1).judge(&answered(500, None)), act("status", bad_status));
        let bad_body = "status contacting http://shop/: 200 Because";
        assert_eq!(rule(1).judge(&answered(200, Some(false))), act("body", bad_body));
        let failed = HttpReading::Failed { error: "timed out".into() };
        assert_eq!(rule(1).judge(&failed), act("status", "error contacting http://shop/:\n\n timed out"));
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let mut rule = rule(2);
        assert!(matches!(rule.judge(&answered(500, None)), HttpVerdict::Retry { failures: 1, of: 2, .. }));
        assert_eq!(rule.judge(&answered(200, None)), HttpVerdict::Healthy);
        assert!(matches!(rule.judge(&answered(500, None)), HttpVerdict::Retry { failures: 1, .. }));
        assert!(matches!(rule.judge(&answered(500, None)), HttpVerdict::Act { .. }));
        assert!(matches!(rule.judge(&answered(500, None)), HttpVerdict::Retry { failures: 1, .. }));
    }
}
