//! The table against the original's facts.

use ironlance_core::event::OutputChannel;

use super::*;
use crate::request::{LogId, LogPart, ProcessTarget, ReplyTiming};

fn stock() -> Interfaces {
    Interfaces::new(vec!["supervisor".to_owned()])
}

fn plan(method: &str, params: Vec<Value>) -> Result<PreparedCall, Fault> {
    let interfaces = stock();
    interfaces.prepare(interfaces.find(method)?, params)
}

fn asked(method: &str, params: Vec<Value>) -> RpcRequest {
    match plan(method, params) {
        Ok(PreparedCall::Owner(request)) => request,
        other => panic!("{method}: {other:?}"),
    }
}

fn wished(method: &str, params: Vec<Value>) -> LogRequest {
    match plan(method, params) {
        Ok(PreparedCall::Log(wish)) => wish,
        other => panic!("{method}: {other:?}"),
    }
}

fn told(method: &str, params: Vec<Value>) -> Value {
    match plan(method, params) {
        Ok(PreparedCall::Value(value)) => value,
        other => panic!("{method}: {other:?}"),
    }
}

/// As `system.methodSignature` of Supervisor 4.3.0 gives them.
const SIGNATURES: &str = "
    supervisor.addProcessGroup boolean string
    supervisor.clearAllProcessLogs array
    supervisor.clearLog boolean
    supervisor.clearProcessLog boolean string
    supervisor.clearProcessLogs boolean string
    supervisor.getAPIVersion string
    supervisor.getAllConfigInfo array
    supervisor.getAllProcessInfo array
    supervisor.getIdentification string
    supervisor.getPID int
    supervisor.getProcessInfo struct string
    supervisor.getState struct
    supervisor.getSupervisorVersion string
    supervisor.getVersion string
    supervisor.readLog string int int
    supervisor.readMainLog string int int
    supervisor.readProcessLog string string int int
    supervisor.readProcessStderrLog string string int int
    supervisor.readProcessStdoutLog string string int int
    supervisor.reloadConfig array
    supervisor.removeProcessGroup boolean string
    supervisor.restart boolean
    supervisor.sendProcessStdin boolean string string
    supervisor.sendRemoteCommEvent boolean string string
    supervisor.shutdown boolean
    supervisor.signalAllProcesses array string
    supervisor.signalProcess boolean string string
    supervisor.signalProcessGroup array string string
    supervisor.startAllProcesses array boolean
    supervisor.startProcess boolean string boolean
    supervisor.startProcessGroup array string boolean
    supervisor.stopAllProcesses array boolean
    supervisor.stopProcess boolean string boolean
    supervisor.stopProcessGroup array string boolean
    supervisor.tailProcessLog array string int int
    supervisor.tailProcessStderrLog array string int int
    supervisor.tailProcessStdoutLog array string int int
    system.listMethods array
    system.methodHelp string string
    system.methodSignature array string
    system.multicall array array";

#[test]
fn the_methods_of_the_original_are_there_with_their_signatures() {
    let Value::Array(names) = told("system.listMethods", vec![]) else { panic!("no array") };
    let ours: Vec<String> = names
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| !name.starts_with("ironlance."))
        .map(|name| {
            let Value::Array(types) = told("system.methodSignature", vec![name.into()]) else {
                panic!("no array")
            };
            let words: Vec<&str> =
                std::iter::once(name).chain(types.iter().filter_map(Value::as_str)).collect();
            words.join(" ")
        })
        .collect();
    let originals: Vec<&str> = SIGNATURES.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(ours, originals);
}

#[test]
fn names_are_listed_in_order_with_our_own_among_them() {
    let Value::Array(names) = told("system.listMethods", vec![]) else { panic!("no array") };
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    assert!(names.is_sorted());
    assert!(names.contains(&"ironlance.getProcessEnd"));
}

#[test]
fn help_names_the_parameters() {
    let help = told("system.methodHelp", vec!["supervisor.startProcess".into()]);
    let help = help.as_str().unwrap();
    assert!(help.contains("\n@param string name "), "{help}");
    assert!(help.contains("\n@param boolean wait "), "{help}");
    assert!(help.contains("\n@return boolean "), "{help}");
}

