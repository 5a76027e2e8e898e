//! SMTP AUTH: CRAM-MD5 (RFC 2195), PLAIN (RFC 4616), LOGIN. Called once for each connection.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::dialogue::{Dialogue, DialogueError, SmtpReply};

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    CramMd5,
    Plain,
    Login,
}

impl Mechanism {
    /// In the order of preference of Python's smtplib.
    const ALL: [Self; 3] = [Self::CramMd5, Self::Plain, Self::Login];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanisms of ours that a server offers.
    pub(super) fn offered(words: &[String]) -> Vec<Self> {
        let offers = |own: &Self| words.iter().any(|word| word.eq_ignore_ascii_case(own.name()));
        Self::ALL.into_iter().filter(offers).collect()
    }

    /// Authenticates; gives the server's last reply.
    pub(super) async fn authenticate(
        self,
        dialogue: &mut Dialogue,
        user: &str,
        password: &str,
    ) -> Result<SmtpReply, DialogueError> {
        let when = "at AUTH";
        let first = match self {
            Self::Plain => format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}"))),
            Self::Login => format!("AUTH LOGIN {}", STANDARD.encode(user)),
            Self::CramMd5 => "AUTH CRAM-MD5".to_owned(),
        };
        let reply = dialogue.command(&first, when).await?;
        if self == Self::Plain || reply.code != 334 {
            return Ok(reply);
        }
        let mut answer = password.to_owned();
        if self == Self::CramMd5 {
            let text = reply.lines.concat();
            let Ok(challenge) = STANDARD.decode(text.trim()) else {
                return Err(DialogueError::Nonsense(when, text));
            };
            answer = cram_md5(user, password, &challenge);
        }
        dialogue.command(&STANDARD.encode(answer), when).await
    }
}

fn cram_md5(user: &str, password: &str, challenge: &[u8]) -> String {
    let mut mac = Hmac::<Md5>::new_from_slice(password.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(challenge);
    let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{user} {digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cram_md5_answers_as_in_its_rfc() {
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        let answer = cram_md5("tim", "tanstaaftanstaaf", challenge);
        assert_eq!(answer, "tim b913a602c7eda7a495b4e6e7334d3890");
    }

    #[test]
    fn the_strongest_offer_comes_first() {
        let words = ["LOGIN", "plain", "XOAUTH2"].map(str::to_owned);
        assert_eq!(Mechanism::offered(&words), [Mechanism::Plain, Mechanism::Login]);
    }
}
