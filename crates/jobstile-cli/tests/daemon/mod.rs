//! A daemon in a folder of its own, as a user would run it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jobstile_child::{LIMIT, Limited as _};

use jobstile::args::Args;
use jobstile::client::Client;
use jobstile::core::id::RunId;
use jobstile::core::trigger::{Source, When};
use jobstile::op::{Decided, Trigger};

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Folder(pub(crate) tempfile::TempDir);

impl Folder {
    pub(crate) fn new(config: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("jobstile.toml", config);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path().join(".jobstile/jobstile.db")
    }

    pub(crate) fn client(&self) -> Client {
        wait("a store", || Client::open(&self.store()).ok())
    }

    /// The program in this folder, without the switches of the person who runs the tests.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobstile"));
        command.current_dir(self.path());
        command.without_ours();
        command
    }

    pub(crate) fn serve(&self, more: &[&str]) -> Daemon {
        let log = std::fs::File::options().create(true).append(true).open(self.path().join("log")).unwrap();
        let child = self
            .program()
            .arg("serve")
            .args(more)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Daemon(child)
    }

    pub(crate) fn trigger(&self, client: &mut Client, job: &str) -> Decided {
        client
            .trigger(Trigger {
                job: job.into(),
                args: Ok(Args::none()),
                priority: None,
                when: When::Now,
                id: None,
                source: Source::Cli,
                by: "test".into(),
            })
            .unwrap()
    }
}

pub(crate) struct Daemon(pub(crate) Child);

impl Daemon {
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).limited().unwrap().status;
        assert!(sent.success());
        if name == "STOP" {
            jobstile_child::stands_still(self.0.id()).unwrap();
        }
    }

    /// Its exit code, once it has one; `None` means a signal ended it.
    pub(crate) fn end(mut self) -> Option<i32> {
        let code = wait("the daemon's end", || self.0.try_wait().unwrap()).code();
        std::mem::forget(self);
        code
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its keeper ends what it started.
        let _ = self.0.kill();
        let _ = jobstile_child::wait(&mut self.0, LIMIT);
    }
}

/// Looks again and again until there is something; panics when it takes too long.
pub(crate) fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a run is in such a state.
pub(crate) fn wait_for(client: &Client, run: RunId, state: &str) {
    wait(&format!("run {run} to be {state}"), || {
        let now = client.run(run).unwrap().map(|info| info.row.state.to_string());
        (now.as_deref() == Some(state)).then_some(())
    });
}
