//! Where the sections of the configuration put what they find.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::super::layers::{Layers, Origin};
use super::super::view::{Shown, View};
use super::super::{Diagnostic, Excerpt, Place, Severity, redact};
use super::Problem;
use crate::schedule::{Schedule, ScheduleError};

/// The layers being read, and what was found so far.
pub(super) struct Reader<'a> {
    pub layers: &'a Layers,
    diagnostics: RefCell<Vec<Diagnostic>>,
    shown: RefCell<Vec<Shown>>,
    /// Where in `shown` each setting is.
    places: RefCell<HashMap<Vec<String>, usize>>,
    /// By how they are written: a schedule takes some kilobytes, and thousands of jobs may have the same.
    schedules: RefCell<HashMap<String, Schedule>>,
}

impl<'a> Reader<'a> {
    pub fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            diagnostics: RefCell::default(),
            shown: RefCell::default(),
            places: RefCell::default(),
            schedules: RefCell::default(),
        }
    }

    /// Records that something is wrong.
    pub fn error(&self, origin: &Origin, problem: Problem) {
        self.record(Severity::Error, origin, problem);
    }

    /// Records that something is doubtful.
    pub fn warning(&self, origin: &Origin, problem: Problem) {
        self.record(Severity::Warning, origin, problem);
    }

    fn record(&self, severity: Severity, origin: &Origin, problem: Problem) {
        let place = self.place(origin, problem.part);
        let diagnostic = Diagnostic { severity, message: problem.message, place, help: problem.help };
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    fn place(&self, origin: &Origin, part: Option<std::ops::Range<usize>>) -> Option<Place> {
        match origin {
            Origin::File { file, span } => {
                let source = self.layers.files.get(*file)?;
                let mut span = *span;
                if let Some(part) = part {
                    span = part_of_literal(&source.text, span.start..span.end, part).into();
                }
                Some(source.place(span))
            }
            Origin::Variable(name) | Origin::VariableName(name) => {
                let value = self.layers.env.get(name).map_or("", String::as_str);
                let text = format!("{name}={value}");
                let start = name.len() + 1;
                let span = match part {
                    _ if matches!(origin, Origin::VariableName(_)) => 0..name.len(),
                    Some(part) => start + byte(value, part.start)..start + byte(value, part.end),
                    None => start..text.len(),
                };
                let (text, span) = redact::with_span(&text, span);
                Some(Place::Variable { name: name.clone(), excerpt: Excerpt { text, span } })
            }
            Origin::Default => None,
        }
    }

    /// Adds a setting to what `config show` shows. A later one of the same path replaces it.
    pub fn show(&self, path: Vec<String>, value: serde_json::Value, origin: &Origin) {
        let origin =
            match origin {
                Origin::File { file, span } => self.layers.files.get(*file).map_or_else(String::new, |source| {
                    format!("{}:{}", source.path.display(), source.line(span.start))
                }),
                Origin::Variable(name) | Origin::VariableName(name) => name.clone(),
                Origin::Default => "default".to_owned(),
            };
        let (mut shown, mut places) = (self.shown.borrow_mut(), self.places.borrow_mut());
        let setting = Shown { path: path.clone(), value, origin };
        match places.entry(path) {
            Entry::Occupied(place) => shown[*place.get()] = setting,
            Entry::Vacant(place) => {
                place.insert(shown.len());
                shown.push(setting);
            }
        }
    }

    /// Reads a schedule; those written alike are shared.
    pub fn schedule(&self, text: &str) -> Result<Schedule, ScheduleError> {
        let mut known = self.schedules.borrow_mut();
        if let Some(schedule) = known.get(text) {
            return Ok(schedule.clone());
        }
        let schedule = Schedule::parse(text)?;
        known.insert(text.to_owned(), schedule.clone());
        Ok(schedule)
    }

    /// The diagnostics, and the view.
    pub fn finish(self) -> (Vec<Diagnostic>, View) {
        (self.diagnostics.into_inner(), View { settings: self.shown.into_inner() })
    }
}

/// The bytes of a part of a string literal's contents. The whole literal if it is not written plainly: with escapes, or
/// over several lines, characters of the value are not those of the source.
fn part_of_literal(
    text: &str,
    literal: std::ops::Range<usize>,
    part: std::ops::Range<usize>,
) -> std::ops::Range<usize> {
    let whole = &text[literal.clone()];
    let inner = whole.strip_prefix(['"', '\'']).and_then(|rest| rest.strip_suffix(['"', '\'']));
    match inner {
        Some(inner) if !inner.contains(['\\', '\n']) && !inner.starts_with(['"', '\'']) => {
            let start = literal.start + 1;
            start + byte(inner, part.start)..start + byte(inner, part.end)
        }
        _ => literal,
    }
}

/// Where the character with this number begins.
fn byte(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::part_of_literal;

    #[test]
    fn a_part_of_a_string_is_found_in_its_source() {
        for (source, part, expected) in [
            (r#""0 25 * * *""#, 2..4, "25"),
            ("'ü 25'", 2..4, "25"),
            // Not written plainly: all of it.
            (r#""\u0030 25""#, 2..4, r#""\u0030 25""#),
            (r#"""""0 25""""#, 2..4, r#"""""0 25""""#),
        ] {
            assert_eq!(&source[part_of_literal(source, 0..source.len(), part)], expected);
        }
    }
}
