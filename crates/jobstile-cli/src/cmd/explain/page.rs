//! An answer: one sentence, then sections with fixed words, so that people learn where to look.

use jobstile::answer::Event;

use crate::text::fit::{Form, Piece};
use crate::text::table::{Paint, width};
use crate::text::time::Times;
use crate::text::words::events;

/// Events that are shown, the latest.
const EVENTS: usize = 5;
/// Lines of an answer, the sentence included, before they are broken.
const MAX_LINES: usize = 14;
/// How wide the words at the left are.
const WORD: usize = 10;

/// An answer.
#[derive(Debug)]
pub(super) struct Page {
    sentence: String,
    times: Times,
    events: Vec<Line>,
    sections: Vec<(&'static str, String)>,
}

/// What happened, or happens next.
#[derive(Debug)]
struct Line {
    at: String,
    text: String,
    code: &'static str,
}

impl Page {
    pub(super) fn new(sentence: impl Into<String>, times: &Times) -> Self {
        Self { sentence: sentence.into(), times: times.clone(), events: vec![], sections: vec![] }
    }

    /// What happened: the latest of these.
    pub(super) fn happened(&mut self, events: &[Event]) {
        for event in &events[events.len().saturating_sub(EVENTS)..] {
            let said = events::event(event, &self.times);
            self.events.push(Line { at: self.times.at(event.at), text: said.text, code: said.code });
        }
    }

    /// What happens next.
    pub(super) fn now(&mut self, text: impl Into<String>) {
        self.events.push(Line { at: "now".to_owned(), text: text.into(), code: "" });
    }

    /// A section: its word, and what it says.
    pub(super) fn says(&mut self, word: &'static str, text: impl Into<String>) {
        self.sections.push((word, text.into()));
    }

    /// If there are too many lines, the first events are left out.
    pub(super) fn to_text(&self, form: Form) -> String {
        let mut lines = form.flow("", &[Piece::from(&self.sentence)], "");
        let too_many = (self.events.len() + self.sections.len() + 2).saturating_sub(MAX_LINES);
        let events = self.events.get(too_many..).unwrap_or_default();
        // An event of another day has a longer time: all of them stand below each other.
        let wide = events.iter().map(|event| event.at.len() + 2).max().unwrap_or(0).max(WORD);
        if !events.is_empty() {
            lines.push(String::new());
        }
        for event in events {
            lines.extend(with_code(form, &format!("  {:<wide$}", event.at), event));
        }
        if !self.sections.is_empty() {
            lines.push(String::new());
        }
        for (word, says) in &self.sections {
            lines.extend(form.flow(&format!("  {word:<WORD$}"), &[Piece::from(says)], ""));
        }
        lines.join("\n") + "\n"
    }
}

// Its code at the right edge, if there is room.
fn with_code(form: Form, label: &str, event: &Line) -> Vec<String> {
    let mut lines = form.flow(label, &[Piece::from(&event.text)], "");
    let Some(last) = lines.last_mut().filter(|_| !event.code.is_empty()) else { return lines };
    let edge = form.width.unwrap_or(usize::MAX);
    let (at, code) = (width(last), width(event.code));
    if at + 2 + code <= edge {
        let gap = edge.min(Form::IN_A_PIPE).saturating_sub(at + code).max(2);
        let code = if form.colour { Paint::Faint.over(event.code) } else { event.code.to_owned() };
        last.push_str(&" ".repeat(gap));
        last.push_str(&code);
    } else {
        lines.push(format!("{}{}", " ".repeat(width(label)), event.code));
    }
    lines
}
