//! Sending dead letters again, or dropping them: first the plan, with `--yes` the order.

use super::choice::{Choice, Selected};
use super::plan::Plan;
use domain::bits::Bits;
use domain::status::Costs;
use sender::dead::{Letter, Verb, Which, list, order};
use sqlx::PgConnection;

/// Chunks looked at together.
const PAGE: usize = 500;

/// Orders what was chosen, where it is meant. Returns what is said of it, once it is committed.
pub(super) async fn carry_out(
    connection: &mut PgConnection,
    choice: &Choice,
    verb: Verb,
    costs: &Costs,
) -> anyhow::Result<String> {
    let by = std::env::var("USER").unwrap_or_else(|_| "unknown".into());
    let mut plan = Plan::new(verb);
    match choice.selected(connection).await? {
        Selected::OfChunk(letter, messages) => {
            let possible = plan.add(connection, vec![(&letter, messages)]).await?;
            if choice.yes {
                order(connection, &possible, verb, &by).await?;
            }
        }
        Selected::Matching(which) => {
            let mut after = 0;
            loop {
                let letters = list(connection, &which, after, PAGE).await?;
                let Some(last) = letters.last() else { break };
                after = last.chunk.get();
                let possible = plan.add(connection, matching(&letters, &which)).await?;
                if choice.yes {
                    order(connection, &possible, verb, &by).await?;
                }
            }
        }
    }
    plan.lines(choice.yes, costs)
}

fn matching<'a>(letters: &'a [Letter], which: &Which) -> Vec<(&'a Letter, Bits)> {
    letters.iter().map(|letter| (letter, letter.of_code(which.code))).collect()
}
