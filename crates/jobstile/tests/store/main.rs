//! What a store withstands: damage, strangers, clocks, full disks, commits that fail.

mod damage;
mod fences;
mod limits;
mod world;
