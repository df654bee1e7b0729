//! A random schedule of charges, bookings and finals, each perhaps repeated or rolled back,
//! against a model made of plain numbers: after every step the books say what it says.

use crate::support::{Books, each};
use domain::bits::Bits;
use domain::id::ChunkId;
use ledger::audit::Expect;
use ledger::hold::{Booked, Request};
use ledger::settle::Finals;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeMap;

const ACCOUNTS: usize = 3;

#[derive(Clone, Debug)]
enum Wanted {
    New { account: usize, prices: Vec<i64> },
    Again { of: Index, same: bool },
    Nobody,
}

#[derive(Clone, Debug)]
enum Step {
    Charge { account: usize, amount: i64 },
    Book { batch: Vec<Wanted>, fate: Fate },
    Finals { ends: Vec<(Index, Vec<u8>, Vec<u8>)>, fate: Fate },
}

/// What becomes of the transaction.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Committed,
    /// Committed, but the answer was lost: done again.
    Repeated,
    /// Rolled back, then done.
    LostFirst,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate =
        || prop_oneof![3 => Just(Fate::Committed), 1 => Just(Fate::Repeated), 1 => Just(Fate::LostFirst)];
    let price = prop_oneof![Just(0), Just(1_000), Just(1_500), 1..4_000i64];
    let wanted = prop_oneof![
        6 => (0..ACCOUNTS, prop::collection::vec(price, 1..16)).prop_map(|(account, prices)| Wanted::New { account, prices }),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(of, same)| Wanted::Again { of, same }),
        1 => Just(Wanted::Nobody),
    ];
    let few = || prop::collection::vec(0u8..18, 0..10);
    prop::collection::vec(
        prop_oneof![
            1 => (0..ACCOUNTS, 1..20_000i64).prop_map(|(account, amount)| Step::Charge { account, amount }),
            2 => (prop::collection::vec(wanted, 1..6), fate()).prop_map(|(batch, fate)| Step::Book { batch, fate }),
            3 => (prop::collection::vec((any::<Index>(), few(), few()), 1..4), fate())
                .prop_map(|(ends, fate)| Step::Finals { ends, fate }),
        ],
        1..30,
    )
}

#[derive(Debug)]
struct Chunk {
    request: Request,
    account: usize,
    prices: Vec<i64>,
    paid: usize,
    /// Of each message: settled or voided, once that is final.
    end: Vec<Option<bool>>,
}

#[derive(Default)]
struct Model {
    balances: [i64; ACCOUNTS],
    held: [i64; ACCOUNTS],
    chunks: BTreeMap<ChunkId, Chunk>,
    used: u32,
}

impl Model {
    fn requests(
        &mut self,
        books: &Books,
        accounts: &[i64; ACCOUNTS],
        batch: &[Wanted],
    ) -> Vec<(Request, Wanted)> {
        let mut requests: Vec<(Request, Wanted)> = Vec::new();
        for wanted in batch {
            self.used += 1;
            let request = match wanted {
                Wanted::New { account, prices } => books.request(self.used, accounts[*account], each(prices)),
                Wanted::Nobody => books.request(self.used, i64::MAX, each(&[1])),
                Wanted::Again { of, same } => {
                    // Of what is stored, or stands before it in this batch.
                    let stored = self.chunks.values().map(|chunk| &chunk.request);
                    let here = requests.iter().filter(|(_, wanted)| matches!(wanted, Wanted::New { .. }));
                    let known: Vec<Request> =
                        stored.chain(here.map(|(request, _)| request)).cloned().collect();
                    if known.is_empty() {
                        continue;
                    }
                    let mut request = known[of.index(known.len())].clone();
                    request.source = i64::from(self.used);
                    request.request_hash ^= u64::from(!same);
                    request
                }
            };
            requests.push((request, wanted.clone()));
        }
        requests
    }

    fn book(&mut self, requests: &[(Request, Wanted)]) -> Vec<Booked> {
        let mut answers = Vec::new();
        for (request, wanted) in requests {
            if let Some(known) = self.chunks.get(&request.chunk) {
                let same = known.request.request_hash == request.request_hash;
                answers.push(if same { Booked::Repetition } else { Booked::Collision });
                continue;
            }
            let Wanted::New { account, prices } = wanted else {
                answers.push(Booked::NoAccount);
                continue;
            };
            let (mut paid, mut cost) = (0, 0);
            while paid < prices.len() && cost + prices[paid] <= self.balances[*account] {
                cost += prices[paid];
                paid += 1;
            }
            self.balances[*account] -= cost;
            self.held[*account] += cost;
            answers.push(if paid == 0 {
                Booked::Refused
            } else {
                Booked::Paid(u16::try_from(paid).unwrap())
            });
            let chunk = Chunk {
                request: request.clone(),
                account: *account,
                prices: prices.clone(),
                paid,
                end: vec![None; prices.len()],
            };
            self.chunks.insert(request.chunk, chunk);
        }
        answers
    }

