//! Rows of a campaign's file. What cannot be sent is left out, or the rows end in front of it.

use std::collections::HashSet;

use domain::lane::Lane;
use domain::money::Money;
use domain::phone::Msisdn;
use platform::http::problem::Problem;

use super::texts::Texts;
use super::{Context, sum};
use crate::campaigns::{Campaign, FileRow, RowCode, RowError, RowFault, WrittenRow};
use crate::chunking::{Call, Row};
use crate::rules::Fault;

/// Rows that were checked and priced.
pub(crate) struct CheckedRows {
    /// Of those that may be sent; [`Row::index`] is the place in the rows.
    pub(crate) call: Call,
    /// The others: their places, and why.
    pub(crate) left_out: Vec<(u32, RowError)>,
    /// Why the rows end early, where a fault is to end them.
    pub(crate) stopped: Option<RowError>,
    /// The rows in front of that: as many as there are where nothing stopped them.
    pub(crate) count: usize,
}

/// Checks, measures and prices rows.
pub(crate) fn rows(rows: &[FileRow], campaign: &Campaign, context: Context<'_>) -> CheckedRows {
    let mut texts = Texts::new(context.rules);
    let mut messages = Vec::with_capacity(rows.len());
    let (mut left_out, mut stopped, mut count) = (Vec::new(), None, rows.len());
    for (at, row) in rows.iter().enumerate() {
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        match row
            .content
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|written| message(index, written, &mut texts, context))
        {
            Ok(message) => messages.push(message),
            Err(fault) if campaign.stops_at_faults => {
                (stopped, count) = (Some(RowError::new(row.prefix.rows, fault)), at);
                break;
            }
            Err(fault) => left_out.push((index, RowError::new(row.prefix.rows, fault))),
        }
    }
    let call = Call {
        account: campaign.account,
        asked_lane: Lane::Bulk,
        lane: Lane::Bulk,
        line: campaign.line.clone(),
        texts: texts.into_texts(),
        references: vec![String::new()],
        rows: messages,
        tariff_version: context.tariff.version(),
        created_at: context.now,
        send_by: context.now.plus(i64::from(campaign.ttl_seconds) * 1_000),
        campaign: campaign.id,
    };
    CheckedRows { call, left_out, stopped, count }
}

fn message<'r>(
    index: u32,
    written: &'r WrittenRow,
    texts: &mut Texts<'r>,
    context: Context<'r>,
) -> Result<Row, RowFault> {
    let mut checked = || -> Result<Row, Fault> {
        let recipient = context.rules.recipient(&written.to)?;
        let (text, measured) = texts.number(written.text.as_str().into())?;
        let price = context.price(Lane::Bulk, measured, recipient)?;
        Ok(Row { index, recipient, text, reference: 0, price })
    };
    checked()
        .map_err(|fault| RowFault { code: RowCode::Field(fault.code), detail: fault.detail.into_owned() })
}

impl CheckedRows {
    /// What the messages cost together.
    pub(crate) fn price(&self) -> Result<Money, Problem> {
        sum(self.call.rows.iter().map(|row| row.price))
    }

    /// Rows to these recipients are at fault; where a fault ends the rows, they end in front of
    /// the first.
    pub(crate) fn leave_out(&mut self, rows: &[FileRow], stops: bool, opted_out: &HashSet<Msisdn>) {
        let is_out = |row: &Row| opted_out.contains(&row.recipient);
        let out: Vec<u32> = self.call.rows.iter().filter(|row| is_out(row)).map(|row| row.index).collect();
        let error = |index: u32| {
            let fault = super::opted_out();
            let fault = RowFault { code: RowCode::Field(fault.code), detail: fault.detail.into_owned() };
            rows.get(index as usize).map(|row| RowError::new(row.prefix.rows, fault))
        };
        if stops {
            if let Some(first) = out.first() {
                self.truncate(*first as usize);
                self.stopped = error(*first);
            }
            return;
        }
        self.call.rows.retain(|row| !is_out(row));
        self.left_out.extend(out.into_iter().filter_map(|index| Some((index, error(index)?))));
        self.left_out.sort_by_key(|(index, _)| *index);
    }

    /// Leaves only the first `count` rows.
    pub(crate) fn truncate(&mut self, count: usize) {
        if count < self.count {
            let within = |index: u32| (index as usize) < count;
            self.call.rows.retain(|row| within(row.index));
            self.left_out.retain(|(index, _)| within(*index));
            self.stopped = None;
            self.count = count;
        }
    }
}
