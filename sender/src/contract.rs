//! What every connector must hold, whatever protocol it speaks: a suite that each of them
//! runs whole.
//!
//! A connector takes part by implementing [`Protocol`] for a rig among its own tests, and by
//! naming the rig in one line there: `crate::contract::suite!(Rig);`. Every case is then a
//! test of that connector, under its own name. A case is played against the simulated
//! operator ([`Peer`]), whose journal shows what it was asked and what it took, or against an
//! operator that answers by script ([`Scripted`]) where an answer is wanted that no operator
//! gives of itself. What is common to protocols over HTTP is in [`http`].
//!
//! The attribute stands before each module because `tidy` tells a file of tests by the line
//! that names it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(test)]
pub(crate) mod any_answer;
#[cfg(test)]
pub(crate) mod connections;
#[cfg(test)]
pub(crate) mod http;
#[cfg(test)]
pub(crate) mod look_ups;
#[cfg(test)]
pub(crate) mod matching;
#[cfg(test)]
mod peer;
#[cfg(test)]
pub(crate) mod polls;
#[cfg(test)]
mod protocol;
#[cfg(test)]
pub(crate) mod refusals;
#[cfg(test)]
mod script;
#[cfg(test)]
pub(crate) mod secrets;
#[cfg(test)]
pub(crate) mod taken;
#[cfg(test)]
pub(crate) mod timely;
#[cfg(test)]
pub(crate) mod unknown;

use peer::Peer;
pub(crate) use protocol::{Element, Found, Protocol, Says};
use script::{Reply, Scripted};

use crate::magfa::Outgoing;
use domain::id::ChunkId;
use domain::phone::Msisdn;
use std::time::Duration;

/// The timeout of calls that are to be answered: only a stuck test waits for it.
const PATIENT: Duration = Duration::from_secs(20);
/// The timeout of calls that are not answered: long enough to reach the operator on a busy
/// machine.
const HASTY: Duration = Duration::from_millis(600);
/// A call ends at the latest so long after its timeout, on a busy machine.
const MARGIN: Duration = Duration::from_secs(3);

/// The number-th message of a test; no two have a recipient in common.
fn message(number: i64) -> Outgoing<'static> {
    let id = ChunkId::new(number << 8).unwrap().message(3);
    let recipient = Msisdn::from_canonical(989_120_000_000 + number.unsigned_abs()).unwrap();
    Outgoing { id, recipient, line: "100002", text: "کد ورود ۷۳۱۹۴۲" }
}

fn messages(count: i64) -> Vec<Outgoing<'static>> {
    (1..=count).map(message).collect()
}

/// Makes each case a test of the rig's connector.
macro_rules! tests {
    ($rig:ty; $($file:ident { $($case:ident)* })*) => {
        $(mod $file {
            use super::*;
            $(#[tokio::test]
            async fn $case() {
                crate::contract::$file::$case::<$rig>().await;
            })*
        })*
    };
}

/// The same of properties, which bring their own runtime.
macro_rules! properties {
    ($rig:ty; $file:ident { $($case:ident)* }) => {
        mod $file {
            use super::*;
            $(#[test]
            fn $case() {
                crate::contract::$file::$case::<$rig>();
            })*
        }
    };
}

/// Runs the whole suite with a rig.
macro_rules! suite {
    ($rig:ty) => {
        crate::contract::tests! { $rig;
            taken {
                every_message_taken_has_an_operator_id_of_its_own
                calls_beside_each_other_have_each_their_own_answers
                a_message_sent_again_on_purpose_is_sent_again
            }
            matching {
                answers_in_another_order_find_their_messages
                elements_that_stand_twice_count_once
                a_message_in_no_element_is_unknown_and_the_others_are_not
                the_recipient_decides_where_our_id_is_not_echoed
                our_id_decides_where_the_recipient_says_otherwise
                elements_of_messages_that_nobody_sent_are_nobodys
                an_element_that_says_nothing_leaves_its_message_unknown
                elements_that_contradict_each_other_leave_their_message_unknown
                an_operator_id_given_to_two_messages_is_neithers
            }
            refusals {
                each_message_of_a_call_has_its_own_refusal
                each_refusal_of_a_message_has_its_class
                each_refusal_of_a_call_is_that_of_all_its_messages
                the_tables_have_every_class
            }
            unknown {
                only_a_refused_connection_is_certainly_not_sent
                an_operator_that_died_between_calls_was_not_reached
                no_answer_before_taking_is_unknown
                no_answer_after_taking_is_unknown
                an_error_before_taking_is_unknown
                an_error_after_taking_is_unknown
                a_reset_in_mid_answer_is_unknown
                garbage_is_unknown
                what_is_no_answer_is_unknown
                an_answer_cut_anywhere_is_unknown
            }
            connections {
                a_call_whose_connection_ends_without_an_answer_is_not_made_again
                connections_that_the_operator_closes_between_calls_repeat_nothing
                an_answer_that_comes_too_late_is_nobodys
                a_second_answer_to_one_call_is_nobodys
            }
            timely {
                a_call_without_an_answer_ends_in_time
                an_answer_that_dribbles_ends_in_time
                a_slow_answer_in_time_counts
                a_call_that_hangs_holds_up_no_other
            }
            look_ups {
                what_was_taken_is_known_under_its_id
                only_what_was_never_taken_was_never_seen
                a_refused_look_up_says_nothing_of_the_message
                a_look_up_without_an_answer_is_no_answer
                a_look_up_with_an_answer_cut_anywhere_is_no_answer
                a_look_up_of_a_troubled_operator_is_no_answer
                where_nobody_can_be_asked_nobody_is
            }
            polls {
                each_receipt_says_what_the_table_says
                an_id_that_is_not_in_the_answer_is_missing
                what_nobody_asked_for_is_left_out
                of_several_receipts_the_furthest_counts_in_any_order
                a_refused_poll_is_nothing_heard
                a_poll_without_an_answer_is_nothing_heard
                a_poll_with_an_answer_cut_anywhere_is_nothing_heard
                a_poll_of_a_troubled_operator_is_nothing_heard
            }
            secrets {
                what_is_logged_and_shown_holds_no_secrets
            }
        }
        crate::contract::properties! { $rig;
            any_answer {
                what_is_left_of_a_true_answer_is_each_messages_own
                whatever_is_said_no_message_has_anothers_outcome
            }
        }
    };
}

pub(crate) use {properties, suite, tests};
