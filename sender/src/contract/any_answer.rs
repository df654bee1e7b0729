//! Any answer at all, by proptest: over a socket, as every other one.

use super::{Element, Protocol, Reply, Says, Scripted, messages};
use crate::magfa::{Outgoing, Sent};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::runtime::Builder;

const MESSAGES_MAX: usize = 20;
const CASES: u32 = 200;

/// How an element names its message.
#[derive(Clone, Copy, Debug)]
enum Named {
    Fully,
    ById,
    ByRecipient,
}

impl Named {
    fn element(self, message: &Outgoing<'_>, says: Says) -> Element {
        match self {
            Named::Fully => Element::of(message, says),
            Named::ById => Element::by_id(message, says),
            Named::ByRecipient => Element::by_recipient(message, says),
        }
    }
}

fn named() -> impl Strategy<Value = Named> {
    prop::sample::select(vec![Named::Fully, Named::ById, Named::ByRecipient])
}

/// Taken under one of a few ids, refused with any code of the table, or neither.
fn says<P: Protocol>() -> impl Strategy<Value = Says> {
    let codes: Vec<i16> = P::REFUSALS.iter().map(|(code, _)| *code).collect();
    prop_oneof![
        4 => (1..30_i64).prop_map(Says::Taken),
        3 => prop::sample::select(codes).prop_map(Says::Refused),
        1 => Just(Says::TakenWithoutId),
        1 => Just(Says::Nothing),
    ]
}

/// What was said as an outcome.
fn outcome<P: Protocol>(says: Says) -> Sent {
    match says {
        Says::Taken(id) => Sent::Taken(id.to_string()),
        Says::Refused(code) => {
            let (_, class) = P::REFUSALS.iter().find(|(known, _)| *known == code).unwrap();
            Sent::Said(*class, code)
        }
        Says::TakenWithoutId | Says::Nothing => Sent::Unknown,
    }
}

/// A subset of the true elements, any of them several times, in any order.
pub(crate) fn what_is_left_of_a_true_answer_is_each_messages_own<P: Protocol>() {
    let truth = prop::collection::vec(says::<P>(), 1..=MESSAGES_MAX);
    let picks = prop::collection::vec((any::<prop::sample::Index>(), named()), 0..2 * MESSAGES_MAX);
    check::<P, _>(&(truth, picks), |(truth, picks), answered| {
        let truth = with_ids_of_their_own(truth);
        let messages = messages(i64::try_from(truth.len()).unwrap());
        let picked: Vec<(usize, Named)> =
            picks.iter().map(|(index, named)| (index.index(truth.len()), *named)).collect();
        let elements = picked.iter().map(|(at, named)| named.element(&messages[*at], truth[*at]));
        let sent = answered(&messages, elements.collect());
        for (place, sent) in sent.iter().enumerate() {
            let is_there = picked.iter().any(|(at, _)| *at == place);
            let expected = if is_there { outcome::<P>(truth[place]) } else { Sent::Unknown };
            prop_assert_eq!(sent, &expected, "message {}", place);
        }
        Ok(())
    });
}

fn with_ids_of_their_own(truth: &[Says]) -> Vec<Says> {
    let own =
        |(place, says): (i64, &Says)| if let Says::Taken(_) = says { Says::Taken(place) } else { *says };
    (1..).zip(truth).map(own).collect()
}

/// Elements that lie, contradict each other and share ids: a message has an outcome only if
/// all that is said of it says so, no two have one id, and the order decides nothing.
pub(crate) fn whatever_is_said_no_message_has_anothers_outcome<P: Protocol>() {
    let said =
        prop::collection::vec((any::<prop::sample::Index>(), named(), says::<P>()), 0..2 * MESSAGES_MAX);
    check::<P, _>(&(1..=MESSAGES_MAX, said), |(count, said), answered| {
        let messages = messages(i64::try_from(*count).unwrap());
        let said: Vec<(usize, Named, Says)> =
            said.iter().map(|(index, named, says)| (index.index(*count), *named, *says)).collect();
        let mut elements: Vec<Element> =
            said.iter().map(|(at, named, says)| named.element(&messages[*at], *says)).collect();
        let sent = answered(&messages, elements.clone());
        let mut ids = BTreeSet::new();
        for (place, sent) in sent.iter().enumerate() {
            let mut about = said.iter().filter(|(at, ..)| *at == place);
            let agreed = about.all(|(_, _, says)| outcome::<P>(*says) == *sent);
            let is_there = said.iter().any(|(at, ..)| *at == place);
            prop_assert!(*sent == Sent::Unknown || agreed && is_there, "message {}: {:?}", place, sent);
            if let Sent::Taken(id) = sent {
                prop_assert!(ids.insert(id), "{} is twice there", id);
            }
        }
        elements.reverse();
        prop_assert_eq!(answered(&messages, elements), sent);
        Ok(())
    });
}

/// What the link makes of an answer with these elements to a call with these messages.
type Answered<'a> = dyn Fn(&[Outgoing<'_>], Vec<Element>) -> Vec<Sent> + 'a;

/// Runs a property with an operator that answers what the case wants.
fn check<P: Protocol, S: Strategy>(
    strategy: &S,
    property: impl Fn(&S::Value, &Answered<'_>) -> TestCaseResult,
) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let elements = Arc::new(Mutex::new(Vec::new()));
    let script = Arc::clone(&elements);
    let operator = Scripted::<P>::new(move |call| Reply::new(P::sent(call, &script.lock().unwrap())));
    let operator = runtime.block_on(operator);
    let link = operator.link();
    let answered = |messages: &[Outgoing<'_>], said: Vec<Element>| {
        *elements.lock().unwrap() = said;
        runtime.block_on(P::send(&link, messages))
    };
    let config = Config { cases: CASES, source_file: Some(file!()), ..Config::default() };
    TestRunner::new(config).run(strategy, |value| property(&value, &answered)).unwrap();
}
