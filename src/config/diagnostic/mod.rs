//! What is wrong with a configuration, and exactly where.

mod render;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use serde_json::json;

/// One thing that is wrong, or doubtful, in the configuration. Its texts never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it prevents the configuration from being used.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where; `None`: about the configuration as a whole.
    pub place: Option<Place>,
    /// What to do about it.
    pub help: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but somebody should look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    Text {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// The line or lines, and what of them is meant.
        excerpt: Excerpt,
    },
    /// A whole file.
    File {
        /// The file.
        path: PathBuf,
    },
    /// In an environment variable.
    Variable {
        /// Its name.
        name: String,
        /// `NAME=value`, and what of it is meant.
        excerpt: Excerpt,
    },
}

/// Whole lines of a source, secrets replaced by `[redacted]`, and the part of them that is underlined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The lines.
    pub text: String,
    /// The part that is meant, in bytes of `text`.
    pub span: Range<usize>,
}

impl Diagnostic {
    /// The diagnostic for a terminal or a log: message, place, the offending text underlined, help. Ends without a line
    /// break.
    pub fn render(&self, color: bool) -> String {
        render::render(self, color)
    }

    /// The diagnostic for programs.
    pub fn to_json(&self) -> serde_json::Value {
        let mut object = json!({ "severity": self.severity.as_str(), "message": self.message });
        match &self.place {
            Some(Place::Text { path, line, column, excerpt }) => {
                object["file"] = json!(path.to_string_lossy());
                object["line"] = json!(line);
                object["column"] = json!(column);
                object["snippet"] = json!(excerpt.text);
            }
            Some(Place::File { path }) => object["file"] = json!(path.to_string_lossy()),
            Some(Place::Variable { name, .. }) => object["variable"] = json!(name),
            None => {}
        }
        if let Some(help) = &self.help {
            object["help"] = json!(help);
        }
        object
    }
}

/// `caretaker.toml:12:3: unknown key …`, on one line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(Place::Text { path, line, column, .. }) => write!(f, "{}:{line}:{column}: ", path.display())?,
            Some(Place::File { path }) => write!(f, "{}: ", path.display())?,
            Some(Place::Variable { name, .. }) => write!(f, "{name}: ")?,
            None => {}
        }
        f.write_str(&self.message)
    }
}

/// A configuration that cannot be loaded is an error like any other to the layers above, which print its parts.
impl std::error::Error for Diagnostic {}
