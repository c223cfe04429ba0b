//! The rules of Jobstile, and nothing else.
//!
//! This crate is pure: it reads no clock, has no randomness of its own and does no IO. Time, jitter and everything
//! that the store knows are arguments; what should happen is the answer. Files stand in the order of the flow:
//!
//! [`job`] → [`policy`] → [`key`] → [`schedule`] → [`trigger`] → [`decide`] → [`run`] → [`claim`] → [`outcome`] →
//! [`retry`] → [`retention`] → [`stats`].

pub mod claim;
pub mod decide;
pub mod id;
pub mod identity;
pub mod job;
pub mod key;
pub mod outcome;
pub mod policy;
pub mod retention;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod stats;
#[cfg(test)]
mod table;
pub mod time;
pub mod trigger;
pub mod words;
