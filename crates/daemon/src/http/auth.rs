//! HTTP Basic authentication (RFC 7617) with plain and `{SHA}` passwords: [`Authenticator`].

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ironlance_config::{Credentials, Password};
use ironlance_core::text::constant_time;
use sha1::{Digest, Sha1};

/// The outcome of checking a request's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthOutcome {
    /// The credentials are right.
    Granted,
    /// They are missing or wrong: status 401.
    Refused,
    /// They cannot be read: status 400.
    Malformed,
}

type Sha1Sum = [u8; 20];

/// Checks the credentials of a server. It keeps SHA-1 sums of equal length, so that the time of a comparison tells
/// nothing.
pub(super) struct Authenticator {
    username: Sha1Sum,
    password: Sha1Sum,
}

impl Authenticator {
    pub(super) fn new(credentials: &Credentials) -> Self {
        let password = match &credentials.password {
            Password::Sha1(sum) => *sum,
            Password::Plain(text) => sum(text),
        };
        Self { username: sum(&credentials.username), password }
    }

    /// Checks the Authorization header.
    pub(super) fn authenticate(&self, headers: &HeaderMap) -> AuthOutcome {
        let Some(header) = headers.get(AUTHORIZATION) else { return AuthOutcome::Refused };
        let Some((scheme, cookie)) = split(header.as_bytes()) else { return AuthOutcome::Refused };
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return AuthOutcome::Refused;
        }
        let Ok(Ok(shown)) = ENGINE.decode(cookie).map(String::from_utf8) else {
            return AuthOutcome::Malformed;
        };
        let Some((username, password)) = shown.split_once(':') else { return AuthOutcome::Refused };
        let known = constant_time::eq(&sum(username), &self.username);
        let right = constant_time::eq(&sum(password), &self.password);
        if known & right { AuthOutcome::Granted } else { AuthOutcome::Refused }
    }
}

/// Base64 with or without padding: clients send both.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn split(header: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = header.iter().position(|&byte| byte == b' ')?;
    Some((&header[..space], header[space..].trim_ascii()))
}

fn sum(text: &str) -> Sha1Sum {
    Sha1::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD as BASE64;

    fn authenticator(password: &str) -> Authenticator {
        authenticator_with(Password::Plain(password.into()))
    }

    fn authenticator_with(password: Password) -> Authenticator {
        Authenticator::new(&Credentials { username: "user".into(), password })
    }

    fn show(authenticator: &Authenticator, header: &str) -> AuthOutcome {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.parse().unwrap());
        authenticator.authenticate(&headers)
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text))
    }

    #[test]
    fn the_right_name_and_password_come_in() {
        let authenticator = authenticator("thepassword");
        assert_eq!(show(&authenticator, &basic("user:thepassword")), AuthOutcome::Granted);
        assert_eq!(
            show(&authenticator, &basic("user:thepassword").to_lowercase().replace("basic ", "BASIC ")),
            {
                // The scheme is case-insensitive, the rest is not.
                show(&authenticator, &format!("BASIC {}", BASE64.encode("user:thepassword").to_lowercase()))
            }
        );
        for wrong in ["user:thepasswor", "user:thepassword ", "User:thepassword", "user:", ":", "user"] {
            assert_eq!(show(&authenticator, &basic(wrong)), AuthOutcome::Refused, "{wrong}");
        }
        assert_eq!(authenticator.authenticate(&HeaderMap::new()), AuthOutcome::Refused);
    }

    #[test]
    fn a_password_may_be_stored_as_its_sum() {
        // The digest of thepassword is 82ab…
        let authenticator = authenticator_with(Password::Sha1(sum("thepassword")));
        assert_eq!(show(&authenticator, &basic("user:thepassword")), AuthOutcome::Granted);
        assert_eq!(
            show(&authenticator, &basic("user:82ab876d1387bfafe46cc1c8a2ef074eae50cb1d")),
            AuthOutcome::Refused
        );
        assert_eq!(
            show(&authenticator, &basic("user:{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d")),
            AuthOutcome::Refused
        );
    }

    #[test]
    fn a_password_may_hold_colons_and_any_character() {
        let authenticator = authenticator("a:b: ü");
        assert_eq!(show(&authenticator, &basic("user:a:b: ü")), AuthOutcome::Granted);
    }

    #[test]
    fn a_header_that_cannot_be_read_is_told_from_a_wrong_password() {
        let authenticator = authenticator("x");
        assert_eq!(show(&authenticator, "Basic !!!"), AuthOutcome::Malformed);
        assert_eq!(show(&authenticator, "Digest abc"), AuthOutcome::Refused);
        assert_eq!(show(&authenticator, "Basic"), AuthOutcome::Refused);
    }
}
