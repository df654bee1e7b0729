//! The query, read as the old gateway read it.

use chrono::FixedOffset;
use domain::id::EPOCH;
use domain::phone::Msisdn;
use domain::status::Status;
use domain::time::UnixMillis;
use utoipa::IntoParams;

use super::super::fields::{Errors, written_integer};
use super::super::form::Form;
use super::super::refusal::Refusal;
use super::dates::{begins, ends};
use super::invalid_page;
use super::row::old_word;
use crate::reports::list::{Filter, StatusSet};
use crate::rules::Rules;

const PAGE_SIZE: u64 = 25;
const PAGE_SIZE_MAX: u64 = 500;
/// Characters of a word that are repeated in an answer.
const WORD_SHOWN_MAX: usize = 64;
/// A receiver is looked for this far back where no dates say how far.
const LOOKED_BACK_MS: i64 = 31 * 86_400_000;
/// A word of the old gateway that no message has any more.
const CREATED: &str = "created";

/// The query, for the description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what is read below")]
pub(in super::super) struct Parameters {
    user_id: i64,
    /// `created` fits nothing.
    #[param(inline, nullable = false)]
    status: Option<OldStatus>,
    /// A whole number, in any form.
    #[param(example = "09123456789", nullable = false)]
    receiver: Option<String>,
    /// A date or an ISO 8601 date-time, inclusive. Without an offset it is of the gateway's local time.
    #[param(example = "2026-11-21", nullable = false)]
    start_date: Option<String>,
    /// The same; a date is inclusive to its end.
    #[param(example = "2026-11-21T23:59:59+03:30", nullable = false)]
    end_date: Option<String>,
    /// From 1; or `last`.
    #[param(example = "1", nullable = false)]
    page: Option<String>,
    /// At most 500, by default 25.
    #[param(example = 25, nullable = false)]
    page_size: Option<String>,
}

/// The words of the old gateway.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "describes what is read below")]
enum OldStatus {
    Created,
    InQueue,
    Sent,
    Delivered,
    Failed,
    UserCanceled,
    UserBlocked,
}

/// What is asked for.
pub(super) struct Asked {
    pub(super) user_id: i64,
    pub(super) page: Page,
    pub(super) page_size: u64,
    pub(super) listed: Listed,
}

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// From 1.
    Number(u64),
    Last,
}

/// Which messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    statuses: StatusSet,
    receiver: Option<Receiver>,
    from: UnixMillis,
    to: UnixMillis,
}

/// Whose messages.
#[derive(Debug, PartialEq, Eq)]
enum Receiver {
    Number(Msisdn),
    /// No message was ever sent there.
    Nobody,
}

impl Listed {
    pub(super) fn filter(self, account: i64) -> Filter {
        let filter = Filter::of(account, self.from, self.to);
        match self.receiver {
            None => Filter { statuses: self.statuses, ..filter },
            Some(Receiver::Number(number)) => {
                Filter { statuses: self.statuses, recipient: Some(number), ..filter }
            }
            Some(Receiver::Nobody) => Filter { statuses: StatusSet::of([]), ..filter },
        }
    }
}

/// # Errors
/// 400 for fields that cannot be read, 404 for a page that no list has.
pub(super) fn asked(
    form: &Form,
    rules: &Rules,
    local: FixedOffset,
    now: UnixMillis,
) -> Result<Asked, Refusal> {
    let mut errors = Errors::default();
    let user_id = form.integer("user_id", i64::MIN, &mut errors);
    let statuses = match form.word("status") {
        None => StatusSet::ALL,
        Some(word) => statuses(word).unwrap_or_else(|| {
            let shown: String = word.chars().take(WORD_SHOWN_MAX).collect();
            let message = format!("Select a valid choice. {shown} is not one of the available choices.");
            errors.add("status", message);
            StatusSet::ALL
        }),
    };
    let receiver =
        form.word("receiver").map(|word| rules.recipient(word).map_or(Receiver::Nobody, Receiver::Number));
    let mut date = |name: &str, read: fn(&str, FixedOffset) -> Option<UnixMillis>| {
        let word = form.word(name)?;
        let date = read(word, local);
        if date.is_none() {
            errors.add(name, "Enter a valid date/time.");
        }
        date
    };
    let (start, end) = (date("start_date", begins), date("end_date", ends));
    errors.into_result()?;

    let looked_back = receiver.is_some() && start.is_none() && end.is_none();
    let first = if looked_back { now.plus(-LOOKED_BACK_MS) } else { EPOCH };
    let listed =
        Listed { statuses, receiver, from: start.unwrap_or(first), to: end.unwrap_or(UnixMillis(i64::MAX)) };
    let page = page(form.word("page")).ok_or_else(invalid_page)?;
    // Whatever is missing has been noted.
    Ok(Asked {
        user_id: user_id.unwrap_or_default(),
        page,
        page_size: page_size(form.word("page_size")),
        listed,
    })
}

