#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits { asked_max: 6, again_after_ms: 1_000, from_start_ms: 100 };

fn place(due_ms: i64, chunk: i64) -> Place {
    Place { due: DateTime::from_timestamp_millis(due_ms).unwrap(), chunk }
}

/// Rows as the database has them, and what a poller asks of them.
struct World {
    places: Places,
    held: BTreeSet<i32>,
    /// Partition and chunk → due.
    rows: BTreeMap<(i32, i64), i64>,
    /// What was asked for which due time, and when last.
    asked: BTreeMap<(i32, Place), i64>,
    /// Every due time a row ever had: none has the same one twice.
    given: BTreeSet<(i32, Place)>,
    now: i64,
    from_start_at: i64,
}

impl World {
    fn new(held: impl IntoIterator<Item = i32>) -> Self {
        World {
            places: Places::new(LIMITS),
            held: held.into_iter().collect(),
            rows: BTreeMap::new(),
            asked: BTreeMap::new(),
            given: BTreeSet::new(),
            now: 10_000,
            from_start_at: 0,
        }
    }

    /// What `due::page` does.
    fn page(&self, partition: i32, behind: Place, most: usize) -> Vec<Place> {
        let of_partition = self.rows.iter().filter(|((number, _), _)| *number == partition);
        let due = of_partition.filter(|(_, due)| **due <= self.now);
        let places: BTreeSet<Place> = due.map(|((_, chunk), due)| place(*due, *chunk)).collect();
        places.range((Excluded(behind), Unbounded)).take(most).copied().collect()
    }

    /// A whole look by pages of `most`: what it asks.
    fn look(&mut self, most: usize) -> Vec<(i32, Place)> {
        self.places.begin(&self.held, self.now);
        let mut ask = Vec::new();
        for _ in 0..1_000 {
            for (partition, behind) in self.places.open() {
                let page = self.page(partition, behind, most);
                let asks = self.places.take(partition, &page, page.len() >= most, self.now);
                ask.extend(asks.into_iter().map(|place| (partition, place)));
            }
            assert!(self.places.asked() <= LIMITS.asked_max);
            if !self.places.is_open() {
                for asked in &ask {
                    self.asked.insert(*asked, self.now);
                }
                return ask;
            }
        }
        panic!("the look has no end");
    }

    /// A look of which each question is checked.
    fn checked_look(&mut self, most: usize) {
        let (before, is_from_start) = (self.asked.clone(), self.now >= self.from_start_at);
        if is_from_start {
            self.from_start_at = self.now + LIMITS.from_start_ms;
        }
        let has_room = self.places.asked() + self.waiting() <= LIMITS.asked_max;
        let ask = self.look(most);
        let once: BTreeSet<_> = ask.iter().collect();
        assert_eq!(once.len(), ask.len(), "asked twice in one look");
        for (partition, place) in &ask {
            assert!(self.held.contains(partition));
            let due = self.rows.get(&(*partition, place.chunk));
            assert_eq!(due, Some(&place.due.timestamp_millis()));
            let last = before.get(&(*partition, *place));
            assert!(last.is_none_or(|last| self.now - last >= LIMITS.again_after_ms), "asked again too soon");
        }
        if is_from_start && has_room {
            assert_eq!(self.waiting(), 0, "due, and not asked about");
            assert_eq!(self.places.asked(), self.due().count(), "what has left is forgotten");
        }
    }

    fn due(&self) -> impl Iterator<Item = (i32, Place)> {
        let due = self.rows.iter().filter(|(_, due)| **due <= self.now);
        let due = due.map(|((partition, chunk), due)| (*partition, place(*due, *chunk)));
        due.filter(|(partition, _)| self.held.contains(partition))
    }

    /// Due rows about which nobody asked lately.
    fn waiting(&self) -> usize {
        let is_fresh = |at: &i64| self.now - at < LIMITS.again_after_ms;
        self.due().filter(|row| !self.asked.get(row).is_some_and(is_fresh)).count()
    }

    /// A transaction with a row is committed.
    fn commit(&mut self, partition: i32, chunk: i64, mut due: i64) {
        while !self.given.insert((partition, place(due, chunk))) {
            due += 1;
        }
        self.rows.insert((partition, chunk), due);
    }

    /// The answers to all that was asked and is due still are taken in: rows leave, or are due
    /// later.
    fn answer(&mut self, again_after: Option<i64>) {
        for (partition, place) in self.asked.keys().copied().collect::<Vec<_>>() {
            let row = (partition, place.chunk);
            if self.rows.get(&row) == Some(&place.due.timestamp_millis()) {
                self.rows.remove(&row);
                if let Some(after) = again_after {
                    self.commit(partition, place.chunk, self.now + after);
                }
            }
        }
    }
}

#[test]
fn each_due_row_once_however_long_the_page() {
    for most in 1..5 {
        let mut world = World::new([1, 2]);
        world.rows = [((1, 256), 9_000), ((1, 512), 9_000), ((2, 768), 8_000), ((2, 1_024), 10_001)].into();
        let mut asked = world.look(most);
        asked.sort();
        assert_eq!(asked, [(1, place(9_000, 256)), (1, place(9_000, 512)), (2, place(8_000, 768))]);
        assert_eq!(world.look(most), []);
        world.now += 1;
        assert_eq!(world.look(most), [(2, place(10_001, 1_024))]);
    }
}

