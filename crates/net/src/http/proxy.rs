//! An HTTP proxy: [`Proxy`], given with a request or by the environment. It tunnels https with CONNECT; http it is asked
//! for by the whole URL.

use std::net::IpAddr;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::dial::{connect, resolve};

use super::exchange::ExchangeError;
use super::url::{HttpUrl, HttpUrlError};

/// The longest answer of a proxy to CONNECT, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// A proxy, and how to log in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    url: HttpUrl,
}

/// Why a text names no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// It is no URL.
    #[error("{0}")]
    Url(#[from] HttpUrlError),
    /// The connection to the proxy itself would be encrypted.
    #[error("a proxy begins with http://, also for https")]
    Secure,
}

impl Proxy {
    /// Reads `http://[user:password@]host[:port]`; the scheme may be left out, and the port is 80 without one.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = HttpUrl::parse(&with_scheme)?;
        if url.is_secure { Err(ProxyError::Secure) } else { Ok(Self { url }) }
    }

    /// The proxy that the environment names for requests to `url`: `https_proxy`, `http_proxy`, `all_proxy`, but for hosts
    /// in `no_proxy`. `variable` looks up a variable. This host itself is always reached directly.
    pub fn of_environment(
        url: &HttpUrl,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Option<Result<Self, ProxyError>> {
        let set =
            |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|text| !text.is_empty()));
        // HTTP_PROXY in capitals is what a CGI script gets of a client's header: it does not count.
        let names: &[&str] = if url.is_secure { &["https_proxy", "HTTPS_PROXY"] } else { &["http_proxy"] };
        let text = set(names).or_else(|| set(&["all_proxy", "ALL_PROXY"]))?;
        let is_direct = is_loopback(&url.host)
            || set(&["no_proxy", "NO_PROXY"]).is_some_and(|list| is_excepted(&list, &url.host, url.port));
        (!is_direct).then(|| Self::parse(&text))
    }

    /// The value of `Proxy-Authorization`, where it has a user.
    pub(crate) fn authorization(&self) -> Option<String> {
        self.url.basic_authorization()
    }

    /// For people: `HOST:PORT`.
    fn name(&self) -> &str {
        &self.url.host_port
    }

    /// Connects to the proxy.
    pub(crate) async fn dial(&self) -> Result<TcpStream, ExchangeError> {
        let fault = |error: crate::DialError| ExchangeError::Proxy(format!("{}: {error}", self.name()));
        let addresses = resolve(&self.url.host, self.url.port).await.map_err(fault)?;
        connect(&addresses).await.map_err(fault)
    }

    /// Connects to `host` through the proxy (RFC 9110, 9.3.6).
    pub(crate) async fn tunnel(&self, host: &str, port: u16) -> Result<TcpStream, ExchangeError> {
        let fault = |what: String| ExchangeError::Proxy(format!("{}: {what}", self.name()));
        let mut stream = self.dial().await?;
        let peer = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let login = self.authorization().map(|value| format!("Proxy-Authorization: {value}\r\n"));
        let request = format!("CONNECT {peer} HTTP/1.1\r\nHost: {peer}\r\n{}\r\n", login.unwrap_or_default());
        let broken = |error: std::io::Error| fault(crate::os_error(&error));
        stream.write_all(request.as_bytes()).await.map_err(broken)?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the answer belongs to the tunnel.
        while !answer.ends_with(b"\r\n\r\n") && !answer.ends_with(b"\n\n") {
            if answer.len() == MAX_ANSWER {
                return Err(fault("its answer to CONNECT has no end".to_owned()));
            }
            match stream.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(fault("it closed the connection instead of answering CONNECT".to_owned()));
                }
                Err(error) => return Err(broken(error)),
            }
        }
        match status_of(&answer) {
            Some((200..=299, _)) => Ok(stream),
            Some((status, reason)) => {
                Err(fault(format!("it refuses to connect to {peer}: {status} {reason}")))
            }
            None => Err(fault("its answer to CONNECT is no HTTP".to_owned())),
        }
    }
}

