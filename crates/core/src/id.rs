//! Names and numbers of things: one type each, so that one can never stand for another.

use crate::time::Time;

macro_rules! number {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub i64);

        impl $name {
            /// The number after this one.
            #[must_use]
            pub const fn next(self) -> Self { Self(self.0 + 1) }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
    };
}

macro_rules! text {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// As it stands in the store.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }

        impl std::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str { &self.0 }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(&self.0) }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self { Self(text.into()) }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self { Self(text.into()) }
        }

        impl From<std::sync::Arc<str>> for $name {
            fn from(text: std::sync::Arc<str>) -> Self { Self(text) }
        }
    };
}
pub(crate) use text;

number! {
    /// A job, numbered by the store.
    JobId
}
number! {
    /// A run, numbered from 1 in the order of admission.
    RunId
}
number! {
    /// The decision of a trigger that was not admitted; that of an admitted one is its run.
    RefusalId
}
number! {
    /// Grows with every claim of the store; a write with an old fence changes nothing. 0 before the first claim.
    Fence
}
number! {
    /// A version of the policy in the store, from 1.
    Version
}
text! {
    /// One process incarnation that works on a store: random, 128 bits, hexadecimal.
    NodeId
}
text! {
    /// A trigger's id, given by its caller or, for a tick, by its instant: the same id is the same trigger.
    TriggerId
}

impl TriggerId {
    /// The longest, in bytes.
    pub const MAX: usize = 200;

    /// A caller's id.
    ///
    /// # Errors
    /// [`BadTriggerId`] if it is empty, longer than [`TriggerId::MAX`], has control characters, or looks like a tick's.
    pub fn new(text: &str) -> Result<Self, BadTriggerId> {
        let bad =
            text.is_empty() || text.len() > Self::MAX || text.starts_with('@') || text.chars().any(char::is_control);
        if bad { Err(BadTriggerId) } else { Ok(text.into()) }
    }

    /// The id of a tick: `@` and its instant in microseconds, so that an instant is decided once.
    #[must_use]
    pub fn of_tick(nominal: Time) -> Self {
        format!("@{}", nominal.0).into()
    }
}

/// Why a text is not a trigger id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a trigger id is 1 to 200 bytes, without control characters, and does not begin with `@`")]
pub struct BadTriggerId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trigger_ids() {
        for good in ["a", "order 7", &"x".repeat(200)] {
            assert!(TriggerId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "@1", "a\n", &"x".repeat(201)] {
            assert_eq!(TriggerId::new(bad), Err(BadTriggerId), "{bad}");
        }
        assert_eq!(TriggerId::of_tick(Time(5)).as_str(), "@5");
    }
}
