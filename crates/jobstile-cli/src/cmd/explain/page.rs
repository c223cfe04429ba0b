//! An answer: one sentence, then sections with fixed words, so that people learn where to look.

use jobstile::text::clean;
use serde_json::{Value, json};

use crate::text::table::{Paint, width};

/// Lines of an answer, the sentence included.
const MAX_LINES: usize = 14;
/// Where codes stand, counted from the left.
const CODE_AT: usize = 92;
/// How wide the words at the left are.
const WORD: usize = 10;

/// An answer.
#[derive(Debug)]
pub(super) struct Page {
    about: String,
    sentence: String,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    word: String,
    text: String,
    code: String,
    /// An event: the first ones may be left out where there are too many lines.
    event: bool,
}

impl Page {
    pub(super) fn new(about: &str, sentence: impl Into<String>) -> Self {
        Self { about: about.to_owned(), sentence: sentence.into(), lines: vec![] }
    }

    /// What happened, at a time.
    pub(super) fn event(&mut self, at: String, text: impl Into<String>, code: &str) {
        self.lines.push(Line { word: at, text: text.into(), code: code.to_owned(), event: true });
    }

    /// A section: its word, and what it says.
    pub(super) fn says(&mut self, word: &str, text: impl Into<String>) {
        self.lines.push(Line { word: word.to_owned(), text: text.into(), code: String::new(), event: false });
    }

    pub(super) fn to_text(&self, colour: bool) -> String {
        let mut text = format!("{}\n", clean(&self.sentence));
        let too_many = (self.lines.len() + 2).saturating_sub(MAX_LINES);
        let mut left_out = 0;
        let mut last_event = None;
        for line in &self.lines {
            if line.event && left_out < too_many {
                left_out += 1;
                continue;
            }
            if last_event != Some(line.event) {
                text.push('\n');
            }
            last_event = Some(line.event);
            let word = format!("{:<WORD$}", clean(&line.word));
            let word = if colour && !line.event { Paint::Faint.over(&word) } else { word };
            let mut said = format!("  {word}{}", clean(&line.text));
            if !line.code.is_empty() {
                let fill = CODE_AT.saturating_sub(width(&said)).max(1);
                said.push_str(&" ".repeat(fill));
                said.push_str(&line.code);
            }
            text.push_str(said.trim_end());
            text.push('\n');
        }
        text
    }

    pub(super) fn to_json(&self) -> Value {
        let code = |code: &String| if code.is_empty() { Value::Null } else { code.as_str().into() };
        let events: Vec<Value> = (self.lines.iter().filter(|line| line.event))
            .map(|line| json!({ "at": line.word, "what": line.text, "code": code(&line.code) }))
            .collect();
        let says: Vec<Value> = (self.lines.iter().filter(|line| !line.event))
            .map(|line| json!({ "word": line.word, "says": line.text }))
            .collect();
        json!({ "about": self.about, "answer": self.sentence, "events": events, "sections": says })
    }
}
