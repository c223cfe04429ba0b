//! What `/proc` says about processes, and signals that reach the process that was looked at.
//!
//! A pid alone names nobody: it is used again. A process is its pid and its start time here, and a signal goes through a
//! pidfd that was opened before the start time was looked at once more.
//!
//! Elsewhere than on Linux only the first process of a command is known, and signals go to its group.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use rustix::process::{Pid, Signal};

/// Most bytes of an environment that are looked at; the kernel's own limit for arguments and environment is 6 MiB.
const MAX_ENVIRON: u64 = 8 << 20;
/// Most bytes of a list of children; 400,000 of them.
const MAX_CHILDREN: u64 = 4 << 20;
/// Most open files of a process that are looked at.
const MAX_FILES: usize = 4096;

/// One line of `/proc/PID/stat`, as far as it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// In clock ticks since the machine started; with the pid it names one process.
    pub(crate) started: u64,
    /// Dead already, only not yet waited for.
    pub(crate) zombie: bool,
}

/// Makes what is orphaned below this process a child of this process.
pub(crate) fn become_sub_reaper() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// The process with this pid, if there is one.
#[cfg(not(target_os = "linux"))]
pub(crate) fn look(pid: i32) -> Option<Process> {
    rustix::process::test_kill_process(Pid::from_raw(pid)?).ok()?;
    Some(Process { pid, parent: 0, group: pid, session: 0, started: 0, zombie: false })
}

/// The process with this pid, if there is one.
#[cfg(target_os = "linux")]
pub(crate) fn look(pid: i32) -> Option<Process> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &text)
}

/// The name in parentheses may hold spaces and parentheses itself: what counts comes after the last one.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is no /proc"))]
fn parse(pid: i32, text: &[u8]) -> Option<Process> {
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let text = std::str::from_utf8(text.get(end + 2..)?).ok()?;
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<i64>().ok();
    let state = *fields.first()?;
    Some(Process {
        pid,
        parent: number(1)? as i32,
        group: number(2)? as i32,
        session: number(3)? as i32,
        started: number(19)? as u64,
        zombie: matches!(state, "Z" | "X" | "x"),
    })
}

/// All processes of this host that can be seen from here.
pub(crate) fn all() -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    if !cfg!(target_os = "linux") {
        return Ok(processes);
    }
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Ok(pid) = std::str::from_utf8(name.as_bytes()).unwrap_or_default().parse() {
            processes.extend(look(pid));
        }
    }
    Ok(processes)
}

/// The direct children of a process, the dead that nobody waited for among them.
///
/// For a process that lists its own children and is the only one to wait for them the list is complete: the kernel can
/// only lose entries of it while children go away. For others a child may be missing, and is found in a later look.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return found;
    };
    for task in tasks.flatten() {
        let mut text = String::new();
        let list = File::open(task.path().join("children"));
        match list.and_then(|file| file.take(MAX_CHILDREN).read_to_string(&mut text)) {
            Ok(_) => found.extend(text.split_ascii_whitespace().flat_map(str::parse::<i32>)),
            // A kernel without these lists: look at everybody.
            Err(error) if error.kind() == io::ErrorKind::NotFound && look(pid).is_some() => {
                return all()
                    .unwrap_or_default()
                    .iter()
                    .filter(|process| process.parent == pid)
                    .map(|process| process.pid)
                    .collect();
            }
            Err(_) => {}
        }
    }
    found
}

/// A process and everything below it, itself first.
pub(crate) fn tree(pid: i32) -> Vec<Process> {
    let mut found: Vec<Process> = look(pid).into_iter().collect();
    let mut next = 0;
    while let Some(process) = found.get(next).copied() {
        next += 1;
        for child in children(process.pid) {
            if !found.iter().any(|known| known.pid == child) {
                found.extend(look(child));
            }
        }
    }
    found
}

