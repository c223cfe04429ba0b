//! Jobs as async functions in a program of your own: the same rules and the same store as the daemon's.
//!
//!     cargo run -p jobstile --example embedded
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use jobstile::{Dedup, Job, Jobstile, Run};
use std::time::Duration;

#[derive(serde::Serialize, serde::Deserialize)]
struct Sync {
    wallet: String,
}

async fn sync_wallet(args: Sync, run: Run) -> anyhow::Result<()> {
    println!("run {} attempt {}: syncing {}", run.id(), run.attempt(), args.wallet);
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let jobs = Jobstile::open("sqlite://jobs.db").await?;
    let sync = jobs.add(Job::new("sync_wallet", sync_wallet).dedup(Dedup::by(["wallet"])).attempts(3)).await?;
    let pool = std::sync::Arc::new(7); // your state: clone it into the closure
    jobs.add(
        Job::new("chain_state", move |_: (), _run| chain_state(pool.clone()))
            .every(Duration::from_secs(90))
            .timeout(Duration::from_secs(300)),
    )
    .await?;
    println!("{}", sync.trigger(&Sync { wallet: "SP2X0".into() }).await?); // admitted as run 1
    jobs.run_until(tokio::signal::ctrl_c()).await?; // drains, then returns
    Ok(())
}

async fn chain_state(_pool: std::sync::Arc<i32>) -> anyhow::Result<()> {
    Ok(())
}
