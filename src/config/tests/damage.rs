//! Whatever happens to a file, reading it ends in words.

use super::*;

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    /// Whatever is done to a file, there is an answer, and its places are in the file.
    #[test]
    fn a_damaged_file_never_breaks_the_reading(
        cuts in proptest::collection::vec((0.0..1.0f64, 0usize..30, "[\\[\\]{}\"'=.,#\n\r a1ü:@/]{0,3}"), 1..6)
    ) {
        let mut text: Vec<char> = include_str!("../../../config/examples/postgres-local-and-s3.toml").chars().collect();
        for (place, length, inserted) in cuts {
            let start = (place * text.len() as f64) as usize;
            let end = (start + length).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        let result = load_one(&text);
        let found = result.map_or_else(|found| found, |loaded| loaded.warnings);
        for diagnostic in found {
            diagnostic.render(true);
            if let Some(Place::Text { line, column, excerpt, .. }) = &diagnostic.place {
                let columns = text.split('\n').nth(line - 1).unwrap().chars().count();
                assert!(*column <= columns + 1, "{diagnostic}");
                assert!(excerpt.text.get(excerpt.span.clone()).is_some(), "{diagnostic}");
            }
        }
    }
}
