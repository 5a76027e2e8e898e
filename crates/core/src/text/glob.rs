//! Patterns of names with `*`, `?` and `[...]`, as Python's fnmatch has them: [`Pattern`], for included files and for process
//! names.

/// A pattern that was taken apart.
#[derive(Debug)]
pub struct Pattern(Vec<Part>);

impl Pattern {
    /// Takes a pattern apart; every text is one. Upper and lower case differ.
    pub fn parse(pattern: &str) -> Self {
        Self(parse(pattern))
    }

    /// Whether the pattern fits the whole of `name`. It takes time in proportion to the product of the lengths at worst.
    pub fn matches(&self, name: &str) -> bool {
        fits(&self.0, &name.chars().collect::<Vec<char>>())
    }
}

/// A piece of a pattern.
#[derive(Debug)]
enum Part {
    Any,
    One,
    Letter(char),
    Among { ranges: Vec<(char, char)>, is_negated: bool },
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Letter(letter) => *letter == c,
            Self::Among { ranges, is_negated } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *is_negated
            }
        }
    }
}

fn parse(pattern: &str) -> Vec<Part> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        at += 1;
        match c {
            '*' => parts.push(Part::Any),
            '?' => parts.push(Part::One),
            '[' => match class(&chars[at..]) {
                Some((part, length)) => {
                    parts.push(part);
                    at += length;
                }
                None => parts.push(Part::Letter('[')),
            },
            letter => parts.push(Part::Letter(*letter)),
        }
    }
    parts
}

/// What follows a `[`, and its length with the `]`; `None` where there is no `]`.
fn class(chars: &[char]) -> Option<(Part, usize)> {
    let negated = usize::from(chars.first() == Some(&'!'));
    // A bracket that comes first stands for itself.
    let first = negated + usize::from(chars.get(negated) == Some(&']'));
    let end = first + chars.get(first..)?.iter().position(|c| *c == ']')?;
    let mut ranges = Vec::new();
    let mut set = &chars[negated..end];
    while let Some(c) = set.first() {
        let range = match set {
            [first, '-', last, ..] => (*first, *last),
            _ => (*c, *c),
        };
        set = &set[if set.len() > 2 && set[1] == '-' { 3 } else { 1 }..];
        ranges.push(range);
    }
    Some((Part::Among { ranges, is_negated: negated == 1 }, end + 1))
}

/// Whether the whole name fits. Only the last `*` is ever tried again, which is enough.
fn fits(parts: &[Part], name: &[char]) -> bool {
    let (mut part, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                star = Some((part, at));
                part += 1;
            }
            Some(one) if one.takes(name[at]) => {
                part += 1;
                at += 1;
            }
            _ => {
                let Some((behind, from)) = star else { return false };
                star = Some((behind, from + 1));
                part = behind + 1;
                at = from + 1;
            }
        }
    }
    parts[part..].iter().all(|part| matches!(part, Part::Any))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_match_as_in_fnmatch() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[ab]*", "bx", true),
            ("[!ab]*", "bx", false),
            ("[a-c]", "b", true),
            ("[c-a]", "b", false),
            ("[!c-a]", "b", true),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[a-c-e]", "-", true),
            ("[a-c-e]", "d", false),
            ("[", "[", true),
            ("[a", "[a", true),
            ("[^a]", "^", true),
            ("[!]", "[!]", true),
            ("", "", true),
            ("", "a", false),
            ("*a*b*c", "xaybzc", true),
            ("*a*b*c", "xaybz", false),
            ("**", "", true),
            ("é?", "éß", true),
        ] {
            assert_eq!(Pattern::parse(pattern).matches(name), expected, "{pattern} {name:?}");
        }
    }

    proptest! {
        #[test]
        fn every_text_fits_a_star_and_itself(text in "[^*?\\[]{0,20}", pattern in "\\PC{0,20}") {
            prop_assert!(Pattern::parse("*").matches(&text));
            prop_assert!(Pattern::parse(&text).matches(&text));
            Pattern::parse(&pattern).matches(&text);
        }
    }
}
