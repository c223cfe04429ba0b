//! TERM and INT, counted; HUP.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::Error;
use crate::exit::Code;

/// Signals that come together are one.
const TOGETHER: std::time::Duration = std::time::Duration::from_millis(100);

/// The signals that a daemon listens to.
pub(super) struct Signals {
    hang_up: Signal,
    stops: watch::Receiver<u32>,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|e| Error::new(Code::Scheduler, format!("cannot hear signals: {e}")));
        let (mut term, mut int) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let (count, stops) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
                count.send_modify(|n| *n += 1);
                // One Ctrl-C may come twice: from the terminal, and passed on by sudo or timeout.
                let passed_on = async { loop { tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} } } };
                let _ = tokio::time::timeout(TOGETHER, passed_on).await;
            }
        });
        Ok(Self { hang_up: listen(SignalKind::hangup())?, stops })
    }

    /// Waits for a HUP.
    pub(super) async fn hang_up(&mut self) {
        self.hang_up.recv().await;
    }

    /// Waits for the first TERM or INT.
    pub(super) fn stop(&self) -> impl Future<Output = ()> + use<> {
        nth(self.stops.clone(), 1)
    }

    /// Becomes 1 at the second.
    pub(super) fn hurry(&self) -> watch::Receiver<u32> {
        let (hurry, hurried) = watch::channel(0);
        let second = nth(self.stops.clone(), 2);
        tokio::spawn(async move {
            second.await;
            hurry.send_replace(1);
            // The channel stays open: its end is no signal.
            hurry.closed().await;
        });
        hurried
    }

    /// Waits for the third.
    pub(super) fn third(&self) -> impl Future<Output = ()> + use<> {
        nth(self.stops.clone(), 3)
    }
}

async fn nth(mut stops: watch::Receiver<u32>, n: u32) {
    if stops.wait_for(|count| *count >= n).await.is_err() {
        std::future::pending().await
    }
}
