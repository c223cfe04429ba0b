//! The continuous form on a terminal: drawn in place on a screen of its own, which is gone afterwards.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyModifiers, poll, read};
use crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{cursor, execute, queue, style, terminal};

use jobstile::clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll as poll_files};
use tokio::signal::unix::{SignalKind, signal};

use super::page;
use crate::args::Global;
use crate::cmd::open::open_quietly;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::fit::Form;

/// How soon a signal is seen.
const STEP: Duration = Duration::from_millis(100);
/// How often it is asked whether the terminal is still there.
const LOOK_AT_TERMINAL: Duration = Duration::from_secs(1);
/// How long the end may take after a signal.
const PATIENCE: Duration = Duration::from_secs(2);

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
        give_back();
    }
}

fn give_back() {
    // There is nobody left to tell if that fails.
    let _ = execute!(std::io::stdout(), cursor::Show, EnableLineWrap, LeaveAlternateScreen);
    let _ = terminal::disable_raw_mode();
}

/// Looks again and again until q, Esc or Ctrl-C, or a signal.
pub(super) fn run(global: &Global, job: Option<&str>, every: Duration) -> Result<Code, Error> {
    let signals = Signals::listen()?;
    let screen = Screen::take()?;
    let mut before = None;
    loop {
        let opened = open_quietly(global)?;
        let look = opened.client.overview(job)?;
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        let height = usize::from(rows).saturating_sub(1);
        let form = Form { width: Some(columns.into()), height: Some(height), colour: text::colour_on_stdout() };
        let left = draw(&page::of(&opened, &look, before.as_ref(), form), rows, every)
            .and_then(|()| leaves(every, &signals));
        before = Some(look);
        match left {
            Ok(false) => {}
            // Nothing can be shown on a terminal that has gone away, and nobody is there to be told.
            Err(error) if !is_hung_up() => return Err(error),
            _ => {
                drop(screen);
                return Ok(Code::Done);
            }
        }
    }
}

fn draw(page: &[String], rows: u16, every: Duration) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    queue!(out, cursor::MoveTo(0, 0))?;
    for line in page {
        // Cleared first: behind a line as wide as the screen the cursor stands on its last character.
        queue!(out, Clear(ClearType::UntilNewLine), style::Print(line), cursor::MoveToNextLine(1))?;
    }
    queue!(out, Clear(ClearType::FromCursorDown))?;
    let last = format!("every {} s · q to leave", every.as_secs());
    queue!(out, cursor::MoveTo(0, rows.saturating_sub(1)), style::Print(last))?;
    out.flush()?;
    Ok(())
}

// Waits for the next look; a changed size is one.
fn leaves(every: Duration, signals: &Signals) -> Result<bool, Error> {
    let mut left = every;
    while !left.is_zero() {
        if signals.came() {
            return Ok(true);
        }
        let step = left.min(STEP);
        left -= step;
        if poll(step)? {
            return Ok(match read()? {
                Event::Key(key) => {
                    let interrupted = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                    interrupted || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
                }
                _ => false,
            });
        }
    }
    Ok(signals.came())
}

// The terminal of a window that was closed.
fn is_hung_up() -> bool {
    let stdin = std::io::stdin();
    let mut terminal = [PollFd::new(&stdin, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll_files(&mut terminal, Some(&now)).is_ok()
        && terminal[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

// The signals that end the program, as an event: the screen has to be given back.
struct Signals {
    came: Arc<AtomicBool>,
}

impl Signals {
    fn listen() -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()];
        let entered = runtime.enter();
        let [term, hang_up, interrupt, quit] = kinds.map(signal);
        drop(entered);
        let (mut term, mut hang_up) = (term?, hang_up?);
        let (mut interrupt, mut quit) = (interrupt?, quit?);
        let came = Arc::new(AtomicBool::new(false));
        let seen = came.clone();
        std::thread::spawn(move || {
            runtime.block_on(async {
                while !is_hung_up() {
                    tokio::select! {
                        _ = term.recv() => return,
                        _ = hang_up.recv() => return,
                        _ = interrupt.recv() => return,
                        _ = quit.recv() => return,
                        () = clock::sleep(LOOK_AT_TERMINAL) => {}
                    }
                }
            });
            seen.store(true, Ordering::SeqCst);
            // A look for keys on a terminal that has gone away does not come back.
            clock::block(PATIENCE);
            give_back();
            std::process::exit(0);
        });
        Ok(Self { came })
    }

    fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }
}
