//! The XML-RPC client: [`Client`] calls a supervisord over its unix socket, TCP or TLS.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ironlance_net::{
    Endpoint, ExchangeError, HostPort, HttpRequest, HttpResponse, PersistentConnection, Tls, exchange,
    split_userinfo,
};
use thiserror::Error;

use crate::api::{ProcessInfo, Record, StructError};
use crate::fault::Fault;
use crate::read::{self, ReadError};
use crate::value::Value;
use crate::write;

/// The largest response that is accepted, in bytes: 10,000 programs take 10 MB, and logs come in pieces.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The same for a multicall, which listeners make under a short deadline.
const MAX_MULTICALL: usize = 4 * 1024 * 1024;
/// The time limit for methods that supervisord answers without waiting.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends a request, and passes on the response body in pieces.
type ExchangeFn<'a> = dyn FnMut(&HttpRequest, &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<HttpResponse, ExchangeError>
    + 'a;

/// A supervisord's address, and the credentials for it.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Endpoint,
    tls: Tls,
    headers: Vec<(String, String)>,
}

/// A server URL that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// None of unix://, http:// and https://; the original's words.
    #[error("Unknown protocol for serverurl {0}")]
    Protocol(String),
    /// No valid host or port.
    #[error("cannot read the serverurl {0}: no host, or no port from 1 to 65535")]
    Address(String),
}

