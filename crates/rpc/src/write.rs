//! Writing of XML-RPC calls and responses, byte for byte as Python's xmlrpc.client writes them.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::fault::Fault;
use crate::value::Value;

/// A call of `method` with `params`.
pub fn request(method: &str, params: &[Value]) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodCall>\n<methodName>");
    text(&mut out, method);
    out.push_str("</methodName>\n<params>\n");
    for param in params {
        out.push_str("<param>\n");
        value(&mut out, param);
        out.push_str("</param>\n");
    }
    out.push_str("</params>\n</methodCall>\n");
    out
}

/// The text before and after the result in a response.
pub const RESPONSE: (&str, &str) = (
    "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n",
    "</param>\n</params>\n</methodResponse>\n",
);
/// The text before and after the values of an array.
pub const ARRAY: (&str, &str) = ("<value><array><data>\n", "</data></array></value>\n");
/// The text before and after the text of a string.
pub const STRING: (&str, &str) = ("<value><string>", "</string></value>\n");

/// The response with a result.
pub fn response(result: &Value) -> String {
    let mut out = String::with_capacity(size_hint(result) + 128);
    out.push_str(RESPONSE.0);
    value(&mut out, result);
    out.push_str(RESPONSE.1);
    out
}

/// The response with a fault.
pub fn fault(fault: &Fault) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n");
    value(&mut out, &fault.clone().into());
    out.push_str("</fault>\n</methodResponse>\n");
    out
}

/// An estimate of a value's XML, in bytes. A response about thousands of processes is a megabyte: the buffer should not
/// be reallocated while it grows, and the server counts the sum of such responses.
pub fn size_hint(item: &Value) -> usize {
    let inside = match item {
        Value::Int(_) | Value::Bool(_) | Value::Double(_) | Value::Nil => 12,
        Value::Str(text) | Value::DateTime(text) => text.len(),
        Value::Base64(bytes) => bytes.len() / 2 * 3,
        Value::Array(items) => items.iter().map(size_hint).sum(),
        Value::Struct(members) => members.iter().map(|(name, item)| 35 + name.len() + size_hint(item)).sum(),
    };
    34 + inside
}

/// Appends the XML of a value.
pub fn value(out: &mut String, item: &Value) {
    out.push_str("<value>");
    match item {
        Value::Int(int) => {
            // Writing into a String cannot fail.
            let _ = write!(out, "<int>{int}</int>");
        }
        Value::Bool(yes) => {
            out.push_str(if *yes { "<boolean>1</boolean>" } else { "<boolean>0</boolean>" });
        }
        Value::Double(double) => {
            let _ = write!(out, "<double>{double:?}</double>");
        }
        Value::DateTime(moment) => {
            out.push_str("<dateTime.iso8601>");
            text(out, moment);
            out.push_str("</dateTime.iso8601>");
        }
        Value::Nil => {
            // Python ends every value but this one with a newline.
            out.push_str("<nil/></value>");
            return;
        }
        Value::Str(string) => {
            out.push_str("<string>");
            text(out, string);
            out.push_str("</string>");
        }
        Value::Base64(bytes) => {
            out.push_str("<base64>\n");
            // Python breaks after 76 characters, that is after 57 bytes.
            for line in bytes.chunks(57) {
                STANDARD.encode_string(line, out);
                out.push('\n');
            }
            out.push_str("</base64>");
        }
        Value::Array(items) => {
            out.push_str("<array><data>\n");
            items.iter().for_each(|item| value(out, item));
            out.push_str("</data></array>");
        }
        Value::Struct(members) => {
            out.push_str("<struct>\n");
            for (name, member) in members {
                out.push_str("<member>\n<name>");
                text(out, name);
                out.push_str("</name>\n");
                value(out, member);
                out.push_str("</member>\n");
            }
            out.push_str("</struct>");
        }
    }
    out.push_str("</value>\n");
}

/// Appends text with XML's special characters escaped, as Python does it.
///
/// Most control characters are not allowed in XML 1.0 and are replaced by their control picture: the escape character of
/// a coloured log becomes U+241B. Python's supervisord sends them raw, and then no XML parser accepts the response.
pub(crate) fn text(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| NEEDS_ESCAPE[usize::from(byte)]) {
        let (width, instead) = match rest.as_bytes()[at] {
            b'&' => (1, "&amp;"),
            b'<' => (1, "&lt;"),
            b'>' => (1, "&gt;"),
            control @ 0..0x20 => (1, &CONTROL_PICTURES[usize::from(control) * 3..][..3]),
            _ if rest[at..].starts_with(['\u{fffe}', '\u{ffff}']) => (3, "\u{fffd}"),
            _ => (3, &rest[at..at + 3]),
        };
        out.push_str(&rest[..at]);
        out.push_str(instead);
        rest = &rest[at + width..];
    }
    out.push_str(rest);
}

