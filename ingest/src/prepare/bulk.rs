//! A bulk call. What is wrong with its form refuses it as a whole; a message that cannot be
//! sent is left out and listed, unless the customer wants all or none.

use std::borrow::Cow;
use std::ops::Range;

use domain::lane::Lane;
use domain::money::Money;
use platform::http::problem::{Code, FieldCode, Problem};

use super::texts::{Numbered, Texts};
use super::{Context, note, sum};
use crate::chunking::{Call, Row, cut};
use crate::request::bulk::{Bounds, Entry, Listed, OnInvalid, read};
use crate::request::{Errors, Got, Path};
use crate::rules::Fault;

/// Characters of a refused recipient that are repeated in the answer.
const TO_SHOWN_MAX: usize = 64;

/// A bulk call whose accepted messages may be sent.
pub(crate) struct Bulk {
    pub(crate) call: Call,
    /// The rows of each chunk.
    pub(crate) cuts: Vec<Range<usize>>,
    pub(crate) rejected: Vec<Rejected>,
    /// Of the accepted messages.
    pub(crate) segments: u64,
    /// Of the accepted messages.
    pub(crate) price: Money,
}

/// A message that was left out.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// Its place in the customer's list.
    pub(crate) index: u32,
    /// The recipient as it was given, cut where it is long.
    pub(crate) to: String,
    pub(crate) code: FieldCode,
    field: &'static str,
    detail: Cow<'static, str>,
}

/// Reads and checks the body.
pub(crate) fn bulk(body: &[u8], context: Context<'_>) -> Result<Bulk, Problem> {
    let limits = &context.rules.limits;
    let ttl_seconds = limits.ttl_seconds_min..=limits.ttl_seconds_max;
    let mut errors = Errors::default();
    let mut read = read(body, Bounds { messages: limits.bulk_messages, ttl_seconds }, &mut errors)?;

    let listed = read.listed(&mut errors);
    let (line, reference) = context.line_and_reference(read.from, read.reference, &mut errors);
    let asked_lane = read.lane.optional().unwrap_or(Lane::Bulk);
    let mut messages = Messages::new(context, asked_lane, reference);
    match listed {
        Some(Listed::OneText(text, to)) => messages.one_text(text, to, &mut errors),
        Some(Listed::Each(list)) => messages.each(list, &mut errors),
        None => {}
    }
    errors.into_result()?;
    messages.refuse_where_asked(read.on_invalid.optional().unwrap_or_default())?;
    // Whatever is missing has been noted.
    let line = line.ok_or_else(|| Problem::new(Code::InternalError))?;

    let price = sum(messages.rows.iter().map(|row| row.price))?;
    let to_bulk = asked_lane == Lane::Standard && messages.rows.len() > limits.bulk_lane_messages;
    let call = Call {
        account: context.caller.account,
        asked_lane,
        lane: if to_bulk { Lane::Bulk } else { asked_lane },
        line,
        texts: messages.texts.into_texts(),
        references: messages.references,
        rows: messages.rows,
        tariff_version: context.tariff.version(),
        created_at: context.now,
        send_by: context.send_by(read.ttl_seconds.optional(), asked_lane),
        campaign: 0,
    };
    let cuts = cut(&call, limits.chunk_messages);
    Ok(Bulk { call, cuts, rejected: messages.rejected, segments: messages.segments, price })
}

/// The messages of a call, one after the other.
struct Messages<'a> {
    context: Context<'a>,
    lane: Lane,
    texts: Texts<'a>,
    references: Vec<String>,
    rows: Vec<Row>,
    rejected: Vec<Rejected>,
    segments: u64,
    /// Whether the recipients stand in a list of their own: for the paths of errors.
    one_text: bool,
}

impl<'a> Messages<'a> {
    fn new(context: Context<'a>, lane: Lane, reference: String) -> Self {
        Messages {
            context,
            lane,
            texts: Texts::new(context.rules),
            references: vec![reference],
            rows: Vec::new(),
            rejected: Vec::new(),
            segments: 0,
            one_text: false,
        }
    }

    fn one_text(&mut self, text: Cow<'a, str>, list: Vec<Got<Cow<'_, str>>>, errors: &mut Errors) {
        self.one_text = true;
        let Some(numbered) = note(self.texts.number(text), "text", errors) else { return };
        self.rows.reserve_exact(list.len());
        for (index, to) in (0..).zip(list) {
            // What is no string has been noted.
            if let Some(to) = to.optional() {
                self.message(index, &to, Ok(numbered), None);
            }
        }
    }

    fn each(&mut self, list: Vec<Got<Entry<'a>>>, errors: &mut Errors) {
        self.rows.reserve_exact(list.len());
        let messages = Path::Field(&Path::Root, "messages");
        for (index, entry) in (0..).zip(list) {
            let Some(entry) = entry.optional() else { continue };
            let at = Path::Index(&messages, index as usize);
            let to = entry.to.required(&Path::Field(&at, "to"), errors);
            let text = entry.text.required(&Path::Field(&at, "text"), errors);
            if let Some((to, text)) = to.zip(text) {
                let numbered = self.texts.number(text);
                self.message(index, &to, numbered, entry.reference.optional());
            }
        }
    }

    /// Takes a message, or notes why not.
    fn message(&mut self, index: u32, to: &str, text: Numbered, reference: Option<Cow<'_, str>>) {
        match self.row(index, to, text, reference.as_deref()) {
            Ok(row) => self.rows.push(row),
            Err((field, fault)) => {
                let to = to.chars().take(TO_SHOWN_MAX).collect();
                self.rejected.push(Rejected { index, to, code: fault.code, field, detail: fault.detail });
            }
        }
    }

    fn row(
        &mut self,
        index: u32,
        to: &str,
        text: Numbered,
        reference: Option<&str>,
    ) -> Result<Row, (&'static str, Fault)> {
        let recipient = self.context.rules.recipient(to).map_err(|fault| ("to", fault))?;
        let (text, measured) = text.map_err(|fault| ("text", fault))?;
        let price = self.context.price(self.lane, measured, recipient).map_err(|fault| ("text", fault))?;
        let reference = match reference {
            Some(reference) => self.reference(reference).map_err(|fault| ("reference", fault))?,
            None => 0,
        };
        self.segments += u64::from(measured.segments);
        Ok(Row { index, recipient, text, reference, price })
    }

    fn reference(&mut self, reference: &str) -> Result<u32, Fault> {
        self.context.rules.reference(reference)?;
        self.references.push(reference.to_owned());
        Ok(u32::try_from(self.references.len() - 1).unwrap_or(u32::MAX))
    }

    /// Where all or none is wanted, or nothing is left, the messages' faults are the call's.
    fn refuse_where_asked(&self, on_invalid: OnInvalid) -> Result<(), Problem> {
        let none_left = self.rows.is_empty();
        if self.rejected.is_empty() || !(none_left || on_invalid == OnInvalid::RejectAll) {
            return Ok(());
        }
        let list = Path::Field(&Path::Root, if self.one_text { "to" } else { "messages" });
        let mut errors = Errors::default();
        for rejected in &self.rejected {
            let at = Path::Index(&list, rejected.index as usize);
            let inner = Path::Field(&at, rejected.field);
            errors.add(if self.one_text { &at } else { &inner }, rejected.code, &rejected.detail);
        }
        errors.into_result()
    }
}
