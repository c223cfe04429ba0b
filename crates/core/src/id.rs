//! Numbers that name things. All of them are given by the store and only grow.

macro_rules! number {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
    };
}

number! {
    /// A run, numbered from 1 in the order of admission.
    RunId
}
number! {
    /// The decision of a trigger that was not admitted; that of an admitted one is its run.
    DecisionId
}
number! {
    /// Grows with every claim of the store; a write with an old fence changes nothing.
    Fence
}
number! {
    /// A version of the policy in the store.
    Version
}
