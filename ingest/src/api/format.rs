//! How values are written in answers.

pub(super) use platform::time::rfc3339 as time;
