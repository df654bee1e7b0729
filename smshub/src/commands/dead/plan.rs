//! What an order would do: how many messages of whom, and what becomes of their money.

use anyhow::{Context, bail};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::money::Money;
use domain::status::{Cost, Costs, Status};
use sender::dead::{ATTEMPTS_MAX, Letter, Verb};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Accounts named at most.
const ACCOUNTS_MAX: usize = 20;

/// What was looked at so far.
pub(super) struct Plan {
    verb: Verb,
    chunks: usize,
    /// Of each account: messages, and what is held for them.
    accounts: BTreeMap<i64, (usize, Money)>,
    /// Asked to be sent again, and tried as often as is possible.
    exhausted: usize,
    /// Of which an earlier order waits.
    ordered: usize,
}

impl Plan {
    pub(super) fn new(verb: Verb) -> Self {
        Plan { verb, chunks: 0, accounts: BTreeMap::new(), exhausted: 0, ordered: 0 }
    }

    /// Adds dead messages. Returns those that can be ordered.
    pub(super) async fn add<'a>(
        &mut self,
        connection: &mut PgConnection,
        asked: Vec<(&'a Letter, Bits)>,
    ) -> anyhow::Result<Vec<(&'a Letter, Bits)>> {
        let chunks: Vec<ChunkId> = asked.iter().map(|(letter, _)| letter.chunk).collect();
        let holds = ledger::hold::read(connection, &chunks).await?;
        let holds: BTreeMap<ChunkId, _> = holds.into_iter().map(|hold| (hold.chunk, hold)).collect();
        let mut possible = Vec::with_capacity(asked.len());
        for (letter, messages) in asked {
            let messages = self.leave_out(letter, messages);
            if messages.is_empty() {
                continue;
            }
            let hold = holds.get(&letter.chunk);
            let hold = hold.with_context(|| format!("chunk {} is not in the books", letter.chunk))?;
            let (count, held) = self.accounts.entry(letter.account).or_default();
            *count += messages.len();
            *held = held.checked_add(hold.prices.cost_of(&messages)).context("too much to be added up")?;
            self.chunks += 1;
            possible.push((letter, messages));
        }
        Ok(possible)
    }

    fn leave_out(&mut self, letter: &Letter, messages: Bits) -> Bits {
        let ordered = messages.intersection(letter.requeued.union(letter.dropped));
        self.ordered += ordered.len();
        let messages = messages.minus(ordered);
        let exhausted = match self.verb {
            Verb::Requeue => messages.intersection(letter.exhausted()),
            Verb::Drop => Bits::EMPTY,
        };
        self.exhausted += exhausted.len();
        messages.minus(exhausted)
    }

    /// What is, or would be, done. It is an error where something was asked for, and nothing of
    /// it can be done.
    pub(super) fn lines(&self, done: bool, costs: &Costs) -> anyhow::Result<String> {
        let left_out = self.left_out();
        if self.accounts.is_empty() {
            match &left_out[..] {
                [] => return Ok("no dead letters".into()),
                reasons => bail!("nothing was done: {}", reasons.join("; ")),
            }
        }
        let mut lines = vec![self.head(done, costs)?];
        for (account, (messages, held)) in self.accounts.iter().take(ACCOUNTS_MAX) {
            lines.push(format!("  account {account}: {}, {held}", messages_of(*messages)));
        }
        if self.accounts.len() > ACCOUNTS_MAX {
            lines.push(format!("  and {} more accounts", self.accounts.len() - ACCOUNTS_MAX));
        }
        lines.extend(left_out.into_iter().map(|reason| format!("left out: {reason}")));
        Ok(lines.join("\n"))
    }

    fn head(&self, done: bool, costs: &Costs) -> anyhow::Result<String> {
        let messages = self.accounts.values().map(|(messages, _)| messages).sum::<usize>();
        let held = Money::checked_sum(self.accounts.values().map(|(_, held)| *held));
        let held = held.context("too much to be added up")?;
        let money = match (self.verb, costs.of(Status::Failed)) {
            (Verb::Requeue, _) => format!("{held} stays held"),
            (Verb::Drop, Some(Cost::Paid)) => format!("{held} is charged all the same, and not refunded"),
            (Verb::Drop, _) => format!("{held} is refunded"),
        };
        let what = match self.verb {
            Verb::Requeue => "sent again",
            Verb::Drop => "dropped, for ever",
        };
        let chunks = if self.chunks == 1 { "1 chunk".into() } else { format!("{} chunks", self.chunks) };
        let of = format!("{} in {chunks}", messages_of(messages));
        Ok(if done {
            format!("{of} will be {what}, within seconds: {money}")
        } else {
            format!("{of} would be {what}: {money}. Nothing was done: say --yes to do it")
        })
    }

    fn left_out(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.exhausted > 0 {
            reasons.push(format!(
                "{} cannot be sent again: tried {ATTEMPTS_MAX} times, which is as often as is possible. What is \
                 left is `smshub dead drop`; otherwise it expires, and is refunded then",
                messages_of(self.exhausted)
            ));
        }
        if self.ordered > 0 {
            reasons.push(format!(
                "of {} an earlier order waits to be carried out: see `smshub dead list`",
                messages_of(self.ordered)
            ));
        }
        reasons
    }
}

fn messages_of(count: usize) -> String {
    if count == 1 { "1 message".into() } else { format!("{count} messages") }
}
