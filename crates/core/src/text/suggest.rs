//! "Did you mean": the known word that another one is nearly.

/// The most letters that may be wrong.
const MAX_DISTANCE: usize = 2;
/// Words longer than this, in bytes, are not compared.
const MAX_LENGTH: usize = 64;

/// The first of the known words that are nearest to `word`: at most two letters changed, added, taken away or swapped,
/// and at most a third of the known word.
pub fn suggest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > MAX_LENGTH {
        return None;
    }
    let near = known.into_iter().map(|known| (distance(word, known), known));
    // A short word is near to everything.
    near.filter(|(distance, known)| *distance <= MAX_DISTANCE && distance * 3 <= known.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters must be changed, added, taken away or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > MAX_DISTANCE {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(x != y)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_a_short_word_is_near_to_nothing() {
        let known = ["web", "worker", "shop"];
        for (word, meant) in [
            ("wbe", Some("web")),
            ("wroker", Some("worker")),
            ("workers", Some("worker")),
            ("shop", Some("shop")),
            ("x", None),
            ("database", None),
            ("", None),
        ] {
            assert_eq!(suggest(word, known), meant, "{word}");
        }
        assert_eq!(suggest(&"w".repeat(1000), known), None);
    }
}
