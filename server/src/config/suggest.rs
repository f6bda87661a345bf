//! "Did you mean": the nearest known word.

/// The word nearest to `given`, if one is near enough to be meant.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bound = given.len().div_ceil(3).max(1);
    known
        .map(|word| (distance(&given.to_lowercase(), &word.to_lowercase()), word))
        .filter(|&(distance, _)| distance <= bound)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, word)| word)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(from != to);
            let mut best = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && a[i - 1] == to && from == b[j - 1];
            if swapped {
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
    fn near_words_are_offered_and_far_ones_are_not() {
        let known = ["listen", "limits", "log", "behind_proxy"];
        let check = |given: &str, offered: Option<&str>| {
            assert_eq!(nearest(given, known.into_iter()), offered, "{given}");
        };
        check("lisetn", Some("listen"));
        check("Listen", Some("listen"));
        check("limit", Some("limits"));
        check("behind-proxy", Some("behind_proxy"));
        check("colour", None);
    }
}
