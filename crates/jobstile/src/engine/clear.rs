//! Clears away what dead nodes left behind on this machine, before anything of theirs is given to somebody else.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::node;
use crate::runner::sweep::{self, Survivors};

/// How long killed processes are waited for; what takes longer is looked at again every second.
const KILLED_WITHIN: Duration = Duration::from_secs(2);

/// Takes the locks of dead nodes and ends their processes.
#[derive(Debug)]
pub(super) struct Clearer {
    /// The folder of the store's nodes.
    pub(super) dir: PathBuf,
    /// What makes the marks of the store's nodes.
    pub(super) secret: String,
    /// How long what is left may take to end.
    pub(super) kill_after: Duration,
    /// The dead nodes of which something lives on that cannot be ended.
    pub(super) survived: HashSet<String>,
}

/// What became of a dead node's processes.
pub(super) enum Swept {
    /// None is left. `None` where it had no lock file any more.
    Clean(Option<node::DeadNode>),
    /// These live on.
    Not(Survivors),
}

impl Clearer {
    /// Ends what a dead node left behind; `None` where it is not dead.
    ///
    /// `written_by` is the user whom the store names as the node's, `before_this_boot` says that the machine was started anew
    /// since the node was: then it is dead whatever became of its lock file.
    pub(super) async fn clear(&mut self, id: &str, written_by: Option<u32>, before_this_boot: bool) -> Option<Swept> {
        // What did not end before is killed again, but nobody waits for it.
        let (grace, patience) = match self.survived.contains(id) {
            true => (Duration::ZERO, Duration::ZERO),
            false => (self.kill_after, KILLED_WITHIN),
        };
        let (dir, node, secret) = (self.dir.clone(), id.to_owned(), self.secret.clone());
        let swept = tokio::task::spawn_blocking(move || {
            let taken = match node::take_over(&dir, &node) {
                Ok(taken) => taken,
                Err(node::State::Unknown) if before_this_boot => return Some(Ok(None)),
                Err(_) => return None,
            };
            let birth = taken.birth();
            // Somebody else put the file in the place of the node's own: it proves nothing.
            if written_by.is_some_and(|uid| uid != birth.owner) {
                return None;
            }
            if before_this_boot || birth.before_this_boot() {
                return Some(Ok(Some(taken)));
            }
            let mark = sweep::mark(&secret, &node);
            let dead = sweep::Dead { dir: &dir, node: &node, mark: &mark, owner: birth.owner, started: birth.started };
            Some(sweep::end_all(&dead, grace, patience).map(|_| Some(taken)))
        });
        match swept.await.ok()?? {
            Ok(taken) => {
                self.survived.remove(id);
                Some(Swept::Clean(taken))
            }
            Err(error) => {
                // Their slots stay taken: two must never run where one may.
                if self.survived.insert(id.to_owned()) {
                    tracing::error!(node = id, %error, "A dead node's processes do not end, their slots stay taken");
                }
                match error {
                    sweep::Error::Survivors(survivors) => Some(Swept::Not(survivors)),
                    sweep::Error::Proc(_) => None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn clear(dir: &std::path::Path, written_by: Option<u32>, before_this_boot: bool) -> Option<Swept> {
        let mut clearer = Clearer {
            dir: dir.to_owned(),
            secret: String::new(),
            kill_after: Duration::ZERO,
            survived: HashSet::new(),
        };
        clearer.clear("0a", written_by, before_this_boot).await
    }

    #[tokio::test]
    async fn a_reboot_proves_that_a_node_is_dead_also_without_its_lock_file() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(clear(dir.path(), None, false).await.is_none(), "a missing file proves nothing");
        assert!(matches!(clear(dir.path(), None, true).await, Some(Swept::Clean(None))));
        // In a folder that is missing too.
        assert!(matches!(clear(&dir.path().join("none"), None, true).await, Some(Swept::Clean(None))));
        // A lock that is held is held in this boot, whatever the store says.
        let lock = node::NodeLock::take(dir.path(), "0a").expect("a lock");
        assert!(clear(dir.path(), None, true).await.is_none());
        drop(lock);
        assert!(matches!(clear(dir.path(), None, false).await, Some(Swept::Clean(Some(_)))));
        std::fs::write(dir.path().join("0a.lock"), "boot=another\nstarted=1\n").expect("written");
        let Some(Swept::Clean(Some(dead))) = clear(dir.path(), None, false).await else { panic!("it is dead") };
        assert!(dead.birth().before_this_boot() && dead.birth().started == Some(1));
    }

    #[tokio::test]
    async fn a_lock_file_of_another_user_than_the_stores_proves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("0a.lock"), "").expect("written");
        let own = rustix::process::geteuid().as_raw();
        assert!(clear(dir.path(), Some(own + 1), false).await.is_none());
        assert!(matches!(clear(dir.path(), Some(own), false).await, Some(Swept::Clean(Some(_)))));
    }
}
