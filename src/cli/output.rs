//! Printing: aligned text for people, JSON for programs. The only place that writes to standard output.
#![allow(clippy::print_stdout, reason = "this is where output happens")]

use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::args::Format;
use super::exit::CliError;
use crate::units;

/// Where results go, and how.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    color: bool,
    color_errors: bool,
}

impl Output {
    pub(super) fn new(format: Format, no_color: bool) -> Self {
        let wanted = !no_color && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            format,
            color: wanted && std::io::stdout().is_terminal(),
            color_errors: wanted && std::io::stderr().is_terminal(),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    pub(super) fn color_errors(&self) -> bool {
        self.color_errors
    }

    /// A line for people; nothing as JSON.
    pub(super) fn line(&self, text: impl AsRef<str>) {
        if !self.is_json() {
            emit(text.as_ref());
        }
    }

    /// A remark for people, on standard error.
    pub(super) fn note(&self, text: impl AsRef<str>) {
        complain(text.as_ref());
    }

    /// Text as it is, whatever the format.
    pub(super) fn raw(&self, text: impl AsRef<str>) {
        emit(text.as_ref());
    }

    /// The result for programs; nothing for people.
    pub(super) fn json(&self, value: &impl Serialize) {
        if self.is_json() {
            emit(&serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")));
        }
    }

    /// Values as JSON, a line each; nothing for people.
    pub(super) fn json_lines(&self, values: &[impl Serialize]) {
        if self.is_json() {
            for value in values {
                self.raw(serde_json::to_string(value).unwrap_or_default());
            }
        }
    }

    /// A table for people; nothing as JSON.
    pub(super) fn table(&self, header: &[&str], rows: Vec<Vec<String>>) {
        if self.is_json() {
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.iter().map(|cell| cell.to_uppercase()));
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            emit(line.trim_end());
        }
    }

    pub(super) fn good(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Green)
    }

    pub(super) fn warn(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Yellow)
    }

    pub(super) fn bad(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Red)
    }

    pub(super) fn strong(&self, text: &str) -> String {
        if self.color { paint(text, Style::new().bold()) } else { text.to_owned() }
    }

    fn styled(&self, text: &str, color: AnsiColor) -> String {
        if self.color { paint(text, color.on_default()) } else { text.to_owned() }
    }

    /// A remark on standard error, for people.
    pub(super) fn remark(&self, text: impl AsRef<str>) {
        complain(text.as_ref());
    }

    /// The error that ends the program, on standard error.
    pub(super) fn error(&self, error: &CliError) {
        if self.is_json() {
            let value = serde_json::json!({
                "error": {"message": error.message, "hint": error.hint, "exit_code": error.exit.code()}
            });
            complain(&value.to_string());
            return;
        }
        if error.rendered {
            complain(error.message.trim_end());
        } else {
            let label =
                if self.color_errors { paint("error:", AnsiColor::Red.on_default().bold()) } else { "error:".into() };
            complain(&format!("{label} {}", error.message));
        }
        if let Some(hint) = &error.hint {
            complain(&format!("  hint: {hint}"));
        }
    }
}

fn paint(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// A closed pipe (`caretaker … | head`) is no error of ours.
fn emit(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// `1.40 GiB`
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn bytes(bytes: u64) -> String {
    units::bytes(bytes as f64)
}

/// `3h 12m`, `45s`, `0.3s`: two units at most.
pub(super) fn duration(duration: SignedDuration) -> String {
    units::seconds(duration.as_secs_f64())
}

/// How long ago: `3h 12m`.
pub(super) fn age(at: Timestamp, now: Timestamp) -> String {
    duration(now.duration_since(at))
}

/// `2026-11-20 02:00:00Z`
pub(super) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
