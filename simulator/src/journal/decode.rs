//! What the octets of a frame say.

use super::codec::{BALANCE, FAULTED, MID, NOT_TAKEN, REFUSED, RESET, SEND, STATUSES};
use super::event::{Element, Event, Mark, Submitted, What};
use crate::fate::Outcome;
use crate::fault::Fault;
use crate::stats::StatusCounts;

/// The event in a payload; none if it is not one.
pub(super) fn decode(payload: &[u8]) -> Option<Event> {
    let mut rest = Rest(payload);
    let kind = rest.octet()?;
    let (at_ms, call) = (rest.i64()?, rest.i64()?.cast_unsigned());
    let (what, fault) = if kind == FAULTED { rest.faulted()? } else { (rest.what(kind)?, None) };
    rest.0.is_empty().then_some(Event { at_ms, call, what, fault })
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn octet(&mut self) -> Option<u8> {
        self.take().map(|[octet]| octet)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn name(&mut self) -> Option<String> {
        let length = usize::from(self.octet()?);
        let (name, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        String::from_utf8(name.to_vec()).ok()
    }

    fn what(&mut self, kind: u8) -> Option<What> {
        let what = match kind {
            SEND => {
                let first_mid = self.i64()?;
                What::Send(self.elements(first_mid)?)
            }
            NOT_TAKEN => {
                let mut elements = self.elements(0)?;
                elements.iter_mut().for_each(|element| element.result = Submitted::NotTaken);
                What::NotTaken(elements)
            }
            MID => What::Mid { uid: self.i64()?, mid: Some(self.i64()?).filter(|mid| *mid != -1) },
            STATUSES => {
                let [unknown, nothing, intermediate, delivered, undelivered, not_reached] =
                    self.take::<6>()?.map(u64::from);
                What::Statuses(StatusCounts {
                    unknown,
                    nothing,
                    intermediate,
                    delivered,
                    undelivered,
                    not_reached,
                })
            }
            BALANCE => What::Balance,
            REFUSED => What::Refused(u16::from_le_bytes(self.take()?)),
            RESET => What::Reset,
            _ => return None,
        };
        Some(what)
    }

    fn faulted(&mut self) -> Option<(What, Option<Fault>)> {
        let fault = match self.octet()? {
            0 => None,
            octet => Some(Fault::from_octet(octet)?),
        };
        let marks = (0..self.octet()?).map(|_| self.mark()).collect::<Option<Vec<_>>>()?;
        let kind = self.octet()?;
        let mut what = self.what(kind)?;
        for (index, mark) in marks {
            let (What::Send(elements) | What::NotTaken(elements)) = &mut what else { return None };
            elements.get_mut(index)?.marks.push(mark);
        }
        Some((what, fault))
    }

    fn mark(&mut self) -> Option<(usize, Mark)> {
        let [index, fault] = self.take()?;
        let ms = i32::from_le_bytes(self.take()?);
        Some((usize::from(index), Mark { fault: Fault::from_octet(fault)?, ms }))
    }

    fn elements(&mut self, first_mid: i64) -> Option<Vec<Element>> {
        let count = i64::from(self.octet()?);
        (0..count).map(|index| self.element(first_mid + index)).collect()
    }

    fn element(&mut self, mid: i64) -> Option<Element> {
        let (uid, parts) = (self.i64()?, self.u32()?);
        let (status, detail) = (self.octet()?, self.u32()?);
        let accepted = |outcome| Submitted::Accepted { mid, outcome, delay_ms: detail };
        let result = match status {
            0 => Submitted::Refused(u16::try_from(detail).ok()?),
            1 => accepted(Outcome::Delivered),
            2 => accepted(Outcome::Undelivered),
            16 => accepted(Outcome::NotReached),
            _ => return None,
        };
        let (recipient, sender) = (self.name()?, self.name()?);
        Some(Element { uid, recipient, sender, parts, result, marks: Vec::new() })
    }
}
