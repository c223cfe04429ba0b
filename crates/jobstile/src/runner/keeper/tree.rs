//! Which processes belong to which attempt.
//!
//! The keeper is a sub-reaper: a process below it whose parent ends becomes its own child. So everything that is left of an
//! attempt whose first process is dead is a child of the keeper, or below one: one list, read from the kernel, that cannot
//! miss any of them. What remains is to tell whose child it is. In this order:
//!
//! 1. it was seen in the tree of an attempt before;
//! 2. its environment carries the node and the fence of an attempt;
//! 3. it is in the process group or session of an attempt's first process;
//! 4. it holds an attempt's output pipe or lock;
//! 5. else it hid all its traces. It may be of any attempt that began before it did, and counts as belonging to each of
//!    them, again at every look: it is ended with the first of them that ends, and none ends before it is dead.

use std::collections::HashMap;

use jobstile_core::id::Fence;

use crate::runner::proc::{self, Process};

/// Names an attempt in the keeper; given by the daemon.
pub(super) type Ticket = u64;

/// The attempts of a keeper and how their processes are known.
#[derive(Debug)]
pub(super) struct Trees {
    keeper: i32,
    node: Vec<u8>,
    roots: HashMap<Ticket, Root>,
    /// The first processes that have not been waited for.
    by_pid: HashMap<i32, Ticket>,
}

/// What a look found.
#[derive(Debug)]
pub(super) struct Living {
    pub(super) all: Vec<Process>,
    /// That is all of it. Else somebody died while we looked: look again.
    pub(super) sure: bool,
}

#[derive(Debug)]
struct Root {
    process: Process,
    alive: bool,
    fence: Vec<u8>,
    /// Its output pipe and its lock, as the kernel names open files.
    links: Vec<Vec<u8>>,
    /// Pid and start time of everything that was seen below it.
    seen: HashMap<i32, u64>,
}

impl Trees {
    pub(super) fn new(keeper: i32, node: &str) -> Trees {
        Trees {
            keeper,
            node: format!("JOBSTILE_NODE={node}").into_bytes(),
            roots: HashMap::new(),
            by_pid: HashMap::new(),
        }
    }

    /// An attempt's first process has been started; these files tell who belongs to it.
    pub(super) fn plant(&mut self, ticket: Ticket, pid: i32, fence: Fence, links: Vec<Vec<u8>>) {
        // It is our child and not waited for, so it is there, be it as a zombie.
        let process = proc::look(pid).unwrap_or(Process {
            pid,
            parent: self.keeper,
            group: pid,
            session: pid,
            started: 0,
            zombie: false,
        });
        let root = Root {
            process,
            alive: true,
            fence: format!("JOBSTILE_FENCE={fence}").into_bytes(),
            links,
            seen: HashMap::new(),
        };
        self.roots.insert(ticket, root);
        self.by_pid.insert(pid, ticket);
    }

    /// A child of the keeper has been waited for: the attempt whose first process it was.
    pub(super) fn died(&mut self, pid: i32) -> Option<Ticket> {
        let ticket = self.by_pid.remove(&pid)?;
        self.roots.get_mut(&ticket)?.alive = false;
        Some(ticket)
    }

    /// The attempt's first process, while it has not been waited for.
    pub(super) fn root(&self, ticket: Ticket) -> Option<Process> {
        self.roots.get(&ticket).filter(|root| root.alive).map(|root| root.process)
    }

    /// Nothing of the attempt is left.
    pub(super) fn fell(&mut self, ticket: Ticket) {
        self.roots.remove(&ticket);
    }

    /// Everything of the attempt that lives, its first process first.
    pub(super) fn living(&mut self, ticket: Ticket) -> Living {
        let Some(root) = self.roots.get(&ticket) else {
            return Living { all: Vec::new(), sure: true };
        };
        let mut found = Vec::new();
        let mut traceless = Vec::new();
        if root.alive {
            found.extend(proc::tree(root.process.pid));
        }
        let mut others = proc::children(self.keeper);
        others.retain(|child| !self.by_pid.contains_key(child));
        for &child in &others {
            let Some(process) = proc::look(child).filter(|process| !process.zombie) else { continue };
            match self.owner(&process) {
                Some(owner) if owner == ticket => found.extend(proc::tree(child)),
                None if self.began_before(&process, ticket) => traceless.extend(proc::tree(child)),
                _ => {}
            }
        }
        found.retain(|process| !process.zombie);
        traceless.retain(|process| !process.zombie);
        // What may be of several attempts was not seen in the tree of one.
        if let Some(root) = self.roots.get_mut(&ticket) {
            root.seen.extend(found.iter().map(|process| (process.pid, process.started)));
        }
        found.extend(traceless);
        // What one that died meanwhile left behind is a child of ours by now, and not in that list.
        let sure = others.iter().all(|child| proc::look(*child).is_some_and(|process| !process.zombie));
        Living { all: found, sure }
    }

    /// Everything below the keeper that lives; `None` means it has no child at all, not even a dead one.
    pub(super) fn all_living(&self) -> Option<Vec<Process>> {
        let children = proc::children(self.keeper);
        if children.is_empty() {
            return None;
        }
        let mut found: Vec<Process> = children.into_iter().flat_map(proc::tree).collect();
        found.retain(|process| !process.zombie);
        Some(found)
    }

    /// Did the attempt begin before this process?
    pub(super) fn began_before(&self, process: &Process, ticket: Ticket) -> bool {
        self.roots.get(&ticket).is_some_and(|root| root.process.started <= process.started)
    }

    fn owner(&self, process: &Process) -> Option<Ticket> {
        let find = |rule: &dyn Fn(&Root) -> bool| {
            let mut roots = self.roots.iter();
            roots.find(|(_, root)| rule(root)).map(|(ticket, _)| *ticket)
        };
        find(&|root| root.seen.get(&process.pid) == Some(&process.started))
            .or_else(|| {
                let environment = proc::environment(process.pid);
                if !proc::carries(&environment, &self.node) {
                    return None;
                }
                find(&|root| proc::carries(&environment, &root.fence))
            })
            .or_else(|| find(&|root| process.group == root.process.pid || process.session == root.process.pid))
            .or_else(|| find(&|root| proc::holds(process.pid, &root.links)))
    }
}
