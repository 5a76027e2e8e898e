//! Parameters of a call, converted as Python's supervisord would convert them: [`Params`].

use ironlance_config::value;
use ironlance_core::text::python::repr;
use ironlance_rpc::{Fault, FaultKind, Value};

use crate::request::{ReplyTiming, RequestedSignal};

/// The parameters of one call. Their number has been checked against the table.
pub struct Params(std::vec::IntoIter<Value>);

impl Params {
    /// The parameters in their order.
    pub fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    /// The next value, unconverted.
    pub fn value(&mut self) -> Result<Value, Fault> {
        self.0.next().ok_or_else(incorrect)
    }

    /// The next value; the bytes of base64 as the text that they are.
    fn decoded(&mut self) -> Result<Value, Fault> {
        match self.value()? {
            Value::Base64(bytes) => String::from_utf8(bytes).map(Value::Str).map_err(|_| incorrect()),
            value => Ok(value),
        }
    }

    /// A string. Other types are refused (the original answers with HTTP status 500).
    pub fn text(&mut self) -> Result<String, Fault> {
        match self.decoded()? {
            Value::Str(text) => Ok(text),
            other => {
                Err(FaultKind::IncorrectParameters.about(format_args!("no string: {}", python_repr(&other))))
            }
        }
    }

    /// The name of a group. A number is converted to text, as in the original's faults.
    pub fn group(&mut self) -> Result<String, Fault> {
        match self.decoded()? {
            Value::Str(text) => Ok(text),
            scalar @ (Value::Int(_) | Value::Bool(_) | Value::Double(_)) => Ok(python_repr(&scalar)),
            _ => Err(incorrect()),
        }
    }

    /// An integer as Python's `int()` converts it, within 64 bits.
    pub fn integer(&mut self) -> Result<i64, Fault> {
        integer(&self.value()?).ok_or_else(incorrect)
    }

    /// An integer, or this one where the parameter is missing.
    pub fn integer_or(&mut self, missing: i64) -> Result<i64, Fault> {
        self.0.next().map_or(Ok(missing), |value| integer(&value).ok_or_else(incorrect))
    }

    /// An array of strings.
    pub fn texts(&mut self) -> Result<Vec<String>, Fault> {
        let Value::Array(items) = self.value()? else { return Err(incorrect()) };
        items.into_iter().map(|item| Self::new(vec![item]).text()).collect()
    }

    /// Whether to wait: any true value, and a missing one.
    pub fn wait(&mut self) -> ReplyTiming {
        match self.0.next() {
            Some(value) if !is_true(&value) => ReplyTiming::AtOnce,
            _ => ReplyTiming::WhenDone,
        }
    }

    /// A signal's name or number.
    pub fn signal(&mut self) -> Result<RequestedSignal, Fault> {
        match self.decoded()? {
            Value::Str(text) => Ok(RequestedSignal::new(text)),
            other => {
                let number = integer(&other).ok_or_else(incorrect)?;
                Ok(RequestedSignal { given: python_repr(&other), ..RequestedSignal::new(number.to_string()) })
            }
        }
    }

    /// Text for a process, in UTF-8, or the bytes of base64.
    pub fn chars(&mut self) -> Result<Vec<u8>, Fault> {
        match self.value()? {
            Value::Str(text) => Ok(text.into_bytes()),
            Value::Base64(bytes) => Ok(bytes),
            Value::Nil => Err(incorrect()),
            other => Err(FaultKind::IncorrectParameters.about(python_repr(&other))),
        }
    }

    /// Any value, as text by Python's `str()`.
    pub fn anything(&mut self) -> Result<String, Fault> {
        Ok(match self.decoded()? {
            Value::Str(text) | Value::DateTime(text) => text,
            other => python_repr(&other),
        })
    }
}

fn incorrect() -> Fault {
    FaultKind::IncorrectParameters.bare()
}

#[expect(clippy::cast_possible_truncation, reason = "int() of a double cuts it off, and a cast saturates")]
fn integer(given: &Value) -> Option<i64> {
    match given {
        Value::Int(number) => Some(*number),
        Value::Bool(yes) => Some(i64::from(*yes)),
        Value::Double(number) => number.is_finite().then_some(*number as i64),
        Value::Str(text) => value::integer(text).ok(),
        Value::Base64(bytes) => value::integer(std::str::from_utf8(bytes).ok()?).ok(),
        Value::DateTime(_) | Value::Array(_) | Value::Struct(_) | Value::Nil => None,
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Nil => false,
        Value::Bool(yes) => *yes,
        Value::Int(number) => *number != 0,
        Value::Double(number) => *number != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::Base64(bytes) => !bytes.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Struct(members) => !members.is_empty(),
        Value::DateTime(_) => true,
    }
}

