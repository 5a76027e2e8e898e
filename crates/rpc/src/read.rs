//! Answers from bytes. What comes is hostile until parsed: bounded in depth, no DOCTYPE, no own entities.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Reader;
use quick_xml::events::Event;
use thiserror::Error;

use crate::fault::Fault;
use crate::value::Value;

/// Arrays and structs within each other, at most; supervisord needs four.
const MAX_DEPTH: usize = 64;

/// Why bytes are no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It is not XML.
    #[error("cannot read the answer: not XML: {0}")]
    Xml(String),
    /// It is XML, and no answer.
    #[error("cannot read the answer: expected {expected}, found {found}")]
    Unexpected {
        /// What should have come.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// A number, boolean or base64 that is none.
    #[error("cannot read the answer: {text:?} is no {kind}")]
    Scalar {
        /// The type by its element's name.
        kind: &'static str,
        /// What stood there.
        text: String,
    },
    /// Too many levels.
    #[error("cannot read the answer: more than {MAX_DEPTH} arrays and structs within each other")]
    Depth,
}

/// The value of a `methodResponse`, or its fault.
pub fn response(text: &str) -> Result<Result<Value, Fault>, ReadError> {
    let mut parser = Parser { reader: Reader::from_str(text), ahead: Vec::new() };
    parser.open("methodResponse")?;
    let answer = match parser.next_open()?.as_str() {
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

/// The fault that a struct describes: an answer's own, or an item of `system.multicall`.
pub fn fault(value: &Value) -> Result<Fault, ReadError> {
    let code = value.member("faultCode").and_then(Value::as_int);
    let string = value.member("faultString").and_then(Value::as_str);
    match (code, string) {
        (Some(code), Some(string)) => Ok(Fault { code, string: string.to_owned() }),
        _ => Err(unexpected("faultCode and faultString", "something else")),
    }
}

/// What a parser looks at; text with its entities resolved.
#[derive(Clone, Debug)]
enum Token {
    Open(String),
    Close(String),
    Text(String),
    End,
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    /// Tokens that come before the rest of the input; the last one is next.
    ahead: Vec<Token>,
}

impl Parser<'_> {
    /// The next token; comments and declarations are passed over, an empty element opens and closes.
    fn token(&mut self) -> Result<Token, ReadError> {
        if let Some(token) = self.ahead.pop() {
            return Ok(token);
        }
        loop {
            match self.reader.read_event().map_err(|error| ReadError::Xml(error.to_string()))? {
                Event::Start(tag) => return Ok(Token::Open(tag.name().as_ref().to_owned())),
                Event::End(tag) => return Ok(Token::Close(tag.name().as_ref().to_owned())),
                Event::Empty(tag) => {
                    let name = tag.name().as_ref().to_owned();
                    self.ahead.push(Token::Close(name.clone()));
                    return Ok(Token::Open(name));
                }
                Event::Text(text) => return Ok(Token::Text(text.to_string())),
                Event::CData(text) => return Ok(Token::Text(text.to_string())),
                Event::GeneralRef(entity) => {
                    let resolved = match entity.resolve_char_ref() {
                        Ok(Some(c)) => Some(c.to_string()),
                        Ok(None) => quick_xml::escape::resolve_predefined_entity(&entity).map(str::to_owned),
                        Err(_) => None,
                    };
                    let unknown = || ReadError::Xml(format!("unknown entity &{};", &*entity));
                    return resolved.map(Token::Text).ok_or_else(unknown);
                }
                Event::DocType(_) => return Err(ReadError::Xml("a DOCTYPE is not taken".to_owned())),
                Event::Eof => return Ok(Token::End),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
        }
    }

    /// The next element that opens; only white space may come before it.
    fn next_open(&mut self) -> Result<String, ReadError> {
        loop {
            match self.token()? {
                Token::Open(name) => return Ok(name),
                Token::Text(text) if text.trim().is_empty() => {}
                other => return Err(other.instead_of("an element")),
            }
        }
    }

    fn open(&mut self, name: &'static str) -> Result<(), ReadError> {
        let found = self.next_open()?;
        if found == name { Ok(()) } else { Err(unexpected(name, &found)) }
    }

    fn close(&mut self, name: &'static str) -> Result<(), ReadError> {
        if self.next_is_open()? { Err(unexpected(name, "another element")) } else { self.closed(name) }
    }

    /// Whether an element opens before the current one closes; white space is passed over.
    fn next_is_open(&mut self) -> Result<bool, ReadError> {
        loop {
            let token = self.token()?;
            match &token {
                Token::Text(text) if text.trim().is_empty() => {}
                Token::Open(_) | Token::Close(_) => {
                    let open = matches!(token, Token::Open(_));
                    self.ahead.push(token);
                    return Ok(open);
                }
                Token::Text(_) | Token::End => return Err(token.instead_of("an element")),
            }
        }
    }

    fn closed(&mut self, name: &'static str) -> Result<(), ReadError> {
        match self.token()? {
            Token::Close(found) if found == name => Ok(()),
            other => Err(other.instead_of(name)),
        }
    }

    /// A value, after its `<value>`; takes its `</value>` as well.
    fn value(&mut self, depth: usize) -> Result<Value, ReadError> {
        if depth > MAX_DEPTH {
            return Err(ReadError::Depth);
        }
        let mut bare = String::new();
        loop {
            match self.token()? {
                Token::Text(text) => bare.push_str(&text),
                Token::Close(name) if name == "value" => return Ok(Value::Str(bare)),
                Token::Open(kind) => {
                    let value = self.typed(&kind, depth)?;
                    self.close("value")?;
                    return Ok(value);
                }
                other => return Err(other.instead_of("a value")),
            }
        }
    }

    fn typed(&mut self, kind: &str, depth: usize) -> Result<Value, ReadError> {
        match kind {
            "int" | "i4" | "i8" => self.scalar(kind, "int", |text| text.trim().parse().ok().map(Value::Int)),
            "boolean" => self.scalar(kind, "boolean", |text| match text.trim() {
                "0" => Some(Value::Bool(false)),
                "1" => Some(Value::Bool(true)),
                _ => None,
            }),
            "double" => self.scalar(kind, "double", |text| text.trim().parse().ok().map(Value::Double)),
            "string" => self.text(kind).map(Value::Str),
            "dateTime.iso8601" => self.text(kind).map(Value::DateTime),
            "base64" => self.scalar(kind, "base64", |text| {
                let packed: String = text.split_whitespace().collect();
                STANDARD.decode(packed).ok().map(Value::Base64)
            }),
            "nil" => self.text(kind).map(|_| Value::Nil),
            "array" => self.array(depth),
            "struct" => self.members(depth),
            other => Err(unexpected("a type", other)),
        }
    }

    /// The text up to the close of the element.
    fn text(&mut self, element: &str) -> Result<String, ReadError> {
        let mut text = String::new();
        loop {
            match self.token()? {
                Token::Text(more) => text.push_str(&more),
                Token::Close(name) if name == element => return Ok(text),
                other => return Err(other.instead_of("text")),
            }
        }
    }

    fn scalar(
        &mut self,
        element: &str,
        kind: &'static str,
        parse: impl Fn(&str) -> Option<Value>,
    ) -> Result<Value, ReadError> {
        let text = self.text(element)?;
        parse(&text).ok_or(ReadError::Scalar { kind, text })
    }

    fn array(&mut self, depth: usize) -> Result<Value, ReadError> {
        let mut items = Vec::new();
        self.open("data")?;
        while self.next_is_open()? {
            self.open("value")?;
            items.push(self.value(depth + 1)?);
        }
        self.closed("data")?;
        self.close("array")?;
        Ok(Value::Array(items))
    }

    fn members(&mut self, depth: usize) -> Result<Value, ReadError> {
        let mut members = Vec::new();
        while self.next_is_open()? {
            self.open("member")?;
            self.open("name")?;
            let name = self.text("name")?;
            self.open("value")?;
            members.push((name, self.value(depth + 1)?));
            self.close("member")?;
        }
        self.closed("struct")?;
        Ok(Value::Struct(members))
    }
}

impl Token {
    fn instead_of(self, expected: &'static str) -> ReadError {
        let found = match self {
            Self::Open(name) => format!("<{name}>"),
            Self::Close(name) => format!("</{name}>"),
            Self::Text(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
            Self::End => "the end".to_owned(),
        };
        ReadError::Unexpected { expected, found }
    }
}

fn unexpected(expected: &'static str, found: &str) -> ReadError {
    ReadError::Unexpected { expected, found: format!("<{found}>") }
}

#[cfg(test)]
mod tests {
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
}
