//! One conversion of Python's `%` operator, `-5.3d` in `%(name)-5.3d`: how it is read, and what it makes of a word.

use ironlance_core::text::python;
use thiserror::Error;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatValue {
    /// Most names.
    Text(String),
    /// `process_num` and `numprocs`.
    Number(i64),
}

/// Why a conversion fails, in CPython's words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConversionError {
    /// No closing bracket.
    #[error("incomplete format key")]
    IncompleteKey,
    /// The text ends too early.
    #[error("incomplete format")]
    Incomplete,
    /// There is nothing (more) that it could be about.
    #[error("not enough arguments for format string")]
    NotEnough,
    /// `*` for a width, and what it would take is none.
    #[error("* wants int")]
    StarWantsNumber,
    /// More than is of use.
    #[error("width too big")]
    Width,
    /// More than is of use.
    #[error("precision too big")]
    Precision,
    /// A letter without a meaning, and its position in characters.
    #[error("unsupported format character '{}' ({:#x}) at index {index}", printable(*letter), u32::from(*letter))]
    Letter {
        /// The letter.
        letter: char,
        /// Where it stands, in characters from 0.
        index: usize,
    },
    /// A conversion for numbers, and a text.
    #[error("%{letter} format: {wanted} is required, not {given}")]
    NotNumber {
        /// The conversion.
        letter: char,
        /// What it takes.
        wanted: &'static str,
        /// What it was given.
        given: &'static str,
    },
    /// The same for a conversion to floating point.
    #[error("must be real number, not {0}")]
    NotReal(&'static str),
    /// `%c` with more than a character.
    #[error("%c requires int or char")]
    NotCharacter,
    /// `%c` with a number that is no character.
    #[error("%c arg not in range(0x110000)")]
    CharacterRange,
}

fn printable(letter: char) -> char {
    if (' '..='~').contains(&letter) { letter } else { '?' }
}

/// No field may be wider, and no number longer; in characters. A path has at most 4096, a variable 131,072.
pub const MAX_WIDTH: usize = 1 << 17;

/// Digits of a number beyond these are zeros: a whole number of 64 bits has 19.
const DIGITS: usize = 32;

/// One conversion, without its percent sign and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    letter: char,
}

impl Conversion {
    /// Reads a conversion from the beginning of `text`; gives it and its length in bytes.
    /// `star` says what comes of a `*`: it can only fail, now or when the word is wanted.
    pub fn parse(
        text: &str,
        mut star: impl FnMut() -> Result<(), ConversionError>,
    ) -> Result<(Self, usize), ConversionError> {
        let mut rest = text;
        let mut conversion = Self::default();
        while let Some(flag) = rest.chars().next().filter(|c| "-+ #0".contains(*c)) {
            match flag {
                '-' => conversion.left = true,
                '+' => conversion.plus = true,
                ' ' => conversion.space = true,
                '#' => conversion.alternate = true,
                _ => conversion.zero = true,
            }
            rest = &rest[1..];
        }
        conversion.width = number(&mut rest, &mut star, ConversionError::Width)?.unwrap_or(0);
        if let Some(behind) = rest.strip_prefix('.') {
            rest = behind;
            conversion.precision =
                Some(number(&mut rest, &mut star, ConversionError::Precision)?.unwrap_or(0));
        }
        rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
        conversion.letter = rest.chars().next().ok_or(ConversionError::Incomplete)?;
        let length = text.len() - rest.len() + conversion.letter.len_utf8();
        Ok((conversion, length))
    }

    /// Whether it is the `s` of nearly every `%(name)s`, which takes a word as it is.
    pub fn is_plain(&self) -> bool {
        *self == Self { letter: 's', ..Self::default() }
    }

    /// What it makes of a word. `index` is where its letter stands.
    pub fn apply(
        &self,
        word: &FormatValue,
        index: impl FnOnce() -> usize,
    ) -> Result<String, ConversionError> {
        let (sign, prefix, digits) = match (self.letter, word) {
            ('s' | 'r' | 'a', _) => return Ok(self.field("", "", &self.text(word), Fill::Spaces)),
            ('c', _) => return Ok(self.field("", "", &character(word)?.to_string(), Fill::Spaces)),
            ('d' | 'i' | 'u' | 'o' | 'x' | 'X', FormatValue::Number(number)) => self.whole(*number),
            ('e' | 'E' | 'f' | 'F' | 'g' | 'G', FormatValue::Number(number)) => {
                (self.sign(*number), "", self.real(*number))
            }
            (_, FormatValue::Number(_)) => return Err(self.unsupported(index)),
            (_, FormatValue::Text(_)) => return Err(self.refused("str", index)),
        };
        Ok(self.field(sign, prefix, &digits, if self.zero { Fill::Zeros } else { Fill::Spaces }))
    }

    /// Whether it could be about the mapping itself, which only a text can be made of.
    pub fn check_mapping(&self, index: impl FnOnce() -> usize) -> Result<(), ConversionError> {
        match self.letter {
            's' | 'r' | 'a' => Ok(()),
            'c' => Err(ConversionError::NotCharacter),
            _ => Err(self.refused("dict", index)),
        }
    }