/// The status and the reason in the first line of an answer.
fn status_of(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let line = text.lines().next()?.strip_prefix("HTTP/1.")?;
    let (_, rest) = line.split_once(' ')?;
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let reason = reason.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    Some((status.parse().ok()?, reason.trim().to_owned()))
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether `no_proxy` names a host: `*`, `HOST` and what is below it, `.DOMAIN`, an address, `ADDRESS/BITS`, each with or
/// without `:PORT`.
fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok();
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        let entry = entry.to_ascii_lowercase();
        if let Some((network, bits)) = entry.split_once('/') {
            let network = network.parse::<IpAddr>().ok();
            let bits = bits.parse::<u32>().ok();
            return address.zip(network).zip(bits).is_some_and(|((a, b), bits)| is_in(a, b, bits));
        }
        if entry.parse::<IpAddr>().is_ok() {
            return entry.parse::<IpAddr>().ok() == address;
        }
        let (name, only) = match entry.rsplit_once(':').map(|(name, port)| (name, port.parse::<u16>())) {
            Some((name, Ok(port))) => (name.to_owned(), Some(port)),
            _ => (entry, None),
        };
        let name = name.trim_start_matches("*.").trim_start_matches('.').trim_matches(['[', ']']);
        let is_below = host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        !name.is_empty() && is_below && only.is_none_or(|only| only == port)
    })
}

/// Whether two addresses agree in their first `bits`.
fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) if bits <= 32 => {
            (u32::from(a) ^ u32::from(b)).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) if bits <= 128 => {
            (u128::from(a) ^ u128::from(b)).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn proxy_for(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let found = Proxy::of_environment(&HttpUrl::parse(url).unwrap(), variable)?;
        Some(found.map_or_else(|error| error.to_string(), |proxy| proxy.name().to_owned()))
    }

    #[test]
    fn the_environment_names_a_proxy_for_each_scheme() {
        let both = [("https_proxy", "http://s:1"), ("http_proxy", "p:2"), ("HTTP_PROXY", "evil:3")];
        assert_eq!(proxy_for("https://a.example/", &both).as_deref(), Some("s:1"));
        assert_eq!(proxy_for("http://a.example/", &both).as_deref(), Some("p:2"));
        assert_eq!(proxy_for("http://a.example/", &both[..1]), None);
        assert_eq!(
            proxy_for("http://a.example/", &both[2..]),
            None,
            "it may come from a client of a CGI script"
        );
        assert_eq!(proxy_for("http://a.example/", &[("ALL_PROXY", "all:4")]).as_deref(), Some("all:4"));
        assert_eq!(proxy_for("https://a.example/", &[("https_proxy", "")]), None);
        let secure = proxy_for("https://a.example/", &[("https_proxy", "https://s")]);
        assert_eq!(secure.as_deref(), Some("a proxy begins with http://, also for https"));
    }

    #[test]
    fn this_host_and_those_of_no_proxy_are_reached_directly() {
        let is_direct =
            |url: &str, list: &str| proxy_for(url, &[("http_proxy", "p:2"), ("no_proxy", list)]).is_none();
        for (url, list, expected) in [
            ("http://localhost:9093/", "", true),
            ("http://127.1.2.3/", "", true),
            ("http://[::1]/", "", true),
            ("http://am.corp/", "", false),
            ("http://am.corp/", "*", true),
            ("http://am.corp/", "corp", true),
            ("http://am.corp/", "other, .CORP", true),
            ("http://am.corp/", "*.corp", true),
            ("http://amcorp/", "corp", false),
            ("http://am.corp:9093/", "am.corp:9093", true),
            ("http://am.corp:9094/", "am.corp:9093", false),
            ("http://10.1.2.3/", "10.0.0.0/8", true),
            ("http://11.1.2.3/", "10.0.0.0/8", false),
            ("http://11.1.2.3/", "0.0.0.0/0", true),
            ("http://10.1.2.3/", "10.1.2.3", true),
            ("http://110.1.2.3/", "10.1.2.3", false),
            ("http://[fd00::1]/", "fd00::/8", true),
            ("http://10.1.2.3/", "10.0.0.0/99", false),
        ] {
            assert_eq!(is_direct(url, list), expected, "{url} with {list:?}");
        }
    }

    #[test]
    fn an_answer_to_connect_has_a_status() {
        assert_eq!(
            status_of(b"HTTP/1.1 200 Connection established\r\n\r\n"),
            Some((200, "Connection established".into()))
        );
        assert_eq!(status_of(b"HTTP/1.0 407\n\n"), Some((407, String::new())));
        assert_eq!(status_of(b"SSH-2.0\r\n\r\n"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(list in "\\PC{0,30}", answer in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = is_excepted(&list, "am.corp", 9093);
            let _ = status_of(&answer);
        }
    }
}
