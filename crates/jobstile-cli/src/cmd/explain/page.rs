//! An answer: one sentence, then sections with fixed words, so that people learn where to look.

use std::fmt::Write;

use jobstile::text::clean;
use jobstile_core::time::Time;
use serde_json::{Value, json};

use crate::text::table::{Paint, width};
use crate::text::time::{Times, rfc3339};

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
    times: Times,
    events: Vec<Event>,
    sections: Vec<(&'static str, String)>,
}

/// What happened, or happens next.
#[derive(Debug)]
struct Event {
    at: Option<Time>,
    text: String,
    code: &'static str,
}

impl Page {
    pub(super) fn new(about: &str, sentence: impl Into<String>, times: &Times) -> Self {
        let (about, sentence, times) = (about.to_owned(), sentence.into(), times.clone());
        Self { about, sentence, times, events: vec![], sections: vec![] }
    }

    /// What happened, at a time.
    pub(super) fn event(&mut self, at: Time, text: impl Into<String>, code: &'static str) {
        self.events.push(Event { at: Some(at), text: text.into(), code });
    }

    /// What happens next.
    pub(super) fn now(&mut self, text: impl Into<String>) {
        self.events.push(Event { at: None, text: text.into(), code: "" });
    }

    /// A section: its word, and what it says.
    pub(super) fn says(&mut self, word: &'static str, text: impl Into<String>) {
        self.sections.push((word, text.into()));
    }

    /// Where there are too many lines, the first events are left out.
    pub(super) fn to_text(&self, colour: bool) -> String {
        let mut text = format!("{}\n", clean(&self.sentence));
        let too_many = (self.events.len() + self.sections.len() + 2).saturating_sub(MAX_LINES);
        let events = self.events.get(too_many..).unwrap_or_default();
        let times: Vec<String> =
            events.iter().map(|event| event.at.map_or("now".to_owned(), |at| self.times.at(at))).collect();
        // An event of another day has a longer time: all of them stand below each other.
        let wide = times.iter().map(|time| time.len() + 2).max().unwrap_or(0).max(WORD);
        for (n, (event, time)) in events.iter().zip(times).enumerate() {
            let said = format!("  {time:<wide$}{}", clean(&event.text));
            let fill = CODE_AT.saturating_sub(width(&said)).max(1);
            let code = if event.code.is_empty() { String::new() } else { " ".repeat(fill) + event.code };
            let _ = writeln!(text, "{}{}{code}", if n == 0 { "\n" } else { "" }, said.trim_end());
        }
        for (n, (word, says)) in self.sections.iter().enumerate() {
            let word = format!("{word:<WORD$}");
            let word = if colour { Paint::Faint.over(&word) } else { word };
            let _ = writeln!(text, "{}  {word}{}", if n == 0 { "\n" } else { "" }, clean(says));
        }
        text
    }

    pub(super) fn to_json(&self) -> Value {
        let event = |event: &Event| {
            let code = if event.code.is_empty() { Value::Null } else { event.code.into() };
            json!({ "at": event.at.map(rfc3339), "what": event.text, "code": code })
        };
        let events: Vec<Value> = self.events.iter().map(event).collect();
        let says: Vec<Value> =
            self.sections.iter().map(|(word, says)| json!({ "word": word, "says": says })).collect();
        json!({ "about": self.about, "answer": self.sentence, "events": events, "sections": says })
    }
}
