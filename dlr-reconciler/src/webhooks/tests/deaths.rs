//! Whatever dies, and whenever: what happened is told, and nothing else is.

use super::receiver::Receiver;
use super::rig::{Rig, secret};
use crate::flush::tests::world::{ATTEMPTS, BILLED, RECEIPTS};
use crate::flush::{Flushed, match_all};
use crate::merge::tests::{Story, shuffled};
use crate::read::Stream;
use crate::samples::chunk_id;
use bytes::Bytes;
use domain::lane::Lane;
use domain::status::{MessageState, STATE_BYTES, Status};
use proptest::test_runner::{Config, TestRunner};
use sqlx::types::Uuid;
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test]
async fn what_was_said_and_not_stored_is_said_again_by_the_same_id() {
    let rig = Rig::new().await;
    let (receiver, _) = rig.receiver_and_endpoint(500).await;
    rig.sent(0, 5).await;
    {
        let mut dies = rig.deliverer();
        assert!(rig.say(&mut dies, 0).await);
    }
    assert_eq!((receiver.heard().len(), rig.log().await), (1, vec!["pending 5 0".to_owned()]));
    // More has happened since: it is not mixed into what was said before.
    rig.sent(1, 3).await;
    rig.deliver_all().await;
    let heard = receiver.heard();
    assert_eq!(heard.len(), 3);
    assert_eq!((&heard[0].id, &heard[0].text), (&heard[1].id, &heard[1].text));
    assert_ne!(heard[1].id, heard[2].id);
    assert_eq!((heard[1].events().len(), heard[2].events().len()), (5, 3));
    rig.world.drop().await;
}

#[tokio::test]
async fn who_lost_the_partition_stores_nothing_and_says_nothing() {
    let rig = Rig::new().await;
    let (receiver, _) = rig.receiver_and_endpoint(1).await;
    rig.sent(0, 1).await;
    let mut former = rig.deliverer();
    rig.say(&mut former, 0).await;
    let next = Uuid::now_v7();
    rig.own(next).await;
    // It has said it, and may not store that: whoever holds the partition says it again.
    assert!(!rig.say(&mut former, 0).await);
    assert_eq!((rig.log().await, former.busy.len()), (vec!["pending 1 0".to_owned()], 0));
    let rig = Rig { process: next, ..rig };
    rig.deliver_all().await;
    let heard = receiver.heard();
    assert_eq!((heard.len(), &heard[0].id), (2, &heard[1].id));
    rig.world.drop().await;
}

/// Statuses by message; where there is no row yet all are queued.
async fn statuses(rig: &Rig) -> Vec<(i64, Status)> {
    let mut statuses = Vec::new();
    for (chunk, states) in rig.states().await {
        let states = states.as_chunks::<STATE_BYTES>().0.iter();
        let states = states.map(|bytes| MessageState::from_bytes(*bytes).unwrap().status());
        statuses
            .extend((0u8..).zip(states).map(|(position, status)| (chunk.message(position).get(), status)));
    }
    statuses
}

/// What a schedule does beside storing.
struct Deaths<'a> {
    cuts: &'a [usize],
    step: usize,
}

impl Deaths<'_> {
    fn next(&mut self) -> usize {
        self.step += 1;
        self.cuts.get(self.step % self.cuts.len()).copied().unwrap_or_default() + self.step
    }
}

async fn play(stories: &[Story], shuffled: &[(Stream, Bytes)], cuts: &[usize]) {
    let rig = Rig::new().await;
    // It takes two of three, as it pleases.
    let moody = |call: usize, _: &serde_json::Value| if call % 3 == 1 { 500 } else { 200 };
    let (single, batched) =
        (Receiver::answering(Duration::ZERO, moody).await, Receiver::answering(Duration::ZERO, moody).await);
    rig.endpoint(&single.url(), 1).await;
    rig.endpoint(&batched.url(), 3).await;
    for (k, (fates, unpaid)) in (0..).zip(stories) {
        let paid = fates.len() as u16;
        rig.hold(chunk_id(k), paid + unpaid, paid).await;
    }
    let (mut happened, mut before) = (BTreeSet::new(), statuses(&rig).await);
    let (mut deaths, mut deliverer, mut after_ms) = (Deaths { cuts, step: 0 }, rig.deliverer(), 0);
    for group in shuffled.chunks(cuts.first().map_or(1, |cut| cut + 1)) {
        for topic in [BILLED, ATTEMPTS, RECEIPTS] {
            let of = group.iter().filter(|(stream, _)| *stream == topic.1).map(|(_, record)| record.clone());
            let of: Vec<Bytes> = of.collect();
            if of.is_empty() {
                continue;
            }
            let batch = rig.batch(topic, &of).await;
            // The answer of a commit is lost: it is stored once all the same.
            assert!(matches!(rig.try_flush(topic, 1, &batch).await, Flushed::Stored(_)));
            assert!(matches!(rig.try_flush(topic, 1, &batch).await, Flushed::Moved));
            changed(&rig, &mut before, &mut happened).await;
            match_all(rig.pool(), 0, &rig.means()).await.unwrap();
            changed(&rig, &mut before, &mut happened).await;
        }
        after_ms += 1_500;
        match deaths.next() % 4 {
            0 => deliverer = rig.deliverer(),
            1 => {
                // Killed after it has said things.
                rig.say(&mut deliverer, after_ms).await;
                deliverer = rig.deliverer();
            }
            2 => rig.deliver(&mut deliverer, after_ms).await,
            _ => {}
        }
    }
    // Content of all of it is there by now, or never will be; everything is due again.
    for n in 1..12 {
        rig.deliver(&mut deliverer, after_ms + n * 4_000_000).await;
    }
    assert_eq!(rig.count("webhook_delivery where outcome is distinct from 'delivered'").await, 0);
    for receiver in [&single, &batched] {
        let told: BTreeSet<(i64, String)> = receiver.told().into_iter().collect();
        assert_eq!(told, happened);
        // Once, apart from what was said again by the same id.
        let heard = receiver.heard().into_iter().filter(|heard| heard.status == 200);
        let mut ids = BTreeSet::new();
        let once: Vec<(i64, String)> =
            heard.filter(|heard| ids.insert(heard.id.clone())).flat_map(|heard| heard.events()).collect();
        assert_eq!(once.len(), happened.len());
        assert!(receiver.heard().iter().all(|heard| heard.is_signed_by(&[secret(1)])));
    }
    rig.world.drop().await;
}

/// Notes what changed since.
async fn changed(rig: &Rig, before: &mut Vec<(i64, Status)>, happened: &mut BTreeSet<(i64, String)>) {
    let now = statuses(rig).await;
    for (message, status) in &now {
        let known = before.iter().find(|(known, _)| known == message);
        if known.map_or(Status::Queued, |(_, status)| *status) != *status {
            happened.insert((*message, status.as_str().to_owned()));
        }
    }
    *before = now;
}

#[test]
fn whatever_the_schedule_what_happened_is_told_and_nothing_else() {
    assert_eq!(BILLED.1, Stream::Billed(Lane::Bulk), "the lane of the stories");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // Each case makes a schema: few of them, and no shrinking through hundreds.
    let config = Config { cases: 12, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&shuffled(), |(stories, shuffled, cuts)| {
            runtime.block_on(play(&stories, &shuffled, &cuts));
            Ok(())
        })
        .unwrap();
}
