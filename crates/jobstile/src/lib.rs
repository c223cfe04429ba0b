//! Jobstile, a job scheduler and executor in which jobs never stack up.
//!
//! Deduplication and limits are decided when a job is scheduled, when it is enqueued and once more when it is claimed;
//! every skip names the run that is in the way; retries and crashes never lose work or start a second instance.
//!
//! Embedded in a program, jobs are async functions:
//!
//! ```no_run
//! use jobstile::{Dedup, Job, Jobstile, Run};
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Sync { wallet: String }
//!
//! async fn sync_wallet(args: Sync, run: Run) -> anyhow::Result<()> {
//!     println!("run {} attempt {}: syncing {}", run.id(), run.attempt(), args.wallet);
//!     Ok(())
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> anyhow::Result<()> {
//! let jobs = Jobstile::open("sqlite://jobs.db").await?;
//! let sync = jobs.add(Job::new("sync_wallet", sync_wallet).dedup(Dedup::by(["wallet"])).attempts(3)).await?;
//! println!("{}", sync.trigger(&Sync { wallet: "SP2X0".into() }).await?);
//! jobs.run_until(tokio::signal::ctrl_c()).await?;
//! # Ok(())
//! # }
//! ```

pub mod answer;
pub mod args;
#[doc(hidden)]
pub mod bugs;
pub mod client;
pub mod clock;
mod embed;
pub mod engine;
mod error;
pub mod fact;
pub mod file;
pub mod op;
pub mod origin;
pub mod runner;
pub mod scenario;
pub mod store;
pub mod text;

pub use embed::{
    Builder, Client, Decision, Dedup, End, Job, JobHandle, Jobstile, MAX_BEHIND, Subscription, TriggerOptions, Waited,
};
pub use error::{Error, Kind, Result, Wish};
pub use jobstile_core as core;
pub use jobstile_core::policy::written::Overlap;
pub use jobstile_core::policy::{Backoff, Mistake, Priority};
pub use runner::{Handler, Run};