#[test]
fn a_row_that_comes_to_stand_in_front_is_found_from_the_start() {
    let mut world = World::new([1]);
    world.rows.insert((1, 512), 9_000);
    assert_eq!(world.look(2).len(), 1);
    world.rows.insert((1, 256), 8_000);
    world.now += LIMITS.from_start_ms - 1;
    assert_eq!(world.look(2), []);
    world.now += 1;
    assert_eq!(world.look(2), [(1, place(8_000, 256))]);
}

#[test]
fn what_is_not_answered_is_asked_again_only_after_its_time() {
    let mut world = World::new([1]);
    world.rows.insert((1, 256), 9_000);
    assert_eq!(world.look(2).len(), 1);
    world.now += LIMITS.again_after_ms - 1;
    assert_eq!(world.look(2), []);
    world.now += LIMITS.from_start_ms;
    assert_eq!(world.look(2).len(), 1);
    // One that begins anew knows nothing, and asks at once.
    world.places = Places::new(LIMITS);
    assert_eq!(world.look(2).len(), 1);
}

#[test]
fn another_due_time_is_another_question() {
    let mut world = World::new([1]);
    world.rows.insert((1, 256), 9_000);
    assert_eq!(world.look(2).len(), 1);
    world.rows.insert((1, 256), 10_001);
    world.now += 1;
    assert_eq!(world.look(2), [(1, place(10_001, 256))]);
}

#[test]
fn no_more_than_the_bound_until_answers_are_taken_in() {
    let mut world = World::new([1, 2]);
    world.rows = (1..=10).map(|n| ((1 + i32::from(n % 2 == 0), n * 256), 9_000)).collect();
    assert_eq!(world.look(2).len(), LIMITS.asked_max);
    world.now += LIMITS.from_start_ms;
    assert_eq!(world.look(2), []);
    world.answer(None);
    world.now += LIMITS.from_start_ms;
    assert_eq!(world.look(2).len(), 4);
}

#[test]
fn what_found_no_room_is_next() {
    let mut world = World::new([1, 2]);
    world.rows = (1..=4).map(|n| ((1, n * 256), 9_000)).collect();
    world.rows.extend((5..=9).map(|n| ((2, n * 256), 9_000)));
    assert_eq!(world.look(2).len(), LIMITS.asked_max);
    world.held.remove(&1);
    assert_eq!(world.look(2), [7, 8, 9].map(|n| (2, place(9_000, n * 256))));
}

#[test]
fn what_was_not_asked_after_all_is_found_again() {
    let mut world = World::new([1]);
    world.rows = [((1, 256), 9_000), ((1, 512), 9_000)].into();
    assert_eq!(world.look(5).len(), 2);
    world.places.forget(1, &[place(9_000, 512)]);
    world.now += LIMITS.from_start_ms;
    assert_eq!(world.look(5), [(1, place(9_000, 512))]);
}

#[test]
fn a_look_that_failed_goes_on_where_it_was() {
    let mut world = World::new([1]);
    world.rows = [((1, 256), 9_000), ((1, 512), 9_000)].into();
    world.places.begin(&world.held, world.now);
    let page = world.page(1, Place::START, 1);
    assert_eq!(world.places.take(1, &page, true, world.now), [place(9_000, 256)]);
    world.places.end();
    assert!(!world.places.is_open());
    assert_eq!(world.look(1), [(1, place(9_000, 512))]);
}

#[test]
fn of_a_partition_given_back_nothing_is_kept() {
    let mut world = World::new([1, 2]);
    world.rows = [((1, 256), 9_000), ((2, 512), 9_000)].into();
    assert_eq!(world.look(5).len(), 2);
    world.held.remove(&2);
    assert_eq!(world.look(5), []);
    assert_eq!(world.places.asked(), 1);
    world.held.insert(2);
    assert_eq!(world.look(5), [(2, place(9_000, 512))]);
}

#[derive(Clone, Debug)]
enum Step {
    /// A transaction commits a row that is due so long after now (before, where negative).
    Row {
        partition: i32,
        chunk: i64,
        after: i64,
    },
    /// Answers are taken in.
    Answers {
        again_after: Option<i64>,
    },
    Time(i64),
    Look {
        most: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0..3, 1..20_i64, -500..500_i64);
    prop_oneof![
        4 => row.prop_map(|(partition, chunk, after)| Step::Row { partition, chunk: chunk * 256, after }),
        1 => proptest::option::of(1..300_i64).prop_map(|again_after| Step::Answers { again_after }),
        2 => (1..400_i64).prop_map(Step::Time),
        3 => (1..6_usize).prop_map(|most| Step::Look { most }),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_all_that_is_due_is_asked_and_not_too_often(
        steps in proptest::collection::vec(step(), 1..80)
    ) {
        let mut world = World::new(0..3);
        for step in steps {
            match step {
                Step::Row { partition, chunk, after } => world.commit(partition, chunk, world.now + after),
                Step::Answers { again_after } => world.answer(again_after),
                Step::Time(more) => world.now += more,
                Step::Look { most } => world.checked_look(most),
            }
        }
        // Whatever was left over is asked about as answers are taken in: one look may find no
        // room before it comes to what has left.
        for _ in 0..2 * world.rows.len() {
            world.answer(None);
            world.now += LIMITS.from_start_ms;
            world.checked_look(3);
        }
        prop_assert_eq!(world.waiting(), 0);
    }
}
