//! «Did you mean …?»

pub(crate) use jobstile::text::nearest;
