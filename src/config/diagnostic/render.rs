//! A diagnostic for a person: the compiler's style, which most have seen.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Place, Severity};

pub(super) fn render(diagnostic: &Diagnostic, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut elements: Vec<Element<'_>> = Vec::new();
    match &diagnostic.place {
        Some(Place::Text { path, line, column, excerpt }) => {
            let mut snippet = Snippet::source(excerpt.text.as_str())
                .line_start(*line)
                .annotation(AnnotationKind::Primary.span(excerpt.span.clone()));
            // The renderer counts columns in the excerpt. Where a secret cut out of it moved them, ours is said apart.
            if excerpt.text[..excerpt.span.start].chars().count() + 1 == *column {
                snippet = snippet.path(path.to_string_lossy());
            } else {
                elements.push(Origin::path(path.to_string_lossy()).line(*line).char_column(*column).into());
            }
            elements.push(snippet.into());
        }
        Some(Place::File { path }) => elements.push(Origin::path(path.to_string_lossy()).into()),
        Some(Place::Variable { excerpt, .. }) => {
            let snippet = Snippet::source(excerpt.text.as_str()).line_numbering(false);
            elements.push(snippet.annotation(AnnotationKind::Primary.span(excerpt.span.clone())).into());
            elements.push(Level::NOTE.message("this is an environment variable").into());
        }
        None => {}
    }
    if let Some(help) = &diagnostic.help {
        elements.push(Level::HELP.message(help.as_str()).into());
    }
    let title = level.primary_title(diagnostic.message.as_str());
    let group = if elements.is_empty() { Group::with_title(title) } else { title.elements(elements) };
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).render(&[group])
}