/// Bytes that may need escaping: XML's special characters, control characters, and 0xEF, the first byte of U+FFFE.
const NEEDS_ESCAPE: [bool; 256] = {
    let mut needs = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        needs[control] = !matches!(control as u8, b'\t' | b'\n' | b'\r');
        control += 1;
    }
    needs[b'&' as usize] = true;
    needs[b'<' as usize] = true;
    needs[b'>' as usize] = true;
    needs[0xef] = true;
    needs
};

/// The pictures of the 32 control characters, three bytes each.
const CONTROL_PICTURES: &str = "␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_the_one_that_python_writes() {
        let params = [
            Value::Str("a<b>&c".into()),
            Value::Int(-1),
            Value::Bool(true),
            Value::Double(1.5),
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::record([("k", "v".into())]),
            Value::Base64(b"hello".to_vec()),
        ];
        // As xmlrpc.client.dumps(("a<b>&c", -1, True, 1.5, None, [1], {"k": "v"}, b"hello"), "m", allow_none=True).
        let expected = "<?xml version='1.0'?>\n<methodCall>\n<methodName>m</methodName>\n<params>\n\
            <param>\n<value><string>a&lt;b&gt;&amp;c</string></value>\n</param>\n\
            <param>\n<value><int>-1</int></value>\n</param>\n\
            <param>\n<value><boolean>1</boolean></value>\n</param>\n\
            <param>\n<value><double>1.5</double></value>\n</param>\n\
            <param>\n<value><nil/></value></param>\n\
            <param>\n<value><array><data>\n<value><int>1</int></value>\n</data></array></value>\n</param>\n\
            <param>\n<value><struct>\n<member>\n<name>k</name>\n<value><string>v</string></value>\n</member>\n</struct></value>\n</param>\n\
            <param>\n<value><base64>\naGVsbG8=\n</base64></value>\n</param>\n\
            </params>\n</methodCall>\n";
        assert_eq!(request("m", &params), expected);
    }

    #[test]
    fn an_answer_is_the_one_that_python_writes() {
        let result = Value::Array(vec![Value::Int(1), Value::record([("a", true.into())])]);
        // As xmlrpc.client.dumps(([1, {"a": True}],), methodresponse=True).
        let expected = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n\
            <value><int>1</int></value>\n<value><struct>\n<member>\n<name>a</name>\n<value><boolean>1</boolean></value>\n\
            </member>\n</struct></value>\n</data></array></value>\n</param>\n</params>\n</methodResponse>\n";
        assert_eq!(response(&result), expected);
    }

    #[test]
    fn a_fault_is_the_one_that_python_writes() {
        // As xmlrpc.client.dumps(Fault(10, "BAD_NAME: a<b")).
        let expected = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n\
            <name>faultCode</name>\n<value><int>10</int></value>\n</member>\n<member>\n<name>faultString</name>\n\
            <value><string>BAD_NAME: a&lt;b</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n";
        assert_eq!(fault(&Fault { code: 10, string: "BAD_NAME: a<b".into() }), expected);
    }

    #[test]
    fn a_coloured_log_can_be_read_by_any_client() {
        let answer = response(&Value::from("\x1b[31mred\x1b[0m\r\n\t\0 \u{fffe}é"));
        assert!(answer.contains("<string>␛[31mred␛[0m\r\n\t␀ \u{fffd}é</string>"), "{answer}");
    }

    #[test]
    fn the_ends_of_the_numbers_are_written() {
        for int in [i64::MIN, -10, 0, 7, i64::MAX] {
            assert!(response(&Value::Int(int)).contains(&format!("<int>{int}</int>")));
        }
    }

    /// Any value whose text XML can hold.
    fn values() -> impl Strategy<Value = Value> {
        let text = "[ -~\t\né\u{fffd}🦀]{0,12}";
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::Int),
            any::<bool>().prop_map(Value::Bool),
            text.prop_map(Value::Str),
            prop::collection::vec(any::<u8>(), 0..80).prop_map(Value::Base64),
            Just(Value::Nil),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::vec((text.prop_map(Into::into), inner), 0..6).prop_map(Value::Struct),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(value in values(), method in "[a-zA-Z.]{1,20}") {
            prop_assert_eq!(read::response(&response(&value)), Ok(Ok(value.clone())));
            prop_assert_eq!(
                read::request(request(&method, std::slice::from_ref(&value)).as_bytes()),
                Ok((method, vec![value]))
            );
        }

        #[test]
        fn no_text_makes_an_answer_that_cannot_be_read(text in "(?s).*") {
            prop_assert!(read::response(&response(&Value::from(text))).is_ok());
        }
    }
}
