//! The invariants' ids and statements: one registry for code, tests, audit, alerts and docs.

use std::fmt;

macro_rules! invariants {
    ($($id:ident $statement:literal),* $(,)?) => {
        /// What must hold of the books, the topics and the messages.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Invariant {
            $(#[doc = $statement] $id),*
        }

        impl Invariant {
            /// All of them, in the order of the design.
            pub const ALL: &'static [Invariant] = &[$(Invariant::$id),*];

            /// The id, as in the design, alerts and docs.
            pub const fn id(self) -> &'static str {
                match self { $(Invariant::$id => stringify!($id)),* }
            }

            /// What holds.
            pub const fn statement(self) -> &'static str {
                match self { $(Invariant::$id => $statement),* }
            }
        }
    };
}

invariants! {
    L1 "every transfer sums to zero; the sum over all accounts changes only by charges",
    L2 "an account row equals the sum of its entries",
    L3 "at most one hold per chunk; no id with two hashes",
    L4 "settled and voided are disjoint and inside the paid prefix; their bits equal the entries'",
    L5 "balance and held are never negative",
    M1 "every id answered with 2xx is accounted for: final, in flight, or listed as parked",
    M2 "a status never moves backwards",
    O1 "first occurrences of source offsets in a billed partition are contiguous",
    O2 "published is never beyond next_offset, except while published verdicts are taken over",
    S1 "at quiescence settled and voided together are the paid prefix",
    P1 "one valid intent per message, part and attempt; none after a closing outcome or send_by",
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
