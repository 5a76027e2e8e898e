//! Tests of reading: accepted and refused calls and responses.

use super::*;
use proptest::prelude::*;

fn value(inner: &str) -> Result<Value, ReadError> {
    let text = format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>{inner}</value>\n</param>\n</params>\n</methodResponse>\n"
    );
    response(&text).map(|answer| answer.unwrap())
}

#[test]
fn every_type_is_read() {
    let string = |text: &str| Value::Str(text.into());
    assert_eq!(value("<int>-7</int>"), Ok(Value::Int(-7)));
    assert_eq!(value("<i4> 7 </i4>"), Ok(Value::Int(7)));
    assert_eq!(value("<boolean>1</boolean>"), Ok(Value::Bool(true)));
    assert_eq!(value("<double>1.5</double>"), Ok(Value::Double(1.5)));
    assert_eq!(value("<string>a &lt;b&gt; &#233; &amp;</string>"), Ok(string("a <b> é &")));
    assert_eq!(value("<string/>"), Ok(string("")));
    assert_eq!(value("bare text"), Ok(string("bare text")));
    assert_eq!(value(""), Ok(string("")));
    assert_eq!(value("<nil/>"), Ok(Value::Nil));
    assert_eq!(value("<base64>\naGVs\nbG8=\n</base64>"), Ok(Value::Base64(b"hello".to_vec())));
    assert_eq!(value("<array><data>\n</data></array>"), Ok(Value::Array(vec![])));
    assert_eq!(value("<array><data/></array>"), Ok(Value::Array(vec![])));
    let items =
        "<array><data>\n<value><int>1</int></value>\n<value><string>x</string></value></data></array>";
    assert_eq!(value(items), Ok(Value::Array(vec![Value::Int(1), string("x")])));
    let members = "<struct>\n<member>\n<name>k</name>\n<value><int>1</int></value>\n</member>\n</struct>";
    assert_eq!(value(members), Ok(Value::Struct(vec![("k".into(), Value::Int(1))])));
}

#[test]
fn an_answer_whose_end_is_cut_off_behind_the_value_is_taken() {
    let text = "<methodResponse><params><param><value><boolean>1</boolean></value></par";
    assert_eq!(response(text), Ok(Ok(Value::Bool(true))));
}

#[test]
fn control_characters_of_a_raw_log_are_let_through() {
    assert_eq!(value("<string>a\x1b[1mb\x00</string>"), Ok(Value::Str("a\x1b[1mb\x00".into())));
}

#[test]
fn line_ends_are_read_as_xml_has_them() {
    let text = "<string>a\r\nb\rc\n&amp;&#13;<![CDATA[d\r\n]]></string>";
    assert_eq!(value(text), Ok(Value::Str("a\nb\nc\n&\rd\n".into())));
    assert_eq!(value("<string>a\r\nb\rc</string>"), Ok(Value::Str("a\nb\nc".into())));
    assert_eq!(value("a\r\nb"), Ok(Value::Str("a\nb".into())));
}

#[test]
fn a_fault_is_an_answer() {
    let text = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>10</int></value></member>\
        <member><name>faultString</name><value><string>BAD_NAME</string></value></member></struct></value></fault></methodResponse>";
    assert_eq!(response(text), Ok(Err(Fault { code: 10, string: "BAD_NAME".into() })));
}

#[test]
fn hostile_answers_are_refused_with_a_reason() {
    let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><methodResponse/>";
    assert!(matches!(response(bomb), Err(ReadError::Xml(_))));
    assert!(matches!(value("<string>&a;</string>"), Err(ReadError::Xml(_))));
    assert!(matches!(value("<int>12x</int>"), Err(ReadError::Scalar { kind: "int", .. })));
    assert!(matches!(value("<array></array>"), Err(ReadError::Unexpected { .. })));
    assert!(response("").is_err());
    assert!(response("<methodResponse><params><param><value><int>1").is_err());
    let deep = "<array><data><value>".repeat(100_000);
    assert_eq!(value(&deep), Err(ReadError::Depth));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).*") {
        let _ = response(&text);
    }

    #[test]
    fn no_mix_of_elements_makes_the_reader_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<value>", "</value>", "<array>", "<data>", "</data>", "</array>", "<struct>", "<member>", "<name>",
            "</name>", "</member>", "</struct>", "<int>", "1", "</int>", "<nil/>", "<data/>", "&amp;", "&#x;", " ",
        ]), 0..40)
    ) {
        let _ = value(&parts.concat());
    }
}

