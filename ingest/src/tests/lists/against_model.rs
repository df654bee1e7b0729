//! Whatever is stored, and whatever is asked: a list is what a naive look through all of it finds.

use domain::lane::Lane;
use domain::phone::Msisdn;
use domain::status::Status;
use domain::time::UnixMillis;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use super::world::{ACCOUNTS, BEGIN, HOUR_MS, Known, Made, Place, World, ids};
use crate::reports::list::{Filter, StatusSet, numbered, page};

const RECIPIENTS: [u64; 4] = [989_120_000_001, 989_120_000_002, 989_350_000_003, 491_511_234_567];
const REFERENCES: [&str; 3] = ["", "order-1", "order-2"];

/// A question, and how it is read.
#[derive(Clone, Debug)]
struct Asked {
    filter: Filter,
    limit: usize,
    offset: u64,
}

fn status() -> impl Strategy<Value = Status> {
    // Some are frequent and some rare.
    prop_oneof![
        4 => Just(Status::Delivered),
        2 => select(&[Status::Queued, Status::Sent][..]),
        1 => select(&Status::ALL[..]).prop_filter("is refused by itself", |status| *status != Status::Refused),
    ]
}

fn lane() -> impl Strategy<Value = Lane> {
    select(&Lane::ALL[..])
}

fn references(size: usize) -> impl Strategy<Value = Vec<String>> {
    let one = || select(&REFERENCES[..]).prop_map(str::to_owned);
    prop_oneof![Just(vec![]), one().prop_map(|one| vec![one]), prop::collection::vec(one(), size)]
}

prop_compose! {
    fn made()(size in prop_oneof![Just(1), 1..6_usize])(
        account in select(&ACCOUNTS[..]),
        // Five hours, and a day and a half of which most is empty.
        at in prop_oneof![0..5 * HOUR_MS, 0..36 * HOUR_MS],
        lane in lane(),
        recipients in prop::collection::vec(select(&RECIPIENTS[..]), size),
        references in references(size),
        campaign in select(&[0, 0, 0, 5, 6][..]),
        statuses in prop::collection::vec(status(), 0..=size),
        place in select(&[Place::Content, Place::States, Place::Open, Place::Both, Place::History][..]),
    ) -> Made {
        let mut made = Made { account, at, lane, recipients, references, campaign, statuses, place };
        // Only what is final goes to history.
        if matches!(place, Place::Both | Place::History) {
            made.statuses.retain(|status| status.is_final());
        }
        made
    }
}

prop_compose! {
    fn asked()(
        account in select(&ACCOUNTS[..]),
        from in prop_oneof![Just(-HOUR_MS), 0..36 * HOUR_MS, (0..6_i64).prop_map(|hour| hour * HOUR_MS - 600_000)],
        hours in prop_oneof![Just(48 * HOUR_MS), 0..3 * HOUR_MS, (1..5_i64).prop_map(|hours| hours * HOUR_MS)],
        open_end in any::<bool>(),
        statuses in prop_oneof![
            Just(StatusSet::ALL),
            prop::collection::vec(select(&Status::ALL[..]), 0..4).prop_map(StatusSet::of),
        ],
        lane in prop::option::weighted(0.3, lane()),
        recipient in prop::option::weighted(0.3, select(&RECIPIENTS[..])),
        reference in prop::option::weighted(0.2, select(&REFERENCES[1..])),
        campaign in prop::option::weighted(0.2, 5..7_i64),
        limit in 1..8_usize,
        offset in 0..30_u64,
    ) -> Asked {
        let from = BEGIN.plus(from);
        let to = if open_end { UnixMillis(i64::MAX) } else { from.plus(hours) };
        let recipient = recipient.map(|number| Msisdn::from_canonical(number).unwrap());
        let reference = reference.map(str::to_owned);
        let filter = Filter { account, from, to, statuses, lane, recipient, reference, campaign };
        Asked { filter, limit, offset }
    }
}

fn fits(filter: &Filter, known: &Known) -> bool {
    known.account == filter.account
        && (filter.from..filter.to).contains(&known.at)
        && filter.statuses.contains(known.status)
        && filter.lane.is_none_or(|lane| lane == known.lane)
        && filter.recipient.is_none_or(|recipient| recipient.get() == known.recipient)
        && filter.reference.as_ref().is_none_or(|reference| Some(reference) == known.reference.as_ref())
        && filter.campaign.is_none_or(|campaign| campaign == known.campaign)
}

async fn compare(world: &World, all: &[Known], asked: &Asked) {
    let Asked { filter, limit, offset } = asked;
    let mut expected: Vec<(i64, Status)> =
        all.iter().filter(|known| fits(filter, known)).map(|known| (known.id, known.status)).collect();
    expected.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));

    let (mut read, mut before) = (Vec::new(), None);
    loop {
        let page = page(&world.reader(), filter, before, *limit).await.unwrap();
        assert!(page.messages.len() <= *limit);
        read.extend(page.messages.iter().map(|report| (report.id.get(), report.state.status())));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(read, expected, "by cursor: {asked:?}");

    let page = numbered(&world.reader(), filter, *offset, *limit).await.unwrap();
    assert_eq!(page.count, expected.len() as u64, "{asked:?}");
    let there: Vec<i64> = expected.iter().map(|(id, _)| *id).collect();
    let start = usize::try_from(*offset).unwrap().min(there.len());
    let end = (start + limit).min(there.len());
    assert_eq!(ids(&page.messages), there[start..end], "by number: {asked:?}");
}

#[test]
fn any_list_is_what_a_look_through_everything_finds() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // Each case makes a schema, and asks much of it.
    let config = Config { cases: 6, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    let stored = prop::collection::vec(made(), 0..40);
    let questions = prop::collection::vec(asked(), 60);
    TestRunner::new(config)
        .run(&(stored, questions), |(mut stored, questions)| {
            stored.sort_by_key(|made| made.at);
            stored.dedup_by_key(|made| made.at);
            runtime.block_on(async {
                let world = World::new().await;
                for made in &stored {
                    world.make(made).await;
                }
                let all: Vec<Known> = stored.iter().flat_map(Made::known).collect();
                for asked in &questions {
                    compare(&world, &all, asked).await;
                }
                world.schema.drop().await;
            });
            Ok(())
        })
        .unwrap();
}
