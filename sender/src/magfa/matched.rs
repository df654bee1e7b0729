//! Whose an element of an answer is: by our id where it is echoed, else by the recipient,
//! never by its position. Pure.
//!
//! A message may be in several elements. It has the outcome on which they agree; where they
//! contradict each other it is unknown, and a look-up tells: neither is believed, since one
//! would refund what may be delivered and the other wait for what may never come.

use super::answer::{About, Element, Says, SendAnswer};
use super::{Outgoing, Sent, class_of};
use std::collections::{HashMap, HashSet};

/// Digits of a number without its country's code.
const NATIONAL_DIGITS: usize = 10;
const NATIONAL: u64 = 10_000_000_000;

/// One outcome for each message, in their order.
pub(super) fn matched(messages: &[Outgoing<'_>], answer: &SendAnswer<'_>) -> Vec<Sent> {
    let Some(status) = answer.status() else { return vec![Sent::Unknown; messages.len()] };
    let mut said = said_of_each(messages, answer);
    forget_shared_ids(&mut said);
    said.into_iter()
        .map(|said| match (status, said) {
            (0, said) => said.map_or(Sent::Unknown, sent),
            // The call was refused: an element that was taken all the same contradicts that.
            (_, Some(Says::Taken(_) | Says::Nothing)) => Sent::Unknown,
            (_, said) => sent(said.unwrap_or(Says::Refused(status))),
        })
        .collect()
}

fn sent(says: Says) -> Sent {
    match says {
        Says::Taken(id) => Sent::Taken(id.to_string()),
        Says::Refused(code) => Sent::Said(class_of(code), code),
        Says::Nothing => Sent::Unknown,
    }
}

/// What all elements about a message agree on, by its place; nothing where there is none.
fn said_of_each(messages: &[Outgoing<'_>], answer: &SendAnswer<'_>) -> Vec<Option<Says>> {
    let places: HashMap<i64, usize> = (0..).zip(messages).map(|(place, m)| (m.id.get(), place)).collect();
    let mut said = vec![None; messages.len()];
    for element in answer.elements() {
        let place = match element.about() {
            About::Id(id) => places.get(&id).copied(),
            About::Recipient(digits) => to(messages, digits),
        };
        if let Some(said) = place.and_then(|place| said.get_mut(place)) {
            *said = Some(agreed(*said, element));
        }
    }
    said
}

fn agreed(before: Option<Says>, element: &Element<'_>) -> Says {
    let says = element.says();
    if before.is_none_or(|before| before == says) { says } else { Says::Nothing }
}

/// An operator's id is one message's. Where several have the same, whose it is is not known:
/// the receipts of one would settle the other.
fn forget_shared_ids(said: &mut [Option<Says>]) {
    let (mut seen, mut shared) = (HashSet::new(), HashSet::new());
    for says in said.iter().flatten() {
        if let Says::Taken(id) = says
            && !seen.insert(*id)
        {
            shared.insert(*id);
        }
    }
    for says in said.iter_mut().flatten() {
        if matches!(says, Says::Taken(id) if shared.contains(id)) {
            *says = Says::Nothing;
        }
    }
}

/// The place of the message to this number, which is echoed with or without the country's
/// code. Numbers of two countries may differ in that alone: then it is nobody's.
fn to(messages: &[Outgoing<'_>], digits: &str) -> Option<usize> {
    let number: u64 = digits.parse().ok()?;
    if let Some(place) = messages.iter().position(|message| message.recipient.get() == number) {
        return Some(place);
    }
    let is_same = |message: &Outgoing<'_>| message.recipient.get() % NATIONAL == number % NATIONAL;
    let mut same = (0..).zip(messages).filter(|(_, message)| is_same(message));
    let (place, _) = same.next().filter(|_| digits.len() >= NATIONAL_DIGITS)?;
    same.next().is_none().then_some(place)
}
