//! Logs that are long: read by many, slowly, rotated and truncated meanwhile.

use std::fs;

use super::*;

/// Longer than what the sockets between us hold.
const LONG: usize = 6 << 20;

/// Bytes of all kinds, so that a log is longer in XML than in its file.
fn log_of(length: usize) -> Vec<u8> {
    let line = b"<b>&amp;\x1b[31m \xff\xfe \xe7\x9a\x84 caf\xc3\xa9\x00 tail\n";
    line.iter().copied().cycle().take(length).collect()
}

fn expected(bytes: &[u8]) -> String {
    // As in any other answer, control characters are shown by their pictures.
    String::from_utf8_lossy(bytes).replace('\x1b', "␛").replace('\0', "␀")
}

fn read_log(length: i64) -> String {
    call("supervisor.readLog", &[0.into(), Value::Int(length)])
}

#[test]
fn a_long_log_is_the_same_as_a_short_one_only_longer() {
    run(async {
        let server = open_server();
        // Around the size of a piece, and with characters of several bytes where pieces meet.
        for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_003] {
            let bytes = log_of(length);
            fs::write(server.log(), &bytes).unwrap();
            let got = server.ask(&read_log(0)).await;
            assert!(got.has("Content-Type: text/xml"), "{}", got.head);
            assert_eq!(got.body, write::response(&String::from_utf8_lossy(&bytes).into_owned().into()));
            let tail =
                call("supervisor.tailProcessStdoutLog", &["a:b".into(), 0.into(), Value::Int(1 << 40)]);
            let all = Value::Array(vec![
                String::from_utf8_lossy(&bytes).into_owned().into(),
                Value::Int(length.try_into().unwrap()),
                false.into(),
            ]);
            assert_eq!(server.ask(&tail).await.body, write::response(&all));
        }
    });
}

#[test]
fn while_six_read_a_long_log_slowly_all_others_are_answered_and_little_is_in_memory() {
    run(async {
        let server = open_server();
        let bytes = log_of(LONG);
        fs::write(server.log(), &bytes).unwrap();
        let mut readers = Vec::new();
        for _ in 0..6 {
            let mut reader = server.connect().await;
            reader.send(&read_log(0)).await;
            reader.until("\r\n\r\n").await;
            readers.push(reader);
        }
        let got = server.ask(&call("supervisor.getIdentification", &[])).await;
        assert_eq!(got.result(), Ok("the daemon é".into()));
        // A rotation takes nothing away from them.
        fs::rename(server.log(), server.folder.path().join("log.1")).unwrap();
        for mut reader in readers {
            let got = reader.answer().await;
            assert_eq!(got.status(), "200");
            assert!(got.result() == Ok(expected(&bytes).into()), "the log is another");
            reader.send(&call("supervisor.getIdentification", &[])).await;
            assert_eq!(reader.answer().await.status(), "200", "the connection goes on");
        }
    });
}

#[test]
fn a_log_that_is_cut_off_while_it_is_sent_ends_the_connection_and_nothing_else() {
    run(async {
        let server = open_server();
        fs::write(server.log(), log_of(LONG)).unwrap();
        let mut reader = server.connect().await;
        reader.send(&read_log(0)).await;
        let head = reader.until("\r\n\r\n").await;
        OpenOptions::new().write(true).open(server.log()).unwrap().set_len(10).unwrap();
        while reader.more().await {}
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
        assert!(reader.read.len() < head.len() + length, "the client can see that something is missing");
        assert_eq!(server.ask(&read_log(0)).await.status(), "200");
    });
}

#[test]
fn a_multicall_may_hold_long_logs_between_other_answers() {
    run(async {
        let server = open_server();
        let bytes = log_of(200_000);
        fs::write(server.log(), &bytes).unwrap();
        let one = |method: &str, params: Vec<Value>| {
            Value::record([("methodName", method.into()), ("params", params.into())])
        };
        let calls = vec![
            one("supervisor.getIdentification", vec![]),
            one("supervisor.readProcessStdoutLog", vec!["a:b".into(), 0.into(), 0.into()]),
            one("supervisor.readProcessStdoutLog", vec!["nope".into(), 0.into(), 0.into()]),
            one("supervisor.readLog", vec![(-1).into(), 1.into()]),
            one("supervisor.readMainLog", vec![(-100).into(), 0.into()]),
            one("supervisor.tailProcessStderrLog", vec!["a:b".into(), 0.into(), Value::Int(150_000)]),
        ];
        let got = server.ask(&call("system.multicall", &[calls.into()])).await;
        let fault = |code: FaultKind, text: &str| {
            Value::record([("faultCode", code.code().into()), ("faultString", text.into())])
        };
        let end = |length: usize| expected(&bytes[bytes.len() - length..]).into();
        let results = vec![
            "the daemon é".into(),
            expected(&bytes).into(),
            fault(FaultKind::BadName, "BAD_NAME: x"),
            fault(FaultKind::BadArguments, "BAD_ARGUMENTS"),
            end(100),
            vec![end(150_000), 200_000.into(), true.into()].into(),
        ];
        assert!(got.result() == Ok(results.into()), "{}", &got.body[..2000]);
    });
}

#[test]
fn no_more_than_64_long_logs_are_open_for_clients_and_short_ones_always_can_be_read() {
    run(async {
        let server = open_server();
        fs::write(server.log(), log_of(LONG)).unwrap();
        let mut readers = Vec::new();
        for _ in 0..64 {
            let mut reader = server.connect().await;
            reader.send(&read_log(3 << 20)).await;
            reader.until("\r\n\r\n").await;
            readers.push(reader);
        }
        let fault = server.ask(&read_log(0)).await.result().unwrap_err();
        assert_eq!(fault.string, "FAILED: cannot read this log now: too many long logs are being read");
        assert_eq!(server.ask(&read_log(10)).await.result(), Ok("<b>&amp;␛[".into()));
        drop(readers);
        let mut reader = server.connect().await;
        while {
            reader.send(&read_log(100_000)).await;
            reader.answer().await.result().is_err()
        } {}
    });
}
