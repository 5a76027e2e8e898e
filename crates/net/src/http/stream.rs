//! A response without an end, such as a log that is followed, with a way to stop it from another thread.

use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;

use tokio::io::AsyncReadExt;

use crate::runtime;

use super::exchange::{ExchangeError, HttpRequest, HttpResponse, dial_and_send};

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The server ended it, or a callback did.
    Ended(HttpResponse),
    /// A byte or the end came on the `stop` socket.
    Stopped,
}

/// Sends `request` and passes on the response head, then its body piece by piece as it arrives, until the server ends
/// it, a callback breaks, or a byte or the end comes on `stop`.
pub fn stream(
    request: &HttpRequest,
    stop: UnixStream,
    on_head: &mut dyn FnMut(&HttpResponse) -> ControlFlow<()>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<StreamEnd, ExchangeError> {
    stop.set_nonblocking(true).map_err(ExchangeError::Runtime)?;
    let all = async {
        let mut stop = tokio::net::UnixStream::from_std(stop).map_err(ExchangeError::Runtime)?;
        let mut byte = [0];
        tokio::select! {
            biased;
            _ = stop.read(&mut byte) => Ok(StreamEnd::Stopped),
            answer = dial_and_send(request, on_head, on_body) => answer.map(StreamEnd::Ended),
        }
    };
    runtime::block_on(all).map_err(ExchangeError::Runtime)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dial::Endpoint;
    use crate::tls::Tls;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread::{self, JoinHandle};

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// A server that sends `parts` to one client and stays until the client closes.
    fn serve(parts: &'static [&'static [u8]]) -> (HttpRequest, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            for part in parts {
                stream.write_all(part).unwrap();
            }
            let _ = stream.read(&mut [0]);
        });
        let request = HttpRequest {
            endpoint: Endpoint::Tcp { host: "127.0.0.1".to_owned(), port },
            tls: Tls::Off,
            method: "GET".to_owned(),
            target: "/logtail/x".to_owned(),
            headers: vec![("Host".to_owned(), "x".to_owned())],
            body: Vec::new(),
        };
        (request, server)
    }

    /// The status and the reason of a stream that the server or a callback ended.
    fn status(end: Result<StreamEnd, ExchangeError>) -> Option<(u16, String)> {
        match end.unwrap() {
            StreamEnd::Ended(response) => Some((response.status, response.reason)),
            StreamEnd::Stopped => None,
        }
    }

    #[test]
    fn pieces_arrive_unchanged_and_the_end_is_reported() {
        let (request, server) = serve(&[HEAD, b"2\r\n\xff\xfe\r\n", b"1\r\nx\r\n0\r\n\r\n"]);
        let (_keep, stop) = UnixStream::pair().unwrap();
        let mut got = Vec::new();
        let end = stream(&request, stop, &mut |_| ControlFlow::Continue(()), &mut |piece| {
            got.extend_from_slice(piece);
            ControlFlow::Continue(())
        });
        assert_eq!(status(end), Some((200, "OK".to_owned())));
        assert_eq!(got, b"\xff\xfex");
        server.join().unwrap();
    }

    #[test]
    fn a_byte_on_the_stop_socket_ends_it_at_once() {
        let (request, server) = serve(&[HEAD, b"1\r\nx\r\n"]);
        let (mut stopper, stop) = UnixStream::pair().unwrap();
        let end = stream(&request, stop, &mut |_| ControlFlow::Continue(()), &mut |_| {
            stopper.write_all(b"!").unwrap();
            ControlFlow::Continue(())
        });
        assert_eq!(end.unwrap(), StreamEnd::Stopped);
        server.join().unwrap();
    }

    #[test]
    fn a_callback_that_breaks_at_the_head_ends_it() {
        let (request, server) = serve(&[b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n"]);
        let (_keep, stop) = UnixStream::pair().unwrap();
        let end = stream(&request, stop, &mut |_| ControlFlow::Break(()), &mut |_| ControlFlow::Continue(()));
        assert_eq!(status(end), Some((404, "Not Found".to_owned())));
        server.join().unwrap();
    }
}
