//! Checks over sockets: a page, a TCP connection, a unix socket. The caller limits their time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ironlance_net::dial::{self, dial};
use ironlance_net::tls::TlsError;
use ironlance_net::{DialError, Endpoint, ExchangeError, Tls};
use rustix::io::Errno;

use crate::http::{HttpCheck, HttpReading, PageUrl, basic_authorization};
use crate::probe::judge::RunOutcome;
use crate::probe::protocol::ProbeTarget;

/// How long certificate authorities are kept before they are read again.
const TRUST_AGE: Duration = Duration::from_secs(600);

/// TLS that is set up once for many checks, by what is trusted.
#[derive(Default)]
pub(super) struct TlsCache(RefCell<HashMap<Option<PathBuf>, (Tls, Instant)>>);

impl TlsCache {
    fn get(&self, tls: Tls) -> Result<Tls, TlsError> {
        let Tls::Verified { ca_file } = &tls else { return Ok(tls) };
        let mut known = self.0.borrow_mut();
        if let Some((prepared, read)) = known.get(ca_file)
            && read.elapsed() < TRUST_AGE
        {
            return Ok(prepared.clone());
        }
        let prepared = tls.prepared()?;
        known.insert(ca_file.clone(), (prepared.clone(), Instant::now()));
        Ok(prepared)
    }
}

/// Asks a page once.
pub(super) async fn ask(target: &ProbeTarget, timeout: Duration, tls: &TlsCache) -> RunOutcome {
    let check = match http_check(target, timeout, tls) {
        Ok(check) => check,
        Err(reason) => return RunOutcome::Unable(reason),
    };
    match check.ask().await {
        Ok(HttpReading::Answered { status, reason, body_has }) => {
            RunOutcome::Page { status, reason, has_body: body_has }
        }
        Ok(HttpReading::Failed { error }) => RunOutcome::Wrong(error),
        Err(ExchangeError::Dial(error)) => dial_outcome(&error),
        Err(error @ (ExchangeError::Request { .. } | ExchangeError::Runtime(_))) => {
            RunOutcome::Unable(plain(&error.to_string()))
        }
        Err(
            error @ (ExchangeError::TimedOut
            | ExchangeError::Closed
            | ExchangeError::Broken(_)
            | ExchangeError::Proxy(_)),
        ) => RunOutcome::Wrong(plain(&error.to_string())),
    }
}

fn http_check(target: &ProbeTarget, timeout: Duration, tls: &TlsCache) -> Result<HttpCheck, String> {
    let ProbeTarget::Page { url, body, insecure, ca_file, headers, .. } = target else {
        return Err("there is no page to ask".to_owned());
    };
    let target = PageUrl::parse(url).map_err(|error| error.to_string())?;
    let mut headers = headers.clone();
    let has = |name: &str, headers: &[(String, String)]| {
        headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    if !has("User-Agent", &headers) {
        headers.push(("User-Agent".into(), concat!("ironlance/", env!("CARGO_PKG_VERSION")).into()));
    }
    if let Some(user_info) = &target.user_info
        && !has("Authorization", &headers)
    {
        headers.push(basic_authorization(user_info));
    }
    let wanted = match (target.secure, insecure) {
        (false, _) => Tls::Off,
        (true, true) => Tls::Insecure,
        (true, false) => Tls::Verified { ca_file: ca_file.clone() },
    };
    let tls = tls.get(wanted).map_err(|error| error.to_string())?;
    Ok(HttpCheck {
        target,
        method: "GET".to_owned(),
        headers,
        body: Vec::new(),
        timeout,
        want_in_body: body.clone().map(String::into_bytes),
        tls,
    })
}

/// Connects to a port.
pub(super) async fn connect(host: &str, port: u16) -> RunOutcome {
    let connected = async { dial::connect(&dial::resolve(host, port).await?).await };
    match connected.await {
        Ok(_) => RunOutcome::Well,
        Err(error) => dial_outcome(&error),
    }
}

/// Connects to a unix socket.
pub(super) async fn connect_unix(path: &Path) -> RunOutcome {
    match dial(&Endpoint::Unix(path.to_owned()), &Tls::Off).await {
        Ok(_) => RunOutcome::Well,
        Err(error) => dial_outcome(&error),
    }
}

/// Whether a connection that failed says something of the program, or of this host.
fn dial_outcome(error: &DialError) -> RunOutcome {
    let words = plain(&error.to_string());
    let is_ours = match error {
        DialError::Resolve { .. } | DialError::Tls(_) => true,
        DialError::Refused(_) | DialError::Handshake { .. } => false,
        DialError::Connect(_) => {
            let ours = [
                Errno::ACCESS,
                Errno::PERM,
                Errno::MFILE,
                Errno::NFILE,
                Errno::NOMEM,
                Errno::NOBUFS,
                Errno::ADDRNOTAVAIL,
            ];
            ours.iter().any(|errno| error.errno() == Some(errno.raw_os_error()))
        }
    };
    if is_ours { RunOutcome::Unable(words) } else { RunOutcome::Wrong(words) }
}

/// An error without Python's number in front.
fn plain(words: &str) -> String {
    let rest = words.strip_prefix("[Errno ").and_then(|rest| rest.split_once("] "));
    rest.map_or(words, |(_, rest)| rest).to_owned()
}
