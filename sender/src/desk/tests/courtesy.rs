//! What may not be sent although it is ready.

use super::*;
use domain::hours::Hours;
use domain::outcome::Refusal;

const DAY_MS: i64 = 24 * 3_600_000;

/// 07:00 to 22:00, UTC.
fn hours() -> Hours {
    Hours::new(7 * 60, 22 * 60, 0).unwrap()
}

fn number(of: u64) -> i64 {
    989_120_000_000 + of.cast_signed()
}

/// A desk with one chunk that lives until the second noon.
fn one(campaign: i64, line: &str, recipients: Vec<u64>) -> (Desk, ChunkId) {
    let mut desk = desk(0);
    let chunk = Chunk {
        campaign,
        line: line.into(),
        send_by: UnixMillis(DAY_MS * 3 / 2),
        ..Arc::unwrap_or_clone(chunk(0, recipients))
    };
    let (id, messages) = (chunk.id, chunk.len());
    let record = answer(Version::NEWEST, 0, Answer::Paid(1), &chunk.encode(Version::NEWEST));
    let paid = u16::try_from(messages).unwrap();
    let charge = Budget::new(10, 10_000).charge(1);
    desk.take(0, 0, Some(Paid { chunk: Arc::new(chunk), paid, record, charge }), 0).unwrap();
    (desk, id)
}

fn positions(leaving: &[Leaving]) -> Vec<u8> {
    leaving.iter().map(|leaving| leaving.position).collect()
}

#[test]
fn whose_recipient_opted_out_ends_and_the_others_go() {
    let (mut desk, id) = one(0, "1", vec![1, 2, 3]);
    let rules = Rules::of(&[], &[(1, number(2)), (9, number(3))], None);
    assert_eq!(positions(&desk.next_call(9, at(0), &rules)), [0, 2]);
    let (why, refused) = desk.refused(9).unwrap();
    assert_eq!((why, positions(&refused)), (Refusal::OptedOut, vec![1]));
    assert!(desk.refused(9).is_none());
    for (position, outcome) in [(1, Outcome::Refused(why)), (0, Outcome::Taken), (2, Outcome::Taken)] {
        assert_eq!(desk.stand().frontier, 0);
        desk.outcome(id, position, outcome);
    }
    assert_eq!(desk.stand().frontier, 1);
}

#[test]
fn what_is_cancelled_ends_though_the_connector_takes_nothing() {
    let (mut desk, id) = one(7, "1", vec![1, 2, 3, 4]);
    // One is on its way and one is asked about: someone may have them. One waits to be retried.
    assert_eq!(positions(&desk.next_call(3, at(0), &rules())), [0, 1, 2]);
    desk.outcome(id, 1, Outcome::Unknown);
    desk.wait(id, 1, Wait { at: 5, why: Why::LookUp, code: 0 });
    desk.outcome(id, 2, Outcome::Retry);
    desk.wait(id, 2, retry(60_000));
    desk.mind(at(1), &Rules::of(&[7], &[], None));
    let ended = std::iter::from_fn(|| desk.refused(1)).map(|(why, leaving)| (why, positions(&leaving)));
    let mut ended: Vec<_> = ended.collect();
    ended.sort_by_key(|(_, positions)| positions.clone());
    assert_eq!(ended, [(Refusal::Canceled, vec![2]), (Refusal::Canceled, vec![3])]);
    assert_eq!(desk.next_look_up(5).map(|leaving| leaving.position), Some(1));
}

#[test]
fn advertising_waits_for_the_morning_and_uses_up_no_try() {
    let (mut desk, id) = one(0, AD, vec![1]);
    let rules = Rules::of(&[], &[], Some((AD, hours())));
    assert!(desk.next_call(9, at(1_000), &rules).is_empty() && !desk.has_ready());
    desk.defer(at(1_000), 5_000, 10);
    let row = desk.unsaved().rows[&id].clone().unwrap();
    assert!(row.is_quiet());
    let [waiting] = &row.messages[..] else { panic!("one message waits") };
    assert_eq!((waiting.due, waiting.attempt, waiting.tries), (UnixMillis(7 * 3_600_000), 0, 0));
    // Should the hours be others by then, it is asked anew.
    desk.saved();
    desk.load(row, at(2_000), 0).unwrap();
    desk.retry_due(at(2_000), None);
    assert!(desk.next_call(9, at(2_000), &rules).is_empty() && !desk.has_ready());
    desk.retry_due(at(7 * 3_600_000), None);
    assert_eq!(desk.next_call(9, at(7 * 3_600_000), &rules).len(), 1);
}

#[test]
fn what_would_wait_beyond_its_time_expires_when_that_is_over() {
    let (mut desk, _) = one(0, AD, vec![1]);
    let rules = Rules::of(&[], &[], Some((AD, Hours::new(22 * 60, 23 * 60, 0).unwrap())));
    // 23:00 of the first day: the next hours are after its send_by.
    assert!(desk.next_call(9, at(23 * 3_600_000), &rules).is_empty());
    let send_by = DAY_MS * 3 / 2;
    desk.retry_due(at(send_by - 1), None);
    assert!(!desk.has_ready() && desk.expired(UnixMillis(send_by - 1)).is_empty());
    desk.retry_due(at(send_by), None);
    assert!(desk.next_call(9, at(send_by), &rules).is_empty());
    assert_eq!(desk.expired(UnixMillis(send_by)).len(), 1);
}
