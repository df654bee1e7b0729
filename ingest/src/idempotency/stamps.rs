//! What is noted of a call before anything is produced, and of its answer after it.

use domain::id::Run;
use domain::lane::Lane;
use domain::money::Money;
use domain::time::UnixMillis;

use crate::chunking::Call;

/// What a call's records are rebuilt from, beside the request itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamps {
    /// When it was taken: `created_at` of its records, and what `send_by` counts from.
    pub(crate) taken_at: UnixMillis,
    /// The lane travelled in.
    pub(crate) lane: Lane,
    /// The sender line.
    pub(crate) line: String,
    pub(crate) tariff_version: u32,
    /// The rules it was checked by, as [`Past`](super::past::Past) numbers them.
    pub(crate) rules: i32,
    /// The ids of its chunks.
    pub(crate) run: Run,
    /// The places in the customer's list that were left out for a reason which changes by itself.
    pub(crate) left_out: Vec<u32>,
    /// Accepted messages.
    pub(crate) messages: u32,
    /// What they cost.
    pub(crate) price: Money,
}

impl Stamps {
    /// Of a call whose ids are reserved.
    pub(crate) fn of(call: &Call, price: Money, rules: i32, run: Run, left_out: Vec<u32>) -> Self {
        Stamps {
            taken_at: call.created_at,
            lane: call.lane,
            line: call.line.clone(),
            tariff_version: call.tariff_version,
            rules,
            run,
            left_out,
            messages: u32::try_from(call.rows.len()).unwrap_or(u32::MAX),
            price,
        }
    }

    /// Whether a call that was rebuilt from them is the one that they were taken from, as far as
    /// can be told: an other version of this program may measure texts or read numbers otherwise.
    pub(crate) fn fit(&self, call: &Call, price: Money, chunks: usize) -> bool {
        let of_it = Stamps::of(call, price, self.rules, self.run, self.left_out.clone());
        of_it == *self && u32::try_from(chunks) == Ok(self.run.count)
    }
}

/// What a customer was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Accepted: of each chunk so many messages, the others as `insufficient_funds`; all where
    /// nothing is noted.
    Accepted(Option<Vec<u16>>),
    /// 402, with this balance.
    Refused(Money),
}