/// A value as Python's `repr` shows it, which faults quote.
fn python_repr(value: &Value) -> String {
    match value {
        Value::Nil => "None".to_owned(),
        Value::Bool(yes) => if *yes { "True" } else { "False" }.to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => double(*number),
        Value::Str(text) | Value::DateTime(text) => repr(text),
        Value::Base64(bytes) => repr(&String::from_utf8_lossy(bytes)),
        Value::Array(items) => format!("[{}]", items.iter().map(python_repr).collect::<Vec<_>>().join(", ")),
        Value::Struct(members) => {
            let members =
                members.iter().map(|(name, value)| format!("{}: {}", repr(name), python_repr(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Python's `repr` of a float: the exponent has a sign and two digits, and begins at 1e16 and below 1e-4.
fn double(number: f64) -> String {
    let size = number.abs();
    if number.is_nan() {
        return "nan".to_owned();
    }
    if !number.is_finite() || number == 0.0 || (1e-4..1e16).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(value: Value) -> Params {
        Params::new(vec![value])
    }

    #[test]
    fn an_integer_is_what_int_of_python_takes() {
        let of = |text: &str| params(text.into()).integer();
        assert_eq!(of("5"), Ok(5));
        assert_eq!(of(" -1_0 "), Ok(-10));
        assert_eq!(of("+7"), Ok(7));
        assert_eq!(of("99999999999999999999"), Ok(i64::MAX));
        for no in ["", "x", "1__0", "_1", "1_", "- 1", "+-1", "1.5"] {
            assert_eq!(of(no), Err(incorrect()), "{no:?}");
        }
        assert_eq!(params(Value::Double(-5.9)).integer(), Ok(-5));
        assert_eq!(params(Value::Bool(true)).integer(), Ok(1));
        assert_eq!(params(Value::Double(f64::INFINITY)).integer(), Err(incorrect()));
        assert_eq!(params(Value::Nil).integer(), Err(incorrect()));
    }

    #[test]
    fn what_is_true_in_python_waits() {
        assert_eq!(Params::new(vec![]).wait(), ReplyTiming::WhenDone);
        for yes in [Value::Bool(true), Value::Int(2), "0".into(), Value::Array(vec![Value::Nil])] {
            assert_eq!(params(yes).wait(), ReplyTiming::WhenDone);
        }
        for no in [Value::Bool(false), Value::Int(0), "".into(), Value::Nil, Value::Struct(vec![])] {
            assert_eq!(params(no).wait(), ReplyTiming::AtOnce);
        }
    }

    #[test]
    fn a_signal_is_a_name_or_a_number() {
        for one in
            ["HUP".into(), "SIGHUP".into(), " sighup ".into(), "1".into(), Value::Int(1), Value::Bool(true)]
        {
            assert_eq!(params(one).signal().unwrap().number, Some(1));
        }
        let odd = params(Value::Int(999)).signal().unwrap();
        assert_eq!(odd, RequestedSignal { given: "999".into(), number: None });
        assert_eq!(params(Value::Array(vec![])).signal(), Err(incorrect()));
    }

    #[test]
    fn what_cannot_be_written_to_a_process_is_quoted_as_python_shows_it() {
        let quoted = |value| params(value).chars().unwrap_err().string;
        assert_eq!(quoted(Value::Int(5)), "INCORRECT_PARAMETERS: 5");
        assert_eq!(quoted(Value::Bool(true)), "INCORRECT_PARAMETERS: True");
        assert_eq!(quoted(Value::Array(vec![Value::Int(1), "a".into()])), "INCORRECT_PARAMETERS: [1, 'a']");
        assert_eq!(quoted(Value::record([("a", "b".into())])), "INCORRECT_PARAMETERS: {'a': 'b'}");
        assert_eq!(quoted(Value::Nil), "INCORRECT_PARAMETERS");
    }

    #[test]
    fn doubles_are_shown_as_python_shows_them() {
        let cases = [(1.0, "1.0"), (1e30, "1e+30"), (1.5e-7, "1.5e-07"), (1e16, "1e+16"), (0.0001, "0.0001")];
        for (number, text) in cases {
            assert_eq!(double(number), text);
        }
    }

    #[test]
    fn a_group_may_be_named_by_a_number_and_a_process_may_not() {
        assert_eq!(params(Value::Int(5)).group(), Ok("5".to_owned()));
        assert_eq!(params(Value::Nil).group(), Err(incorrect()));
        assert_eq!(params(Value::Int(5)).text().unwrap_err().code, FaultKind::IncorrectParameters.code());
    }
}
