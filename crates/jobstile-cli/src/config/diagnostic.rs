//! What is wrong with a configuration, where, and what would be right.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use jobstile::text::clean;

use crate::error::{Error, Problems};
use crate::exit::Code;
use crate::text;

/// Errors shown at once; a file with more of them is not the file that was meant.
pub(crate) const MOST_SHOWN: usize = 20;

/// A text that was read, and its name for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// As it was given: `jobstile.toml`, `.env`.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) text: String,
    /// Where its lines begin.
    lines: Vec<usize>,
}

impl Source {
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(Self { name: name.into(), text, lines })
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// The column of a byte in its line, from 1, in characters.
    fn column(&self, at: usize) -> usize {
        let start = self.lines[self.line(at) - 1];
        1 + self.text[start..at].chars().count()
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, and is probably not what was meant.
    Warning,
}

/// One thing that is wrong, or looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    /// One sentence that names the thing.
    pub(crate) title: String,
    /// Where; a variable of the process has no place.
    pub(crate) place: Option<Place>,
    /// Facts.
    pub(crate) notes: Vec<String>,
    /// What to do.
    pub(crate) helps: Vec<String>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) source: Arc<Source>,
    /// Bytes.
    pub(crate) span: Range<usize>,
    /// What would be right, beside the mark.
    pub(crate) label: String,
}

impl Diagnostic {
    pub(crate) fn error(title: impl Into<String>) -> Self {
        Self { severity: Severity::Error, title: title.into(), place: None, notes: vec![], helps: vec![] }
    }

    pub(crate) fn warning(title: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(title) }
    }

    pub(crate) fn at(mut self, source: &Arc<Source>, span: Range<usize>, label: impl Into<String>) -> Self {
        self.place = Some(Place { source: Arc::clone(source), span, label: label.into() });
        self
    }

    pub(crate) fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.helps.push(text.into());
        self
    }

    /// As JSON: line and column from 1, in characters.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut json = serde_json::json!({
            "severity": severity, "message": self.title, "notes": self.notes, "help": self.helps,
        });
        if let Some(place) = &self.place {
            let at = on_characters(&place.source.text, &place.span).start;
            json["file"] = place.source.name.as_str().into();
            json["line"] = place.source.line(at).into();
            json["column"] = place.source.column(at).into();
            json["right"] = place.label.as_str().into();
        }
        json
    }

    /// In one line, with its place.
    pub(crate) fn sentence(&self) -> String {
        match &self.place {
            Some(Place { source, span, .. }) => {
                let at = on_characters(&source.text, span).start;
                format!("{}:{}:{}: {}", source.name, source.line(at), source.column(at), self.title)
            }
            None => self.title.clone(),
        }
    }

    /// As text: the sentence, the place with a mark under it, what else there is to say.
    pub(crate) fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let title = clean(&self.title);
        let mut group = Group::with_title(level.primary_title(title));
        let Some(place) = &self.place else {
            // Nothing is drawn, so that lines follow as they do under other errors.
            let lines = self.notes.iter().chain(&self.helps).map(|line| format!("\n  {}", clean(line)));
            return renderer.render(&[group]) + &lines.collect::<String>();
        };
        let text = place.source.text.as_str();
        let annotation = AnnotationKind::Primary.span(on_characters(text, &place.span));
        let annotation = if place.label.is_empty() { annotation } else { annotation.label(clean(&place.label)) };
        group = group.element(Snippet::source(text).path(clean(&place.source.name)).annotation(annotation));
        group = group.elements(self.notes.iter().map(|text| Level::NOTE.message(clean(text))));
        group = group.elements(self.helps.iter().map(|text| Level::HELP.message(clean(text))));
        renderer.term_width(120).render(&[group])
    }
}

/// The span within the text, on character borders, at least one character where there is one.
fn on_characters(text: &str, span: &Range<usize>) -> Range<usize> {
    let down = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = down(span.start);
    let end = down(span.end.max(start));
    start..end
}

/// Several of them, those of one text in its order, those without a place first.
pub(crate) fn render_all(diagnostics: &[Diagnostic], colour: bool) -> String {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|d| d.place.as_ref().map(|place| (place.source.name.clone(), place.span.start)));
    let mut shown: Vec<String> = sorted.iter().take(MOST_SHOWN).map(|d| d.render(colour)).collect();
    if sorted.len() > MOST_SHOWN {
        shown.push(format!("and {} more", sorted.len() - MOST_SHOWN));
    }
    shown.join("\n\n")
}

/// A configuration that cannot be used: everything that was found, at least one error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) found: Vec<Diagnostic>,
}

impl Failed {
    /// The warnings, if there are only such.
    pub(crate) fn unless_good(found: Vec<Diagnostic>) -> Result<Vec<Diagnostic>, Self> {
        if found.iter().any(|d| d.severity == Severity::Error) { Err(Self { found }) } else { Ok(found) }
    }

    pub(crate) fn render(&self, colour: bool) -> String {
        render_all(&self.found, colour)
    }

    /// The same for an error of the program, with the text for people.
    pub(crate) fn problems(&self, text: String) -> Problems {
        let first = self.found.iter().find(|found| found.severity == Severity::Error);
        let label = first.and_then(|first| first.place.as_ref()).map(|place| place.label.clone());
        let hint = first.and_then(|first| first.helps.first().cloned()).or(label.filter(|label| !label.is_empty()));
        let all = self.found.iter().map(Diagnostic::to_json).collect();
        Problems { text, sentence: self.sentences().next().unwrap_or_default(), hint, all }
    }

    /// The errors, a line each with its place.
    pub(crate) fn sentences(&self) -> impl Iterator<Item = String> {
        let errors = self.found.iter().filter(|found| found.severity == Severity::Error).take(MOST_SHOWN);
        errors.map(Diagnostic::sentence)
    }
}

impl From<Diagnostic> for Failed {
    fn from(error: Diagnostic) -> Self {
        Self { found: vec![error] }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        let text = failed.render(text::colour_on_stderr());
        Self::problems(Code::Configuration, failed.problems(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stands_on_whole_characters() {
        for (span, marked) in [(0..1, ""), (1..3, "é"), (2..3, "é"), (3..99, "x"), (9..12, "")] {
            let text = "aéx";
            let span = on_characters(text, &span);
            assert!(text.get(span.clone()).is_some(), "{span:?}");
            if !marked.is_empty() {
                assert_eq!(&text[span], marked);
            }
        }
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        let source = Source::new("a", "é=1\n\nb");
        assert_eq!(
            [0, 2, 4, 5, 6].map(|at| (source.line(at), source.column(at))),
            [(1, 1), (1, 2), (1, 4), (2, 1), (3, 1)]
        );
    }
}
