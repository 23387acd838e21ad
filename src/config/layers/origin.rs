//! Where a value comes from, and the text form in which the layering crate carries it.

use std::ops::Range;

use ::config::Value;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum Origin {
    /// A part of a file, in bytes.
    File {
        /// Its number among the layers.
        file: usize,
        /// The bytes.
        span: SpanBytes,
    },
    /// An environment variable's value.
    Variable(String),
    /// An environment variable's name, where that is what is meant.
    VariableName(String),
    /// Nobody wrote it.
    Default,
}

/// A range of bytes; unlike the standard library's, it can be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct SpanBytes {
    pub start: usize,
    pub end: usize,
}

impl From<Range<usize>> for SpanBytes {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

impl Origin {
    /// The origin as text: `file:0:12:34`, `variable:NAME`.
    pub fn encode(&self) -> String {
        match self {
            Self::File { file, span } => format!("file:{file}:{}:{}", span.start, span.end),
            Self::Variable(name) => format!("variable:{name}"),
            // Values come from values.
            Self::VariableName(_) | Self::Default => String::new(),
        }
    }

    /// The origin of a value that one of our layers made. Tables have none.
    pub fn of(value: &Value) -> Self {
        value.origin().and_then(Self::decode).unwrap_or(Self::Default)
    }

    fn decode(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("variable:") {
            return Some(Self::Variable(name.to_owned()));
        }
        let mut numbers = text.strip_prefix("file:")?.split(':').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self::File { file: next()?, span: SpanBytes { start: next()?, end: next()? } })
    }
}
