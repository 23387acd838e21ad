//! Which lines of the log a store's anchors hold between them. Pure.

/// Spans of lines, first and last. Those of two writers, or of one that was cut off and wrote again, may overlap.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<(u64, u64)>);

impl Spans {
    pub(super) fn add(&mut self, first: u64, last: u64) {
        self.0.push((first, last));
    }

    /// The lines from the first one on that are in none of them, up to the last that is.
    pub(super) fn gaps(mut self) -> Vec<(u64, u64)> {
        self.0.sort_unstable();
        let (mut gaps, mut next) = (Vec::new(), 1);
        for (first, last) in self.0 {
            if first > next {
                gaps.push((next, first - 1));
            }
            next = next.max(last.saturating_add(1));
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::Spans;

    #[test]
    fn what_no_anchor_holds_is_a_gap_and_what_two_hold_is_not() {
        for (spans, gaps) in [
            (vec![], vec![]),
            (vec![(1, 4), (5, 7)], vec![]),
            (vec![(1, 4), (3, 9), (5, 7)], vec![]),
            (vec![(5, 7)], vec![(1, 4)]),
            (vec![(8, 9), (1, 2), (5, 5)], vec![(3, 4), (6, 7)]),
        ] {
            assert_eq!(Spans(spans.clone()).gaps(), gaps, "{spans:?}");
        }
    }
}