fn call(inner: &str) -> Result<(String, Vec<Value>), ReadError> {
    request(format!("<?xml version='1.0'?>\n<methodCall>\n{inner}\n</methodCall>\n").as_bytes())
}

#[test]
fn a_call_is_read_with_or_without_parameters() {
    let name = "<methodName>supervisor.getState</methodName>";
    let method = "supervisor.getState".to_owned();
    assert_eq!(call(name), Ok((method.clone(), vec![])));
    assert_eq!(call(&format!("{name}<params/>")), Ok((method.clone(), vec![])));
    let params = "<params>\n<param><value>web</value></param>\n<param>\n<value><boolean>0</boolean></value>\n</param></params>";
    assert_eq!(
        call(&format!("{name}\n{params}")),
        Ok((method.clone(), vec!["web".into(), Value::Bool(false)]))
    );
    let bare = "<params><value>web</value><param><value><int>1</int></value></param></params>";
    assert_eq!(call(&format!("{name}\n{bare}")), Ok((method, vec!["web".into(), Value::Int(1)])));
}

#[test]
fn a_call_without_a_method_is_refused() {
    assert_eq!(call("<params></params>"), Err(ReadError::NoMethod));
    assert_eq!(call("<methodName></methodName>"), Err(ReadError::NoMethod));
}

#[test]
fn hostile_calls_are_refused_with_a_reason() {
    assert_eq!(request(b"\xff"), Err(ReadError::Encoding));
    assert!(matches!(request(b"abc"), Err(ReadError::Unexpected { .. })));
    assert!(request(b"").is_err());
    assert!(request(b"<methodCall><methodName>x</methodName>").is_err());
    assert!(request(b"<methodCall><methodName>x</methodName></methodCall><more/>").is_err());
    let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><methodCall><methodName>&a;</methodName></methodCall>";
    assert!(matches!(request(bomb.as_bytes()), Err(ReadError::Xml(_))));
    let many = "<value/>".repeat(MAX_CALL_VALUES);
    let array = format!("<params><param><value><array><data>{many}</data></array></value></param></params>");
    assert_eq!(call(&format!("<methodName>x</methodName>{array}")), Err(ReadError::Number));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_of_calls_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = request(&bytes);
    }
}

/// Values as supervisord has them.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        "[a-z<>&'\" \\n\u{e9}]{0,12}".prop_map(Value::Str),
        Just(Value::Nil),
        Just(Value::Double(1.5)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let members =
            prop::collection::vec(("[a-z&]{0,6}".prop_map(std::borrow::Cow::Owned), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::Array),
            members.prop_map(Value::Struct)
        ]
    })
}

proptest! {
    #[test]
    fn the_fast_path_and_the_parser_read_the_same(value in any_value(), cut in any::<prop::sample::Index>()) {
        let text = crate::write::response(&value);
        prop_assert_eq!(parse_response(&text), Ok(Ok(value.clone())));
        prop_assert_eq!(response(&text), Ok(Ok(value)));
        let at = (0..=cut.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        if let Some(quick) = fast_path::response(&text[..at]) {
            prop_assert_eq!(parse_response(&text[..at]), Ok(Ok(quick)));
        }
    }

    #[test]
    fn the_fast_path_accepts_nothing_that_the_parser_refuses(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<array><data>", "</data></array>", "<value>", "</value>", "<struct>", "</struct>", "<member>", "</member>",
            "<name>n</name>", "<int>", "1", "</int>", "<string>", "</string>", "<boolean>0</boolean>", "&amp;", "&x;",
            " ", "a", "\r\n", "<value><int>1</int></value>", "<string>x</string>",
        ]), 0..12)
    ) {
        let text = format!("<methodResponse><params><param><value>{}</value>", parts.concat());
        if let Some(quick) = fast_path::response(&text) {
            prop_assert_eq!(parse_response(&text), Ok(Ok(quick)));
        }
    }
}
