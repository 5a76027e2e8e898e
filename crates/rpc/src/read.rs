//! Calls and answers from bytes. What comes is hostile until parsed: bounded in depth, no DOCTYPE, no own entities.

mod brisk;
mod parser;

use thiserror::Error;

use crate::fault::Fault;
use crate::value::Value;
use parser::Parser;

/// Arrays and structs within each other, at most; supervisord needs four.
const MAX_DEPTH: usize = 64;

/// Values in one call, at most. Each of them may be a few bytes of XML and ten times that in memory.
const MAX_CALL_VALUES: usize = 65_536;

/// Why bytes are no call or answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// They are not UTF-8.
    #[error("cannot read XML-RPC: not UTF-8")]
    Encoding,
    /// It is not XML.
    #[error("cannot read XML-RPC: not XML: {0}")]
    Xml(String),
    /// It is XML, and not what should come.
    #[error("cannot read XML-RPC: expected {expected}, found {found}")]
    Unexpected {
        /// What should have come.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// A number, boolean or base64 that is none.
    #[error("cannot read XML-RPC: {text:?} is no {kind}")]
    Scalar {
        /// The type by its element's name.
        kind: &'static str,
        /// What stood there.
        text: String,
    },
    /// Too many levels.
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
    if let Some(value) = brisk::response(text) {
        return Ok(Ok(value));
    }
    thorough_response(text)
}

fn thorough_response(text: &str) -> Result<Result<Value, Fault>, ReadError> {
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
    // Supervisord counts the length of a deferred answer in characters (its http.py), so what lies behind the value
    // may be cut off.
    Ok(answer)
}

/// The method and parameters of a `methodCall`; one without `<params>` has none. White space and comments may stand
/// around, and the whole must be well-formed. At most 65,536 values, each 64 levels deep.
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

/// The fault that a struct describes: an answer's own, or an item of `system.multicall`.
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
