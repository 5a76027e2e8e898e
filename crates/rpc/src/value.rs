//! XML-RPC values: [`Value`], with the order of struct members preserved.

use std::borrow::Cow;

/// The members of a struct, in order. Names known at compile time are not allocated.
pub type Members = Vec<(Cow<'static, str>, Value)>;

/// An XML-RPC value; beside the types of the specification, Python's `nil`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `<int>` and `<i4>`, `<i8>`.
    Int(i64),
    /// `<boolean>`.
    Bool(bool),
    /// `<string>`, or text without a type element.
    Str(String),
    /// `<double>`.
    Double(f64),
    /// `<dateTime.iso8601>`, not interpreted.
    DateTime(String),
    /// `<base64>`, decoded.
    Base64(Vec<u8>),
    /// `<array>`.
    Array(Vec<Value>),
    /// `<struct>`, its members in order.
    Struct(Members),
    /// `<nil/>`.
    Nil,
}

impl Value {
    /// A struct with member names known at compile time.
    pub fn record<const N: usize>(members: [(&'static str, Self); N]) -> Self {
        Self::Struct(members.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect())
    }

    /// The member of a struct; the last one where a name occurs twice.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Struct(members) => members.iter().rfind(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an int.
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }
}

/// Implements [`From`] by how each type becomes a value.
macro_rules! value_from {
    ($($type:ty: $from:ident => $value:expr;)+) => {$(
        impl From<$type> for Value {
            fn from($from: $type) -> Self {
                $value
            }
        }
    )+};
}

value_from! {
    &str: text => Self::Str(text.to_owned());
    String: text => Self::Str(text);
    bool: yes => Self::Bool(yes);
    i64: number => Self::Int(number);
    i32: number => Self::Int(number.into());
    u32: number => Self::Int(number.into());
    f64: number => Self::Double(number);
    Vec<Value>: items => Self::Array(items);
}
