//! SQL in pieces: text that we wrote, and values that are bound. Numbered when it is finished.

use serde::{Deserialize, Serialize};

/// A value that is bound, never written into a statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text; PostgreSQL's values of every type are bound as text, and cast there.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Scalar {
    /// The value as text; `None`: NULL.
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Integer(number) => Some(number.to_string()),
            Self::Real(number) => Some(number.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Bytes(bytes) => Some(format!("{} bytes", bytes.len())),
        }
    }

    /// The value with little left of it: its first character, and how long it is.
    pub fn masked(&self) -> String {
        let Some(text) = self.shown() else { return "NULL".to_owned() };
        let chars = text.chars().count();
        let first: String = text.chars().take(usize::from(chars > 3)).filter(|c| !c.is_control()).collect();
        format!("{first}{}", "*".repeat(chars.min(12).saturating_sub(first.chars().count())))
    }
}

/// A piece of SQL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fragment(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Value {
        scalar: Scalar,
        /// The type it is cast to.
        cast: String,
        /// What people see in its place; `None`: the value itself.
        shown_as: Option<&'static str>,
    },
}

/// A statement as the driver takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// With placeholders.
    pub sql: String,
    /// Their values, in order.
    pub values: Vec<Scalar>,
}

impl Fragment {
    /// Text that we wrote ourselves: keywords, quoted names, checked expressions.
    pub fn text(text: impl Into<String>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// A value as this type.
    pub fn value(scalar: Scalar, cast: &str) -> Self {
        Self(vec![Part::Value { scalar, cast: cast.to_owned(), shown_as: None }])
    }

    /// A value that nobody is shown: people see the word instead.
    pub fn secret(scalar: Scalar, cast: &str, shown_as: &'static str) -> Self {
        Self(vec![Part::Value { scalar, cast: cast.to_owned(), shown_as: Some(shown_as) }])
    }

    /// More text.
    pub fn push(&mut self, text: impl Into<String>) -> &mut Self {
        self.0.push(Part::Text(text.into()));
        self
    }

    /// Another piece.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.0.extend(other.0);
        self
    }

    /// Pieces with a word between them.
    pub fn join(pieces: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let mut joined = Self::default();
        for (at, piece) in pieces.into_iter().enumerate() {
            if at > 0 {
                joined.push(between);
            }
            joined.append(piece);
        }
        joined
    }

    /// In parentheses.
    pub fn enclosed(self) -> Self {
        let mut enclosed = Self::text("(");
        enclosed.append(self).push(")");
        enclosed
    }

    /// The whole, with `$1::type` (PostgreSQL) or `?1` (SQLite) for the values.
    pub fn finish(self, placeholder: fn(usize, &str) -> String) -> Statement {
        let (mut sql, mut values) = (String::new(), Vec::new());
        for part in self.0 {
            match part {
                Part::Text(text) => sql.push_str(&text),
                Part::Value { scalar, cast, .. } => {
                    values.push(scalar);
                    sql.push_str(&placeholder(values.len(), &cast));
                }
            }
        }
        Statement { sql, values }
    }

    /// The whole for people, with the values in their places; secret ones are named.
    pub fn shown(&self, literal: fn(&Scalar, &str) -> String) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Value { shown_as: Some(word), .. } => (*word).to_owned(),
            Part::Value { scalar, cast, .. } => literal(scalar, cast),
        });
        parts.collect()
    }
}
