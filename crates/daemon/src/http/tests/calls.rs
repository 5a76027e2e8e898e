//! XML-RPC calls: answers, faults, several calls in one, and the bounds of what waits for clients.

use super::*;

#[test]
fn a_call_is_answered_with_the_length_in_bytes() {
    run(async {
        let got = open_server().ask(&call("supervisor.getIdentification", &[])).await;
        assert_eq!(got.status(), "200");
        assert!(got.has("Content-Type: text/xml"), "{}", got.head);
        assert_eq!(got.result(), Ok("the daemon é".into()));
    });
}

#[test]
fn faults_are_answers() {
    run(async {
        let server = open_server();
        let fault = |got: TestResponse| got.result().unwrap_err().string;
        let got = server.ask(&call("supervisor.getProcessInfo", &["x".into()])).await;
        assert_eq!(got.status(), "200");
        assert_eq!(fault(got), "BAD_NAME: x");
        assert_eq!(fault(server.ask(&call("nope", &[])).await), "UNKNOWN_METHOD");
        assert_eq!(
            fault(server.ask(&call("supervisor.getState", &[1.into()])).await),
            "INCORRECT_PARAMETERS"
        );
    });
}

#[test]
fn requests_of_one_connection_are_answered_in_order_also_when_sent_at_once() {
    run(async {
        let server = open_server();
        let mut client = server.connect().await;
        let slow = call("supervisor.startProcess", &["x".into()]);
        let quick = call("supervisor.getIdentification", &[]);
        client.send(&format!("{slow}{quick}")).await;
        assert_eq!(client.answer().await.result(), Ok(Value::Bool(true)));
        assert_eq!(client.answer().await.result(), Ok("the daemon é".into()));
        client.send(&quick).await;
        assert_eq!(client.answer().await.status(), "200");
    });
}

#[test]
fn a_slow_answer_holds_nobody_else_up() {
    run(async {
        let server = open_server();
        let mut waiting = server.connect().await;
        waiting.send(&call("supervisor.shutdown", &[])).await;
        assert_eq!(server.ask(&call("supervisor.getIdentification", &[])).await.status(), "200");
    });
}

#[test]
fn several_calls_in_one_are_answered_one_after_the_other() {
    run(async {
        let one = |method: &str, params: Vec<Value>| {
            Value::record([("methodName", method.into()), ("params", params.into())])
        };
        let calls = vec![
            one("supervisor.startProcess", vec!["x".into()]),
            one("supervisor.getIdentification", vec![]),
            one("nope", vec![]),
            one("system.multicall", vec![]),
            Value::record([]),
            Value::Int(5),
            Value::record([("methodName", "supervisor.getIdentification".into())]),
        ];
        let got = open_server().ask(&call("system.multicall", &[calls.into()])).await;
        let fault = |string: &str, code: i64| {
            Value::record([("faultCode", code.into()), ("faultString", string.into())])
        };
        let expected = vec![
            true.into(),
            "the daemon é".into(),
            fault("UNKNOWN_METHOD", 1),
            fault("INCORRECT_PARAMETERS: Recursive system.multicall forbidden", 2),
            fault("INCORRECT_PARAMETERS: No methodName", 2),
            fault("INCORRECT_PARAMETERS", 2),
            "the daemon é".into(),
        ];
        assert_eq!(got.result(), Ok(Value::Array(expected)));
    });
}

#[test]
fn long_answers_that_nobody_takes_are_bounded_and_short_ones_are_always_given() {
    let one = || Value::record([("methodName", "system.listMethods".into())]);
    let long = call("system.multicall", &[Value::Array((0..60).map(|_| one()).collect())]);
    run(async {
        let server =
            TestServer::open(None, HttpLimits { pending_response_bytes: 100_000, ..HttpLimits::default() });
        let mut greedy = server.connect().await;
        // Enough that the socket's buffer cannot hold the answers: some lie with us.
        let (requests, mut piled) = (long.repeat(20), false);
        let sent = timeout(Duration::from_millis(300), greedy.stream.write_all(requests.as_bytes())).await;
        let patience = tokio::time::Instant::now() + PATIENCE;
        while !piled && tokio::time::Instant::now() < patience {
            piled = server.ask(&long).await.status() == "503";
        }
        assert!(piled, "{sent:?}");
        assert_eq!(server.ask(&call("system.listMethods", &[])).await.status(), "200");
        drop(greedy);
        timeout(PATIENCE, async { while server.ask(&long).await.status() != "200" {} })
            .await
            .expect("what the greedy client left is still counted");
    });
}

#[test]
fn many_calls_in_one_cannot_fill_the_memory() {
    run(async {
        let server =
            TestServer::open(None, HttpLimits { pending_response_bytes: 3000, ..HttpLimits::default() });
        let one = Value::record([("methodName", "system.listMethods".into())]);
        let got = server.ask(&call("system.multicall", &[vec![one; 50].into()])).await;
        let Ok(Value::Array(results)) = got.result() else { panic!("{got:?}") };
        assert_eq!(results.len(), 50);
        let last = read::fault(&results[49]).unwrap();
        assert!(last.string.starts_with("FAILED: cannot answer this call"), "{last}");
    });
}
