//! The value of a key, whatever its type.

use std::time::Duration;

use crate::policy::written::{Overlap, TickArgs};
use crate::policy::{Concurrency, OnDuplicate, OnFull, Priority, Until};
use crate::schedule::{CatchUp, First};

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A number.
    Fraction(f64),
    /// A duration.
    Span(Duration),
    /// A word of a closed set.
    Word(String),
    /// A list of names.
    List(Vec<String>),
    /// Arguments.
    Args(TickArgs),
    /// A table whose keys have rows of their own.
    Table,
    /// Nothing.
    Nothing,
}

/// What can be the value of a key.
pub trait Plain: Sized {
    /// Takes it from a value. `None` means that the value is of another type.
    fn of(value: Value) -> Option<Self>;
    /// Makes a value of it.
    fn value(&self) -> Value;
}

impl Plain for bool {
    fn of(value: Value) -> Option<Self> {
        if let Value::Flag(flag) = value { Some(flag) } else { None }
    }

    fn value(&self) -> Value {
        Value::Flag(*self)
    }
}

impl Plain for u32 {
    fn of(value: Value) -> Option<Self> {
        if let Value::Whole(number) = value { number.try_into().ok() } else { None }
    }

    fn value(&self) -> Value {
        Value::Whole((*self).into())
    }
}

impl Plain for f64 {
    fn of(value: Value) -> Option<Self> {
        if let Value::Fraction(number) = value { Some(number) } else { None }
    }

    fn value(&self) -> Value {
        Value::Fraction(*self)
    }
}

impl Plain for Duration {
    fn of(value: Value) -> Option<Self> {
        if let Value::Span(span) = value { Some(span) } else { None }
    }

    fn value(&self) -> Value {
        Value::Span(*self)
    }
}

/// `"none"` is no end.
impl Plain for Option<Duration> {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Span(span) => Some(Some(span)),
            Value::Word(_) => Some(None),
            _ => None,
        }
    }

    fn value(&self) -> Value {
        self.map_or(Value::Word("none".to_owned()), Value::Span)
    }
}

/// A number, or `"unlimited"`.
impl Plain for Concurrency {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Whole(number) => number.try_into().ok().map(Self::Limited),
            Value::Word(_) => Some(Self::Unlimited),
            _ => None,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Limited(number) => Value::Whole((*number).into()),
            Self::Unlimited => Value::Word("unlimited".to_owned()),
        }
    }
}

impl Plain for Vec<String> {
    fn of(value: Value) -> Option<Self> {
        if let Value::List(list) = value { Some(list) } else { None }
    }

    fn value(&self) -> Value {
        Value::List(self.clone())
    }
}

impl Plain for TickArgs {
    fn of(value: Value) -> Option<Self> {
        if let Value::Args(args) = value { Some(args) } else { None }
    }

    fn value(&self) -> Value {
        Value::Args(self.clone())
    }
}

macro_rules! words {
    ($($name:ident),+) => {
        $(impl Plain for $name {
            fn of(value: Value) -> Option<Self> {
                if let Value::Word(word) = value { word.parse().ok() } else { None }
            }

            fn value(&self) -> Value {
                Value::Word(self.as_str().to_owned())
            }
        })+
    };
}

words!(First, CatchUp, Overlap, OnFull, OnDuplicate, Until, Priority);
