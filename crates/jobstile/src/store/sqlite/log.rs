//! The write-ahead log: how large it may stay, and what a full disk means for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::open::BUSY;
use super::turnstile::beside;
use crate::clock::Stopwatch;
use crate::error::{Error, Kind};

/// A log that is larger is cut when nothing else is to be done.
const LARGE: u64 = 4 << 20;
/// Between two cuts: the log of a store that is at work grows again.
const BETWEEN: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Log {
    /// `None` means a store in memory.
    file: Option<PathBuf>,
    cut: Option<Stopwatch>,
}

impl Log {
    pub(super) fn beside(store: &Path) -> Self {
        Self { file: Some(beside(store, "wal")), cut: None }
    }

    fn bytes(&self) -> u64 {
        self.file.as_ref().and_then(|file| std::fs::metadata(file).ok()).map_or(0, |is| is.len())
    }

    /// It is large, and was not cut just now.
    pub(super) fn is_large(&mut self) -> bool {
        let large = self.cut.is_none_or(|cut| cut.read() > BETWEEN) && self.bytes() > LARGE;
        if large {
            self.cut = Some(Stopwatch::start());
        }
        large
    }

    /// Says how much room makes the store whole again, whatever else fills the disk.
    pub(super) fn how_much_is_needed(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Full => {
                let megabytes = (self.bytes() >> 20) + 2;
                Error::new(Kind::Full, format!("the disk is full: nothing was written; {megabytes} MB must be freed"))
            }
            _ => error,
        }
    }
}

/// Takes the log into the file as far as nobody reads it; it is tried again later where that fails.
pub(super) fn take_in(connection: &Connection, mode: &str) {
    // Whoever reads is not waited for.
    let _ = connection.busy_timeout(Duration::ZERO);
    let _ = connection.query_row(&format!("pragma wal_checkpoint({mode})"), [], |_| Ok(()));
    let _ = connection.busy_timeout(BUSY);
}

#[cfg(test)]
mod tests {
    use jobstile_core::time::Time;

    use super::*;
    use crate::args::Args;
    use crate::op::{Op, Trigger};
    use crate::store::sqlite::{OpenAs, Reader, Store};

    fn write(store: &mut Store) {
        // Each is kept with its arguments: a mebibyte.
        let args = format!("\"{}\"", "x".repeat(1_000_000));
        let trigger = Trigger {
            job: "none".into(),
            args: Args::parse(format!("{{\"a\":{args}}}").as_bytes()),
            priority: None,
            when: jobstile_core::trigger::When::Now,
            id: Some("x".into()),
            source: jobstile_core::trigger::Source::Cli,
            by: "anna".into(),
        };
        store.execute(Time(1), &[Op::Trigger(trigger)]).answers.remove(0).unwrap();
    }

    #[test]
    fn a_log_that_has_grown_large_does_not_stay_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let mut store = Store::open(&path, OpenAs::Owner).unwrap();
        let log = || std::fs::metadata(dir.path().join("s.db-wal")).unwrap().len();
        for _ in 0..6 {
            write(&mut store);
        }
        assert!(log() > LARGE, "{}", log());
        // A reader keeps it, and holds nobody up.
        let reader = Reader::open(&path).unwrap();
        reader
            .at_once(|reader| {
                reader.verify()?;
                store.tidy();
                assert!(log() > LARGE);
                Ok(())
            })
            .unwrap();
        // Cut once in a while: the time since the last cut is this test's to forget.
        store.log.cut = None;
        store.tidy();
        assert_eq!(log(), 0);
        write(&mut store);
        assert_eq!(store.verify().unwrap(), []);
    }
}
