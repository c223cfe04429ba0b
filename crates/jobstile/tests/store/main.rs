//! What a store withstands: damage, strangers, clocks, full disks, commits that fail.

mod commit;
mod copies;
mod damage;
mod fences;
mod files;
mod limits;
mod prune;
mod world;
