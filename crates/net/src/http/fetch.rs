//! One request with its whole answer: [`fetch`], for callers that judge an answer by its body. Through a proxy or not; every
//! part is limited in time and size.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::dial::{Endpoint, NetStream, dial, start_tls};
use crate::runtime;
use crate::tls::Tls;

use super::exchange::{ExchangeError, HttpRequest, HttpResponse, build_request, exchange_over, within};
use super::proxy::Proxy;

/// The limits of [`fetch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// For the connection: name, TCP, proxy and TLS.
    pub connect: Duration,
    /// For all of it, to the last byte of the answer.
    pub whole: Duration,
    /// The bytes of a body that are read; what follows is left out.
    pub body: usize,
}

/// Sends `request` and gives the answer with its body.
pub fn fetch(
    request: &HttpRequest,
    proxy: Option<&Proxy>,
    limits: FetchLimits,
) -> Result<(HttpResponse, Vec<u8>), ExchangeError> {
    let all = async {
        let mut request = request.clone();
        let stream = within(Some(limits.connect), connect(&mut request, proxy)).await?;
        let prepared = build_request(&request)?;
        let mut body = Vec::new();
        let response = exchange_over(stream, prepared, &mut |_| ControlFlow::Continue(()), &mut |piece| {
            let room = limits.body - body.len();
            body.extend_from_slice(&piece[..piece.len().min(room)]);
            if body.len() == limits.body { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
        Ok((response, body))
    };
    runtime::block_on(within(Some(limits.whole), all)).map_err(ExchangeError::Runtime)?
}

/// Connects to where `request` goes. Where a proxy is asked for a whole URL, the request is changed to say so.
async fn connect(request: &mut HttpRequest, proxy: Option<&Proxy>) -> Result<NetStream, ExchangeError> {
    // Built first: an invalid request must not open a connection.
    build_request(request)?;
    let (Some(proxy), Endpoint::Tcp { host, port }) = (proxy, &request.endpoint) else {
        return Ok(dial(&request.endpoint, &request.tls).await?);
    };
    if request.tls != Tls::Off {
        let stream = proxy.tunnel(host, *port).await?;
        return Ok(start_tls(stream, host, &request.tls).await?);
    }
    let host = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = host.map(|(_, host)| host.clone()).unwrap_or_default();
    request.target = format!("http://{host}{}", request.target);
    request.headers.extend(proxy.authorization().map(|value| ("Proxy-Authorization".to_owned(), value)));
    Ok(NetStream::Tcp(proxy.dial().await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    const LIMITS: FetchLimits =
        FetchLimits { connect: Duration::from_secs(20), whole: Duration::from_secs(20), body: 10 };

    /// A server that answers one connection and gives what it was sent.
    fn serve(answer: &'static [u8]) -> (u16, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            let _ = stream.write_all(answer);
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (port, server)
    }

    fn request(host: &str, port: u16, tls: Tls) -> HttpRequest {
        HttpRequest {
            endpoint: Endpoint::Tcp { host: host.into(), port },
            tls,
            method: "POST".into(),
            target: "/x".into(),
            headers: vec![("Host".into(), format!("{host}:{port}"))],
            body: b"hello".to_vec(),
        }
    }

    #[test]
    fn headers_are_given_and_a_long_body_is_cut() {
        let (port, server) =
            serve(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 12\r\n\r\nhello, world");
        let (response, body) = fetch(&request("127.0.0.1", port, Tls::Off), None, LIMITS).unwrap();
        assert_eq!((response.status, response.header("retry-after")), (429, Some("7")));
        assert_eq!((response.header("x"), body.as_slice()), (None, &b"hello, wor"[..]));
        assert!(server.join().unwrap().starts_with("POST /x HTTP/1.1\r\n"));
    }

    #[test]
    fn a_proxy_is_asked_for_the_whole_url() {
        let (port, server) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let proxy = Proxy::parse(&format!("http://joe:pw@127.0.0.1:{port}")).unwrap();
        let (response, _) = fetch(&request("am.example", 9093, Tls::Off), Some(&proxy), LIMITS).unwrap();
        assert_eq!(response.status, 200);
        let asked = server.join().unwrap().to_ascii_lowercase();
        assert!(
            asked.starts_with("post http://am.example:9093/x http/1.1\r\nhost: am.example:9093\r\n"),
            "{asked}"
        );
        assert!(asked.contains("proxy-authorization: basic am9lonb3\r\n"), "{asked}");
    }

    #[test]
    fn a_tunnel_that_the_proxy_refuses_is_an_error_with_its_words() {
        let (port, server) = serve(b"HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n\r\n");
        let proxy = Proxy::parse(&format!("127.0.0.1:{port}")).unwrap();
        let tls = Tls::Verified { ca_file: None };
        let error = fetch(&request("hooks.example", 443, tls), Some(&proxy), LIMITS).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "proxy 127.0.0.1:{port}: it refuses to connect to hooks.example:443: 407 Proxy Authentication Required"
            )
        );
        assert_eq!(
            server.join().unwrap(),
            "CONNECT hooks.example:443 HTTP/1.1\r\nHost: hooks.example:443\r\n\r\n"
        );
    }

    #[test]
    fn a_proxy_that_does_not_answer_costs_no_more_than_the_time_to_connect() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::parse(&listener.local_addr().unwrap().to_string()).unwrap();
        let limits = FetchLimits { connect: Duration::from_millis(50), ..LIMITS };
        let tls = Tls::Verified { ca_file: None };
        let error = fetch(&request("hooks.example", 443, tls), Some(&proxy), limits).unwrap_err();
        assert!(matches!(error, ExchangeError::TimedOut));
    }
}
