//! Basic authentication, with plain and `{SHA}` passwords.

use std::hint::black_box;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ironlance_config::{Credentials, Password};
use sha1::{Digest, Sha1};

/// What a request has shown of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may come in.
    Granted,
    /// It has no name and password, or wrong ones: 401.
    Refused,
    /// What it has cannot be read: 400.
    Malformed,
}

type Sum = [u8; 20];

/// The lock on a server. It keeps sums of equal length, so that comparing tells nothing by how long it takes.
pub(super) struct Lock {
    username: Sum,
    password: Sum,
}

impl Lock {
    pub(super) fn new(credentials: &Credentials) -> Self {
        let password = match &credentials.password {
            Password::Sha1(sum) => *sum,
            Password::Plain(text) => sum(text),
        };
        Self { username: sum(&credentials.username), password }
    }

    /// Whether the header opens the lock.
    pub(super) fn admits(&self, headers: &HeaderMap) -> Admission {
        let Some(header) = headers.get(AUTHORIZATION) else { return Admission::Refused };
        let Some((scheme, cookie)) = split(header.as_bytes()) else { return Admission::Refused };
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return Admission::Refused;
        }
        let Ok(Ok(shown)) = ENGINE.decode(cookie).map(String::from_utf8) else { return Admission::Malformed };
        let Some((username, password)) = shown.split_once(':') else { return Admission::Refused };
        let known = is_same(&sum(username), &self.username);
        let right = is_same(&sum(password), &self.password);
        if known & right { Admission::Granted } else { Admission::Refused }
    }
}

/// Base64 with or without its padding, as clients in the wild send it.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn split(header: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = header.iter().position(|&byte| byte == b' ')?;
    Some((&header[..space], header[space..].trim_ascii()))
}

fn sum(text: &str) -> Sum {
    Sha1::digest(text.as_bytes()).into()
}

/// Equality in a time that does not depend on where the two differ.
fn is_same(one: &Sum, other: &Sum) -> bool {
    black_box(one.iter().zip(other).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD as BASE64;

    fn lock(password: &str) -> Lock {
        lock_with(Password::Plain(password.into()))
    }

    fn lock_with(password: Password) -> Lock {
        Lock::new(&Credentials { username: "user".into(), password })
    }

    fn show(lock: &Lock, header: &str) -> Admission {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.parse().unwrap());
        lock.admits(&headers)
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text))
    }

    #[test]
    fn the_right_name_and_password_come_in() {
        let lock = lock("thepassword");
        assert_eq!(show(&lock, &basic("user:thepassword")), Admission::Granted);
        assert_eq!(show(&lock, &basic("user:thepassword").to_lowercase().replace("basic ", "BASIC ")), {
            // The scheme has no case, the rest has.
            show(&lock, &format!("BASIC {}", BASE64.encode("user:thepassword").to_lowercase()))
        });
        for wrong in ["user:thepasswor", "user:thepassword ", "User:thepassword", "user:", ":", "user"] {
            assert_eq!(show(&lock, &basic(wrong)), Admission::Refused, "{wrong}");
        }
        assert_eq!(lock.admits(&HeaderMap::new()), Admission::Refused);
    }

    #[test]
    fn a_password_may_be_stored_as_its_sum() {
        // The digest of thepassword is 82ab…
        let lock = lock_with(Password::Sha1(sum("thepassword")));
        assert_eq!(show(&lock, &basic("user:thepassword")), Admission::Granted);
        assert_eq!(show(&lock, &basic("user:82ab876d1387bfafe46cc1c8a2ef074eae50cb1d")), Admission::Refused);
        assert_eq!(
            show(&lock, &basic("user:{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d")),
            Admission::Refused
        );
    }

    #[test]
    fn a_password_may_hold_colons_and_any_character() {
        let lock = lock("a:b: ü");
        assert_eq!(show(&lock, &basic("user:a:b: ü")), Admission::Granted);
    }

    #[test]
    fn a_header_that_cannot_be_read_is_told_from_a_wrong_password() {
        let lock = lock("x");
        assert_eq!(show(&lock, "Basic !!!"), Admission::Malformed);
        assert_eq!(show(&lock, "Digest abc"), Admission::Refused);
        assert_eq!(show(&lock, "Basic"), Admission::Refused);
    }
}
