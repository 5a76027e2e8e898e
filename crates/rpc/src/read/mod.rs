//! Parsing of XML-RPC calls and responses. Input is hostile: depth and number of values are bounded, DOCTYPE and custom
//! entities are refused.

mod fast_path;
mod parser;

use thiserror::Error;

use crate::fault::Fault;
use crate::value::Value;
use parser::Parser;

/// The deepest nesting of arrays and structs; supervisord needs four.
const MAX_DEPTH: usize = 64;

/// The most values in one call. A value of a few bytes of XML takes ten times that in memory.
const MAX_CALL_VALUES: usize = 65_536;

/// Why bytes are not a call or response.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// Not UTF-8.
    #[error("cannot read XML-RPC: not UTF-8")]
    Encoding,
    /// Not XML.
    #[error("cannot read XML-RPC: not XML: {0}")]
    Xml(String),
    /// XML, but another element than expected.
    #[error("cannot read XML-RPC: expected {expected}, found {found}")]
    Unexpected {
        /// The expected element.
        expected: &'static str,
        /// What was found instead.
        found: String,
    },
    /// A number, boolean or base64 text that cannot be read.
    #[error("cannot read XML-RPC: {text:?} is no {kind}")]
    Scalar {
        /// The type by its element's name.
        kind: &'static str,
        /// The text.
        text: String,
    },
    /// Nested too deeply.
    #[error("cannot read XML-RPC: more than {MAX_DEPTH} arrays and structs within each other")]
    Depth,
    /// Too many values.
    #[error("cannot read XML-RPC: more than {MAX_CALL_VALUES} values")]
    Number,
    /// A call without the name of a method.
    #[error("cannot read XML-RPC: no method name")]
    NoMethod,
}

/// The value of a `methodResponse`, or its fault.
pub fn response(text: &str) -> Result<Result<Value, Fault>, ReadError> {
    if let Some(value) = fast_path::response(text) {
        return Ok(Ok(value));
    }
    parse_response(text)
}

fn parse_response(text: &str) -> Result<Result<Value, Fault>, ReadError> {
    let mut parser = Parser::new(text, usize::MAX);
    parser.open("methodResponse")?;
    let answer = match &*parser.next_open()? {
        "params" => {
            parser.open("param")?;
            parser.open("value")?;
            Ok(parser.value(0)?)
        }
        "fault" => {
            parser.open("value")?;
            Err(fault(&parser.value(0)?)?)
        }
        found => return Err(unexpected("params or fault", found)),
    };
    // Supervisord counts the length of a deferred response in characters (its http.py), so what follows the value may
    // be cut off.
    Ok(answer)
}

/// The method and parameters of a `methodCall`; one without `<params>` has none. White space and comments are
/// allowed around, and the whole must be well-formed. At most 65,536 values, each 64 levels deep.
pub fn request(bytes: &[u8]) -> Result<(String, Vec<Value>), ReadError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ReadError::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new(text, MAX_CALL_VALUES);
    parser.open("methodCall")?;
    let (mut method, mut params) = (String::new(), Vec::new());
    while parser.next_is_open()? {
        match &*parser.next_open()? {
            "methodName" => method = parser.text("methodName")?.into_owned(),
            "params" => params = parser.params()?,
            found => return Err(unexpected("methodName or params", found)),
        }
    }
    parser.closed("methodCall")?;
    parser.end()?;
    if method.is_empty() { Err(ReadError::NoMethod) } else { Ok((method, params)) }
}

/// The fault in a struct: of a response, or of an item of `system.multicall`.
pub fn fault(value: &Value) -> Result<Fault, ReadError> {
    let code = value.member("faultCode").and_then(Value::as_int);
    let string = value.member("faultString").and_then(Value::as_str);
    match (code, string) {
        (Some(code), Some(string)) => Ok(Fault { code, string: string.to_owned() }),
        _ => Err(unexpected("faultCode and faultString", "something else")),
    }
}

fn unexpected(expected: &'static str, found: &str) -> ReadError {
    ReadError::Unexpected { expected, found: format!("<{found}>") }
}

#[cfg(test)]
mod tests;
