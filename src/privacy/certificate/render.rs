//! A certificate as text and as a page that can be printed.

use std::sync::LazyLock;

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment};

use super::statement::{figure, when};
use super::{Certificate, Of};

/// The certificate as text.
pub fn text(certificate: &Certificate) -> Result<String, minijinja::Error> {
    Ok(render("certificate.txt", certificate)?.trim_end().to_owned())
}

/// The certificate as a page that needs nothing else.
pub fn html(certificate: &Certificate) -> Result<String, minijinja::Error> {
    render("certificate.html", certificate)
}

fn render(name: &str, certificate: &Certificate) -> Result<String, minijinja::Error> {
    let title = match certificate.of {
        Of::Disposition => "Certificate of disposition",
        Of::Erasure => "Certificate of erasure",
    };
    let value = Value::from(Serde(certificate));
    ENVIRONMENT.get_template(name)?.render(minijinja::context! { title, c => value })
}

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters do not contradict each other"));
    environment.set_auto_escape_callback(|name| match name {
        name if name.ends_with(".html") => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment.add_filter("when", |at: String| at.parse::<Timestamp>().map_or(at, when));
    environment.add_filter("figure", figure);
    for (name, source) in [
        ("certificate.txt", include_str!("templates/certificate.txt")),
        ("certificate.html", include_str!("templates/certificate.html")),
    ] {
        environment.add_template(name, source).expect("a test renders both templates");
    }
    environment
});
