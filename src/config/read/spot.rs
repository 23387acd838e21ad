//! One value of the configuration, and how it is taken as a type.

use std::cell::RefCell;

use ::config::{Value, ValueKind};

use super::super::layers::Origin;
use super::super::redact;
use super::{Problem, Reader};

/// A value at its place.
pub(super) struct Spot<'a> {
    pub reader: &'a Reader<'a>,
    pub value: Value,
    pub origin: Origin,
    /// What a variable's text was converted to.
    converted: RefCell<Option<serde_json::Value>>,
}

impl<'a> Spot<'a> {
    pub fn new(reader: &'a Reader<'a>, value: Value) -> Self {
        let origin = Origin::of(&value);
        Self { reader, value, origin, converted: RefCell::default() }
    }

    /// Records that the value is wrong.
    pub fn error(&self, problem: Problem) {
        self.reader.error(&self.origin, problem);
    }

    /// Records that the value is doubtful.
    pub fn warning(&self, problem: Problem) {
        self.reader.warning(&self.origin, problem);
    }

    /// The value as text.
    pub fn text(&self) -> Result<&str, Problem> {
        match &self.value.kind {
            ValueKind::String(text) => Ok(text),
            ValueKind::Boolean(_) | ValueKind::I64(_) | ValueKind::Float(_) => {
                Err(self.mismatch("a string").help("put it in quotes"))
            }
            _ => Err(self.mismatch("a string")),
        }
    }

    /// The value as a whole number. Only from the environment, where everything is text, is text converted.
    pub fn integer(&self) -> Result<i64, Problem> {
        match &self.value.kind {
            ValueKind::I64(number) => Ok(*number),
            ValueKind::String(text) => match text.trim().parse::<i64>() {
                Ok(number) if self.is_variable() => {
                    self.converted.replace(Some(number.into()));
                    Ok(number)
                }
                Ok(_) => Err(self.mismatch("a whole number").help("write it without quotes")),
                Err(_) => Err(self.mismatch("a whole number")),
            },
            _ => Err(self.mismatch("a whole number")),
        }
    }

    /// The value as a number, with or without a fraction.
    pub fn float(&self) -> Result<f64, Problem> {
        match &self.value.kind {
            ValueKind::Float(number) => Ok(*number),
            ValueKind::String(text) if self.is_variable() => match text.trim().parse::<f64>() {
                Ok(number) => {
                    self.converted.replace(Some(number.into()));
                    Ok(number)
                }
                Err(_) => Err(self.mismatch("a number")),
            },
            #[allow(clippy::cast_precision_loss, reason = "thresholds are small")]
            ValueKind::I64(number) => Ok(*number as f64),
            _ => Err(self.mismatch("a number")),
        }
    }

    /// The value as `true` or `false`.
    pub fn boolean(&self) -> Result<bool, Problem> {
        match &self.value.kind {
            ValueKind::Boolean(yes) => Ok(*yes),
            ValueKind::String(text) => match text.trim() {
                word @ ("true" | "false") if self.is_variable() => {
                    self.converted.replace(Some((word == "true").into()));
                    Ok(word == "true")
                }
                _ => Err(self.mismatch("`true` or `false`").help("write `true` or `false` without quotes")),
            },
            _ => Err(self.mismatch("`true` or `false`")),
        }
    }

    /// The elements of a list. In a variable they are separated by commas.
    pub fn list(&self) -> Result<Vec<Spot<'a>>, Problem> {
        match &self.value.kind {
            ValueKind::Array(items) => Ok(items.iter().map(|item| Spot::new(self.reader, item.clone())).collect()),
            ValueKind::String(text) if self.is_variable() => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let origin = self.origin.encode();
                Ok(items
                    .map(|item| Value::new(Some(&origin), ValueKind::String(item.to_owned())))
                    .map(|item| Spot::new(self.reader, item))
                    .collect())
            }
            ValueKind::String(_) => Err(self.mismatch("a list").help("put it in square brackets: `[\"…\"]`")),
            _ => Err(self.mismatch("a list")),
        }
    }

    /// Whether the value was reported already and only its place was kept.
    pub fn is_reported(&self) -> bool {
        matches!(self.value.kind, ValueKind::Nil)
    }

    fn is_variable(&self) -> bool {
        matches!(self.origin, Origin::Variable(_))
    }

    fn mismatch(&self, expected: &str) -> Problem {
        Problem::new(format!("expected {expected}, found {}", kind_name(&self.value.kind)))
    }

    /// The value as it is shown to people: once it was taken, with the type it was taken as.
    pub fn to_json(&self) -> serde_json::Value {
        if let Some(converted) = &*self.converted.borrow() {
            return converted.clone();
        }
        match &self.value.kind {
            ValueKind::Boolean(yes) => (*yes).into(),
            ValueKind::I64(number) => (*number).into(),
            ValueKind::Float(number) => (*number).into(),
            ValueKind::String(text) => redact::text(text).into(),
            ValueKind::Array(items) => {
                items.iter().map(|item| Spot::new(self.reader, item.clone()).to_json()).collect::<Vec<_>>().into()
            }
            _ => serde_json::Value::Null,
        }
    }
}

/// What a kind of value is called.
pub(super) fn kind_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "a boolean",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a number",
        ValueKind::Float(_) => "a number with a fraction",
        ValueKind::String(_) => "a string",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
    }
}
