//! What needs somebody: a sentence each, and what to type, the worst first.

use jobstile::answer::Overview;

use crate::text::fit::{Form, Piece};
use crate::text::table::{Paint, width};
use crate::text::time::Times;
use crate::text::words::attention::attention;

/// Between a sentence and what to type.
const GAP: &str = "   ";
/// So much of a sentence says enough, in columns.
const SENTENCE: usize = 40;

/// One thing that needs somebody.
#[derive(Debug)]
pub(super) struct Worry {
    says: String,
    commands: Vec<String>,
    paint: Paint,
}

impl Worry {
    /// In one line, or in several where what to type would not stay whole.
    pub(super) fn lines(&self, form: Form) -> Vec<String> {
        let typed = self.commands.join(" · ");
        if form.fits(&format!("{}{GAP}{typed}", self.says)) {
            return vec![format!("{}{GAP}{typed}", form.line(&self.says, self.paint))];
        }
        if let Some(line) = self.with_first(form, width(&self.says)).filter(|_| form.height.is_some()) {
            return vec![line];
        }
        let mut lines = form.flow("", &[Piece::new(&self.says, self.paint)], "");
        let commands = if form.fits(&format!("  {typed}")) { vec![typed] } else { self.commands.clone() };
        lines.extend(commands.iter().map(|command| form.line(&format!("  {command}"), Paint::Plain)));
        lines
    }

    /// Where lines are few: the first thing to type, and as much of the sentence as there is room for.
    pub(super) fn few_lines(&self, form: Form) -> Vec<String> {
        self.with_first(form, SENTENCE).map_or_else(
            || {
                let first = self.commands.first().map_or("", String::as_str);
                vec![form.line(&self.says, self.paint), form.line(&format!("  {first}"), Paint::Plain)]
            },
            |line| vec![line],
        )
    }

    // In one line, if so much of the sentence has room there.
    fn with_first(&self, form: Form, sentence: usize) -> Option<String> {
        let first = self.commands.first()?;
        let room = form.width.unwrap_or(usize::MAX).saturating_sub(width(first) + GAP.len());
        let says = Form { width: Some(room), ..form }.line(&self.says, self.paint);
        (room >= sentence.min(width(&self.says))).then(|| format!("{says}{GAP}{first}"))
    }
}

pub(super) fn of(look: &Overview) -> Vec<Worry> {
    let times = Times::here(look.at);
    let worded = |one| {
        let said = attention(one, &times);
        Worry { says: said.says, commands: said.commands, paint: said.paint }
    };
    look.attention().iter().map(worded).collect()
}
