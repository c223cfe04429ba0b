//! Tells systemd how the daemon is (`sd_notify(3)`); does nothing if nobody asked.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The daemon works.
pub(super) fn ready() {
    tell("READY=1");
}

/// The daemon reads its file again.
pub(super) fn reloading() {
    tell("RELOADING=1");
}

/// The daemon ends.
pub(super) fn stopping() {
    tell("STOPPING=1");
}

/// Waits for the next sign of life that systemd wants, and gives it; for ever where it wants none.
pub(super) async fn watchdog() {
    let wanted = std::env::var("WATCHDOG_USEC").ok().and_then(|us| us.parse().ok());
    match wanted {
        Some(us) => {
            jobstile::clock::sleep(Duration::from_micros(us) / 2).await;
            tell("WATCHDOG=1");
        }
        None => std::future::pending().await,
    }
}

// If the service manager does not listen, the daemon loses nothing that it needs.
fn tell(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let path = path.to_string_lossy();
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&*path),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}
