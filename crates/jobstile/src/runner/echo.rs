//! Shows the output of commands on standard output as it comes: `serve --echo`.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use jobstile_core::id::RunId;
use tokio::sync::oneshot;

use crate::clock;
use crate::text;

/// Pieces of output that wait for a terminal that does not keep up; more is left out.
const MAX_WAITING: usize = 256;
/// How long the end waits for what is not written yet.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest line, in bytes; a longer one is shown as several.
const MAX_LINE: usize = 4096;

/// Whose output it is.
pub(super) type Label = (String, RunId);

/// A line that a run of a job has printed, as it is shown, without its end.
pub type EchoForm = fn(job: &str, run: RunId, line: &str) -> String;

/// Writes lines from a thread of its own, so that a terminal that stands still holds nothing up.
#[derive(Debug, Clone)]
pub(super) struct Echo {
    says: SyncSender<Say>,
    left_out: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Say {
    Bytes(Label, Vec<u8>),
    End(Label),
    Flush(oneshot::Sender<()>),
}

impl Echo {
    pub(super) fn start(form: EchoForm) -> Echo {
        Echo::start_to(std::io::stdout(), form)
    }

    fn start_to(out: impl Write + Send + 'static, form: EchoForm) -> Echo {
        let (says, heard) = sync_channel(MAX_WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let missing = left_out.clone();
        // Without the thread nothing is shown, which is all that is lost.
        let _ = std::thread::Builder::new()
            .name("jobstile-echo".to_owned())
            .spawn(move || write(&heard, out, form, &missing));
        Echo { says, left_out }
    }

    /// Output of the attempt with this label, in pieces as they come.
    pub(super) fn print(&self, label: &Label, bytes: Vec<u8>) {
        let length = bytes.len() as u64;
        if self.says.try_send(Say::Bytes(label.clone(), bytes)).is_err() {
            self.left_out.fetch_add(length, Ordering::Relaxed);
        }
    }

    /// The attempt has ended: a last line without an end of line is shown.
    pub(super) fn end(&self, label: &Label) {
        let _ = self.says.try_send(Say::End(label.clone()));
    }

    /// Waits until everything said so far is written, or for two seconds: nobody may read it.
    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.says.try_send(Say::Flush(done)).is_ok() {
            tokio::select! { _ = written => {}, () = clock::sleep(PATIENCE) => {} }
        }
    }
}

fn write(heard: &Receiver<Say>, mut out: impl Write, form: EchoForm, left_out: &AtomicU64) {
    let mut open: HashMap<Label, Vec<u8>> = HashMap::new();
    let mut lines = String::new();
    while let Ok(say) = heard.recv() {
        match say {
            Say::Bytes(label, bytes) => {
                let line = open.entry(label.clone()).or_default();
                for byte in bytes {
                    if byte == b'\n' || line.len() >= MAX_LINE {
                        add(&mut lines, &label, line, form);
                        line.clear();
                    }
                    if byte != b'\n' {
                        line.push(byte);
                    }
                }
            }
            Say::End(label) => {
                if let Some(line) = open.remove(&label).filter(|line| !line.is_empty()) {
                    add(&mut lines, &label, &line, form);
                }
            }
            Say::Flush(done) => drop(done.send(())),
        }
        let missing = left_out.swap(0, Ordering::Relaxed);
        if missing > 0 {
            tracing::warn!(bytes = missing, "Output of commands not shown");
        }
        // Nobody may be reading any more; the output is kept all the same.
        let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
        lines.clear();
    }
}

fn add(lines: &mut String, (job, run): &Label, line: &[u8], form: EchoForm) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    lines.push_str(&form(job, *run, &text::clean_bytes(line)));
    lines.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("lock").extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn lines_are_whole_named_and_harmless() {
        let out = Shared::default();
        let echo = Echo::start_to(out.clone(), |job, run, line| format!("{job} {run} | {line}"));
        echo.print(&("sync".to_owned(), RunId(7)), b"first\nsec".to_vec());
        echo.print(&("poll".to_owned(), RunId(8)), b"\x1b[2J\r\n".to_vec());
        echo.print(&("sync".to_owned(), RunId(7)), b"ond\nno end".to_vec());
        echo.end(&("sync".to_owned(), RunId(7)));
        echo.flush().await;
        let text = String::from_utf8(out.0.lock().expect("lock").clone()).expect("text");
        assert_eq!(text, "sync 7 | first\npoll 8 | \\x1b[2J\nsync 7 | second\nsync 7 | no end\n");
    }
}
