//! HTTP Basic authentication (RFC 7617) with plain and `{SHA}` passwords: [`Authenticator`].

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ironlance_config::{Credentials, Password};
use ironlance_core::text::constant_time;
use sha1::{Digest, Sha1};

use super::error_response::ErrorResponse;

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
    pub(super) fn authenticate(&self, headers: &HeaderMap) -> Result<(), ErrorResponse> {
        let basic = headers.get(AUTHORIZATION).and_then(|header| split(header.as_bytes()));
        let basic = basic.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"basic"));
        let (_, cookie) = basic.ok_or(ErrorResponse::UNAUTHORIZED)?;
        let Ok(Ok(shown)) = ENGINE.decode(cookie).map(String::from_utf8) else {
            return Err(ErrorResponse::MALFORMED_AUTHORIZATION);
        };
        let (username, password) = shown.split_once(':').ok_or(ErrorResponse::UNAUTHORIZED)?;
        let known = constant_time::eq(&sum(username), &self.username);
        let right = constant_time::eq(&sum(password), &self.password);
        if known & right { Ok(()) } else { Err(ErrorResponse::UNAUTHORIZED) }
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

    fn show(authenticator: &Authenticator, header: &str) -> Result<(), ErrorResponse> {
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
        assert_eq!(show(&authenticator, &basic("user:thepassword")), Ok(()));
        assert_eq!(
            show(&authenticator, &basic("user:thepassword").to_lowercase().replace("basic ", "BASIC ")),
            {
                // The scheme is case-insensitive, the rest is not.
                show(&authenticator, &format!("BASIC {}", BASE64.encode("user:thepassword").to_lowercase()))
            }
        );
        for wrong in ["user:thepasswor", "user:thepassword ", "User:thepassword", "user:", ":", "user"] {
            assert_eq!(show(&authenticator, &basic(wrong)), Err(ErrorResponse::UNAUTHORIZED), "{wrong}");
        }
        assert_eq!(authenticator.authenticate(&HeaderMap::new()), Err(ErrorResponse::UNAUTHORIZED));
    }

    #[test]
    fn a_password_may_be_stored_as_its_sum() {
        // The digest of thepassword is 82ab…
        let authenticator = authenticator_with(Password::Sha1(sum("thepassword")));
        assert_eq!(show(&authenticator, &basic("user:thepassword")), Ok(()));
        assert_eq!(
            show(&authenticator, &basic("user:82ab876d1387bfafe46cc1c8a2ef074eae50cb1d")),
            Err(ErrorResponse::UNAUTHORIZED)
        );
        assert_eq!(
            show(&authenticator, &basic("user:{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d")),
            Err(ErrorResponse::UNAUTHORIZED)
        );
    }

    #[test]
    fn a_password_may_hold_colons_and_any_character() {
        let authenticator = authenticator("a:b: ü");
        assert_eq!(show(&authenticator, &basic("user:a:b: ü")), Ok(()));
    }

    #[test]
    fn a_header_that_cannot_be_read_is_told_from_a_wrong_password() {
        let authenticator = authenticator("x");
        assert_eq!(show(&authenticator, "Basic !!!"), Err(ErrorResponse::MALFORMED_AUTHORIZATION));
        assert_eq!(show(&authenticator, "Digest abc"), Err(ErrorResponse::UNAUTHORIZED));
        assert_eq!(show(&authenticator, "Basic"), Err(ErrorResponse::UNAUTHORIZED));
    }
}
