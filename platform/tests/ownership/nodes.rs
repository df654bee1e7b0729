//! Node numbers: 64 of them, one holder at a time, kept by a restart in place.

use crate::world::{ROLE, World};
use domain::id::ChunkId;
use platform::lifecycle::Stop;
use platform::ownership::{DataFolder, DataFolderError, IdSource, NoIds, Registration, Standing, heartbeat};
use std::collections::BTreeSet;
use std::sync::Arc;

type Beating = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// A process that only mints, on the runtime of the test.
pub(crate) struct Minter {
    pub(crate) ids: Arc<IdSource>,
    pub(crate) standing: Arc<Standing>,
    beat: Box<dyn FnOnce(Stop) -> Beating>,
}

impl Minter {
    pub(crate) async fn start(world: &World, number: usize) -> Minter {
        let settings = world.settings(number, 60_000);
        let folder = Arc::new(DataFolder::open(&settings.data_folder).unwrap());
        let registration = Registration { roles: vec![ROLE], mints: true };
        let beating = heartbeat(world.schema.pools().common().clone(), &settings, registration, folder).await;
        let (heart, standing, ids) = beating.unwrap();
        Minter { ids, standing, beat: Box::new(|stop| Box::pin(heart.run(stop))) }
    }

    /// The ids of a call.
    pub(crate) fn mint(&self, chunks: u32) -> Vec<ChunkId> {
        self.ids.reserve(chunks).unwrap().ids().collect()
    }

    pub(crate) fn one(&self) -> ChunkId {
        self.mint(1)[0]
    }

    /// A clean stop.
    pub(crate) async fn leave(self) {
        let (token, stop) = Stop::manual();
        token.cancel();
        (self.beat)(stop).await.unwrap();
    }

    /// Renews until `ready`, then leaves.
    pub(crate) async fn beat_until(self, ready: impl Fn(&IdSource) -> bool) -> Arc<IdSource> {
        let (token, stop) = Stop::manual();
        let beating = tokio::spawn((self.beat)(stop));
        crate::world::until("ready", async || ready(&self.ids)).await;
        token.cancel();
        beating.await.unwrap().unwrap();
        self.ids
    }
}

/// Takes all numbers but these out of the game.
pub(crate) async fn only(world: &World, numbers: &[i16]) {
    sqlx::query("update node set mint_until = 'infinity' where number <> all($1)")
        .bind(numbers)
        .execute(world.pool())
        .await
        .unwrap();
}

#[tokio::test]
async fn sixty_four_at_once_and_not_one_more() {
    let world = World::new(1).await;
    let mut minters = Vec::new();
    for number in 0..64 {
        minters.push(Minter::start(&world, number).await);
    }
    let nodes: BTreeSet<u8> = minters.iter().map(|minter| minter.one().node()).collect();
    assert_eq!(nodes.len(), 64);
    let late = Minter::start(&world, 64).await;
    assert!(!late.ids.is_ready());
    assert!(matches!(late.ids.reserve(1), Err(NoIds::NoNode)));
    // Its partitions are its own all the same, and a number that becomes free is taken.
    assert!(late.standing.is_alive());
    let gone = minters.pop().unwrap();
    let (node, last) = (gone.one().node(), gone.one());
    gone.leave().await;
    let ids = late.beat_until(IdSource::is_ready).await;
    let next = ids.reserve(1).unwrap().first;
    assert_eq!(next.node(), node);
    assert!(next > last);
    world.schema.drop().await;
}

#[tokio::test]
async fn a_restart_in_place_goes_on_with_its_number_beyond_what_it_minted() {
    let world = World::new(1).await;
    let mut last = None;
    let mut node = None;
    for restart in 0..6 {
        let minter = Minter::start(&world, 1).await;
        // Far more than the clock gives in that time: the ids run seconds ahead of it.
        let ids = minter.mint(256 * 2_500);
        assert_eq!(ids[0].node(), *node.get_or_insert(ids[0].node()), "restart {restart}");
        assert!(last < Some(ids[0]), "restart {restart}");
        last = ids.last().copied();
        // Killed and stopped in turn.
        if restart % 2 == 1 {
            minter.leave().await;
        }
    }
    world.schema.drop().await;
}

/// Who mints finds the next second reserved, and does not wait for the disk.
#[tokio::test]
async fn the_heartbeat_reserves_ahead() {
    let world = World::new(1).await;
    let minter = Minter::start(&world, 1).await;
    let reserved = || -> i64 {
        let text = std::fs::read(world.folder(1).join("reserved")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["until_ms"].as_i64().unwrap()
    };
    minter.one();
    let by_minting = reserved();
    minter.beat_until(|_| reserved() > by_minting + 500).await;
    world.schema.drop().await;
}

/// A process that is started again and again without minting does not use the numbers up.
#[tokio::test]
async fn restarts_that_mint_nothing_keep_their_number() {
    let world = World::new(1).await;
    only(&world, &[7, 9]).await;
    for restart in 0..4 {
        let minter = Minter::start(&world, 1).await;
        assert!(minter.ids.is_ready(), "restart {restart}");
        drop(minter);
    }
    let other = Minter::start(&world, 2).await;
    let minter = Minter::start(&world, 1).await;
    assert_ne!(minter.one().node(), other.one().node());
    world.schema.drop().await;
}

#[tokio::test]
async fn a_clean_stop_frees_the_number_at_once() {
    let world = World::new(1).await;
    only(&world, &[5]).await;
    let first = Minter::start(&world, 1).await;
    // Within one millisecond: longer runs are ahead of the clock, and the number waits for it.
    let minted = first.mint(200);
    first.leave().await;
    // Nothing minted at all is free at once too.
    let second = Minter::start(&world, 2).await;
    assert!(second.ids.is_ready(), "the number is free");
    second.leave().await;
    let third = Minter::start(&world, 3).await;
    assert!(third.one() > *minted.last().unwrap(), "the next holder starts after the last id");
    // And the first, back in place, must not take it from the third.
    let back = Minter::start(&world, 1).await;
    assert!(matches!(back.ids.reserve(1), Err(NoIds::NoNode)));
    world.schema.drop().await;
}

/// A killed one's number is not given to another folder before its time is over.
#[tokio::test]
async fn a_killed_ones_number_waits_for_its_time() {
    let world = World::new(1).await;
    only(&world, &[5]).await;
    let first = Minter::start(&world, 1).await;
    let minted = first.mint(10);
    drop(first);
    let other = Minter::start(&world, 2).await;
    assert!(!other.ids.is_ready());
    let back = Minter::start(&world, 1).await;
    assert!(back.one() > *minted.last().unwrap());
    world.schema.drop().await;
}

#[tokio::test]
async fn a_folder_in_use_is_refused() {
    let world = World::new(1).await;
    let first = Minter::start(&world, 1).await;
    let refused = DataFolder::open(&world.folder(1));
    assert!(matches!(&refused, Err(DataFolderError::InUse(path)) if *path == world.folder(1)), "{refused:?}");
    drop(first);
    DataFolder::open(&world.folder(1)).expect("the lock ends with its holder");
    world.schema.drop().await;
}
