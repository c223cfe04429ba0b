//! Bugs that are planted on purpose, so that the tests can be seen to find them: `scripts/bugs` lists them, `scripts/soak`
//! goes through them.
//!
//! A program that was built with the feature `bugs` reads once, from `JOBSTILE_BUG`, which one it has. No release has the
//! feature, and without it the compiler leaves nothing of them.

#[cfg(all(feature = "bugs", not(debug_assertions)))]
compile_error!("the feature `bugs` plants bugs on purpose: never in a release build");

/// Whether the bug of this name is planted.
#[cfg(not(feature = "bugs"))]
#[inline(always)]
#[must_use]
pub const fn planted(_name: &str) -> bool {
    false
}

/// Whether the bug of this name is planted.
#[cfg(feature = "bugs")]
#[must_use]
pub fn planted(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("JOBSTILE_BUG").ok()).as_deref() == Some(name)
}
