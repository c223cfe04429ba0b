//! The commands that work on a store, as somebody types them: what they print, where, and how they exit. No daemon is
//! needed: the store is filled by the operations that a daemon would use.

#[path = "commands/world.rs"]
mod world;

#[path = "commands/errors.rs"]
mod errors;
#[path = "commands/explain.rs"]
mod explain;
#[path = "commands/hostile.rs"]
mod hostile;
#[path = "commands/lists.rs"]
mod lists;
#[path = "commands/look.rs"]
mod look;
#[path = "commands/monitor.rs"]
mod monitor;
#[path = "commands/remains.rs"]
mod remains;
#[path = "commands/terminal.rs"]
mod terminal;
#[path = "commands/touch.rs"]
mod touch;
#[path = "commands/triggers.rs"]
mod triggers;
#[path = "commands/wrong.rs"]
mod wrong;
