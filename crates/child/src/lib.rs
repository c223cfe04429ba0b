//! Child processes of the tests. Each has a time limit: one that hangs is ended and named, instead of holding up all tests.

use std::fs;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a child may take unless the test says otherwise.
pub const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(2);

/// The variable that chooses a planted bug.
const BUG: &str = "JOBSTILE_BUG";

/// A command of a test: its child has a time limit, and the bug that is planted, if one is.
pub trait Limited {
    /// Without the variables of the person who runs the tests that mean something to Jobstile.
    fn without_ours(&mut self) -> &mut Self;

    /// With the bug that is planted, after the environment was cleared.
    fn with_bug(&mut self) -> &mut Self;

    /// Its output and exit, as [`Command::output`] gives them.
    ///
    /// # Errors
    /// If it does not start, or is still there after [`LIMIT`].
    fn limited(&mut self) -> io::Result<Output>;

    /// The same with the streams that were given to it.
    ///
    /// # Errors
    /// As [`Limited::limited`].
    fn limited_as_it_is(&mut self) -> io::Result<Output>;
}

impl Limited for Command {
    fn without_ours(&mut self) -> &mut Self {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text != BUG && (text.starts_with("JOBSTILE_") || text.starts_with("AIBTC_")) {
                self.env_remove(name);
            }
        }
        self
    }

    fn with_bug(&mut self) -> &mut Self {
        if let Some(bug) = std::env::var_os(BUG) {
            self.env(BUG, bug);
        }
        self
    }

    fn limited(&mut self) -> io::Result<Output> {
        self.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).limited_as_it_is()
    }

    fn limited_as_it_is(&mut self) -> io::Result<Output> {
        output_of(self.spawn()?, LIMIT)
    }
}

/// The output of a child with piped standard streams.
///
/// # Errors
/// If it is still there after this time: it is ended.
pub fn output_of(mut child: Child, limit: Duration) -> io::Result<Output> {
    drop(child.stdin.take());
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    let status = wait(&mut child, limit)?;
    Ok(Output { status, stdout: collect(stdout)?, stderr: collect(stderr)? })
}

/// The exit of a child.
///
/// # Errors
/// If it is still there after this time: it is ended.
pub fn wait(child: &mut Child, limit: Duration) -> io::Result<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("still there after {} s", limit.as_secs())));
        }
        thread::sleep(LOOK);
    }
}

/// Waits until every thread of a process that was sent STOP stands still: until then it can still act on what follows.
///
/// # Errors
/// If it is gone, or has not stopped after [`LIMIT`].
pub fn stands_still(pid: u32) -> io::Result<()> {
    let begun = Instant::now();
    while !all_threads_are_stopped(pid)? {
        if begun.elapsed() > LIMIT {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("process {pid} does not stop")));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

fn all_threads_are_stopped(pid: u32) -> io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        // The state follows the name, which may contain anything, in brackets.
        if !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read<R: Read + Send + 'static>(from: Option<R>) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.map_or(Ok(0), |mut from| from.read_to_end(&mut bytes))?;
        Ok(bytes)
    })
}

fn collect(reader: JoinHandle<io::Result<Vec<u8>>>) -> io::Result<Vec<u8>> {
    reader.join().unwrap_or_else(|_| Err(io::Error::other("the reader of a child's output panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_hangs_is_ended_and_named() {
        let child = Command::new("sleep").arg("600").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let error = output_of(child, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_process_that_was_sent_stop_stands_still() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = child.id();
        assert!(!all_threads_are_stopped(pid).unwrap());
        let sent = Command::new("kill").args(["-STOP", &pid.to_string()]).limited().unwrap();
        assert!(sent.status.success());
        stands_still(pid).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(stands_still(pid).is_err(), "it is gone");
    }

    #[test]
    fn output_that_fills_a_pipe_is_read() {
        let done = Command::new("sh").args(["-c", "yes | head -c 300000; echo words >&2; exit 3"]).limited().unwrap();
        assert_eq!((done.stdout.len(), done.stderr, done.status.code()), (300_000, b"words\n".to_vec(), Some(3)));
    }
}