#[test]
fn what_is_no_method_has_no_help_and_no_signature() {
    for odd in [Value::from("x"), Value::from("supervisor.nope"), Value::Int(5), Value::Array(vec![])] {
        for method in ["system.methodHelp", "system.methodSignature"] {
            assert_eq!(plan(method, vec![odd.clone()]).unwrap_err(), FaultKind::SignatureUnsupported.bare());
        }
    }
}

#[test]
fn what_is_not_in_the_table_is_an_unknown_method() {
    for odd in
        ["", "nope", "supervisor", "supervisor.nope", "supervisor._update", "a.b.c", "supervisor.getState.x"]
    {
        assert_eq!(stock().find(odd).err(), Some(FaultKind::UnknownMethod.bare()), "{odd}");
    }
}

#[test]
fn the_stock_interface_is_offered_under_the_names_that_the_configuration_gives_it() {
    let other = Interfaces::new(vec!["boss".to_owned()]);
    assert!(other.find("boss.getState").is_ok());
    assert!(other.find("supervisor.getState").is_err());
    let none = Interfaces::new(vec![]);
    assert!(none.find("supervisor.getState").is_err());
    assert!(none.find("ironlance.getDaemonInfo").is_err());
    assert!(none.find("system.listMethods").is_ok());
}

#[test]
fn a_wrong_number_of_parameters_is_refused() {
    let refused = |method: &str, count: usize| plan(method, vec!["x".into(); count]).is_err();
    assert!(refused("supervisor.getState", 1));
    assert!(refused("supervisor.getProcessInfo", 0));
    assert!(refused("supervisor.startProcess", 3));
    assert!(refused("supervisor.signalProcess", 1));
    assert!(refused("system.multicall", 0));
    assert!(!refused("supervisor.startProcess", 1));
    assert!(!refused("supervisor.startProcess", 2));
    assert!(!refused("supervisor.startAllProcesses", 0));
}

#[test]
fn aliases_are_the_same_request() {
    let name = || vec!["web".into()];
    let part = || vec!["web".into(), Value::Int(0), Value::Int(9)];
    assert_eq!(asked("supervisor.getVersion", vec![]), RpcRequest::GetApiVersion);
    assert_eq!(asked("supervisor.clearProcessLog", name()), asked("supervisor.clearProcessLogs", name()));
    assert_eq!(
        wished("supervisor.readProcessLog", part()),
        wished("supervisor.readProcessStdoutLog", part())
    );
    let whose = LogId::Process { name: "web".into(), channel: OutputChannel::Stderr };
    let wish = LogRequest { log: whose, part: LogPart::Tail { offset: 0, length: 9 } };
    assert_eq!(wished("supervisor.tailProcessStderrLog", part()), wish);
    let wish = LogRequest { log: LogId::Main, part: LogPart::Read { offset: 0, length: 9 } };
    for method in ["supervisor.readLog", "supervisor.readMainLog"] {
        assert_eq!(wished(method, part().split_off(1)), wish);
    }
}

#[test]
fn parameters_arrive_typed() {
    assert_eq!(
        asked("supervisor.stopProcess", vec!["web".into(), Value::Bool(false)]),
        RpcRequest::Stop { target: ProcessTarget::Named("web".into()), wait: ReplyTiming::AtOnce }
    );
    assert_eq!(
        asked("supervisor.sendRemoteCommEvent", vec![Value::Int(1), Value::Nil]),
        RpcRequest::SendRemoteCommEvent { kind: "1".into(), data: "None".into() }
    );
}

#[test]
fn whatever_tells_is_open_to_readers_and_whatever_acts_is_not() {
    for (name, row) in stock().all() {
        let method = name.split_once('.').unwrap().1;
        let tells = ["get", "read", "tail", "list", "method", "multicall"]
            .iter()
            .any(|verb| method.starts_with(verb));
        assert_eq!(row.needs == Access::ReadOnly, tells, "{name}");
    }
}
