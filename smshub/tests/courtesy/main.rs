//! Law and courtesy through the whole binary: what is cancelled, who opted out, and what may not
//! be sent at this hour. Each ends with balanced books.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // small numbers

mod canceled;
mod opted_out;
mod quiet;
mod secrets;
mod world;
