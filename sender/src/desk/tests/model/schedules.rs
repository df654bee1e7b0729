//! What happens to the model, and what must hold whatever happens.

use super::*;

#[derive(Clone, Debug)]
pub(super) enum Happens {
    Arrive { recipients: Vec<u64>, paid: prop::sample::Index },
    Deliver(usize),
    Call { max: usize, reaches: Vec<bool> },
    End { call: prop::sample::Index, outcomes: Vec<Outcome> },
    LookUp,
    Time(i64),
    Defer { after: i64, room: usize },
    Store,
    Look,
    Order { row: prop::sample::Index, verb: bool },
    Cancel(i64),
    OptOut { account: i64, number: u64 },
    Mind,
    Refuse(usize),
    Close(prop::sample::Index),
    Morning,
    Crash,
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens::*;
    let index = any::<prop::sample::Index>;
    let recipients = prop::collection::vec(0u64..6, 1..6);
    let outcome = prop_oneof![
        3 => Just(Outcome::Taken),
        2 => Just(Outcome::Retry),
        1 => Just(Outcome::NotSent),
        2 => Just(Outcome::Unknown),
        1 => Just(Outcome::Refused(Refusal::Operator)),
    ];
    prop_oneof![
        3 => (recipients, index()).prop_map(|(recipients, paid)| Arrive { recipients, paid }),
        4 => (1usize..4).prop_map(Deliver),
        5 => (1usize..3, prop::collection::vec(any::<bool>(), 3)).prop_map(|(max, reaches)| Call { max, reaches }),
        4 => (index(), prop::collection::vec(outcome, 4)).prop_map(|(call, outcomes)| End { call, outcomes }),
        2 => Just(LookUp),
        2 => (1i64..30).prop_map(Time),
        2 => (0i64..20, 0usize..4).prop_map(|(after, room)| Defer { after, room }),
        3 => Just(Store),
        2 => Just(Look),
        1 => (index(), any::<bool>()).prop_map(|(row, verb)| Order { row, verb }),
        1 => (1i64..3).prop_map(Cancel),
        1 => (1i64..3, 0u64..6).prop_map(|(account, number)| OptOut { account, number }),
        2 => Just(Mind),
        2 => (1usize..4).prop_map(Refuse),
        2 => index().prop_map(Close),
        1 => Just(Morning),
        2 => Just(Crash),
    ]
}

/// Of every message, no two valid intents have the same number, and none follows what closed it.
fn numbers_of_attempts_only_grow(attempts: &[Attempt]) {
    let (mut last, mut closed): (HashMap<Message, u8>, HashSet<Message>) = Default::default();
    for attempt in attempts {
        match &attempt.kind {
            AttemptKind::Fence => {}
            AttemptKind::Intent { slices, .. } => {
                for (slice, position) in slices.iter().flat_map(|s| s.bits.iter().map(move |p| (s, p))) {
                    let message = (slice.of.chunk, position);
                    assert!(!closed.contains(&message), "an intent follows what closed the message");
                    let before = last.insert(message, slice.of.attempt).unwrap_or(0);
                    assert!(slice.of.attempt > before, "attempt {} after {before}", slice.of.attempt);
                }
            }
            AttemptKind::Outcomes { slices, .. } => {
                for slice in slices {
                    let closing = slice.messages.iter().filter(|message| message.outcome.closes());
                    closed.extend(closing.map(|message| (slice.of.chunk, message.position)));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    /// Whatever happens, whoever dies whenever: nothing is sent that the operator has or that
    /// is closed, nothing paid is forgotten, and everything ends exactly once.
    #[test]
    fn nothing_is_lost_and_nothing_repeated(
        backlog in prop::collection::vec(prop::collection::vec(0u64..6, 1..3), 0..8),
        steps in prop::collection::vec(happens(), 1..150),
    ) {
        let mut model = Model::new();
        // A backlog, as a campaign leaves it: later chunks of others are sent before it.
        for recipients in backlog {
            let paid = u16::try_from(recipients.len()).unwrap();
            model.billed.push((chunk(model.billed.len() as i64, recipients), paid));
            model.deliver();
        }
        for step in steps {
            model.step(step);
        }
        model.settle();
        for (chunk, paid) in &model.billed {
            for position in 0..u8::try_from(*paid).unwrap() {
                let ended = model.closed.get(&(chunk.id, position));
                prop_assert!(ended.is_some(), "{}/{position} was forgotten", chunk.id);
                let has = model.has.contains(&(chunk.id, position));
                prop_assert_eq!(has, ended == Some(&Outcome::Taken));
                if ended == Some(&Outcome::Refused(Refusal::Canceled)) {
                    prop_assert!(model.canceled.contains(&chunk.campaign));
                }
            }
        }
        numbers_of_attempts_only_grow(&model.attempts);
        prop_assert!(model.orders.is_empty() || model.table.is_empty());
        let stand = model.desk.stand();
        prop_assert_eq!(stand.point, model.attempts.len() as i64);
    }
}

/// A chunk that came back from the table and ended in front of the frontier comes again to the
/// next holder: nobody else knows by then that it is done with.
#[test]
fn what_ended_in_front_of_the_frontier_is_not_sent_again() {
    let mut model = Model::new();
    // Three chunks of one account, and then one of another.
    for number in 0..4 {
        model.billed.push((chunk(number, vec![1]), 1));
        model.deliver();
    }
    model.call(1, &[true]);
    model.call(1, &[false]);
    model.end(1, &[Outcome::Retry]);
    model.desk.defer(model.time(), 0, 10);
    model.store();
    model.now += 10;
    model.look();
    model.desk.retry_due(model.time(), None);
    model.call(1, &[true]);
    model.call(1, &[true]);
    while !model.calls.is_empty() {
        model.end(0, &[Outcome::Taken]);
    }
    model.store();
    assert_eq!(model.closed.len(), 3, "one of the three has not been sent yet");
    assert_eq!((model.stored.frontier, model.stored.point), (2, model.attempts.len() as i64));
    model.crash();
    model.settle();
    numbers_of_attempts_only_grow(&model.attempts);
}
