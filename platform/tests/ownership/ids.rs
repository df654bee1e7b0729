//! Ids are never minted twice: whoever starts, stops and dies, on whatever folder.

use crate::nodes::{Minter, only};
use crate::world::World;
use domain::id::ChunkId;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

#[derive(Clone, Copy, Debug)]
enum Step {
    Start(usize),
    Kill(usize),
    Stop(usize),
    Mint(usize, u32),
}

const FOLDERS: usize = 4;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let folder = || 0..FOLDERS;
    prop::collection::vec(
        prop_oneof![
            3 => folder().prop_map(Step::Start),
            1 => folder().prop_map(Step::Kill),
            2 => folder().prop_map(Step::Stop),
            4 => (folder(), prop_oneof![Just(1u32), 1..700u32, Just(70_000)]).prop_map(|(folder, chunks)| Step::Mint(folder, chunks)),
        ],
        1..40,
    )
}

/// Three numbers for four folders, so that numbers go from one to another.
async fn follow(steps: Vec<Step>) {
    let world = World::new(1).await;
    only(&world, &[3, 4, 63]).await;
    let mut running: BTreeMap<usize, Minter> = BTreeMap::new();
    let mut seen: HashSet<ChunkId> = HashSet::new();
    let mut highest: BTreeMap<u8, ChunkId> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Start(folder) if !running.contains_key(&folder) => {
                running.insert(folder, Minter::start(&world, folder).await);
            }
            Step::Kill(folder) => drop(running.remove(&folder)),
            Step::Stop(folder) => {
                if let Some(minter) = running.remove(&folder) {
                    minter.leave().await;
                }
            }
            Step::Mint(folder, chunks) => {
                let Some(minter) = running.get(&folder).filter(|minter| minter.ids.is_ready()) else {
                    continue;
                };
                let ids = minter.mint(chunks);
                assert_eq!(ids.len(), chunks as usize);
                for id in ids {
                    assert!(seen.insert(id), "{id} was minted before");
                    let before = highest.insert(id.node(), id);
                    assert!(before < Some(id), "ids of a number rise, whoever holds it");
                }
            }
            Step::Start(_) => {}
        }
        // No two at once under one number.
        let ready = running.values().filter(|minter| minter.ids.is_ready());
        let nodes: Vec<u8> = ready.map(|minter| minter.one().node()).collect();
        for minter in running.values().filter(|minter| minter.ids.is_ready()) {
            let id = minter.one();
            assert!(seen.insert(id));
            highest.insert(id.node(), id);
        }
        assert_eq!(nodes.iter().collect::<HashSet<_>>().len(), nodes.len(), "{nodes:?}");
    }
    drop(running);
    world.schema.drop().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_id_twice_under_any_schedule(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(follow(steps));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_mint_different_ids() {
    let world = World::new(1).await;
    let mut minting = Vec::new();
    for number in 0..4 {
        let minter = Minter::start(&world, number).await;
        for _thread in 0..3 {
            let ids = Arc::clone(&minter.ids);
            minting.push(std::thread::spawn(move || {
                (0..400u32).flat_map(|k| ids.reserve(k % 7 + 1).unwrap().ids()).collect::<Vec<_>>()
            }));
        }
    }
    let mut all = HashSet::new();
    let mut count = 0;
    for thread in minting {
        let ids = thread.join().unwrap();
        assert!(ids.is_sorted(), "each caller's ids rise");
        count += ids.len();
        all.extend(ids);
    }
    assert_eq!(all.len(), count);
    world.schema.drop().await;
}