/// The environment a process was started with, as far as we may read it: `NAME=value` with a NUL behind each.
pub(crate) fn environment(pid: i32) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(file) = File::open(format!("/proc/{pid}/environ")) {
        let _ = file.take(MAX_ENVIRON).read_to_end(&mut text);
    }
    text
}

/// Is `entry` (`NAME=value`) in this environment?
pub(crate) fn carries(environment: &[u8], entry: &[u8]) -> bool {
    environment.split(|byte| *byte == 0).any(|e| e == entry)
}

/// Has the process one of these files open, each written as the kernel does: `pipe:[123]`, `/srv/lock`?
pub(crate) fn holds(pid: i32, links: &[Vec<u8>]) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    files
        .flatten()
        .take(MAX_FILES)
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| links.iter().any(|link| target.as_os_str().as_bytes() == link))
}

/// The number of the user who started the process, whatever rights it has taken since.
pub(crate) fn owner(pid: i32) -> Option<u32> {
    uid(pid, 0)
}

/// The number of the user whose rights the process has.
pub(crate) fn rights_of(pid: i32) -> Option<u32> {
    uid(pid, 1)
}

// Real, effective, saved and for files, in this order; `None` where there is no /proc.
fn uid(pid: i32, which: usize) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(which)?.parse().ok()
}

/// The process's name, safe to print.
pub(crate) fn name(pid: i32) -> String {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    crate::text::clean_bytes(name.trim_ascii_end())
}

/// Names this boot of the machine; `None` where the system does not say.
pub(crate) fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// Sends a signal to exactly this process. True if it is gone, or dead, or was reached.
#[cfg(target_os = "linux")]
pub(crate) fn signal(process: &Process, signal: Signal) -> bool {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    let Some(pid) = Pid::from_raw(process.pid) else {
        return true;
    };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return look(process.pid).is_none_or(|now| now.started != process.started);
    };
    match look(process.pid) {
        Some(now) if now.started == process.started => pidfd_send_signal(&handle, signal).is_ok() || now.zombie,
        _ => true,
    }
}

/// Sends a signal to this process and its group.
#[cfg(not(target_os = "linux"))]
pub(crate) fn signal(process: &Process, signal: Signal) -> bool {
    Pid::from_raw(process.pid).is_none_or(|pid| rustix::process::kill_process_group(pid, signal).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_no_trouble() {
        let line = b"7 (a) b (c) Z 1 2 3 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 6 7 8 9 0 0 0 0";
        let process = parse(7, line).expect("a stat line");
        assert_eq!(process, Process { pid: 7, parent: 1, group: 2, session: 3, started: 12345, zombie: true });
    }

    #[test]
    fn a_used_again_pid_is_not_signalled() {
        let own = std::process::id() as i32;
        let mut process = look(own).expect("ourselves");
        assert!(!process.zombie);
        process.started += 1;
        // Were the start time not looked at, this would end the test.
        assert!(signal(&process, Signal::KILL));
    }

    #[test]
    fn an_entry_of_an_environment_is_compared_whole() {
        let environment = b"A=1\0JOBSTILE_FENCE=12\0";
        assert!(carries(environment, b"JOBSTILE_FENCE=12"));
        assert!(!carries(environment, b"JOBSTILE_FENCE=1"));
        assert!(!carries(environment, b"FENCE=12"));
    }

    #[test]
    fn children_are_listed_with_their_tree() {
        let mut child = std::process::Command::new("/bin/sh").args(["-c", "sleep 60 & wait"]).spawn().expect("sh");
        let own = std::process::id() as i32;
        let pid = child.id() as i32;
        assert!(children(own).contains(&pid));
        let mut tree = tree(pid);
        for _ in 0..500 {
            if tree.len() == 2 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
            tree = super::tree(pid);
        }
        assert_eq!(tree.len(), 2);
        assert_eq!(tree[0].pid, pid);
        assert!(tree.iter().all(|process| signal(process, Signal::KILL)));
        child.wait().expect("wait");
        assert!(look(pid).is_none());
    }
}
