//! XML-RPC for the harness: small, and not the code under test.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};

use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A value of XML-RPC, as far as supervisord uses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XmlValue {
    /// `<int>`, `<i4>`.
    Int(i64),
    /// `<boolean>`.
    Bool(bool),
    /// `<string>`.
    Str(String),
    /// `<array>`.
    Array(Vec<XmlValue>),
    /// `<struct>`, in the order of its members.
    Struct(Vec<(String, XmlValue)>),
    /// What stands between the tags `<value>`, as it is: for types that only a hostile client sends.
    Raw(String),
}

impl XmlValue {
    /// The member of a struct.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Struct(members) = self else { return None };
        members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }

    /// The number of an int.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The items of an array; none for anything else.
    pub fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { &[] }
    }

    fn write(&self, out: &mut String) {
        out.push_str("<value>");
        match self {
            Self::Int(number) => out.push_str(&format!("<int>{number}</int>")),
            Self::Bool(truth) => out.push_str(&format!("<boolean>{}</boolean>", u8::from(*truth))),
            Self::Str(text) => out.push_str(&format!("<string>{}</string>", escape(text))),
            Self::Array(items) => {
                out.push_str("<array><data>");
                items.iter().for_each(|item| item.write(out));
                out.push_str("</data></array>");
            }
            Self::Struct(members) => {
                out.push_str("<struct>");
                for (name, value) in members {
                    out.push_str(&format!("<member><name>{}</name>", escape(name)));
                    value.write(out);
                    out.push_str("</member>");
                }
                out.push_str("</struct>");
            }
            Self::Raw(xml) => out.push_str(xml),
        }
        out.push_str("</value>");
    }
}