    /// What is settled and refunded of one chunk.
    fn end(&mut self, chunk: ChunkId, finals: &Finals) -> (i64, i64) {
        let chunk = self.chunks.get_mut(&chunk).unwrap();
        let (mut settled, mut refunded) = (0, 0);
        for message in 0..chunk.paid {
            let position = u8::try_from(message).unwrap();
            if chunk.end[message].is_some() {
                continue;
            }
            if finals.settle.contains(position) {
                chunk.end[message] = Some(true);
                settled += chunk.prices[message];
            } else if finals.void.contains(position) {
                chunk.end[message] = Some(false);
                refunded += chunk.prices[message];
            }
        }
        self.held[chunk.account] -= settled + refunded;
        self.balances[chunk.account] += refunded;
        (settled, refunded)
    }

    fn in_flight(&self) -> usize {
        self.chunks
            .values()
            .map(|chunk| chunk.end[..chunk.paid].iter().filter(|end| end.is_none()).count())
            .sum()
    }
}

async fn book(books: &Books, model: &mut Model, requests: &[(Request, Wanted)], fate: Fate) {
    let batch: Vec<Request> = requests.iter().map(|(request, _)| request.clone()).collect();
    if fate == Fate::LostFirst {
        let mut lost = books.schema.pool().begin().await.unwrap();
        ledger::hold::book(&mut lost, &batch).await.unwrap();
        lost.rollback().await.unwrap();
    }
    assert_eq!(books.book(&batch).await.unwrap(), model.book(requests));
    if fate == Fate::Repeated {
        assert_eq!(books.book(&batch).await.unwrap(), model.book(requests));
    }
}

async fn end(books: &Books, model: &mut Model, finals: &BTreeMap<ChunkId, Finals>, fate: Fate) {
    if fate == Fate::LostFirst {
        let mut lost = books.schema.pool().begin().await.unwrap();
        ledger::settle::finals(&mut lost, finals).await.unwrap();
        lost.rollback().await.unwrap();
    }
    for _ in 0..if fate == Fate::Repeated { 2 } else { 1 } {
        let got = books.finals(finals).await.unwrap();
        for (chunk, ends) in finals {
            let moved = (got[chunk].settled.get(), got[chunk].refunded.get());
            assert_eq!(moved, model.end(*chunk, ends));
        }
    }
}

async fn follow(steps: Vec<Step>) {
    let books = Books::open().await;
    let mut model = Model::default();
    let mut accounts = [0; ACCOUNTS];
    for account in &mut accounts {
        *account = books.account(0).await;
    }
    for step in steps {
        match step {
            Step::Charge { account, amount } => {
                books.charge(accounts[account], amount).await.unwrap();
                model.balances[account] += amount;
            }
            Step::Book { batch, fate } => {
                let requests = model.requests(&books, &accounts, &batch);
                book(&books, &mut model, &requests, fate).await;
            }
            Step::Finals { ends, fate } => {
                let known: Vec<ChunkId> = model.chunks.keys().copied().collect();
                let mut finals = BTreeMap::new();
                for (pick, settle, void) in ends.iter().filter(|_| !known.is_empty()) {
                    let bits = |positions: &[u8]| positions.iter().copied().collect::<Bits>();
                    let ends = Finals { settle: bits(settle), void: bits(void) };
                    finals.insert(known[pick.index(known.len())], ends);
                }
                end(&books, &mut model, &finals, fate).await;
            }
        }
        compare(&books, &model, &accounts).await;
    }
    books.schema.drop().await;
}

async fn compare(books: &Books, model: &Model, accounts: &[i64; ACCOUNTS]) {
    for (k, account) in accounts.iter().enumerate() {
        assert_eq!(books.stands(*account).await, (model.balances[k], model.held[k]), "account {k}");
    }
    for (id, chunk) in &model.chunks {
        let row = books.row(*id).await.unwrap();
        let map = |of: bool| -> Bits {
            (0u8..)
                .zip(&chunk.end)
                .filter(|(_, end)| **end == Some(of))
                .map(|(position, _)| position)
                .collect()
        };
        assert_eq!(
            (usize::from(row.paid), row.decided.settled(), row.decided.voided()),
            (chunk.paid, map(true), map(false))
        );
    }
    let in_flight = model.in_flight();
    assert_eq!(books.assert_clean(Expect::Traffic).await.in_flight, in_flight as u64);
    assert_eq!(books.audit(Expect::Quiescence).await.is_clean(), in_flight == 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_say_what_the_model_says(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(follow(steps));
    }
}
