//! A call for one message.

use domain::lane::Lane;
use domain::money::Money;
use domain::phone::Msisdn;
use platform::http::problem::{Code, Problem};
use wire::submitted::Text;

use super::{Context, note};
use crate::chunking::{Call, Row};
use crate::request::{Errors, Path, message::read};
use crate::rules::Measured;

/// A message that may be sent.
pub(crate) struct Message {
    /// The call of this one message.
    pub(crate) call: Call,
    pub(crate) to: Msisdn,
    pub(crate) measured: Measured,
    pub(crate) price: Money,
}

/// A message of which each field was checked.
pub(crate) struct Checked {
    pub(crate) to: Msisdn,
    pub(crate) text: String,
    pub(crate) measured: Measured,
    pub(crate) lane: Lane,
    pub(crate) line: String,
    pub(crate) reference: String,
    pub(crate) ttl_seconds: Option<u32>,
}

impl Checked {
    /// The message of this price, stamped now.
    pub(crate) fn into_message(self, price: Money, context: Context<'_>) -> Message {
        let Checked { to, measured, lane, .. } = self;
        let text = Text { body: self.text, encoding: measured.encoding, segments: measured.segments };
        let call = Call {
            account: context.caller.account,
            asked_lane: lane,
            lane,
            line: self.line,
            texts: vec![text],
            references: vec![self.reference],
            rows: vec![Row { index: 0, recipient: to, text: 0, reference: 0, price }],
            tariff_version: context.tariff.version(),
            created_at: context.now,
            send_by: context.send_by(self.ttl_seconds, lane),
            campaign: 0,
        };
        Message { call, to, measured, price }
    }
}

/// Reads and checks the body.
pub(crate) fn message(body: &[u8], context: Context<'_>) -> Result<Message, Problem> {
    let limits = &context.rules.limits;
    let mut errors = Errors::default();
    let read = read(body, limits.ttl_seconds_min..=limits.ttl_seconds_max, &mut errors)?;

    let at = |name| Path::Field(&Path::Root, name);
    let to = read.to.required(&at("to"), &mut errors);
    let to = to.and_then(|to| note(context.rules.recipient(&to), "to", &mut errors));
    let text = read.text.required(&at("text"), &mut errors);
    let measured = text.as_ref().and_then(|text| note(context.rules.text(text), "text", &mut errors));
    let (line, reference) = context.line_and_reference(read.from, read.reference, &mut errors);
    let lane = read.lane.optional().unwrap_or(Lane::Standard);
    let price = to.zip(measured).map(|(to, measured)| context.price(lane, measured, to));
    let price = price.and_then(|price| note(price, "text", &mut errors));
    errors.into_result()?;

    let checked = to.zip(text).zip(measured.zip(line)).zip(price);
    // Whatever is missing has been noted.
    let (((to, text), (measured, line)), price) = checked.ok_or_else(|| Problem::new(Code::InternalError))?;
    let (text, ttl_seconds) = (text.into_owned(), read.ttl_seconds.optional());
    let checked = Checked { to, text, measured, lane, line, reference, ttl_seconds };
    Ok(checked.into_message(price, context))
}
