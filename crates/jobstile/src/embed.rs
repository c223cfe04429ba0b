//! Jobstile inside a program: jobs that are async Rust functions.

mod client;
mod handle;
mod job;
mod jobstile;
mod watch;

pub use client::Client;
pub use handle::{Decision, End, JobHandle, TriggerOptions, Waited};
pub use job::{Dedup, Job};
pub use jobstile::{Builder, Jobstile};
pub use watch::{MAX_BEHIND, Subscription};
