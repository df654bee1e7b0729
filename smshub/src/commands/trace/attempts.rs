//! What sms.attempts says of a message: intents, outcomes, and the fences among them.

use super::Wanted;
use super::event::{Event, Kind, Place};
use platform::kafka::tail::TailRecord;
use serde_json::{Value, json};
use wire::attempt::{Attempt, AttemptKind, Behind, Fences, IntentSlice, OutcomeSlice};

/// What an event says.
type Fields = Vec<(&'static str, Value)>;

/// One partition, read in order.
pub(super) struct Attempts<'a> {
    wanted: Wanted,
    place: Place<'a>,
    since: i64,
    fences: Fences,
    found: Vec<Event>,
    /// Fences behind the message's last record: shown if another follows, or if it is not closed.
    held_back: Vec<Event>,
    closed: bool,
}

impl<'a> Attempts<'a> {
    /// Fences before `since` (when the message was billed, by Kafka's clock, in milliseconds
    /// since 1970) are heeded and not shown.
    pub(super) fn new(wanted: Wanted, place: Place<'a>, since: i64) -> Self {
        let (found, held_back) = (Vec::new(), Vec::new());
        Attempts { wanted, place, since, fences: Fences::default(), found, held_back, closed: false }
    }

    /// The next record, of any message.
    pub(super) fn take(&mut self, record: &TailRecord) {
        let Ok(attempt) = Attempt::decode(&record.value) else { return };
        let behind = self.fences.pass(attempt.epoch);
        let fields = match attempt.kind {
            AttemptKind::Fence => {
                if record.at_ms >= self.since {
                    let fields = vec![("epoch", json!(attempt.epoch))];
                    self.held_back.push(self.place.event(Kind::Fence, record, fields));
                }
                return;
            }
            AttemptKind::Intent { connector, slices } => self.intents(&slices, &connector, behind),
            AttemptKind::Outcomes { connector, slices } => self.outcomes(&slices, &connector, behind),
        };
        for (kind, mut fields) in fields {
            fields.push(("epoch", json!(attempt.epoch)));
            self.found.append(&mut self.held_back);
            self.found.push(self.place.event(kind, record, fields));
        }
    }

    /// What was found, in the order of the log.
    pub(super) fn ended(mut self) -> Vec<Event> {
        if !self.closed {
            self.found.append(&mut self.held_back);
        }
        self.found
    }

    fn intents(
        &self,
        slices: &[IntentSlice],
        connector: &str,
        behind: Option<Behind>,
    ) -> Vec<(Kind, Fields)> {
        let Wanted { chunk, index, .. } = self.wanted;
        let named = slices.iter().filter(|slice| slice.of.chunk == chunk && slice.bits.contains(index));
        let fields = named.map(|slice| {
            let mut fields = vec![("connector", json!(connector)), ("attempt", json!(slice.of.attempt))];
            fields.extend(behind.map(void));
            (Kind::Intent, fields)
        });
        fields.collect()
    }

    fn outcomes(
        &mut self,
        slices: &[OutcomeSlice],
        connector: &str,
        behind: Option<Behind>,
    ) -> Vec<(Kind, Fields)> {
        let Wanted { chunk, index, .. } = self.wanted;
        let slices = slices.iter().filter(|slice| slice.of.chunk == chunk);
        let named = slices.flat_map(|slice| slice.messages.iter().map(|message| (slice.of.attempt, message)));
        let named = named.filter(|(_, message)| message.position == index);
        let fields = named.map(|(attempt, message)| {
            self.closed |= message.outcome.closes();
            let mut fields = vec![
                ("outcome", json!(message.outcome.as_str())),
                ("connector", json!(connector)),
                ("attempt", json!(attempt)),
                ("code", json!(message.code)),
                ("operator_id", json!(message.operator_id)),
            ];
            fields.extend(behind.filter(|behind| behind.voids(message.outcome)).map(void));
            (Kind::Outcome, fields)
        });
        fields.collect()
    }
}

fn void(behind: Behind) -> (&'static str, Value) {
    ("void", json!(format!("behind the fence of epoch {}", behind.epoch)))
}