/// Why a call failed.
#[derive(Debug, Error)]
pub enum CallError {
    /// Supervisord answered with a fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The HTTP server, or a proxy in front of it, refused; worded as in Python, with our server's own reason behind it.
    #[error("<ProtocolError for 127.0.0.1/RPC2: {status} {reason}>{detail}")]
    Http {
        /// The HTTP status.
        status: u16,
        /// The server's reason.
        reason: String,
        /// `: ` and the reason in our server's body; empty for other servers.
        detail: String,
    },
    /// Supervisord cannot be reached, or did not answer.
    #[error("cannot reach supervisord: {0}")]
    Unreachable(#[from] ExchangeError),
    /// The response is too large.
    #[error("cannot read the answer: longer than {0} bytes")]
    TooLong(usize),
    /// The response is not XML-RPC.
    #[error(transparent)]
    Malformed(#[from] ReadError),
    /// The response has another type than the method's.
    #[error("cannot read the answer to {0}: not what the method gives")]
    Type(String),
    /// The response is not the method's struct.
    #[error("cannot read the answer to {method}: {reason}")]
    Struct {
        /// The method.
        method: String,
        /// The member.
        reason: StructError,
    },
}

impl CallError {
    /// The error for an answer to `method` that is not its struct; for `map_err`.
    pub fn unreadable(method: &str) -> impl FnOnce(StructError) -> Self {
        |reason| Self::Struct { method: method.to_owned(), reason }
    }
}

impl Client {
    /// A client for a `unix://`, `http://` or `https://` URL. A user name or password is sent with each request
    /// (RFC 7617).
    pub fn new(url: &str, username: Option<String>, password: Option<String>) -> Result<Self, EndpointError> {
        let (endpoint, tls) = if let Some(path) = url.strip_prefix("unix://") {
            (Endpoint::Unix(PathBuf::from(path)), Tls::Off)
        } else if let Some(rest) = url.strip_prefix("http://") {
            (tcp(url, rest, 80)?, Tls::Off)
        } else if let Some(rest) = url.strip_prefix("https://") {
            (tcp(url, rest, 443)?, Tls::Verified { ca_file: None })
        } else {
            return Err(EndpointError::Protocol(url.to_owned()));
        };
        let host = match &endpoint {
            Endpoint::Unix(_) => "localhost".to_owned(),
            Endpoint::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Endpoint::Tcp { host, port } => format!("{host}:{port}"),
        };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![
            header("Host", &host),
            header("User-Agent", concat!("ironlance/", env!("CARGO_PKG_VERSION"))),
            header("Content-Type", "text/xml"),
            header("Accept", "text/xml"),
        ];
        let (username, password) = (username.unwrap_or_default(), password.unwrap_or_default());
        if !(username.is_empty() && password.is_empty()) {
            let token = STANDARD.encode(format!("{username}:{password}"));
            headers.push(header("Authorization", &format!("Basic {token}")));
        }
        Ok(Self { endpoint, tls, headers })
    }

    /// Calls a method. `timeout` limits the whole call; `None` sets no limit.
    pub fn call(
        &self,
        method: &str,
        params: &[Value],
        timeout: Option<Duration>,
    ) -> Result<Value, CallError> {
        self.call_with(
            &mut |request, on_body| exchange(request, timeout, on_body),
            MAX_ANSWER,
            method,
            params,
        )
    }

    /// The same over a persistent connection, for several calls in a row.
    pub fn call_on(
        &self,
        connection: &mut PersistentConnection,
        method: &str,
        params: &[Value],
        timeout: Option<Duration>,
    ) -> Result<Value, CallError> {
        let exchange: &mut ExchangeFn<'_> =
            &mut |request, on_body| connection.exchange(request, timeout, on_body);
        self.call_with(exchange, MAX_ANSWER, method, params)
    }

    /// The same with any exchange, for a response of at most `limit` bytes.
    fn call_with(
        &self,
        exchange: &mut ExchangeFn<'_>,
        limit: usize,
        method: &str,
        params: &[Value],
    ) -> Result<Value, CallError> {
        let mut request = self.request("POST", "/RPC2".to_owned());
        request.body = write::request(method, params).into_bytes();
        let mut answer = Vec::new();
        let response = exchange(&request, &mut |piece| {
            answer.extend_from_slice(piece);
            if answer.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if response.status != 200 {
            let detail = refusal_detail(&answer, response.status, &response.reason);
            return Err(CallError::Http { status: response.status, reason: response.reason, detail });
        }
        if answer.len() > limit {
            return Err(CallError::TooLong(limit));
        }
        let answer = String::from_utf8(answer)
            .unwrap_or_else(|not| String::from_utf8_lossy(not.as_bytes()).into_owned());
        Ok(read::response(&answer)??)
    }

    /// A GET request to this server, such as for `/logtail/web`; `target` must be a valid URL path.
    pub fn get_request(&self, target: String) -> HttpRequest {
        let mut request = self.request("GET", target);
        request.headers.retain(|(name, _)| name != "Content-Type" && name != "Accept");
        request
    }

    fn request(&self, method: &str, target: String) -> HttpRequest {
        HttpRequest {
            endpoint: self.endpoint.clone(),
            tls: self.tls.clone(),
            method: method.to_owned(),
            target,
            headers: self.headers.clone(),
            body: Vec::new(),
        }
    }

    /// Several calls in one, by `system.multicall`: a value or a fault for each.
    pub fn multicall(
        &self,
        calls: &[(&str, Vec<Value>)],
        timeout: Option<Duration>,
    ) -> Result<Vec<Result<Value, Fault>>, CallError> {
        let wrap = |(method, params): &(&str, Vec<Value>)| {
            Value::record([("methodName", (*method).into()), ("params", Value::Array(params.clone()))])
        };
        let calls = Value::Array(calls.iter().map(wrap).collect());
        let method = "system.multicall";
        let exchange: &mut ExchangeFn<'_> = &mut |request, on_body| exchange(request, timeout, on_body);
        let Value::Array(answers) = self.call_with(exchange, MAX_MULTICALL, method, &[calls])? else {
            return Err(CallError::Type(method.to_owned()));
        };
        // Supervisord gives each value bare; elsewhere a multicall wraps each in an array.
        Ok(answers.into_iter().map(|answer| read::fault(&answer).map_or(Ok(answer), Err)).collect())
    }

    /// All processes, in supervisord's order.
    pub fn all_process_info(&self) -> Result<Vec<ProcessInfo>, CallError> {
        self.all_process_info_within(PROMPT_TIMEOUT)
    }

    /// The same with another time limit.
    pub fn all_process_info_within(&self, timeout: Duration) -> Result<Vec<ProcessInfo>, CallError> {
        let method = "supervisor.getAllProcessInfo";
        let infos = self.call(method, &[], Some(timeout))?;
        ProcessInfo::list_from_value(infos).map_err(CallError::unreadable(method))
    }

    /// One process, by `NAME` or `GROUP:NAME`.
    pub fn process_info(&self, name: &str) -> Result<ProcessInfo, CallError> {
        let method = "supervisor.getProcessInfo";
        let info = self.call(method, &[name.into()], Some(PROMPT_TIMEOUT))?;
        ProcessInfo::from_value(info).map_err(CallError::unreadable(method))
    }

    /// Starts a process and waits until it is RUNNING, which takes its `startsecs`.
    pub fn start_process(&self, name: &str) -> Result<(), CallError> {
        self.call("supervisor.startProcess", &[name.into()], None).map(drop)
    }

    /// Stops a process and waits until it has exited, which takes up to its `stopwaitsecs`.
    pub fn stop_process(&self, name: &str) -> Result<(), CallError> {
        self.call("supervisor.stopProcess", &[name.into()], None).map(drop)
    }

    /// Sends a signal to a process, by name (`USR1`, `SIGUSR1`) or number.
    pub fn signal_process(&self, name: &str, signal: &str) -> Result<(), CallError> {
        self.call("supervisor.signalProcess", &[name.into(), signal.into()], Some(PROMPT_TIMEOUT)).map(drop)
    }
}

/// Host and port of an URL; what follows the port, and a user in front, do not matter to supervisord's clients.
fn tcp(url: &str, rest: &str, default_port: u16) -> Result<Endpoint, EndpointError> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (_, host_port) = split_userinfo(authority);
    let HostPort { host, port } =
        HostPort::of_url(host_port).map_err(|_| EndpointError::Address(url.to_owned()))?;
    Ok(Endpoint::Tcp { host: host.to_owned(), port: port.unwrap_or(default_port) })
}

/// The longest refusal detail that is shown, in characters.
const MAX_DETAIL_CHARS: usize = 500;

/// The reason in our server's response body, one line: `403 Forbidden: this …`. Empty for bodies of other servers, which
/// are mostly HTML.
fn refusal_detail(body: &[u8], status: u16, reason: &str) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let detail = text.strip_suffix('\n').and_then(|line| line.strip_prefix(&format!("{status} {reason}: ")));
    match detail {
        Some(detail) if !detail.contains(char::is_control) && detail.chars().count() <= MAX_DETAIL_CHARS => {
            format!(": {detail}")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn urls_lead_to_sockets() {
        let endpoint = |url: &str| Client::new(url, None, None).map(|client| client.endpoint);
        let tcp = |host: &str, port| Ok(Endpoint::Tcp { host: host.into(), port });
        assert_eq!(endpoint("unix:///run/s.sock"), Ok(Endpoint::Unix("/run/s.sock".into())));
        assert_eq!(endpoint("http://localhost:9001"), tcp("localhost", 9001));
        assert_eq!(endpoint("http://u:p@localhost:9001/x"), tcp("localhost", 9001));
        assert_eq!(endpoint("http://[::1]:9001/"), tcp("::1", 9001));
        assert_eq!(endpoint("https://host"), tcp("host", 443));
        assert_eq!(endpoint("ftp://x").unwrap_err().to_string(), "Unknown protocol for serverurl ftp://x");
        assert!(endpoint("http://:9001").is_err());
        assert!(endpoint("http://host:99999").is_err());
    }

    /// Answers one request with `answer` and gives what was asked.
    fn serve(answer: String) -> (u16, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut asked = String::new();
            while !asked.ends_with("\r\n\r\n") {
                reader.read_line(&mut asked).unwrap();
            }
            let length = asked
                .to_lowercase()
                .split("content-length: ")
                .nth(1)
                .unwrap()
                .split("\r\n")
                .next()
                .unwrap()
                .to_owned();
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            sender.send(asked + &String::from_utf8(body).unwrap()).unwrap();
        });
        (port, receiver)
    }

    fn answer(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn supervisor(port: u16) -> Client {
        let url = format!("http://127.0.0.1:{port}");
        Client::new(&url, Some("user".into()), Some("pass".into())).unwrap()
    }

    #[test]
    fn a_call_carries_credentials_and_gives_the_value() {
        let (port, asked) = serve(answer(
            "<methodResponse><params><param><value><boolean>1</boolean></value></param></params></methodResponse>",
        ));
        assert!(supervisor(port).start_process("web:one").is_ok());
        let asked = asked.recv().unwrap().to_lowercase();
        assert!(asked.starts_with("post /rpc2 http/1.1\r\n"), "{asked}");
        assert!(asked.contains("authorization: basic dxnlcjpwyxnz\r\n"), "{asked}");
        assert!(asked.contains("<string>web:one</string>"), "{asked}");
    }

    #[test]
    fn a_refusal_before_supervisord_is_shown_as_python_shows_it() {
        let (port, _asked) = serve("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".into());
        let error = supervisor(port).all_process_info().unwrap_err();
        assert_eq!(error.to_string(), "<ProtocolError for 127.0.0.1/RPC2: 401 Unauthorized>");
    }

    #[test]
    fn a_refusal_of_our_server_is_shown_with_its_reason_and_a_page_is_not() {
        let shown = |body: &str| {
            let length = body.len();
            let (port, _asked) =
                serve(format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {length}\r\n\r\n{body}"));
            supervisor(port).all_process_info().unwrap_err().to_string()
        };
        let plain = "<ProtocolError for 127.0.0.1/RPC2: 403 Forbidden>";
        assert_eq!(
            shown("403 Forbidden: this server is not known as \"x.y\"\n"),
            format!("{plain}: this server is not known as \"x.y\"")
        );
        for other in
            ["", "<html>403 Forbidden: no</html>\n", "403 Forbidden: a\nb\n", "403 Forbidden: \u{1b}[2J\n"]
        {
            assert_eq!(shown(other), plain);
        }
    }

    #[test]
    fn multicall_distinguishes_values_from_faults() {
        let (port, _asked) = serve(answer(
            "<methodResponse><params><param><value><array><data><value><string>log</string></value>\
             <value><struct><member><name>faultCode</name><value><int>20</int></value></member>\
             <member><name>faultString</name><value><string>NO_FILE</string></value></member></struct></value>\
             </data></array></value></param></params></methodResponse>",
        ));
        let answers =
            supervisor(port).multicall(&[("a", vec![]), ("b", vec![])], Some(PROMPT_TIMEOUT)).unwrap();
        assert_eq!(answers[0], Ok(Value::Str("log".into())));
        assert_eq!(answers[1], Err(Fault { code: 20, string: "NO_FILE".into() }));
    }

    #[test]
    fn an_answer_of_another_kind_is_an_error() {
        let (port, _asked) = serve(answer(
            "<methodResponse><params><param><value><int>1</int></value></param></params></methodResponse>",
        ));
        let error = supervisor(port).all_process_info().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the answer to supervisor.getAllProcessInfo: the list is missing or of another type"
        );
    }
}