/// As Python prints it, so that a list of answers can be read.
impl fmt::Display for XmlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(f, "{number}"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Str(text) => write!(f, "{text:?}"),
            Self::Raw(xml) => f.write_str(xml),
            Self::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Struct(members) => {
                f.write_str("{")?;
                for (at, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{name}: {value}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

impl From<i64> for XmlValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for XmlValue {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<&str> for XmlValue {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

/// A fault as a struct, which is also how a multicall carries it.
pub fn fault(code: i64, text: &str) -> XmlValue {
    XmlValue::Struct(vec![
        ("faultCode".to_owned(), XmlValue::Int(code)),
        ("faultString".to_owned(), text.into()),
    ])
}

/// The first line of an answer that is not 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpStatus(pub String);

impl fmt::Display for HttpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HttpStatus {}

/// The body of a request.
pub fn request(method: &str, params: &[XmlValue]) -> String {
    let mut out = format!("<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>");
    for param in params {
        out.push_str("<param>");
        param.write(&mut out);
        out.push_str("</param>");
    }
    out + "</params></methodCall>"
}

/// The body of an answer; `Err` is a fault.
pub fn response(answer: &Result<XmlValue, XmlValue>) -> String {
    let mut out = String::from("<?xml version='1.0'?><methodResponse>");
    match answer {
        Ok(value) => {
            out.push_str("<params><param>");
            value.write(&mut out);
            out.push_str("</param></params>");
        }
        Err(fault) => {
            out.push_str("<fault>");
            fault.write(&mut out);
            out.push_str("</fault>");
        }
    }
    out + "</methodResponse>"
}

/// The method and the parameters of a request's body.
pub fn parse_request(text: &str) -> anyhow::Result<(String, Vec<XmlValue>)> {
    let (_, rest) = text.split_once("<methodName>").context("cannot read the request: no method")?;
    let (method, rest) = rest.split_once("</methodName>").context("cannot read the request: no method")?;
    let mut reader = Reader { rest };
    let mut params = Vec::new();
    while reader.skip_to("<value") {
        params.push(reader.value()?);
    }
    Ok((method.trim().to_owned(), params))
}

/// The value of an answer's body; `Err` inside is a fault.
pub fn parse_response(text: &str) -> anyhow::Result<Result<XmlValue, XmlValue>> {
    let mut reader = Reader { rest: text };
    let is_fault = text.contains("<fault>") && !text.contains("<params>");
    if !reader.skip_to("<value") {
        bail!("cannot read the answer: no value in {text:?}");
    }
    let value = reader.value()?;
    Ok(if is_fault { Err(value) } else { Ok(value) })
}

/// Reads the plain XML that Python's marshaller and ours write: no attributes, comments or CDATA.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_to(&mut self, tag: &str) -> bool {
        let Some(at) = self.rest.find(tag) else { return false };
        self.rest = &self.rest[at..];
        true
    }

    /// The next tag without its brackets, and the text before it.
    fn tag(&mut self) -> anyhow::Result<(&'a str, &'a str)> {
        let (text, rest) = self.rest.split_once('<').context("cannot read XML: it ended too early")?;
        let (tag, rest) = rest.split_once('>').context("cannot read XML: a tag has no end")?;
        self.rest = rest;
        Ok((text, tag))
    }

    fn value(&mut self) -> anyhow::Result<XmlValue> {
        match self.tag()?.1 {
            "value" => {}
            "value/" => return Ok(XmlValue::Str(String::new())),
            tag => bail!("cannot read XML: <{tag}> where a value was due"),
        }
        let value = match self.tag()? {
            (text, "/value") => return Ok(XmlValue::Str(unescape(text))),
            (_, "string/" | "nil/") => XmlValue::Str(String::new()),
            (_, "string") => XmlValue::Str(unescape(self.tag()?.0)),
            (_, "int" | "i4") => XmlValue::Int(self.tag()?.0.trim().parse().context("cannot read an int")?),
            (_, "double") => XmlValue::Raw(format!("<double>{}</double>", self.tag()?.0)),
            (_, "boolean") => XmlValue::Bool(self.tag()?.0.trim() == "1"),
            (_, "array") => self.array()?,
            (_, "struct") => self.members()?,
            (_, tag) => bail!("cannot read XML: the type <{tag}> is not known here"),
        };
        self.skip_to("</value>");
        self.tag()?;
        Ok(value)
    }

    fn array(&mut self) -> anyhow::Result<XmlValue> {
        let mut items = Vec::new();
        loop {
            let rest = self.rest.trim_start();
            if rest.starts_with("<value") {
                items.push(self.value()?);
            } else if matches!(self.tag()?.1, "/array") {
                return Ok(XmlValue::Array(items));
            }
        }
    }

    fn members(&mut self) -> anyhow::Result<XmlValue> {
        let mut members = Vec::new();
        loop {
            match self.tag()?.1 {
                "name" => {
                    let name = unescape(self.tag()?.0);
                    members.push((name, self.value()?));
                }
                "/struct" => return Ok(XmlValue::Struct(members)),
                _ => {}
            }
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescape(text: &str) -> String {
    let named = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    named.replace("&amp;", "&")
}

/// Asks once over a stream of its own and gives the answer's value; a fault is an error.
///
/// `login` is `USER:PASSWORD`, not sent when empty.
pub fn call(
    stream: impl Read + Write,
    login: &str,
    method: &str,
    params: &[XmlValue],
) -> anyhow::Result<XmlValue> {
    match ask(stream, login, &request(method, params))? {
        Ok(value) => Ok(value),
        Err(fault) => bail!("{method}: {:?}", fault.get("faultString")),
    }
}

/// Asks once with this body over a stream of its own; `Err` inside is a fault.
pub fn ask(
    mut stream: impl Read + Write,
    login: &str,
    body: &str,
) -> anyhow::Result<Result<XmlValue, XmlValue>> {
    let length = body.len();
    let mut head =
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nConnection: close".to_owned();
    if !login.is_empty() {
        head.push_str(&format!("\r\nAuthorization: Basic {}", BASE64_STANDARD.encode(login)));
    }
    write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").context("cannot ask")?;
    let (head, body) = read_http(&mut BufReader::new(stream))?.context("cannot read the answer: closed")?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        return Err(HttpStatus(status.to_owned()).into());
    }
    parse_response(&String::from_utf8_lossy(&body))
}

/// One HTTP request or answer with its length in the head: the head's text and the body. `None` at the end.
pub fn read_http(reader: &mut impl BufRead) -> anyhow::Result<Option<(String, Vec<u8>)>> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head).context("cannot read a head")? == 0 {
            return Ok(None);
        }
        if head[before..].trim().is_empty() {
            break;
        }
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).context("cannot read a body")?;
    Ok(Some((head, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let deep = XmlValue::Struct(vec![
            ("methodName".to_owned(), "supervisor.a<b>&".into()),
            (
                "params".to_owned(),
                XmlValue::Array(vec![
                    XmlValue::Int(-5),
                    XmlValue::Bool(true),
                    XmlValue::Array(vec![]),
                    "".into(),
                ]),
            ),
        ]);
        let params = [XmlValue::Array(vec![deep.clone()])];
        let (method, read) = parse_request(&request("system.multicall", &params)).unwrap();
        assert_eq!((method.as_str(), read.as_slice()), ("system.multicall", params.as_slice()));
        assert_eq!(parse_response(&response(&Ok(deep.clone()))).unwrap(), Ok(deep));
        let fault = fault(70, "NOT_RUNNING");
        assert_eq!(parse_response(&response(&Err(fault.clone()))).unwrap(), Err(fault));
    }

    #[test]
    fn python_writes_newlines_between_the_tags() {
        let text = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n<value><struct>\n\
                    <member>\n<name>pid</name>\n<value><int>7</int></value>\n</member>\n</struct></value>\n</data>\
                    </array></value>\n</param>\n</params>\n</methodResponse>\n";
        let value = parse_response(text).unwrap().unwrap();
        assert_eq!(value.items()[0].get("pid").and_then(XmlValue::as_int), Some(7));
    }
}
