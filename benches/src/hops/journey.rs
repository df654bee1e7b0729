//! One message's moments, joined by its id from all who wrote one down.

use crate::answers::Answered;
use domain::id::MessageId;
use std::collections::{BTreeMap, HashMap};

/// A moment that somebody wrote down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// The load generator: the request was due.
    Due,
    /// The load generator: the 2xx was there.
    Answered,
    /// The broker: its record in sms.submitted.
    Submitted,
    /// The broker: the answer that it is paid, in sms.billed.
    Billed,
    /// The broker: that a call is about to be made, in sms.attempts.
    Intent,
    /// The operator: the call with it was read to its last octet.
    Bytes,
    /// The broker: what became of it, in sms.attempts.
    Outcome,
}

impl Moment {
    const ALL: [Moment; 7] = [
        Moment::Due,
        Moment::Answered,
        Moment::Submitted,
        Moment::Billed,
        Moment::Intent,
        Moment::Bytes,
        Moment::Outcome,
    ];

    /// As the report calls it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Moment::Due => "request due",
            Moment::Answered => "2xx",
            Moment::Submitted => "submitted appended",
            Moment::Billed => "billed appended",
            Moment::Intent => "intent appended",
            Moment::Bytes => "bytes at the operator",
            Moment::Outcome => "outcome appended",
        }
    }
}

/// A message's moments in milliseconds since 1970, in the order of [`Moment`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Journey([Option<i64>; Moment::ALL.len()]);

impl Journey {
    /// Milliseconds from one moment to another; negative where the other came first. Nothing
    /// where one of them is not known.
    pub(crate) fn between(&self, from: Moment, to: Moment) -> Option<i64> {
        Some(self.0[to as usize]? - self.0[from as usize]?)
    }

    fn missing(&self) -> Vec<Moment> {
        Moment::ALL.into_iter().filter(|moment| self.0[*moment as usize].is_none()).collect()
    }
}

/// The journeys of all messages that were answered with 2xx; of others nothing is kept.
pub(crate) struct Journeys {
    by_id: HashMap<MessageId, Journey>,
    repeated: BTreeMap<Moment, u64>,
}

impl Journeys {
    /// What the load generator wrote down. Everybody else's clock has whole milliseconds: its
    /// own is cut to them too, or each difference to it would be half of one too short.
    pub(crate) fn of(answered: &[Answered]) -> Self {
        let mut journeys = Journeys { by_id: HashMap::new(), repeated: BTreeMap::new() };
        for one in answered {
            journeys.by_id.insert(one.id, Journey::default());
            journeys.saw(one.id, Moment::Due, one.due_us.div_euclid(1_000));
            journeys.saw(one.id, Moment::Answered, one.answered_us.div_euclid(1_000));
        }
        journeys
    }

    /// The first moment of all.
    pub(crate) fn begin(&self) -> Option<i64> {
        self.by_id.values().filter_map(|journey| journey.0[Moment::Due as usize]).min()
    }

    /// Somebody wrote that this was a moment of that message. The first time counts; further
    /// ones are counted.
    pub(crate) fn saw(&mut self, id: MessageId, moment: Moment, at_ms: i64) {
        let Some(journey) = self.by_id.get_mut(&id) else { return };
        let known = &mut journey.0[moment as usize];
        if let Some(before) = *known {
            *self.repeated.entry(moment).or_default() += 1;
            *known = Some(before.min(at_ms));
        } else {
            *known = Some(at_ms);
        }
    }

    /// All messages, joined or not.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The journeys of which every moment is known.
    pub(crate) fn joined(&self) -> Vec<Journey> {
        self.by_id.values().filter(|journey| journey.missing().is_empty()).copied().collect()
    }

    /// The others, with what is not known of them; the oldest first.
    pub(crate) fn not_joined(&self) -> Vec<(MessageId, Vec<Moment>)> {
        let mut all: Vec<_> = self.by_id.iter().map(|(id, journey)| (*id, journey.missing())).collect();
        all.retain(|(_, missing)| !missing.is_empty());
        all.sort_unstable();
        all
    }

    /// How often a moment was written down again for the same message.
    pub(crate) fn repeated(&self) -> &BTreeMap<Moment, u64> {
        &self.repeated
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(number: i64) -> MessageId {
        MessageId::new(number << 8).unwrap()
    }

    fn answered(number: i64, due_us: i64, answered_us: i64) -> Answered {
        Answered { id: id(number), due_us, answered_us }
    }

    /// Everything behind the 2xx, a millisecond apart.
    fn pass(journeys: &mut Journeys, number: i64, from_ms: i64) {
        for (moment, at_ms) in Moment::ALL[2..].iter().zip(from_ms..) {
            journeys.saw(id(number), *moment, at_ms);
        }
    }

    #[test]
    fn moments_are_joined_by_id() {
        let mut journeys = Journeys::of(&[answered(1, 10_900, 14_100), answered(2, 5_000, 6_000)]);
        pass(&mut journeys, 1, 11);
        pass(&mut journeys, 2, 20);
        assert_eq!((journeys.len(), journeys.begin()), (2, Some(5)));
        let mut joined = journeys.joined();
        joined.sort_unstable_by_key(|journey| journey.0[Moment::Due as usize]);
        let of = |journey: &Journey| {
            [
                (Moment::Due, Moment::Submitted),
                (Moment::Intent, Moment::Bytes),
                (Moment::Answered, Moment::Bytes),
            ]
            .map(|(from, to)| journey.between(from, to).unwrap())
        };
        assert_eq!(joined.iter().map(of).collect::<Vec<_>>(), [[15, 1, 17], [1, 1, 0]]);
        assert!(journeys.not_joined().is_empty() && journeys.repeated().is_empty());
    }

    #[test]
    fn the_operator_may_be_first() {
        let mut journeys = Journeys::of(&[answered(1, 0, 50_000)]);
        journeys.saw(id(1), Moment::Bytes, 43);
        let journey = journeys.by_id[&id(1)];
        assert_eq!(journey.between(Moment::Answered, Moment::Bytes), Some(-7));
        assert_eq!(journey.between(Moment::Billed, Moment::Bytes), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut journeys = Journeys::of(&[answered(3, 0, 1), answered(1, 0, 1), answered(2, 0, 1)]);
        pass(&mut journeys, 2, 5);
        journeys.saw(id(3), Moment::Submitted, 2);
        let wanted = [
            (id(1), Moment::ALL[2..].to_vec()),
            (id(3), vec![Moment::Billed, Moment::Intent, Moment::Bytes, Moment::Outcome]),
        ];
        assert_eq!(journeys.not_joined(), wanted);
        assert_eq!(journeys.joined().len(), 1);
    }

    #[test]
    fn the_first_time_counts_and_others_messages_do_not() {
        let mut journeys = Journeys::of(&[answered(1, 0, 1)]);
        pass(&mut journeys, 1, 10);
        journeys.saw(id(1), Moment::Intent, 9);
        journeys.saw(id(1), Moment::Intent, 500);
        journeys.saw(id(99), Moment::Intent, 1);
        assert_eq!(journeys.joined()[0].between(Moment::Due, Moment::Intent), Some(9));
        assert_eq!(journeys.repeated(), &BTreeMap::from([(Moment::Intent, 2)]));
        assert_eq!(journeys.len(), 1);
    }
}
