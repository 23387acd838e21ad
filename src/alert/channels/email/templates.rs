//! The words of mails: built in, and overridden file by file from a folder of the operator's.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment};

use super::super::super::MessageKind;
use super::super::presented::line;
use super::super::view::View;

/// A mail's parts, rendered.
pub struct Parts {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// The built-in templates, by kind of mail and part.
const BUILT_IN: [(&str, &str); 12] = [
    ("alert/subject.txt", include_str!("../../templates/mail/alert/subject.txt")),
    ("alert/body.txt", include_str!("../../templates/mail/alert/body.txt")),
    ("alert/body.html", include_str!("../../templates/mail/alert/body.html")),
    ("digest/subject.txt", include_str!("../../templates/mail/digest/subject.txt")),
    ("digest/body.txt", include_str!("../../templates/mail/digest/body.txt")),
    ("digest/body.html", include_str!("../../templates/mail/digest/body.html")),
    ("test/subject.txt", include_str!("../../templates/mail/test/subject.txt")),
    ("test/body.txt", include_str!("../../templates/mail/test/body.txt")),
    ("test/body.html", include_str!("../../templates/mail/test/body.html")),
    ("unit_failed/subject.txt", include_str!("../../templates/mail/unit_failed/subject.txt")),
    ("unit_failed/body.txt", include_str!("../../templates/mail/unit_failed/body.txt")),
    ("unit_failed/body.html", include_str!("../../templates/mail/unit_failed/body.html")),
];
/// What the built-in HTML has in common.
const SHARED: [(&str, &str); 2] = [
    ("frame.html", include_str!("../../templates/mail/frame.html")),
    ("parts.html", include_str!("../../templates/mail/parts.html")),
];

/// Characters of a line of plain text.
const WIDTH: usize = 72;

/// The templates of a channel.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    folder: Option<PathBuf>,
}

impl Templates {
    /// With those of a folder before the built-in ones.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Renders a mail. A template of the operator's that cannot be read or fails is passed over with a warning: a
    /// message in plain words is better than none.
    pub fn render(&self, view: &View) -> Result<Parts, minijinja::Error> {
        let mail = match view.kind {
            MessageKind::Digest => "digest",
            MessageKind::Test => "test",
            _ if view.incidents.is_empty() => "unit_failed",
            _ => "alert",
        };
        Ok(Parts {
            subject: line(&self.part(mail, "subject.txt", view)?),
            text: self.part(mail, "body.txt", view)?,
            html: self.part(mail, "body.html", view)?,
        })
    }

    /// What is wrong with the operator's templates, as far as a message shows it.
    pub fn rehearse(&self, view: &View) -> Vec<String> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let tried = BUILT_IN.iter().map(|(name, _)| (folder.join(name), own_part(&folder.join(name), name, view)));
        tried.filter_map(|(path, tried)| Some(format!("the template {}: {}", path.display(), tried.err()?))).collect()
    }

    fn part(&self, mail: &str, part: &str, view: &View) -> Result<String, minijinja::Error> {
        let name = format!("{mail}/{part}");
        if let Some(own) = self.folder.as_ref().map(|folder| folder.join(&name)) {
            match own_part(&own, &name, view) {
                Ok(Some(rendered)) => return Ok(rendered),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(template = %own.display(), error, "a mail template fails; the built-in one is used");
                }
            }
        }
        ENVIRONMENT.get_template(&name)?.render(Value::from(Serde(view)))
    }
}

/// A part from a template of the operator's; `None`: there is none.
fn own_part(path: &Path, name: &str, view: &View) -> Result<Option<String>, String> {
    let source = match std::fs::read_to_string(path) {
        Ok(source) => source,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    ENVIRONMENT.render_named_str(name, &source, Serde(view)).map(Some).map_err(|error| format!("{error:#}"))
}

/// Made once: it holds the built-in templates and how templates are written.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters do not contradict each other"));
    environment.set_auto_escape_callback(|name| match name {
        name if name.ends_with(".html") => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment.add_filter("wrap", wrap);
    for (name, source) in BUILT_IN.iter().chain(&SHARED) {
        environment.add_template(name, source).expect("a test renders every built-in template");
    }
    environment
});

/// Text broken into lines of 72 characters, as plain mails have it, each behind so many blanks. Words stay whole.
fn wrap(text: &str, indent: Option<usize>) -> String {
    let blanks = " ".repeat(indent.unwrap_or(0));
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let length = blanks.len() + line.chars().count() + 1 + word.chars().count();
            if !line.is_empty() && length > WIDTH {
                lines.push(format!("{blanks}{line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(if line.is_empty() { line } else { format!("{blanks}{line}") });
    }
    lines.join("\n")
}
