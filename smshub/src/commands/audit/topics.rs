//! What the topics show: O1 of the billed ones, P1 of the attempts. One partition after
//! another, each topic read once. Everything here blocks.

use super::answers::Answers;
use super::intents::Intents;
use domain::lane::Lane;
use domain::time::UnixMillis;
use ledger::audit::{Expect, Report};
use platform::kafka::tail::{Tail, TailRecord};
use platform::kafka::topics::{Stage, Topics};
use platform::kafka::{KafkaProblem, KafkaSettings};

/// What is looked at.
pub(super) struct Scope {
    pub(super) topics: Topics,
    /// Partitions of every topic.
    pub(super) partitions: i32,
    pub(super) expect: Expect,
}

/// Reads the topics, with two clients of its own: one partition of attempts and the billed
/// records that it speaks of are read side by side.
pub(super) fn check(
    settings: &KafkaSettings,
    scope: &Scope,
    report: &mut Report,
) -> Result<(), KafkaProblem> {
    let (attempts, billed) = (Tail::new(settings)?, Tail::new(settings)?);
    for lane in Lane::ALL {
        for partition in 0..scope.partitions {
            scope.partition(&attempts, &billed, lane, partition, report)?;
        }
    }
    Ok(())
}

impl Scope {
    fn partition(
        &self,
        tail: &Tail,
        billed: &Tail,
        lane: Lane,
        partition: i32,
        report: &mut Report,
    ) -> Result<(), KafkaProblem> {
        let attempts = self.topics.of(Stage::Attempts, lane);
        // Asked for before the end of billed: what was attempted was billed before.
        let attempted = tail.bounds(&attempts, partition)?;
        let mut answers = Answers::new(billed, self.topics.of(Stage::Billed, lane), partition)?;
        let mut intents = Intents::new(format!("{attempts}/{partition}"));
        let mut failed = None;
        tail.read(&attempts, partition, attempted, |record| {
            if failed.is_none() {
                failed = take(&record, &mut intents, &mut answers, report).err();
            }
        })?;
        if let Some(problem) = failed {
            return Err(problem);
        }
        while answers.next_block(report, |_| {})? {}
        // Asked for afterwards: what was answered was submitted before.
        let submitted = billed.bounds(&self.topics.of(Stage::Submitted, lane), partition)?.end;
        answers.sources.ended(submitted, self.expect, report);
        Ok(())
    }
}

/// One record of attempts, behind the billed records that it speaks of.
fn take(
    record: &TailRecord,
    intents: &mut Intents,
    answers: &mut Answers<'_>,
    report: &mut Report,
) -> Result<(), KafkaProblem> {
    let appended = UnixMillis(record.at_ms);
    let Some(attempt) = intents.decode(record.offset, &record.value, report) else { return Ok(()) };
    while intents.lacks(&attempt) && answers.may_precede(appended) {
        answers.next_block(report, |chunk| intents.paid(chunk, appended))?;
    }
    intents.take(record.offset, appended, answers.known_since(), &attempt, report);
    Ok(())
}
