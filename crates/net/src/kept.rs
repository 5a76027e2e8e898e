//! A connection that is kept between exchanges: who asks several things in a row dials once.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use tokio::runtime::Runtime;

use crate::dial::{Peer, dial};
use crate::http::{self, ExchangeError, Request, Response};
use crate::runtime;
use crate::status_line::FirstLine;
use crate::tls::Tls;

/// A connection, or the place for one.
///
/// The connection only lives while something is exchanged: one that the server has closed meanwhile is noticed when
/// it is needed, and dialled anew. A request that was sent is never sent again.
#[derive(Default)]
pub struct Kept {
    // Declared first, so that it is dropped before the runtime that it is registered with.
    line: Option<Line>,
    runtime: Option<Runtime>,
}

struct Line {
    peer: Peer,
    tls: Tls,
    sender: SendRequest<Full<Bytes>>,
    drive: Pin<Box<dyn Future<Output = ()>>>,
}

impl Kept {
    /// No connection yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hangs up.
    pub fn close(&mut self) {
        self.line = None;
    }

    /// As [`http::exchange`], over the connection that is there if it leads to the same peer.
    pub fn exchange(
        &mut self,
        request: &Request,
        deadline: Option<Duration>,
        on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<Response, ExchangeError> {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => runtime::build().map_err(ExchangeError::Runtime)?,
        };
        let line = self.line.take().filter(|line| line.peer == request.peer && line.tls == request.tls);
        let all = async {
            let exchange = over(line, request, on_body);
            match deadline {
                None => exchange.await,
                Some(deadline) => {
                    tokio::time::timeout(deadline, exchange).await.unwrap_or(Err(ExchangeError::TimedOut))
                }
            }
        };
        let outcome = runtime.block_on(all);
        self.runtime = Some(runtime);
        let (response, line) = outcome?;
        self.line = line;
        Ok(response)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.line = None;
        // A name lookup that hangs cannot be cancelled, and must not keep us.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

async fn over(
    line: Option<Line>,
    request: &Request,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(Response, Option<Line>), ExchangeError> {
    let mut prepared = http::prepare(request)?;
    if let Some(line) = line {
        match ask(line, prepared, on_body).await {
            Ok(answered) => return Ok(answered),
            Err(Unasked::Closed(unsent)) => prepared = *unsent,
            Err(Unasked::Failed(error)) => return Err(error),
        }
    }
    let stream = dial(&request.peer, &request.tls).await?;
    let (sender, link) = http::shake_hands(stream, FirstLine::default()).await?;
    let drive = Box::pin(async move { drop(link.await) });
    let line = Line { peer: request.peer.clone(), tls: request.tls.clone(), sender, drive };
    ask(line, prepared, on_body).await.map_err(|unasked| match unasked {
        Unasked::Closed(_) => ExchangeError::Closed,
        Unasked::Failed(error) => error,
    })
}

/// Why a connection brought no answer.
enum Unasked {
    /// It was closed before the request, which is given back.
    Closed(Box<hyper::Request<Full<Bytes>>>),
    /// The request may have arrived.
    Failed(ExchangeError),
}

async fn ask(
    mut line: Line,
    prepared: hyper::Request<Full<Bytes>>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(Response, Option<Line>), Unasked> {
    let Line { sender, drive, .. } = &mut line;
    let mut is_open = true;
    let mut is_whole = true;
    let response = {
        let answer = async {
            let ready = sender.ready().await;
            if ready.is_err() {
                return Err(Unasked::Closed(Box::new(prepared)));
            }
            let sent = sender.try_send_request(prepared).await;
            let response = sent.map_err(|mut error| match error.take_message() {
                Some(unsent) => Unasked::Closed(Box::new(unsent)),
                None => Unasked::Failed(http::broken(error.error())),
            })?;
            let mut on_body = |piece: &[u8]| {
                let flow = on_body(piece);
                is_whole &= flow.is_continue();
                flow
            };
            http::read_answer(
                response,
                &FirstLine::default(),
                &mut |_| ControlFlow::Continue(()),
                &mut on_body,
            )
            .await
            .map_err(Unasked::Failed)
        };
        tokio::pin!(answer);
        loop {
            tokio::select! {
                biased;
                () = &mut *drive, if is_open => is_open = false,
                answer = &mut answer => break answer?,
            }
        }
    };
    Ok((response, (is_open && is_whole).then_some(line)))
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

    fn request(port: u16) -> Request {
        Request {
            peer: Peer::Tcp { host: "127.0.0.1".to_owned(), port },
            tls: Tls::Off,
            method: "GET".to_owned(),
            target: "/".to_owned(),
            headers: vec![("Host".to_owned(), "x".to_owned())],
            body: Vec::new(),
        }
    }

    fn ask(kept: &mut Kept, port: u16) -> Result<String, ExchangeError> {
        let mut body = Vec::new();
        kept.exchange(&request(port), Some(Duration::from_secs(20)), &mut |piece| {
            body.extend_from_slice(piece);
            ControlFlow::Continue(())
        })?;
        Ok(String::from_utf8(body).unwrap())
    }

    #[test]
    fn several_questions_need_one_connection() {
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
        let mut kept = Kept::new();
        for _ in 0..3 {
            assert_eq!(ask(&mut kept, port).unwrap(), "ok");
        }
        drop(kept);
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
        let mut kept = Kept::new();
        for _ in 0..3 {
            assert_eq!(ask(&mut kept, port).unwrap(), "ok");
        }
        server.join().unwrap();
        assert!(ask(&mut kept, port).unwrap_err().is_refused());
    }

    #[test]
    fn who_hangs_up_instead_of_answering_is_not_asked_twice() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(read_head(&mut stream));
        });
        let mut kept = Kept::new();
        assert!(matches!(ask(&mut kept, port), Err(ExchangeError::Closed)));
        server.join().unwrap();
    }
}
