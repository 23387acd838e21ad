//! One file: its settings with their places, and what is wrong with it as TOML.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use ::config::{Map, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::{Diagnostic, Excerpt, Place, Severity, redact};
use super::Origin;
use super::origin::SpanBytes;

/// A file of the configuration.
pub(in crate::config) struct SourceFile {
    /// Where it is, as it is shown.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Where its lines begin.
    lines: Vec<usize>,
    /// Where each setting's name stands.
    pub(super) keys: BTreeMap<Vec<String>, SpanBytes>,
    /// Where each table's header stands.
    pub(super) tables: BTreeMap<Vec<String>, SpanBytes>,
}

impl SourceFile {
    /// Reads a file's text. What cannot be read as TOML is reported, the rest used.
    pub(super) fn parse(number: usize, path: PathBuf, text: String) -> (Self, Map<String, Value>, Vec<Diagnostic>) {
        let mut file = Self::plain(path, text);
        let text = file.text.clone();
        let (root, errors) = DeTable::parse_recoverable(&text);
        let mut problems: Vec<Diagnostic> = errors
            .iter()
            .map(|error| {
                let span = error.span().unwrap_or(0..0);
                file.diagnostic(format!("this is not TOML: {}", error.message()), None, span.into())
            })
            .collect();
        let mut walk = Walk { file: &mut file, number, path: Vec::new(), problems: &mut problems };
        let table = walk.table(root.get_ref());
        (file, table, problems)
    }

    /// A file that nothing was read from yet.
    pub fn plain(path: PathBuf, text: String) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { path, text, lines, keys: BTreeMap::new(), tables: BTreeMap::new() }
    }

    /// The number of the line with this byte, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// A diagnostic about a part of this file.
    pub fn diagnostic(&self, message: String, help: Option<String>, span: SpanBytes) -> Diagnostic {
        Diagnostic { severity: Severity::Error, message, place: Some(self.place(span)), help }
    }

    /// The place of a part of this file.
    pub fn place(&self, span: SpanBytes) -> Place {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end.max(start));
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[end..].find('\n').map_or(self.text.len(), |at| end + at);
        let lines = self.text[line_start..line_end].trim_end_matches('\r');
        // An error may lie in the line break itself; what is shown then ends before it.
        let within = (start - line_start).min(lines.len())..(end - line_start).min(lines.len());
        let (text, span) = redact::with_span(lines, within);
        Place::Text {
            path: self.path.clone(),
            line: self.line(start),
            column: self.text[line_start..start].chars().count() + 1,
            excerpt: Excerpt { text, span },
        }
    }
}

/// The nearest character boundary at or before a position.
fn floor(text: &str, position: usize) -> usize {
    (0..=position.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// An element of a list as a part of a path. No table can have this name.
pub(in crate::config) fn element(at: usize) -> String {
    format!("[{at}]")
}

/// The way through a file's tables.
struct Walk<'a> {
    file: &'a mut SourceFile,
    number: usize,
    path: Vec<String>,
    problems: &'a mut Vec<Diagnostic>,
}

impl Walk<'_> {
    fn table(&mut self, table: &DeTable<'_>) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            self.path.push(name.clone());
            self.file.keys.insert(self.path.clone(), key.span().into());
            // The layering crate would take a name such as `"a.b"` at the top for a path.
            if self.path.len() == 1 && !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                let message = format!("unknown key {name:?}");
                self.problems.push(self.file.diagnostic(message, None, key.span().into()));
            } else {
                let value = self.value(value, key.span());
                map.insert(name, value);
            }
            self.path.pop();
        }
        map
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, key: Range<usize>) -> Value {
        let kind = match value.get_ref() {
            DeValue::String(text) => ValueKind::String(text.to_string()),
            DeValue::Boolean(yes) => ValueKind::Boolean(*yes),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => ValueKind::I64(number),
                Err(_) => self.reported("this number is too large", value),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => ValueKind::Float(number),
                Err(_) => self.reported("this is not a number", value),
            },
            DeValue::Datetime(_) => self.reported("no setting takes a date or time without quotes", value),
            DeValue::Array(items) => {
                let item = |(at, item): (usize, &Spanned<DeValue<'_>>)| {
                    self.path.push(element(at));
                    let value = self.value(item, key.clone());
                    self.path.pop();
                    value
                };
                ValueKind::Array(items.iter().enumerate().map(item).collect())
            }
            DeValue::Table(table) => {
                // A header's span is the header; an inline table's is itself. A table that only its children name
                // (`[databases.app]` names `databases`) has the span of the name.
                let span = if value.span().is_empty() { key } else { value.span() };
                self.file.tables.insert(self.path.clone(), span.into());
                ValueKind::Table(self.table(table))
            }
        };
        let origin = Origin::File { file: self.number, span: value.span().into() };
        Value::new(Some(&origin.encode()), kind)
    }

    /// Reports a value that no setting can have. `Nil` stands for "there is one, and it was reported".
    fn reported(&mut self, message: &str, value: &Spanned<DeValue<'_>>) -> ValueKind {
        self.problems.push(self.file.diagnostic(message.to_owned(), None, value.span().into()));
        ValueKind::Nil
    }
}
