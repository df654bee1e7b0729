//! What becomes of a delivery and of its endpoint after a call. Pure.

use crate::config::WebhookDelivery;
use domain::time::UnixMillis;
use platform::webhook::Called;
use sqlx::types::Uuid;

/// The first pause of an endpoint that failed; each further one is twice as long.
const PAUSE_FIRST_MS: i64 = 1_000;
/// So many failures in a row are an outage: once it is over, everything is tried again at once.
pub(super) const OUTAGE_FAILURES: u32 = 3;
/// Pauses are shortened or lengthened by up to this part, so that what failed together does not
/// come back together.
const JITTER: f64 = 0.2;

/// When it is tried again, and how long.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    retries_ms: Vec<i64>,
    give_up_ms: i64,
    pause_longest_ms: i64,
}

/// What is known of a delivery's attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried {
    pub(crate) attempts: u32,
    pub(crate) first_at: Option<UnixMillis>,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The endpoint has it.
    Delivered,
    /// It is said again, then.
    Again(UnixMillis),
    /// It was said in vain for too long.
    Failed,
}

/// How an endpoint does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// Calls in a row that failed.
    pub(crate) failures: u32,
    /// Since when.
    pub(crate) failing_since: Option<UnixMillis>,
    /// It is left alone until then.
    pub(crate) not_before: Option<UnixMillis>,
    /// Why it is told nothing any more.
    pub(crate) disabled: Option<Reason>,
}

/// Why an endpoint is told nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It said so.
    Gone,
    /// Nothing reached it for too long.
    Failing,
}

impl Reason {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Reason::Gone => "gone",
            Reason::Failing => "failing",
        }
    }
}

impl Rules {
    pub(crate) fn new(settings: &WebhookDelivery) -> Self {
        Rules {
            retries_ms: settings.retry_schedule_s.iter().map(|s| i64::from(*s) * 1_000).collect(),
            give_up_ms: i64::from(settings.give_up_hours) * 3_600_000,
            pause_longest_ms: i64::from(settings.pause_longest_s) * 1_000,
        }
    }

    /// What becomes of a delivery that was called for at `at`. `id` is its own: jitter comes of it.
    pub(crate) fn fate(&self, tried: Tried, called: &Called, at: UnixMillis, id: Uuid) -> Fate {
        if called.is_taken() {
            return Fate::Delivered;
        }
        let since = tried.first_at.unwrap_or(at);
        let place = usize::try_from(tried.attempts).unwrap_or(usize::MAX);
        let pause = self.retries_ms.get(place).or(self.retries_ms.last()).copied().unwrap_or(PAUSE_FIRST_MS);
        let due = at.plus(jittered(pause, id, tried.attempts));
        let end = since.plus(self.give_up_ms);
        // The last attempt is at the end, not somewhen before it.
        if at >= end { Fate::Failed } else { Fate::Again(due.min(end)) }
    }

    /// How an endpoint does after a call at `at`.
    pub(crate) fn health(&self, before: Health, called: &Called, at: UnixMillis, id: Uuid) -> Health {
        if called.is_taken() {
            return Health::default();
        }
        let since = before.failing_since.unwrap_or(at);
        let pause = PAUSE_FIRST_MS.saturating_mul(1 << before.failures.min(30)).min(self.pause_longest_ms);
        let disabled = if called.is_gone() {
            Some(Reason::Gone)
        } else {
            (at >= since.plus(self.give_up_ms)).then_some(Reason::Failing)
        };
        Health {
            failures: before.failures.saturating_add(1),
            failing_since: Some(since),
            not_before: Some(at.plus(jittered(pause, id, before.failures))),
            disabled,
        }
    }
}

/// A pause, made shorter or longer by what is random in an id (the lower half of it).
#[allow(clippy::cast_possible_truncation)] // 16 random bits; a fifth of some hours
fn jittered(pause_ms: i64, id: Uuid, turn: u32) -> i64 {
    let random = (id.as_u128() >> (turn.wrapping_mul(7) % 40)) as u16;
    let part = f64::from(random) / f64::from(u16::MAX);
    pause_ms + (pause_ms as f64 * JITTER * (2.0 * part - 1.0)) as i64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::settings;
    use super::*;
    use platform::webhook::Trouble;
    use proptest::prelude::*;

    const NOW: UnixMillis = UnixMillis(1_795_000_000_000);
    const TIMEOUT: Called = Called { answer: Err(Trouble::Timeout), took_ms: 15_000 };

    fn rules() -> Rules {
        Rules::new(&settings())
    }

    proptest! {
        /// However long it fails: pauses are as the schedule says, a fifth more or less, the last
        /// attempt is when the time is over, and then it is over.
        #[test]
        fn what_fails_is_tried_for_48_hours(id: u128) {
            let (id, mut at, mut attempts) = (Uuid::from_u128(id), NOW, 0);
            let schedule = [5_000, 60_000, 3_600_000];
            loop {
                let tried = Tried { attempts, first_at: (attempts > 0).then_some(NOW) };
                let Fate::Again(due) = rules().fate(tried, &TIMEOUT, at, id) else { break };
                let pause = schedule[attempts.min(2) as usize];
                let end = NOW.plus(48 * 3_600_000);
                prop_assert!(due <= at.plus(pause * 6 / 5) && due <= end);
                prop_assert!(due >= at.plus(pause * 4 / 5) || due == end);
                (at, attempts) = (due, attempts + 1);
            }
            prop_assert_eq!(at, NOW.plus(48 * 3_600_000));
        }
    }

    #[test]
    fn an_endpoint_is_left_alone_for_longer_and_longer() {
        let (id, mut health, mut pauses) = (Uuid::now_v7(), Health::default(), Vec::new());
        for _ in 0..12 {
            health = rules().health(health, &TIMEOUT, NOW, id);
            pauses.push(health.not_before.unwrap().0 - NOW.0);
        }
        for (pause, expected) in pauses.iter().zip([1_000, 2_000, 4_000, 8_000]) {
            assert!((expected * 4 / 5..=expected * 6 / 5).contains(pause), "{pauses:?}");
        }
        assert!((240_000..=360_000).contains(&pauses[11]), "{pauses:?}");
        assert_eq!((health.failures, health.disabled), (12, None));
        let taken = Called { answer: Ok(299), took_ms: 1 };
        assert_eq!(rules().health(health, &taken, NOW, id), Health::default());
        let redirect = Called { answer: Ok(301), took_ms: 1 };
        assert_eq!(rules().health(Health::default(), &redirect, NOW, id).failures, 1);
        let gone = Called { answer: Ok(410), took_ms: 1 };
        assert_eq!(rules().health(Health::default(), &gone, NOW, id).disabled, Some(Reason::Gone));
        let late = NOW.plus(48 * 3_600_000);
        assert_eq!(rules().health(health, &TIMEOUT, late, id).disabled, Some(Reason::Failing));
    }

    #[test]
    fn what_failed_together_does_not_come_back_together() {
        let tried = Tried { attempts: 2, first_at: Some(NOW) };
        let due = (0..50).map(|_| rules().fate(tried, &TIMEOUT, NOW, Uuid::now_v7()));
        let different: std::collections::BTreeSet<String> = due.map(|fate| format!("{fate:?}")).collect();
        assert!(different.len() > 40, "{}", different.len());
    }
}
