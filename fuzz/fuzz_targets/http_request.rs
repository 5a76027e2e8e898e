//! What clients send to the daemon's HTTP server, in pieces, and the end of the connection at any place.
#![no_main]

use std::rc::Rc;
use std::time::Duration;

use ironlance_config::{HttpServer, ServerAddress};
use ironlance_core::log_level::Level;
use ironlance_daemon::http::{DaemonLog, HttpLimits, serve_stream};
use ironlance_daemon::inbox::Input;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

/// What the connection holds until it is read: small, so that all goes in pieces.
const BUFFER: usize = 512;

struct CheckedLog;

impl DaemonLog for CheckedLog {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn log(&self, _: Level, text: &str) {
        assert!(!text.contains("a defect of ironlance"), "{text}");
    }
}

fuzz_target!(|data: &[u8]| {
    // The first byte says how long the pieces are.
    let Some((first, requests)) = data.split_first() else { return };
    let piece = usize::from(*first) + 1;
    let requests = requests.to_vec();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    LocalSet::new().block_on(&runtime, async move {
        let (ours, theirs) = duplex(BUFFER);
        let (owner, mut inbox) = mpsc::channel(4);
        spawn_local(async move {
            while let Some(input) = inbox.recv().await {
                if let Input::Call(call) = input {
                    let _ = call.reply.send(Ok(format!("{:?}", call.request).into()));
                }
            }
        });
        let address = ServerAddress::Unix { path: "/nowhere".into(), mode: 0o700, owner: None };
        let server = HttpServer {
            section: "unix_http_server".into(),
            address,
            credentials: None,
            allow_anonymous_changes: false,
            allowed_hosts: Vec::new(),
        };
        // A client that keeps still is hung up on, also here.
        let brief = Duration::from_millis(20);
        let limits =
            HttpLimits { first_byte: brief, head_time: brief, body_time: brief, ..HttpLimits::default() };
        let (mut answers, mut sender) = split(theirs);
        let client = async move {
            let send = async move {
                for piece in requests.chunks(piece) {
                    if sender.write_all(piece).await.is_err() {
                        return;
                    }
                }
                let _ = sender.shutdown().await;
            };
            let mut received = Vec::new();
            let (_, ()) = tokio::join!(answers.read_to_end(&mut received), send);
            assert!(received.is_empty() || received.starts_with(b"HTTP/1."), "{received:?}");
        };
        let interfaces = ["supervisor".to_owned()];
        let serve = serve_stream(ours, &server, &interfaces, owner, Rc::new(CheckedLog), limits);
        tokio::join!(serve, client);
    });
});
