#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::fs;
use std::path::Path;

use super::*;
use crate::fate::{Fate, Outcome};
use crate::fault::Fault;

/// Length and checksum.
const FRAME_OCTETS: usize = 8;

const ACCEPTED: Fate = Fate::Accepted { outcome: Outcome::Delivered, delay_ms: 9 };

fn send(journal: &mut Journal, call: u64, uid: i64) {
    let mut elements = Vec::new();
    push_element(&mut elements, uid, 1, ACCEPTED, "989120000001", "3000");
    push_element(&mut elements, uid + 1, 0, Fate::Refused(1), &"ب".repeat(50), "3000");
    let first_mid = journal.base() + uid;
    let frame = Frame::Send { first_mid, count: 2, elements: &elements };
    journal.append(1000, call, &frame).unwrap();
}

fn open(folder: &Path, max: u64) -> (Journal, Vec<Event>) {
    let mut events = Vec::new();
    let journal = Journal::open(folder, max, |_, event| events.push(event)).unwrap();
    (journal, events)
}

fn calls(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.call).collect()
}

#[test]
fn what_is_appended_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, events) = open(folder.path(), 1 << 20);
    assert_eq!(events, []);
    send(&mut journal, 1, 10);
    let counts = crate::stats::StatusCounts { unknown: 1, not_reached: 99, ..Default::default() };
    journal.append(2000, 2, &Frame::Mid { uid: -5, mid: None }).unwrap();
    journal.append(2000, 3, &Frame::Mid { uid: 5, mid: Some(77) }).unwrap();
    journal.append(2000, 4, &Frame::Statuses(&counts)).unwrap();
    journal.append(2000, 5, &Frame::Balance).unwrap();
    journal.append(2000, 6, &Frame::Refused(107)).unwrap();
    let path = folder.path().join(FILE_NAME);
    assert_eq!(read(&path).unwrap().count(), 1, "only the send call is written at once");
    journal.append(2000, 6, &Frame::Reset).unwrap();
    let base = journal.base();
    drop(journal);

    let (journal, events) = open(folder.path(), 1 << 20);
    assert_eq!(journal.base(), base);
    let sent = What::Send(vec![
        Element {
            uid: 10,
            recipient: "989120000001".to_owned(),
            sender: "3000".to_owned(),
            parts: 1,
            result: Submitted::Accepted { mid: base + 10, outcome: Outcome::Delivered, delay_ms: 9 },
            marks: Vec::new(),
        },
        Element {
            uid: 11,
            recipient: "ب".repeat(32),
            sender: "3000".to_owned(),
            parts: 0,
            result: Submitted::Refused(1),
            marks: Vec::new(),
        },
    ]);
    let wanted = [
        sent,
        What::Mid { uid: -5, mid: None },
        What::Mid { uid: 5, mid: Some(77) },
        What::Statuses(counts),
        What::Balance,
        What::Refused(107),
        What::Reset,
    ];
    assert_eq!(events.iter().map(|event| event.what.clone()).collect::<Vec<_>>(), wanted);
    assert_eq!(calls(&events), [1, 2, 3, 4, 5, 6, 6]);
}

#[test]
fn a_tail_cut_anywhere_is_dropped_and_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let (mut journal, _) = open(folder.path(), 1 << 20);
    send(&mut journal, 1, 10);
    let one = fs::metadata(&path).unwrap().len();
    send(&mut journal, 2, 20);
    drop(journal);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (mut journal, events) = open(folder.path(), 1 << 20);
        assert_eq!(events.len(), usize::from(length as u64 >= one), "{length}");
        send(&mut journal, 3, 30);
        drop(journal);
        let read: Vec<Event> = read(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(calls(&read).last(), Some(&3), "{length}");
    }
}

#[test]
fn a_flipped_bit_is_an_error_not_a_shorter_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let (mut journal, _) = open(folder.path(), 1 << 20);
    send(&mut journal, 1, 10);
    send(&mut journal, 2, 20);
    drop(journal);
    let mut octets = fs::read(&path).unwrap();
    octets[48] ^= 1;
    fs::write(&path, &octets).unwrap();
    let mut events = read(&path).unwrap();
    let error = events.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("damaged after octet 24"), "{error}");
    assert!(events.next().is_none());
    assert!(Journal::open(folder.path(), 1 << 20, |_, _| ()).is_err());
    assert_eq!(fs::read(&path).unwrap(), octets, "nothing was cut off");
}

#[test]
fn the_disk_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 1000);
    for call in 1..=100 {
        send(&mut journal, call, 10);
    }
    let base = journal.base();
    drop(journal);
    let size = |name| fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(size(FILE_NAME) <= 1000 && size(OLD_NAME) <= 1000);
    let (journal, events) = open(folder.path(), 1000);
    assert_eq!(journal.base(), base);
    let first = events[0].call;
    assert!(first > 80 && first < 99, "{first}");
    assert_eq!(calls(&events), (first..=100).collect::<Vec<_>>());
}

#[test]
fn a_kill_between_the_renames_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 1000);
    send(&mut journal, 1, 10);
    drop(journal);
    fs::rename(folder.path().join(FILE_NAME), folder.path().join(OLD_NAME)).unwrap();
    let (_, events) = open(folder.path(), 1000);
    assert_eq!(calls(&events), [1]);
}

