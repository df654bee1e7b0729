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
use crate::config::Limits;
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
    form: Form,
    on_invalid: OnInvalid,
}

/// Which of the two forms of a call it is: for the paths of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The recipients stand in a list of their own.
    OneText,
    Each,
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
    let (form, on_invalid) = (messages.form, read.on_invalid.optional().unwrap_or_default());
    refuse_where_asked(&messages.rejected, messages.rows.is_empty(), form, on_invalid)?;
    // Whatever is missing has been noted.
    let line = line.ok_or_else(|| Problem::new(Code::InternalError))?;

    let price = sum(messages.rows.iter().map(|row| row.price))?;
    let call = Call {
        account: context.caller.account,
        asked_lane,
        lane: lane(asked_lane, messages.rows.len(), limits),
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
    Ok(Bulk { call, cuts, rejected: messages.rejected, segments: messages.segments, price, form, on_invalid })
}

/// The lane that a call of so many messages travels in.
fn lane(asked: Lane, messages: usize, limits: &Limits) -> Lane {
    if asked == Lane::Standard && messages > limits.bulk_lane_messages { Lane::Bulk } else { asked }
}

impl Bulk {
    /// The same without the messages whose recipients opted out: they are left out as those that
    /// are not valid.
    pub(crate) fn without(
        mut self,
        opted_out: impl Fn(&Row) -> bool,
        limits: &Limits,
    ) -> Result<Bulk, Problem> {
        if !self.call.rows.iter().any(&opted_out) {
            return Ok(self);
        }
        let is_out = |row: &mut Row| opted_out(row);
        for row in self.call.rows.extract_if(.., is_out) {
            let fault = super::opted_out();
            let text = self.call.texts.get(row.text as usize);
            self.segments -= text.map_or(0, |text| u64::from(text.segments));
            let to = row.recipient.to_string();
            let (index, code, detail) = (row.index, fault.code, fault.detail);
            self.rejected.push(Rejected { index, to, code, field: "to", detail });
        }
        self.rejected.sort_by_key(|rejected| rejected.index);
        refuse_where_asked(&self.rejected, self.call.rows.is_empty(), self.form, self.on_invalid)?;
        self.price = sum(self.call.rows.iter().map(|row| row.price))?;
        self.call.lane = lane(self.call.asked_lane, self.call.rows.len(), limits);
        self.cuts = cut(&self.call, limits.chunk_messages);
        Ok(self)
    }
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
    form: Form,
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
            form: Form::Each,
        }
    }

    fn one_text(&mut self, text: Cow<'a, str>, list: Vec<Got<Cow<'_, str>>>, errors: &mut Errors) {
        self.form = Form::OneText;
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
}

/// Where all or none is wanted, or nothing is left, the messages' faults are the call's.
fn refuse_where_asked(
    rejected: &[Rejected],
    none_left: bool,
    form: Form,
    on_invalid: OnInvalid,
) -> Result<(), Problem> {
    if rejected.is_empty() || !(none_left || on_invalid == OnInvalid::RejectAll) {
        return Ok(());
    }
    let list = Path::Field(&Path::Root, if form == Form::OneText { "to" } else { "messages" });
    let mut errors = Errors::default();
    for rejected in rejected {
        let at = Path::Index(&list, rejected.index as usize);
        let inner = Path::Field(&at, rejected.field);
        errors.add(if form == Form::OneText { &at } else { &inner }, rejected.code, &rejected.detail);
    }
    errors.into_result()
}