    fn refused(&self, given: &'static str, index: impl FnOnce() -> usize) -> ConversionError {
        let letter = self.letter;
        match letter {
            'd' | 'i' | 'u' => ConversionError::NotNumber { letter, wanted: "a real number", given },
            'o' | 'x' | 'X' => ConversionError::NotNumber { letter, wanted: "an integer", given },
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => ConversionError::NotReal(given),
            _ => self.unsupported(index),
        }
    }

    fn unsupported(&self, index: impl FnOnce() -> usize) -> ConversionError {
        ConversionError::Letter { letter: self.letter, index: index() }
    }

    fn text(&self, word: &FormatValue) -> String {
        let text = match (word, self.letter) {
            (FormatValue::Number(number), _) => number.to_string(),
            (FormatValue::Text(text), 's') => text.clone(),
            (FormatValue::Text(text), 'r') => python::repr(text),
            (FormatValue::Text(text), _) => ascii(text),
        };
        match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text,
        }
    }

    fn sign(&self, number: i64) -> &'static str {
        match (number < 0, self.plus, self.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    fn whole(&self, number: i64) -> (&'static str, &'static str, String) {
        let size = number.unsigned_abs();
        let (digits, prefix) = match self.letter {
            'o' => (format!("{size:o}"), "0o"),
            'x' => (format!("{size:x}"), "0x"),
            'X' => (format!("{size:X}"), "0X"),
            _ => (size.to_string(), ""),
        };
        let least = self.precision.unwrap_or(0);
        let digits = filled("0", least.saturating_sub(digits.len())) + &digits;
        (self.sign(number), if self.alternate { prefix } else { "" }, digits)
    }

    /// The digits of a number as floating point.
    fn real(&self, number: i64) -> String {
        let size = number.unsigned_abs() as f64;
        let precision = self.precision.unwrap_or(6);
        let text = match self.letter.to_ascii_lowercase() {
            'f' => self.point(fixed(size, precision)),
            'e' => self.scientific(size, precision),
            _ => self.general(size, precision.max(1)),
        };
        if self.letter.is_ascii_uppercase() { text.to_uppercase() } else { text }
    }

    /// `#` asks for a point also where nothing follows it.
    fn point(&self, mut digits: String) -> String {
        if self.alternate && !digits.contains('.') {
            digits.push('.');
        }
        digits
    }

    fn scientific(&self, size: f64, precision: usize) -> String {
        let few = precision.min(DIGITS);
        let text = format!("{size:.few$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = self.point(mantissa.to_owned()) + &filled("0", precision - few);
        format!("{mantissa}e+{exponent:0>2}")
    }

    fn general(&self, size: f64, precision: usize) -> String {
        let text = format!("{size:.*e}", (precision - 1).min(DIGITS));
        let exponent: usize = text.split_once('e').and_then(|(_, digits)| digits.parse().ok()).unwrap_or(0);
        let strip = |text: &str| match text.contains('.') {
            true if !self.alternate => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            _ => text.to_owned(),
        };
        if exponent < precision {
            return strip(&self.point(fixed(size, precision - 1 - exponent)));
        }
        let text = self.scientific(size, precision - 1);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        format!("{}e{exponent}", strip(mantissa))
    }

    fn field(&self, sign: &str, prefix: &str, digits: &str, fill: Fill) -> String {
        let length = sign.len() + prefix.len() + digits.chars().count();
        let gap = self.width.saturating_sub(length);
        let (before, zeros, after) = match (self.left, fill) {
            (true, _) => (0, 0, gap),
            (false, Fill::Zeros) => (0, gap, 0),
            (false, Fill::Spaces) => (gap, 0, 0),
        };
        [&filled(" ", before), sign, prefix, &filled("0", zeros), digits, &filled(" ", after)].concat()
    }
}

/// A number of copies of one sign. The widths of `format!` end at 65,535, and a panic waits behind that.
fn filled(sign: &str, count: usize) -> String {
    sign.repeat(count)
}

/// A whole number with zeros behind the point.
fn fixed(size: f64, precision: usize) -> String {
    let few = precision.min(DIGITS);
    format!("{size:.few$}") + &filled("0", precision - few)
}

#[derive(Clone, Copy)]
enum Fill {
    Spaces,
    Zeros,
}

fn number(
    rest: &mut &str,
    star: &mut impl FnMut() -> Result<(), ConversionError>,
    too_big: ConversionError,
) -> Result<Option<usize>, ConversionError> {
    if let Some(behind) = rest.strip_prefix('*') {
        *rest = behind;
        return star().map(|()| None);
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (text, behind) = rest.split_at(digits);
    *rest = behind;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().ok().filter(|size| *size <= MAX_WIDTH).map(Some).ok_or(too_big)
}

fn character(word: &FormatValue) -> Result<char, ConversionError> {
    match word {
        FormatValue::Number(number) => {
            u32::try_from(*number).ok().and_then(char::from_u32).ok_or(ConversionError::CharacterRange)
        }
        FormatValue::Text(text) => {
            let mut letters = text.chars();
            let first = letters.next().ok_or(ConversionError::NotCharacter)?;
            if letters.next().is_some() { Err(ConversionError::NotCharacter) } else { Ok(first) }
        }
    }
}

/// `ascii(text)`: its repr, with everything beyond ASCII escaped.
fn ascii(text: &str) -> String {
    let mut out = String::new();
    for c in python::repr(text).chars() {
        match u32::from(c) {
            0..=0x7f => out.push(c),
            code @ 0x80..=0xff => out.push_str(&format!("\\x{code:02x}")),
            code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}