#[test]
fn one_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (_journal, _) = open(folder.path(), 1000);
    let error = Journal::open(folder.path(), 1000, |_, _| ()).err().unwrap();
    assert!(error.to_string().contains("another simulator"), "{error}");
}

#[test]
fn the_memory_is_bounded() {
    let mut journal = Journal::in_memory(1000);
    for call in 1..=100 {
        send(&mut journal, call, 10);
    }
    let calls = calls(&journal.remembered());
    assert!(calls.len() > 2 && calls.len() < 10, "{calls:?}");
    assert_eq!(calls.last(), Some(&100));
}

/// As it was before there were faults: files of that time are read.
#[test]
fn a_call_without_faults_has_the_octets_it_always_had() {
    let mut out = Vec::new();
    Frame::Mid { uid: 5, mid: Some(-1) }.push(&mut out, 7, 9);
    let mut payload = vec![2];
    [7_i64, 9, 5, -1].iter().for_each(|number| payload.extend(number.to_le_bytes()));
    assert_eq!(out[..4], 33_u32.to_le_bytes());
    assert_eq!(out[FRAME_OCTETS..], payload);
    let mut elements = Vec::new();
    push_element(&mut elements, 11, 1, ACCEPTED, "98", "3000");
    out.clear();
    Frame::Send { first_mid: 13, count: 1, elements: &elements }.push(&mut out, 7, 9);
    let mut payload = vec![1];
    [7_i64, 9, 13].iter().for_each(|number| payload.extend(number.to_le_bytes()));
    payload.push(1);
    payload.extend(11_i64.to_le_bytes());
    payload.extend([1, 0, 0, 0, 1, 9, 0, 0, 0, 2]);
    payload.extend(b"98");
    payload.push(4);
    payload.extend(b"3000");
    assert_eq!(out[FRAME_OCTETS..], payload);
}

#[test]
fn a_call_with_faults_is_read_with_them() {
    let mut journal = Journal::in_memory(1 << 20);
    let mut elements = Vec::new();
    push_element(&mut elements, 11, 1, ACCEPTED, "98", "3000");
    push_element(&mut elements, 12, 1, ACCEPTED, "98", "3000");
    let late = Mark { fault: Fault::ReceiptLate, ms: 60_000 };
    let off = Mark { fault: Fault::ClockOff, ms: -3_600_000 };
    let partial = Mark { fault: Fault::Partial, ms: 0 };
    let before = journal.next_number();
    let frames = [
        Frame::Faulted {
            fault: Some(Fault::Partial),
            marks: &[(1, partial), (0, late), (1, off)],
            frame: &Frame::Send { first_mid: 13, count: 2, elements: &elements },
        },
        Frame::Faulted {
            fault: None,
            marks: &[(1, late)],
            frame: &Frame::Send { first_mid: journal.base() + 15, count: 2, elements: &elements },
        },
        Frame::Faulted {
            fault: Some(Fault::Throttle),
            marks: &[],
            frame: &Frame::NotTaken { count: 2, elements: &elements },
        },
        Frame::Faulted { fault: Some(Fault::Hang), marks: &[], frame: &Frame::Balance },
    ];
    for frame in &frames {
        journal.append(1, 1, frame).unwrap();
    }
    assert_eq!((before, journal.next_number()), (1, 17), "what is not taken has no mid");
    let events = journal.remembered();
    let faults: Vec<_> = events.iter().map(|event| event.fault).collect();
    assert_eq!(faults, [Some(Fault::Partial), None, Some(Fault::Throttle), Some(Fault::Hang)]);
    let What::Send(sent) = &events[0].what else { panic!("{events:?}") };
    assert_eq!((sent[0].marks.as_slice(), sent[1].marks.as_slice()), (&[late][..], &[partial, off][..]));
    let What::Send(sent) = &events[1].what else { panic!("{events:?}") };
    assert_eq!((sent[0].marks.as_slice(), sent[1].marks.as_slice()), (&[][..], &[late][..]));
    assert_eq!(events[0].taken().collect::<Vec<_>>(), [(11, 13), (12, 14)]);
    let What::NotTaken(left) = &events[2].what else { panic!("{events:?}") };
    assert_eq!((left[1].uid, left[1].result), (12, Submitted::NotTaken));
    assert_eq!(events[2].taken().count(), 0);
    assert_eq!(events[3].what, What::Balance);
}

#[test]
fn what_a_send_call_brought_is_in_the_file_at_once_whatever_it_met() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 1 << 20);
    let mut elements = Vec::new();
    push_element(&mut elements, 11, 1, ACCEPTED, "98", "3000");
    let taken = Frame::Send { first_mid: journal.base() + 1, count: 1, elements: &elements };
    let left = Frame::NotTaken { count: 1, elements: &elements };
    let mut calls = 0;
    for (fault, frame) in [(Fault::TimeoutAfter, taken), (Fault::TimeoutBefore, left)] {
        calls += 1;
        let frame = Frame::Faulted { fault: Some(fault), marks: &[], frame: &frame };
        journal.append(1000, calls, &frame).unwrap();
        assert_eq!(read(&folder.path().join(FILE_NAME)).unwrap().count() as u64, calls);
    }
}
