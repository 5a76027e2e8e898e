//! Requests to bytes, byte for byte as Python's xmlrpc.client writes them.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::value::Value;

/// A call of `method` with `params`.
pub fn request(method: &str, params: &[Value]) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodCall>\n<methodName>");
    escape(&mut out, method);
    out.push_str("</methodName>\n<params>\n");
    for param in params {
        out.push_str("<param>\n");
        value(&mut out, param);
        out.push_str("</param>\n");
    }
    out.push_str("</params>\n</methodCall>\n");
    out
}

fn value(out: &mut String, item: &Value) {
    out.push_str("<value>");
    // Writing into a String cannot fail.
    let _ = match item {
        Value::Int(number) => write!(out, "<int>{number}</int>"),
        Value::Bool(yes) => write!(out, "<boolean>{}</boolean>", u8::from(*yes)),
        Value::Double(number) => write!(out, "<double>{number:?}</double>"),
        Value::DateTime(text) => write!(out, "<dateTime.iso8601>{text}</dateTime.iso8601>"),
        Value::Nil => {
            // Python ends every value with a newline but this one.
            out.push_str("<nil/></value>");
            return;
        }
        Value::Str(text) => {
            out.push_str("<string>");
            escape(out, text);
            write!(out, "</string>")
        }
        Value::Base64(bytes) => {
            out.push_str("<base64>\n");
            // Python breaks after 76 characters, that is after 57 bytes.
            for line in bytes.chunks(57) {
                out.push_str(&STANDARD.encode(line));
                out.push('\n');
            }
            write!(out, "</base64>")
        }
        Value::Array(items) => {
            out.push_str("<array><data>\n");
            items.iter().for_each(|item| value(out, item));
            write!(out, "</data></array>")
        }
        Value::Struct(members) => {
            out.push_str("<struct>\n");
            for (name, member) in members {
                out.push_str("<member>\n<name>");
                escape(out, name);
                out.push_str("</name>\n");
                value(out, member);
                out.push_str("</member>\n");
            }
            write!(out, "</struct>")
        }
    };
    out.push_str("</value>\n");
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_one_that_python_writes() {
        let params = [
            Value::Str("a<b>&c".into()),
            Value::Int(-1),
            Value::Bool(true),
            Value::Double(1.5),
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Struct(vec![("k".into(), Value::Str("v".into()))]),
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
}
