//! «Did you mean …?»

/// The word nearest to this one, if one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = 1 + word.chars().count() / 5;
    let nearest =
        among.into_iter().map(|other| (distance(word, other), other)).min_by_key(|(distance, _)| *distance)?;
    (nearest.0 <= allowed).then_some(nearest.1)
}

/// How many characters have to be put in, taken out, changed or swapped with their neighbour (Damerau, optimal string
/// alignment). Case does not matter.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near() {
        let keys = ["every", "env", "enabled", "timeout", "max_concurrent"];
        for (word, near) in [
            ("evry", Some("every")),
            ("Every", Some("every")),
            ("evrey", Some("every")),
            ("max_concurency", Some("max_concurrent")),
            ("timeuot", Some("timeout")),
            ("retries", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), near, "{word}");
        }
        assert_eq!(nearest("TWITTER", ["TWEET"]), None);
        assert_eq!(nearest("CHAINSTATE_MONITOR", ["CHAIN_STATE_MONITOR"]), Some("CHAIN_STATE_MONITOR"));
    }
}
