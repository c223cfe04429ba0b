//! The continuous form on a terminal: drawn in place on a screen of its own, which is gone afterwards.

use std::io::Write;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyModifiers, poll, read};
use crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{cursor, execute, queue, style, terminal};

use super::state::State;
use super::words;
use crate::args::Global;
use crate::cmd::open::open_quietly;
use crate::error::Error;
use crate::exit::Code;
use crate::text;

// The screen as it was, whatever happens.
struct Screen;

impl Screen {
    fn take() -> std::io::Result<Self> {
        terminal::enable_raw_mode()?;
        let screen = Self;
        execute!(std::io::stdout(), EnterAlternateScreen, DisableLineWrap, cursor::Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody left to tell if that fails.
        let _ = execute!(std::io::stdout(), cursor::Show, EnableLineWrap, LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

/// Looks again and again until q, Esc or Ctrl-C.
pub(super) fn run(global: &Global, job: Option<&str>, every: Duration) -> Result<Code, Error> {
    let screen = Screen::take()?;
    let mut before = None;
    loop {
        let opened = open_quietly(global)?;
        let state = State::look(&opened, job)?;
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        let page = words::page(&opened, &state, before.as_ref(), text::colour_on_stdout(), Some(columns.into()));
        draw(&page, rows, every)?;
        before = Some(state);
        if leaves(every)? {
            drop(screen);
            return Ok(Code::Done);
        }
    }
}

fn draw(page: &str, rows: u16, every: Duration) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    queue!(out, cursor::MoveTo(0, 0))?;
    let most = usize::from(rows).saturating_sub(1);
    for line in page.lines().take(most) {
        queue!(out, style::Print(line), Clear(ClearType::UntilNewLine), cursor::MoveToNextLine(1))?;
    }
    queue!(out, Clear(ClearType::FromCursorDown))?;
    let cut = page.lines().count().saturating_sub(most);
    let more = if cut > 0 { format!("{cut} more lines · ") } else { String::new() };
    let last = format!("{more}every {} s · q to leave", every.as_secs());
    queue!(out, cursor::MoveTo(0, rows.saturating_sub(1)), style::Print(last), Clear(ClearType::UntilNewLine))?;
    out.flush()?;
    Ok(())
}

// Waits for the next look; a changed size is one.
fn leaves(every: Duration) -> Result<bool, Error> {
    if !poll(every)? {
        return Ok(false);
    }
    Ok(match read()? {
        Event::Key(key) => {
            let interrupted = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            interrupted || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
        }
        _ => false,
    })
}
