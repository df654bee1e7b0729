//! When a message that was sent in vain is tried again. Pure.

use domain::id::ChunkId;

/// Attempts are numbered in an octet. After so many the message waits for its `send_by`.
pub(crate) const ATTEMPTS_MAX: u8 = 250;
/// After so many attempts the rest is spread over the time until `send_by`.
const SPREAD_AFTER: u8 = 200;
/// An operator that asks for patience is tried at the first pause so many times, and then twice
/// as long, and so on: the first in the queue ask for all that stand behind them.
const PATIENT_ATTEMPTS: u8 = 20;
/// Further doublings of the pause would overflow nothing but the reader's patience.
const DOUBLINGS_MAX: u8 = 16;
/// A pause is longer or shorter by up to so many hundredths of it: what failed together does
/// not come back together.
const JITTER_PERCENT: i64 = 20;

/// A message whose attempt was in vain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InVain {
    pub(crate) chunk: ChunkId,
    pub(crate) position: u8,
    /// Attempts so far.
    pub(crate) attempts: u8,
    /// Tries so far: attempts without those that were told to have patience.
    pub(crate) tries: u8,
    /// Whether the operator only asked for patience.
    pub(crate) patience: bool,
    /// Until its `send_by`, in milliseconds.
    pub(crate) left_ms: i64,
}

/// How long it waits, in milliseconds: `first`, doubled with each try (where the operator asks
/// for patience, seldom) up to `longest`, and so that the numbers of attempts last for the time
/// that is left. Never beyond that.
pub(crate) fn pause(message: InVain, first: u64, longest: u64) -> i64 {
    let InVain { attempts, tries, patience, left_ms, .. } = message;
    let doublings = if patience { attempts / PATIENT_ATTEMPTS } else { tries.saturating_sub(1) };
    let doubled = first.saturating_mul(1 << doublings.min(DOUBLINGS_MAX)).min(longest);
    let doubled = i64::try_from(doubled).unwrap_or(i64::MAX);
    let attempts_left = i64::from(ATTEMPTS_MAX.saturating_sub(attempts)).max(1);
    let spread = if attempts > SPREAD_AFTER { left_ms / attempts_left } else { 0 };
    let pause = doubled.max(spread);
    // In thousandths: times are whole milliseconds.
    let jitter = pause.saturating_mul(unit(message)) / 1_000 * JITTER_PERCENT / 100;
    pause.saturating_add(jitter).max(spread).min(left_ms)
}

/// A number from -1,000 to 1,000 that the message and its attempt alone decide: pauses can be
/// told from the records.
fn unit(message: InVain) -> i64 {
    let InVain { chunk, position, attempts, .. } = message;
    let mut mixed = chunk.get().unsigned_abs() ^ (u64::from(position) << 8) ^ u64::from(attempts);
    // The finalizer of splitmix64.
    for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb), (31, 1)] {
        mixed = (mixed ^ (mixed >> shift)).wrapping_mul(factor);
    }
    i64::try_from(mixed % 2_001).unwrap_or(0) - 1_000
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(attempts: u8, tries: u8, left_ms: i64) -> InVain {
        let chunk = ChunkId::new(7 << 30).unwrap();
        InVain { chunk, position: 3, attempts, tries, patience: tries == 0, left_ms }
    }

    #[test]
    fn doubled_up_to_the_longest_and_a_little_apart() {
        for (tries, expected) in [(0, 1_000), (1, 1_000), (2, 2_000), (3, 4_000), (7, 60_000), (20, 60_000)] {
            let pause = pause(message(tries.max(1), tries, 10_000_000), 1_000, 60_000);
            let (low, high) = (expected * 8 / 10, expected * 12 / 10);
            assert!((low..=high).contains(&pause), "{tries}: {pause}");
        }
        assert_eq!(pause(message(1, 1, 300), 1_000, 60_000), 300);
    }

    #[test]
    fn messages_that_fail_together_come_back_apart() {
        let of = |position| pause(InVain { position, ..message(1, 1, 10_000_000) }, 1_000, 60_000);
        let pauses: Vec<i64> = (0..100).map(of).collect();
        assert!(pauses.iter().min().unwrap() < &850 && pauses.iter().max().unwrap() > &1_150);
        assert_eq!(of(3), of(3));
    }

    #[test]
    fn attempts_last_until_send_by() {
        // 72 hours of nothing but "too much" do not use the numbers up.
        let (mut left, mut attempts) = (72 * 3_600_000_i64, 0_u8);
        while left > 0 && attempts < ATTEMPTS_MAX {
            attempts += 1;
            left -= pause(message(attempts, 0, left), 1_000, 60_000);
        }
        assert_eq!(left, 0);
    }
}
