//! Files that inherited from the process that started the daemon.
//!
//! A shell with `exec 9>lock` hands descriptor 9 down to the daemon and from there to the keeper. Commands get 0, 1 and 2
//! and nothing else. This is the only place in Jobstile that needs `unsafe`: there is no safe way to name a descriptor by
//! its number.

use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Where the open descriptors of this process are listed.
const OPEN: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
/// Most descriptors that are looked at.
const MAX_OPEN: usize = 1 << 20;

/// Marks every open descriptor from 3 on, so that no command inherits it. Called while there is one thread.
pub(super) fn close_on_exec() {
    let Ok(open) = std::fs::read_dir(OPEN) else {
        return;
    };
    let numbers: Vec<RawFd> = open
        .flatten()
        .take(MAX_OPEN)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in numbers {
        mark(number);
    }
}

#[expect(
    unsafe_code,
    reason = "rustix borrows a descriptor; its number is all that is known of one that was inherited"
)]
fn mark(number: RawFd) {
    // SAFETY: the number is not -1, and the descriptor is used within this call only, to set a flag. It was open a moment
    // ago, and this process has one thread. Only the one that listed the folder may be closed by now: then the kernel
    // says EBADF and nothing happens.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let _ = fcntl_setfd(descriptor, FdFlags::CLOEXEC);
}
