//! The bounded XML parser under calls and responses: no DOCTYPE, only predefined entities, limited depth and number of
//! values.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{MAX_DEPTH, ReadError, unexpected};
use crate::value::Value;

/// A token of the parser; text has its entities resolved.
#[derive(Clone, Debug)]
enum Token<'a> {
    Open(ElementName),
    Close(ElementName),
    Text(Cow<'a, str>),
    End,
}

/// The name of an element or of a member. Common ones are not allocated: a list of 1,000 processes has 150,000.
pub(super) type ElementName = Cow<'static, str>;

/// The elements of XML-RPC, the common ones first.
#[rustfmt::skip]
const ELEMENTS: &[&str] = &[
    "value", "member", "name", "string", "int", "struct", "boolean", "array", "data", "param", "params",
    "methodResponse", "methodCall", "methodName", "fault", "double", "nil", "i4", "i8", "base64", "dateTime.iso8601",
];

/// The members of the most frequent struct, a process.
#[rustfmt::skip]
pub(super) const MEMBERS: &[&str] = &[
    "name", "group", "description", "start", "stop", "now", "state", "statename", "spawnerr", "exitstatus", "logfile",
    "stdout_logfile", "stderr_logfile", "pid", "status", "faultCode", "faultString",
];

pub(super) fn intern(name: &str, known: &[&'static str]) -> ElementName {
    known.iter().find(|known| **known == name).map_or_else(|| name.to_owned().into(), |known| (*known).into())
}

/// The parser: a position in the text.
pub(super) struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    /// Tokens that were read ahead; the last one is next.
    ahead: Vec<Token<'a>>,
    /// How many more values are allowed.
    budget: usize,
}

impl<'a> Parser<'a> {
    /// Starts at the beginning of a text that may hold `budget` values.
    pub(super) fn new(text: &'a str, budget: usize) -> Self {
        Self { reader: Reader::from_str(text), ahead: Vec::new(), budget }
    }

    /// The next token. Comments and declarations are skipped; an empty element opens and closes.
    fn token(&mut self) -> Result<Token<'a>, ReadError> {
        if let Some(token) = self.ahead.pop() {
            return Ok(token);
        }
        loop {
            match self.reader.read_event().map_err(|error| ReadError::Xml(error.to_string()))? {
                Event::Start(tag) => return Ok(Token::Open(intern(tag.name().as_ref(), ELEMENTS))),
                Event::End(tag) => return Ok(Token::Close(intern(tag.name().as_ref(), ELEMENTS))),
                Event::Empty(tag) => {
                    let name = intern(tag.name().as_ref(), ELEMENTS);
                    self.ahead.push(Token::Close(name.clone()));
                    return Ok(Token::Open(name));
                }
                Event::Text(text) => return Ok(Token::Text(normalize_newlines(text.into_inner()))),
                Event::CData(text) => return Ok(Token::Text(normalize_newlines(text.into_inner()))),
                Event::GeneralRef(entity) => {
                    let resolved = match entity.resolve_char_ref() {
                        Ok(Some(c)) => Some(c.to_string()),
                        Ok(None) => quick_xml::escape::resolve_predefined_entity(&entity).map(str::to_owned),
                        Err(_) => None,
                    };
                    let unknown = || ReadError::Xml(format!("unknown entity &{};", &*entity));
                    return resolved.map(|text| Token::Text(text.into())).ok_or_else(unknown);
                }
                Event::DocType(_) => return Err(ReadError::Xml("a DOCTYPE is not taken".to_owned())),
                Event::Eof => return Ok(Token::End),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
        }
    }

    /// The next opening element; only white space may come before it.
    pub(super) fn next_open(&mut self) -> Result<ElementName, ReadError> {
        match self.token_after_space()? {
            Token::Open(name) => Ok(name),
            other => Err(other.instead_of("an element")),
        }
    }

    fn token_after_space(&mut self) -> Result<Token<'a>, ReadError> {
        loop {
            match self.token()? {
                Token::Text(text) if text.trim().is_empty() => {}
                token => return Ok(token),
            }
        }
    }

    pub(super) fn open(&mut self, name: &'static str) -> Result<(), ReadError> {
        let found = self.next_open()?;
        if found == name { Ok(()) } else { Err(unexpected(name, &found)) }
    }

    fn close(&mut self, name: &'static str) -> Result<(), ReadError> {
        if self.next_is_open()? { Err(unexpected(name, "another element")) } else { self.closed(name) }
    }

    /// Whether an element opens before the current one closes; white space is skipped.
    pub(super) fn next_is_open(&mut self) -> Result<bool, ReadError> {
        let token = self.token_after_space()?;
        let is_open = match token {
            Token::Open(_) => true,
            Token::Close(_) => false,
            Token::Text(_) | Token::End => return Err(token.instead_of("an element")),
        };
        self.ahead.push(token);
        Ok(is_open)
    }

    pub(super) fn closed(&mut self, name: &'static str) -> Result<(), ReadError> {
        match self.token()? {
            Token::Close(found) if found == name => Ok(()),
            other => Err(other.instead_of(name)),
        }
    }

    /// Reads a value after its `<value>`, and its `</value>`.
    pub(super) fn value(&mut self, depth: usize) -> Result<Value, ReadError> {
        if depth > MAX_DEPTH {
            return Err(ReadError::Depth);
        }
        self.budget = self.budget.checked_sub(1).ok_or(ReadError::Number)?;
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
            "string" => self.text(kind).map(|text| Value::Str(text.into_owned())),
            "dateTime.iso8601" => self.text(kind).map(|text| Value::DateTime(text.into_owned())),
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

    /// The text up to the end of the element.
    pub(super) fn text(&mut self, element: &str) -> Result<Cow<'a, str>, ReadError> {
        let mut text = Cow::Borrowed("");
        loop {
            match self.token()? {
                Token::Text(more) if text.is_empty() => text = more,
                Token::Text(more) => text.to_mut().push_str(&more),
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
        parse(&text).ok_or_else(|| ReadError::Scalar { kind, text: text.into_owned() })
    }

    /// Reads the values after `<params>`, and its `</params>`.
    pub(super) fn params(&mut self) -> Result<Vec<Value>, ReadError> {
        let mut params = Vec::new();
        while self.next_is_open()? {
            // The original accepts values without <param>, and some clients write none.
            match &*self.next_open()? {
                "value" => params.push(self.value(0)?),
                "param" => {
                    self.open("value")?;
                    params.push(self.value(0)?);
                    self.close("param")?;
                }
                found => return Err(unexpected("param", found)),
            }
        }
        self.closed("params")?;
        Ok(params)
    }

    /// Requires the end of the text.
    pub(super) fn end(&mut self) -> Result<(), ReadError> {
        match self.token_after_space()? {
            Token::End => Ok(()),
            other => Err(other.instead_of("the end")),
        }
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
            let name = intern(&self.text("name")?, MEMBERS);
            self.open("value")?;
            members.push((name, self.value(depth + 1)?));
            self.close("member")?;
        }
        self.closed("struct")?;
        Ok(Value::Struct(members))
    }
}

/// Line ends as XML 1.0, 2.11 demands: each becomes one `\n`.
pub(super) fn normalize_newlines(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text }
}

impl Token<'_> {
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
