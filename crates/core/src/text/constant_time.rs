//! Comparison of secrets in constant time: [`eq`], for passwords and tokens.

use std::hint::black_box;

/// Whether two texts of the same length are equal, in a time that does not depend on where they differ; the length is no
/// secret.
pub fn eq(one: &[u8], other: &[u8]) -> bool {
    let differ = |difference, (a, b): (&u8, &u8)| black_box(difference | (a ^ b));
    one.len() == other.len() && black_box(one.iter().zip(other).fold(0, differ)) == 0
}

#[cfg(test)]
mod tests {
    use super::eq;

    #[test]
    fn only_what_is_the_same_is_equal() {
        assert!(eq(b"", b"") && eq(b"secret", b"secret"));
        assert!(!eq(b"secret", b"secreT") && !eq(b"secret", b"secre") && !eq(b"Secret", b"secret"));
    }
}
