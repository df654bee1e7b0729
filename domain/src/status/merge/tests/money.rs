//! Outcomes and receipts in any order: the same final state and the same money.

use super::super::{Fact, MessageState};
use super::lives::{Life, a_life, a_wild_life, facts_of, merged};
use crate::outcome::Receipt;
use crate::settle::Decided;
use crate::status::{Cost, Costs, Status};
use proptest::prelude::*;

/// A chunk: the lives of the messages that were paid for, and how many were not.
type Chunk = (Vec<Life>, u8);

/// Facts by position.
type Heard = Vec<(u8, Fact)>;

fn heard_of((lives, unpaid): &Chunk) -> Heard {
    let paid = (0u8..)
        .zip(lives)
        .flat_map(|(position, life)| facts_of(life).into_iter().map(move |fact| (position, fact)));
    let first_unpaid = u8::try_from(lives.len()).unwrap_or(u8::MAX);
    paid.chain((0..*unpaid).map(|k| (first_unpaid + k, Fact::Unpaid))).collect()
}

/// A chunk, what is heard of it in some order and twice, in groups of these sizes, and what
/// each final status costs.
type Told = (Chunk, Heard, Vec<usize>, Costs);

fn a_chunk<S: Strategy<Value = Life>>(life: S) -> impl Strategy<Value = Told> {
    (prop::collection::vec(life, 1..6), 0u8..3).prop_flat_map(|chunk| {
        let once = heard_of(&chunk);
        let twice: Heard = once.iter().chain(&once).copied().collect();
        (Just(chunk), Just(twice).prop_shuffle(), prop::collection::vec(1usize..9, 1..5), a_table())
    })
}

/// The default table, or any other.
fn a_table() -> impl Strategy<Value = Costs> {
    let cost = |paid: bool| if paid { Cost::Paid } else { Cost::Refunded };
    prop::option::of(any::<[bool; 6]>()).prop_map(move |paid| {
        let Some([delivered, undelivered, failed, expired, blocked, canceled]) =
            paid.map(|paid| paid.map(cost))
        else {
            return Costs::default();
        };
        Costs { delivered, undelivered, failed, expired, blocked, canceled }
    })
}

/// What the database holds of a chunk: its states and its decisions.
struct Row {
    states: Vec<MessageState>,
    decided: Decided,
    costs: Costs,
}

impl Row {
    fn new((lives, unpaid): &Chunk, costs: &Costs) -> Self {
        let messages = lives.len() + usize::from(*unpaid);
        let paid = u16::try_from(lives.len()).unwrap();
        let states = vec![MessageState::default(); messages];
        Row { states, decided: Decided::open(paid), costs: costs.clone() }
    }

    /// One transaction: states, and the money of what newly ended.
    fn store(&mut self, group: &[(u8, Fact)]) {
        let mut ended = Vec::new();
        for (position, state) in (0u8..).zip(&mut self.states) {
            let facts: Vec<Fact> =
                group.iter().filter(|(of, _)| *of == position).map(|(_, fact)| *fact).collect();
            let was_final = state.status().is_final();
            state.merge_together(&facts);
            if !was_final {
                ended.push((position, state.status()));
            }
        }
        let before = self.decided;
        let (settle, void) = self.costs.split(ended);
        let movement = self.decided.decide(settle, void);
        assert_eq!((movement.settle, movement.void), (settle, void), "status and money agree");
        assert!(before.settled().is_subset(&self.decided.settled()), "what was settled stays settled");
        assert!(before.voided().is_subset(&self.decided.voided()), "what was voided stays voided");
    }

    fn played(chunk: &Chunk, heard: &[(u8, Fact)], cuts: &[usize], costs: &Costs) -> Self {
        let mut row = Row::new(chunk, costs);
        let (mut rest, mut cut) = (heard, cuts.iter().cycle());
        while !rest.is_empty() {
            let (group, later) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
            row.store(group);
            rest = later;
        }
        row
    }
}

fn contradicts(state: &MessageState, fact: &Fact) -> bool {
    match fact {
        Fact::Receipt { receipt: Receipt::Delivered, .. } => state.status() != Status::Delivered,
        Fact::Receipt { receipt: Receipt::Undelivered, .. } => state.status() == Status::Delivered,
        _ => false,
    }
}

proptest! {
    /// Every message ends as it was told, and its money with it, however it was heard.
    #[test]
    fn one_end_and_one_price((chunk, heard, cuts, costs) in a_chunk(a_life())) {
        let found = Row::played(&chunk, &heard, &cuts, &costs);
        let (lives, unpaid) = &chunk;
        let told: Vec<MessageState> = lives.iter().map(|life| merged(&facts_of(life))).collect();
        prop_assert_eq!(&found.states[..lives.len()], &told[..]);
        let refused = found.states[lives.len()..].iter().filter(|state| state.status() == Status::Refused);
        prop_assert_eq!(refused.count(), usize::from(*unpaid));
        let due = costs.split((0u8..).zip(lives.iter().map(Life::ends_in)));
        prop_assert_eq!((found.decided.settled(), found.decided.voided()), due);
    }

    /// Receipts that contradict: the first final decision stands, in status and in money, and
    /// every contradiction after it leaves its mark and nothing else.
    #[test]
    fn the_first_final_decision_stands((chunk, heard, _, costs) in a_chunk(a_wild_life())) {
        let mut row = Row::new(&chunk, &costs);
        let mut late = vec![false; row.states.len()];
        for (position, fact) in &heard {
            let at = usize::from(*position);
            let before = row.states[at];
            let decided = (row.decided.settled(), row.decided.voided());
            row.store(&[(*position, *fact)]);
            let after = row.states[at];
            if before.status().is_final() {
                late[at] |= contradicts(&before, fact);
                prop_assert_eq!((after.status(), after.reason()), (before.status(), before.reason()));
                prop_assert_eq!(
                    (after.operator_code(), after.final_after()),
                    (before.operator_code(), before.final_after())
                );
                prop_assert_eq!((row.decided.settled(), row.decided.voided()), decided);
            }
            prop_assert_eq!(after.late_receipt(), late[at]);
        }
        // All of it once more moves nothing.
        let (states, decided) = (row.states.clone(), row.decided);
        row.store(&heard);
        prop_assert_eq!(row.decided, decided);
        for (before, after) in states.iter().zip(&row.states) {
            prop_assert_eq!(before.status(), after.status());
        }
    }

    /// However they are grouped, contradicting receipts leave status and money in agreement,
    /// and what we ended ourselves, or was delivered among what came together, says how.
    #[test]
    fn status_and_money_agree_whatever_is_heard((chunk, heard, cuts, costs) in a_chunk(a_wild_life())) {
        let row = Row::played(&chunk, &heard, &cuts, &costs);
        let due = costs.split((0u8..).zip(row.states.iter().map(MessageState::status)));
        prop_assert_eq!((row.decided.settled(), row.decided.voided()), due);
        let (lives, _) = &chunk;
        let together = Row::played(&chunk, &heard, &[heard.len().max(1)], &costs);
        for (life, state) in lives.iter().zip(&together.states) {
            if life.receipts.iter().any(|(_, receipt)| *receipt == Receipt::Delivered) {
                prop_assert_eq!(state.status(), Status::Delivered);
            }
        }
    }
}
