//! The answer of a probed web server, in pieces, and the end of the connection at any place.
#![no_main]

use std::ops::ControlFlow;

use ironlance_net::http::exchange::{build_request, exchange_over};
use ironlance_net::{Endpoint, HttpRequest, HttpResponse, Tls};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// What the connection holds until it is read: small, so that an answer comes in pieces.
const BUFFER: usize = 512;

fuzz_target!(|data: &[u8]| {
    // The first byte says how long the pieces are, and whether the body is wanted.
    let Some((first, answer)) = data.split_first() else { return };
    let piece = usize::from(first & 0x7f) + 1;
    let next = if first & 0x80 == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let request = HttpRequest {
        endpoint: Endpoint::Unix("/nowhere".into()),
        tls: Tls::Off,
        method: "GET".into(),
        target: "/health".into(),
        headers: vec![("Host".into(), "localhost".into())],
        body: Vec::new(),
    };
    let (ours, mut theirs) = duplex(BUFFER);
    let server = async move {
        // The client may be gone at any point: then the rest of the answer is nobody's.
        let _ = theirs.read(&mut [0; BUFFER]).await;
        for piece in answer.chunks(piece) {
            if theirs.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let mut received = 0;
    let mut on_body = |body: &[u8]| {
        received += body.len();
        next
    };
    let request = build_request(&request).expect("a valid request");
    let mut on_head = |_: &HttpResponse| ControlFlow::Continue(());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let (response, ()) = runtime
        .block_on(async { tokio::join!(exchange_over(ours, request, &mut on_head, &mut on_body), server) });
    assert!(received <= answer.len());
    if let Ok(response) = response {
        assert!((100..1000).contains(&response.status));
    }
});
