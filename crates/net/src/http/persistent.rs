//! A persistent HTTP connection: several requests to the same server need one dial. It never repeats a request that may
//! have reached the server.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::dial::{Endpoint, dial};
use crate::runtime;
use crate::tls::Tls;

use super::exchange::{
    ExchangeError, HttpConnection, HttpRequest, HttpResponse, SendError, build_request, within,
};
use super::status_line::StatusLine;

/// At most one open connection, and the runtime that drives it.
///
/// The connection is polled only during an exchange. If the server closed it in between, the next exchange finds out
/// and dials again.
#[derive(Default)]
pub struct PersistentConnection {
    // Declared first, so that it is dropped before the runtime that it is registered with.
    open: Option<OpenConnection>,
    runtime: Option<Runtime>,
}

struct OpenConnection {
    endpoint: Endpoint,
    tls: Tls,
    connection: HttpConnection,
}

impl PersistentConnection {
    /// As [`super::exchange()`], over the open connection if it leads to the same endpoint.
    pub fn exchange(
        &mut self,
        request: &HttpRequest,
        deadline: Option<Duration>,
        on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<HttpResponse, ExchangeError> {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => runtime::build().map_err(ExchangeError::Runtime)?,
        };
        let connection = self
            .open
            .take()
            .filter(|connection| connection.endpoint == request.endpoint && connection.tls == request.tls);
        let outcome = runtime.block_on(within(deadline, exchange_over(connection, request, on_body)));
        self.runtime = Some(runtime);
        let (response, connection) = outcome?;
        self.open = connection;
        Ok(response)
    }
}

impl Drop for PersistentConnection {
    fn drop(&mut self) {
        self.open = None;
        // A name lookup that hangs cannot be cancelled, and must not delay the drop.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

async fn exchange_over(
    open: Option<OpenConnection>,
    request: &HttpRequest,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(HttpResponse, Option<OpenConnection>), ExchangeError> {
    let mut prepared = build_request(request)?;
    // The first line of a connection is that of one response only.
    let (unknown, mut on_head) = (StatusLine::default(), |_: &HttpResponse| ControlFlow::Continue(()));
    if let Some(mut open) = open {
        match open.connection.send(prepared, &unknown, &mut on_head, on_body).await {
            Ok((response, is_reusable)) => return Ok((response, is_reusable.then_some(open))),
            Err(SendError::NotSent(unsent)) => prepared = *unsent,
            Err(SendError::Failed(error)) => return Err(error),
        }
    }
    let stream = dial(&request.endpoint, &request.tls).await?;
    let mut connection = HttpConnection::open(stream, StatusLine::default()).await?;
    let (response, is_reusable) = connection.send(prepared, &unknown, &mut on_head, on_body).await?;
    let open = || OpenConnection { endpoint: request.endpoint.clone(), tls: request.tls.clone(), connection };
    Ok((response, is_reusable.then(open)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    fn read_head(stream: &mut TcpStream) -> bool {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return false,
            }
        }
        true
    }

    fn request(port: u16) -> HttpRequest {
        HttpRequest {
            endpoint: Endpoint::Tcp { host: "127.0.0.1".to_owned(), port },
            tls: Tls::Off,
            method: "GET".to_owned(),
            target: "/".to_owned(),
            headers: vec![("Host".to_owned(), "x".to_owned())],
            body: Vec::new(),
        }
    }

    fn ask(connection: &mut PersistentConnection, port: u16) -> Result<String, ExchangeError> {
        let mut body = Vec::new();
        connection.exchange(&request(port), Some(Duration::from_secs(20)), &mut |piece| {
            body.extend_from_slice(piece);
            ControlFlow::Continue(())
        })?;
        Ok(String::from_utf8(body).unwrap())
    }

    #[test]
    fn several_requests_need_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut answered = 0;
            while read_head(&mut stream) {
                stream.write_all(ANSWER).unwrap();
                answered += 1;
            }
            answered
        });
        let mut connection = PersistentConnection::default();
        for _ in 0..3 {
            assert_eq!(ask(&mut connection, port).unwrap(), "ok");
        }
        drop(connection);
        assert_eq!(server.join().unwrap(), 3);
    }

    #[test]
    fn a_server_that_hangs_up_after_each_answer_is_dialled_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().unwrap();
                assert!(read_head(&mut stream));
                stream.write_all(ANSWER).unwrap();
            }
        });
        let mut connection = PersistentConnection::default();
        for _ in 0..3 {
            assert_eq!(ask(&mut connection, port).unwrap(), "ok");
        }
        server.join().unwrap();
        assert!(ask(&mut connection, port).unwrap_err().is_refused());
    }

    #[test]
    fn a_request_is_not_repeated_when_the_server_closes_instead_of_answering() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(read_head(&mut stream));
        });
        let mut connection = PersistentConnection::default();
        assert!(matches!(ask(&mut connection, port), Err(ExchangeError::Closed)));
        server.join().unwrap();
    }
}
