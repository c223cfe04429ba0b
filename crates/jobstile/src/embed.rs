//! Jobstile inside a program: jobs that are async Rust functions.

mod handle;
mod job;
mod jobstile;

pub use handle::{Decision, JobHandle, TriggerOptions};
pub use job::{Dedup, Job};
pub use jobstile::Jobstile;
