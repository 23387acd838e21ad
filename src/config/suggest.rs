//! "Did you mean …?"

/// The candidate a mistyped word most likely stands for; `None`: none is near enough to be worth saying.
///
/// Near means at most one edit per three letters (an edit: a letter added, lost, changed, or two swapped; case does not
/// count), or one being the beginning of the other.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_lowercase();
    let letters = wanted.chars().count();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let known = candidate.to_lowercase();
            let edits = strsim::damerau_levenshtein(&wanted, &known);
            let longest = letters.max(known.chars().count());
            let is_beginning = letters >= 3 && (known.starts_with(&wanted) || wanted.starts_with(&known));
            (edits <= (longest / 3).max(1) && edits < longest || is_beginning).then_some((edits, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn the_nearest_word_is_suggested_and_nothing_far() {
        let known = ["schedule", "stores", "stall_timeout", "timeout", "app", "retention"];
        for (word, expected) in [
            ("shedule", Some("schedule")),
            ("Schedule", Some("schedule")),
            ("store", Some("stores")),
            ("ap", Some("app")),
            ("time_out", Some("timeout")),
            ("retain", None),
            ("x", None),
            ("colour", None),
        ] {
            assert_eq!(suggest(word, known), expected, "{word}");
        }
    }
}
