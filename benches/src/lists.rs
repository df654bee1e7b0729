//! Lists and reports on many stored messages: [`store`] writes them as SQL for psql, [`ask`]
//! reads them through the public API at a calm rate, with a stopwatch.

mod ask;
mod stored;
mod tables;

pub use ask::{AskFlags, ask};
pub use stored::{StoreFlags, store};

/// The account that has half of the messages.
const LARGEST: i64 = 1_001;
/// Its texts' recipients and everybody's: so many different numbers.
const NUMBERS: u64 = 1_000_000;
/// Campaigns an account has each day.
const CAMPAIGNS_A_DAY: i64 = 2;

/// The number at a place; synthetic, as in `samples/make_recipients.py`.
fn number(place: u64) -> u64 {
    const PREFIXES: [u64; 12] = [910, 912, 914, 915, 917, 919, 901, 921, 933, 935, 936, 990];
    let prefix = PREFIXES.get(usize::try_from(place % 12).unwrap_or(0)).copied().unwrap_or(912);
    980_000_000_000 + prefix * 10_000_000 + place / 12 % 1_000_000
}

/// The campaign of an account on a day, counted from the first.
fn campaign(account: i64, day: i64, which: i64) -> i64 {
    account * 1_000 + day * CAMPAIGNS_A_DAY + which
}
