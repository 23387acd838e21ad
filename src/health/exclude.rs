//! Objects that a check leaves out.

/// Patterns of names; `*` stands for anything.
#[derive(Debug, Clone, Default)]
pub struct Exclusions(Vec<String>);

impl Exclusions {
    /// From the operator's list.
    pub fn new(patterns: &[String]) -> Self {
        Self(patterns.to_vec())
    }

    /// Whether an object is left out.
    pub fn leaves_out(&self, object: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, object))
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| &rest[at..]).chain([""]).any(|rest| matches(after, rest))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("public.note", "public.note", true),
            ("public.note", "public.notes", false),
            ("public.*", "public.note", true),
            ("*_log", "audit.web_log", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