impl Form {
    /// The query of a request. What is empty counts as not given.
    pub(super) fn of_query(query: &str) -> Self {
        let mut form = Form::of_pairs(query.as_bytes());
        form.fields.retain(|_, value| value.as_str().is_some_and(|text| !text.trim().is_empty()));
        form
    }

    fn word(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str().map(str::trim)
    }
}

/// The statuses that an old word stands for.
fn statuses(word: &str) -> Option<StatusSet> {
    let set = StatusSet::of(Status::ALL.into_iter().filter(|status| old_word(*status) == word));
    (word == CREATED || !set.is_empty()).then_some(set)
}

fn page(word: Option<&str>) -> Option<Page> {
    match word {
        None => Some(Page::Number(1)),
        Some("last") => Some(Page::Last),
        Some(word) => {
            let number = u64::try_from(written_whole(word)?).ok()?;
            (number > 0).then_some(Page::Number(number))
        }
    }
}

/// A size that cannot be read is no reason to refuse.
fn page_size(word: Option<&str>) -> u64 {
    let size = word.and_then(written_whole).and_then(|size| u64::try_from(size).ok());
    size.filter(|size| *size > 0).map_or(PAGE_SIZE, |size| size.min(PAGE_SIZE_MAX))
}

/// An integer without a fraction, even of zeros.
fn written_whole(word: &str) -> Option<i128> {
    written_integer(word).filter(|_| !word.contains('.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tests::settings::settings;

    const NOW: UnixMillis = UnixMillis(1_795_262_400_000);
    const DAY_MS: i64 = 86_400_000;

    fn listed(query: &str) -> Listed {
        let settings = settings();
        let rules = Rules::new(&settings.countries, settings.limits).unwrap();
        let form = Form::of_query(&format!("user_id=1&{query}"));
        asked(&form, &rules, FixedOffset::east_opt(210 * 60).unwrap(), NOW).unwrap().listed
    }

    #[test]
    fn a_receiver_without_dates_is_looked_for_in_the_last_31_days() {
        let always = UnixMillis(i64::MAX);
        let of = |query: &str| (listed(query).from, listed(query).to);
        assert_eq!(of("receiver=09123456789"), (NOW.plus(-31 * DAY_MS), always));
        assert_eq!(of("receiver=09123456789&start_date=&page=2"), (NOW.plus(-31 * DAY_MS), always));
        assert_eq!(of("status=sent"), (EPOCH, always));
        let (from, _) = of("receiver=09123456789&end_date=2026-11-21");
        assert_eq!(from, EPOCH, "a date says how far");
        let (from, to) = of("receiver=09123456789&start_date=2026-01-02&end_date=2026-01-02");
        assert_eq!(to.0 - from.0, DAY_MS);
    }

    #[test]
    fn a_receiver_that_is_no_number_has_no_messages() {
        for (word, nobody) in
            [("09123456789", false), ("۹۸۹۱۲۳۴۵۶۷۸۹", false), ("123456789", true), ("x", true)]
        {
            let filter = listed(&format!("receiver={word}")).filter(7);
            assert_eq!(
                (filter.account, filter.statuses.is_empty(), filter.recipient.is_none()),
                (7, nobody, nobody)
            );
        }
    }

    #[test]
    fn every_status_has_an_old_word_and_every_old_word_its_statuses() {
        use Status as S;
        for (word, of) in [
            ("created", vec![]),
            ("in_queue", vec![S::Queued]),
            ("sent", vec![S::Sent]),
            ("delivered", vec![S::Delivered]),
            ("failed", vec![S::Undelivered, S::Failed, S::Expired, S::Refused]),
            ("user_canceled", vec![S::Canceled]),
            ("user_blocked", vec![S::Blocked]),
        ] {
            assert_eq!(statuses(word), Some(StatusSet::of(of)), "{word}");
        }
        for unknown in ["", "queued", "SENT", "undelivered"] {
            assert_eq!(statuses(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn pages_are_counted_from_one_and_sizes_are_forgiven() {
        for (word, number) in [("1", 1), ("۲", 2), (" 3 ", 3), ("99999999999", 99_999_999_999)] {
            assert_eq!(page(Some(word)), Some(Page::Number(number)));
        }
        assert_eq!((page(None), page(Some("last"))), (Some(Page::Number(1)), Some(Page::Last)));
        for none in ["0", "-1", "x", "1.0", "1.5", "first", &"9".repeat(40)] {
            assert_eq!(page(Some(none)), None, "{none}");
        }
        for (word, size) in
            [("1", 1), ("500", 500), ("501", 500), ("0", 25), ("-5", 25), ("x", 25), ("۵۰", 50)]
        {
            assert_eq!(page_size(Some(word)), size, "{word}");
        }
        assert_eq!(page_size(None), 25);
    }
}
