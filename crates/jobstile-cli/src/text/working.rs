//! A line that says that work goes on, on a terminal, for work that takes long.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::in_json;

/// Work that is over sooner is not spoken of.
const FIRST: Duration = Duration::from_secs(1);

/// Shows the line until it is dropped.
#[derive(Debug)]
pub(crate) struct Working(Option<(Sender<()>, JoinHandle<()>)>);

/// Says what is being done, and for how long already, until the result is dropped. Only on a terminal.
#[must_use]
pub(crate) fn working(what: &'static str) -> Working {
    if !std::io::stderr().is_terminal() || in_json() {
        return Working(None);
    }
    let (stop, stopped) = channel();
    let thread = std::thread::spawn(move || show(what, FIRST, &stopped, &mut std::io::stderr()));
    Working(Some((stop, thread)))
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

fn show(what: &str, between: Duration, stopped: &Receiver<()>, out: &mut impl Write) {
    let mut seconds = 0;
    while stopped.recv_timeout(between) == Err(RecvTimeoutError::Timeout) {
        seconds += 1;
        let _ = write!(out, "\r{what}, {seconds} s\u{2026}\u{1b}[K").and_then(|()| out.flush());
    }
    // The line is gone before anything else is said.
    if seconds > 0 {
        let _ = write!(out, "\r\u{1b}[K").and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets go of the work after the second line.
    struct Out(Vec<u8>, Option<Sender<()>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            if String::from_utf8_lossy(&self.0).contains("2 s") {
                self.1 = None;
            }
            Ok(())
        }
    }

    #[test]
    fn it_counts_and_leaves_nothing_behind() {
        let (stop, stopped) = channel();
        let mut out = Out(vec![], Some(stop));
        show("copying", Duration::from_millis(1), &stopped, &mut out);
        let said = String::from_utf8(out.0).expect("text");
        assert_eq!(said, "\rcopying, 1 s\u{2026}\u{1b}[K\rcopying, 2 s\u{2026}\u{1b}[K\r\u{1b}[K");
        let (stop, stopped) = channel();
        drop(stop);
        let mut out = Out(vec![], None);
        show("copying", FIRST, &stopped, &mut out);
        assert_eq!(out.0, b"", "what is done at once is not spoken of");
    }
}
